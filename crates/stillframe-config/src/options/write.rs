//! Writes lines that [`Options::parse`] reads, and that Flink and TOML read too.

use super::Options;
use alloc::string::String;
use core::fmt::Write;

impl Options {
    /// Lines of `key: value`, as in Flink's `flink-conf.yaml` and `config.yaml`. What would be read as something else is in
    /// double quotes.
    #[must_use]
    pub fn to_flink_conf(&self) -> String {
        self.lines(|out, key, value| {
            name(out, key, is_plain_key(key));
            out.push_str(": ");
            name(out, value, is_plain_value(value));
        })
    }

    /// Lines of `"key" = "value"`, which are TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.lines(|out, key, value| {
            name(out, key, false);
            out.push_str(" = ");
            name(out, value, false);
        })
    }

    fn lines(&self, line: impl Fn(&mut String, &str, &str)) -> String {
        let mut out = String::new();
        for (key, value) in self.iter() {
            line(&mut out, key, value);
            out.push('\n');
        }
        out
    }
}

fn is_plain_key(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(plain)
}

/// Plain in YAML as well: begins with a letter, a digit or a slash, and has nothing in it that ends a value.
fn is_plain_value(value: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphanumeric() || c == '/';
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '/' | ':' | '+' | '%' | '@');
    value.starts_with(begins)
        && value.chars().all(plain)
        && !value.ends_with([' ', ':'])
        && !value.contains(": ")
        && !value.eq_ignore_ascii_case("null")
        && (!value.starts_with(|c: char| c.is_ascii_digit()) || is_plain_number(value))
}

/// The same text to whoever reads it as a number, with or without a unit: `1e5`, `0x10`, `007` and dates are not.
fn is_plain_number(value: &str) -> bool {
    let (number, unit) = value.split_once(' ').unwrap_or((value, "s"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole)
        && is_digits(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && !unit.is_empty()
        && unit.chars().all(char::is_alphabetic)
}

fn name(out: &mut String, text: &str, plain: bool) {
    if plain {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing into a text cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_quotes_where_they_must_be() {
        let options: Options = [
            ("a", "10 s"),
            ("b", "file:///c"),
            ("c", ""),
            ("d", "x: y"),
            ("e", "-1"),
            ("f", "a\nb\0"),
            ("g h", "#"),
        ]
        .into_iter()
        .collect();
        let text =
            "a: 10 s\nb: file:///c\nc: \"\"\nd: \"x: y\"\ne: \"-1\"\nf: \"a\\nb\\u0000\"\n\"g h\": \"#\"\n";
        assert_eq!(options.to_flink_conf(), text);
        assert_eq!(Options::parse(text).unwrap(), options);
        assert!(options.to_toml().starts_with("\"a\" = \"10 s\"\n"));
        assert_eq!(Options::parse(&options.to_toml()).unwrap(), options);
    }

    #[test]
    fn what_looks_like_a_number_and_would_change_is_in_quotes() {
        for plain in ["0", "7", "120", "1.5", "0.25", "10 s", "2 µs", "1.5 kb"] {
            assert!(is_plain_value(plain), "{plain}");
        }
        for quoted in [
            "007",
            "1e5",
            "0x10",
            "0o17",
            "1_000",
            "2026-11-22",
            "12:30",
            "3min",
            "1.",
            "1.e3",
            "1 ",
            "1 2",
            "01 s",
            "1.2.3",
        ] {
            assert!(!is_plain_value(quoted), "{quoted}");
            let options: Options = [("a", quoted)].into_iter().collect();
            assert_eq!(options.to_flink_conf(), alloc::format!("a: \"{quoted}\"\n"));
            assert_eq!(Options::parse(&options.to_flink_conf()), Ok(options));
        }
    }
}
