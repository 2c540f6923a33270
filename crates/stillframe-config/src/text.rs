//! Durations as people write them.

use crate::ConfigError;
use core::time::Duration;

/// Reads a duration such as `200ms`, `1 s`, `2min` or `1h`. A bare number is milliseconds, as in Flink.
///
/// # Errors
/// If there is no number, the unit is unknown, or the value is beyond what a [`Duration`] of whole milliseconds holds.
pub fn parse_duration(option: &'static str, text: &str) -> Result<Duration, ConfigError> {
    const ALLOWED: &str = "a whole number and one of ns, us, ms, s, min, h, d; a bare number is milliseconds";
    let error = || ConfigError::new(option, text, ALLOWED);
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let number: u64 = number.parse().map_err(|_| error())?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs).ok_or_else(error);
    match unit.trim_start() {
        "ns" => Ok(Duration::from_nanos(number)),
        "us" | "µs" => Ok(Duration::from_micros(number)),
        "" | "ms" => Ok(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" | "min" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => Err(error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_units() {
        let read = |text| parse_duration("x", text).map_err(|error| error.option());
        assert_eq!(read("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(read(" 1 s "), Ok(Duration::from_secs(1)));
        assert_eq!(read("250"), Ok(Duration::from_millis(250)));
        assert_eq!(read("2min"), Ok(Duration::from_secs(120)));
        for bad in ["", "ms", "-1s", "1.5s", "1 fortnight", "99999999999999999999", "18446744073709551615d"] {
            assert_eq!(read(bad), Err("x"), "{bad}");
        }
    }
}
