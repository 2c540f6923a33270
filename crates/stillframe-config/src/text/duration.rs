//! Durations as people write them.

use crate::ConfigError;
use alloc::format;
use alloc::string::String;
use core::time::Duration;
use stillframe_model::Redacted;

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

/// What [`parse_duration`] reads, for error messages.
pub(crate) const ALLOWED: &str =
    "a whole number and one of ns, µs, ms, s, min, h, d; a bare number is milliseconds";

/// The longest duration that there is a text for: as many seconds as Flink's integers count.
pub(crate) const LONGEST: Duration = Duration::from_secs(i64::MAX.unsigned_abs());

/// Reads a duration such as `200ms`, `1 s`, `2 min` or `12 hours`, in any case. A bare number is milliseconds. The forms are
/// those of Flink's configuration, in which `us` is none.
///
/// # Errors
/// If it is none of these, or longer than 2^63 - 1 seconds. `option` is the key that the error names.
pub fn parse_duration(option: &'static str, text: &str) -> Result<Duration, ConfigError> {
    read(text).ok_or_else(|| ConfigError::new(option, Redacted::new(text).quote(), ALLOWED))
}

pub(crate) fn read(text: &str) -> Option<Duration> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    // Flink counts in signed integers.
    let number = number.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok())?;
    let each = match unit.trim_start_matches(|c: char| c <= ' ') {
        "" => Duration::from_millis(1),
        unit => {
            let singular = unit.strip_suffix(['s', 'S']).unwrap_or(unit);
            let is = |name: &&str| unit.eq_ignore_ascii_case(name);
            let is_one_or_more = |name: &&str| is(name) || singular.eq_ignore_ascii_case(name);
            let named = UNITS
                .iter()
                .find(|(_, short, words)| short.iter().any(is) || words.iter().any(is_one_or_more));
            named.map(|(each, ..)| *each)?
        }
    };
    let nanos = u128::from(number) * each.as_nanos();
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).ok()?;
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).ok()?;
    Some(Duration::new(seconds, rest)).filter(|duration| *duration <= LONGEST)
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A duration in the longest unit of which it is a whole number, as Flink writes it: `90 s`, `25 h`, `0 ms`.
pub(crate) fn write(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let unit = UNITS.iter().rev().find(|(each, ..)| nanos.is_multiple_of(each.as_nanos()));
    match unit {
        Some((each, names, _)) if nanos > 0 => format!("{} {}", nanos / each.as_nanos(), names[0]),
        _ => String::from("0 ms"),
    }
}

/// The same, or a little less where [`write`] would need a number that Flink's integers do not reach, which takes some
/// three hundred years.
pub(crate) fn writable(duration: Duration) -> Duration {
    let fits = |number: u128| i64::try_from(number).is_ok();
    let duration = duration.min(LONGEST);
    if fits(duration.as_nanos()) {
        duration
    } else if fits(duration.as_micros()) {
        Duration::new(duration.as_secs(), duration.subsec_micros() * 1_000)
    } else if fits(duration.as_millis()) {
        Duration::new(duration.as_secs(), duration.subsec_millis() * 1_000_000)
    } else {
        Duration::from_secs(duration.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Flink 1.20.5 accepted and refused when it was asked.
    #[test]
    fn reads_what_flink_reads() {
        let read = |text| parse_duration("x", text).map_err(|error| String::from(error.option()));
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
            ("10\u{1}s", 10_000),
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
            "10\u{a0}s",
            "10\u{3000}s",
            "99999999999999999999",
            "18446744073709551615 d",
            "9223372036854775808 ms",
            "9223372036854775807 d",
        ] {
            assert_eq!(read(text), Err("x".into()), "{text}");
        }
    }

    #[test]
    fn writes_what_flink_writes() {
        for (nanos, text) in [
            (0, "0 ms"),
            (1, "1 ns"),
            (999_999, "999999 ns"),
            (1_500_000, "1500 µs"),
            (10_000_000, "10 ms"),
            (1_500_000_000, "1500 ms"),
            (60_000_000_000, "1 min"),
            (90_061_000_000_000, "90061 s"),
            (90_000_000_000_000, "25 h"),
            (86_400_000_000_000, "1 d"),
        ] {
            assert_eq!(write(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn the_longest_durations_can_be_written_and_read() {
        for duration in [Duration::MAX, LONGEST, Duration::new(i64::MAX.unsigned_abs() - 1, 1)] {
            let kept = writable(duration);
            assert_eq!(read(&write(kept)), Some(kept), "{duration:?}");
        }
    }
}
