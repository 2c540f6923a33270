//! Durations as people write them.

use crate::ConfigError;
use core::time::Duration;

/// The units, shortest first: their abbreviations, and the words that also stand in the plural. Both are Flink's.
const UNITS: [(Duration, &[&str], &[&str]); 7] = [
    (Duration::from_nanos(1), &["ns"], &["nano", "nanosecond"]),
    (Duration::from_micros(1), &["µs"], &["micro", "microsecond"]),
    (Duration::from_millis(1), &["ms"], &["milli", "millisecond"]),
    (Duration::from_secs(1), &["s"], &["sec", "second"]),
    (Duration::from_secs(60), &["min", "m"], &["minute"]),
    (Duration::from_secs(3_600), &["h"], &["hour"]),
    (Duration::from_secs(86_400), &["d"], &["day"]),
];

/// Reads a duration such as `200ms`, `1 s`, `2 min` or `12 hours`, in any case. A bare number is milliseconds. The forms are
/// those of Flink's configuration, in which `us` is none.
///
/// # Errors
/// If it is none of these, or more than a [`Duration`] holds. `option` is the key that the error names.
pub fn parse_duration(option: &'static str, text: &str) -> Result<Duration, ConfigError> {
    const ALLOWED: &str = "a whole number and one of ns, µs, ms, s, min, h, d; a bare number is milliseconds";
    let error = || ConfigError::new(option, format_args!("`{text}`"), ALLOWED);
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let number: u64 = number.parse().map_err(|_| error())?;
    let each = match unit.trim_start() {
        "" => Duration::from_millis(1),
        unit => {
            let singular = unit.strip_suffix(['s', 'S']).unwrap_or(unit);
            let is = |name: &&str| unit.eq_ignore_ascii_case(name);
            let is_one_or_more = |name: &&str| is(name) || singular.eq_ignore_ascii_case(name);
            let named = UNITS
                .iter()
                .find(|(_, short, words)| short.iter().any(is) || words.iter().any(is_one_or_more));
            named.map(|(each, ..)| *each).ok_or_else(error)?
        }
    };
    let nanos = u128::from(number) * each.as_nanos();
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| error())?;
    let rest = u32::try_from(nanos % 1_000_000_000).map_err(|_| error())?;
    Ok(Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Flink 1.20.5 accepted and refused when it was asked.
    #[test]
    fn reads_what_flink_reads() {
        let read = |text| parse_duration("x", text).map_err(|error| error.option());
        for (text, millis) in [
            ("10sec", 10_000),
            ("10 second", 10_000),
            ("10 S", 10_000),
            ("500", 500),
            ("500ms", 500),
            ("500 milli", 500),
            (" 500 ms ", 500),
            ("1 min", 60_000),
            ("1 m", 60_000),
            ("1 minute", 60_000),
            ("1 h", 3_600_000),
            ("2 hours", 7_200_000),
            ("1 d", 86_400_000),
            ("1 day", 86_400_000),
            ("2 days", 172_800_000),
            ("20000000 ns", 20),
        ] {
            assert_eq!(read(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "abc",
            "-1",
            "-1 ms",
            "1000000 us",
            "PT10S",
            "PT0.5S",
            "1.5 s",
            "+10 s",
            "10 weeks",
            "0x10 s",
            "١٠ s",
            "hs",
            "1 mss",
            "1 µss",
            "1 mins",
            "99999999999999999999",
            "18446744073709551615 d",
        ] {
            assert_eq!(read(text), Err("x"), "{text}");
        }
    }
}
