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
}
