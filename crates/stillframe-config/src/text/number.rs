//! Numbers as Java reads them.

/// A whole number with an optional sign and nothing around it.
pub(crate) fn integer<T: core::str::FromStr>(text: &str) -> Option<T> {
    // Rust and Java agree on the form: sign, digits, no blanks.
    text.parse().ok()
}

/// A finite decimal number, with blanks around it and one of the letters after it that mark a type in Java.
pub(crate) fn decimal(text: &str) -> Option<f32> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let digits = trimmed.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(trimmed);
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-' | 'e' | 'E');
    if !digits.chars().all(plain) {
        return None;
    }
    digits.parse().ok().filter(|number: &f32| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_java_reads() {
        for (text, number) in [("4", 4), ("+4", 4), ("-1", -1), ("007", 7)] {
            assert_eq!(integer::<i32>(text), Some(number), "{text}");
        }
        for text in ["", " 3 ", "0x2", "2147483648", "1_000", "1.0", "+", "--1"] {
            assert_eq!(integer::<i32>(text), None, "{text}");
        }
        for (text, number) in
            [("2", 2.0), ("2.5", 2.5), (" 2.0f ", 2.0), ("-1e2", -100.0), (".5", 0.5), ("3.d", 3.0)]
        {
            assert_eq!(decimal(text), Some(number), "{text}");
        }
        for text in ["", "NaN", "inf", "infinity", "1e99", "2,5", "f", "0x1p3"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }
}
