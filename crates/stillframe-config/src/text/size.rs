//! Sizes as people write them.

use alloc::format;
use alloc::string::String;

/// The units, smallest first; the second name of each is the one that is written. All are Flink's, and powers of 1024.
const UNITS: [(u64, &[&str]); 5] = [
    (1, &["b", "bytes"]),
    (1 << 10, &["k", "kb", "kibibytes"]),
    (1 << 20, &["m", "mb", "mebibytes"]),
    (1 << 30, &["g", "gb", "gibibytes"]),
    (1 << 40, &["t", "tb", "tebibytes"]),
];

/// What [`read`] reads, for error messages.
pub(crate) const ALLOWED: &str =
    "a whole number and one of b, kb, mb, gb, tb (powers of 1024); a bare number is bytes";

/// A number of bytes below 2^63 from a text such as `20kb`, `1 mb`, `4096` or `1 gibibytes`, in any case.
pub(crate) fn read(text: &str) -> Option<u64> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim_matches(|c: char| c <= ' ');
    let each = match unit {
        "" => 1,
        _ => {
            let named =
                UNITS.iter().find(|(_, names)| names.iter().any(|name| unit.eq_ignore_ascii_case(name)));
            named.map(|(each, _)| *each)?
        }
    };
    number.checked_mul(each).filter(|bytes| i64::try_from(*bytes).is_ok())
}

/// A size in the largest unit of which it is a whole number, as Flink writes it: `20 kb`, `1048577 bytes`.
pub(crate) fn write(bytes: u64) -> String {
    let unit = UNITS
        .iter()
        .rev()
        .find(|(each, _)| bytes.is_multiple_of(*each))
        .filter(|_| bytes > 0)
        .unwrap_or(&UNITS[0]);
    format!("{} {}", bytes / unit.0, unit.1[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_flink_reads() {
        for (text, bytes) in [
            ("0", 0),
            ("1", 1),
            ("1048577", 1_048_577),
            ("1kb", 1_024),
            ("20kb", 20_480),
            (" 1 MB ", 1 << 20),
            ("3 k", 3_072),
            ("2 gibibytes", 2 << 30),
            ("1t", 1 << 40),
            ("5 bytes", 5),
            ("9223372036854775807", i64::MAX.unsigned_abs()),
        ] {
            assert_eq!(read(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "abc",
            "-1",
            "+1",
            "1.5 kb",
            "1 kib",
            "1 kilobyte",
            "9223372036854775808",
            "8388608 tb",
            "kb",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_flink_writes() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 bytes"),
            (20_480, "20 kb"),
            (32 << 20, "32 mb"),
            (1_048_577, "1048577 bytes"),
        ] {
            assert_eq!(write(bytes), text);
        }
    }
}
