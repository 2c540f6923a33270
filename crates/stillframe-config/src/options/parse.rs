//! Reads lines of `key: value` or `key = value`.

use super::Options;
use alloc::string::String;

/// A line could not be read. The text of the line is not repeated, because it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {found} (expected `key: value` or `key = \"value\"`; {advice})")]
pub struct ParseError {
    line: usize,
    found: &'static str,
    advice: &'static str,
}

impl ParseError {
    /// The number of the line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

const NESTED: &str = "read a nested file with a library for its format into `Options`, feature `serde`";
const QUOTES: &str =
    "in double quotes, \\ is followed by one of \\ \" n r t, or by u and four hexadecimal digits";

impl Options {
    /// Reads a flat configuration: lines such as `key: value`, as in Flink's `flink-conf.yaml` and in a flat `config.yaml`,
    /// and such as `key = "value"`, as in a flat TOML file. Keys and values may be in quotes; `#` begins a comment at the
    /// beginning of a line and after a blank.
    ///
    /// # Errors
    /// For a line that is neither, that is indented, or that sets a key a second time.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut options = Self::new();
        for (index, line) in text.lines().enumerate() {
            let error = |(found, advice)| ParseError { line: index + 1, found, advice };
            if let Some((key, value)) = read_line(line).map_err(error)?
                && options.insert(key, value).is_some()
            {
                return Err(error(("a key that was already set", "remove one of the two")));
            }
        }
        Ok(options)
    }
}

type Fault = (&'static str, &'static str);

fn read_line(line: &str) -> Result<Option<(String, String)>, Fault> {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" {
        return Ok(None);
    }
    if line.starts_with([' ', '\t', '-', '[', '{']) {
        return Err(("a line that is part of a nested structure", NESTED));
    }
    let (key, rest) = match quoted(trimmed)? {
        Some((key, rest)) => {
            let rest = rest.trim_start();
            let value = rest.strip_prefix([':', '=']).ok_or(("no : or = after the key", NESTED))?;
            (key, value)
        }
        None => {
            // A colon that no blank follows is part of the key, as in YAML.
            let colon =
                trimmed.match_indices(':').map(|(at, _)| at).find(|at| ends_a_key(&trimmed[at + 1..]));
            let separator = match (colon, trimmed.find('=')) {
                (Some(colon), Some(equals)) => colon.min(equals),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => return Err(("no : or = after the key", NESTED)),
            };
            let key = trimmed[..separator].trim_end();
            if key.is_empty() {
                return Err(("a value without a key", NESTED));
            }
            (String::from(key), &trimmed[separator + 1..])
        }
    };
    let rest = rest.trim();
    let value = match quoted(rest)? {
        Some((value, rest)) => {
            let rest = rest.trim_start();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(("text after the closing quote", QUOTES));
            }
            value
        }
        None => String::from(without_comment(rest)),
    };
    if value.is_empty() && !rest.starts_with(['"', '\'']) {
        return Err(("a key without a value", NESTED));
    }
    Ok(Some((key, value)))
}

fn ends_a_key(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t'])
}

fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let comment = value.match_indices('#').map(|(at, _)| at).find(|at| value[..*at].ends_with([' ', '\t']));
    comment.map_or(value, |at| value[..at].trim_end())
}

/// What stands in the quotes that a text begins with, and what follows them.
fn quoted(text: &str) -> Result<Option<(String, &str)>, Fault> {
    if let Some(rest) = text.strip_prefix('\'') {
        return single_quoted(rest).map(Some);
    }
    let Some(rest) = text.strip_prefix('"') else { return Ok(None) };
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next().ok_or(("a quote that is not closed", QUOTES))? {
            '"' => return Ok(Some((value, chars.as_str()))),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(same @ ('\\' | '"')) => value.push(same),
                Some('u') => {
                    let digits = chars.as_str().get(..4).ok_or(("an unknown escape", QUOTES))?;
                    let code = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
                    value.push(code.and_then(char::from_u32).ok_or(("an unknown escape", QUOTES))?);
                    chars = chars.as_str()[4..].chars();
                }
                _ => return Err(("an unknown escape", QUOTES)),
            },
            other => value.push(other),
        }
    }
}

/// As in YAML: nothing is escaped but the quote, which is doubled.
fn single_quoted(rest: &str) -> Result<(String, &str), Fault> {
    let mut value = String::new();
    let mut rest = rest;
    loop {
        let (before, after) = rest.split_once('\'').ok_or(("a quote that is not closed", QUOTES))?;
        value.push_str(before);
        let Some(more) = after.strip_prefix('\'') else { return Ok((value, after)) };
        value.push('\'');
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> (String, String) {
        let options = Options::parse(text).unwrap();
        let (key, value) = options.iter().next().unwrap();
        (key.into(), value.into())
    }

    #[test]
    fn both_styles_are_read() {
        for (text, key, value) in [
            ("a.b: 10 s", "a.b", "10 s"),
            ("a.b:   10 s   # often", "a.b", "10 s"),
            ("a.b = 10", "a.b", "10"),
            ("a.b=10", "a.b", "10"),
            ("a.b = \"10 s\" # often", "a.b", "10 s"),
            ("\"a.b\" = \"10 s\"", "a.b", "10 s"),
            ("'a:b': 'it''s'", "a:b", "it's"),
            ("a.b: file:///tmp/x#y", "a.b", "file:///tmp/x#y"),
            ("a.b: x=y", "a.b", "x=y"),
            ("a = x: y", "a", "x: y"),
            ("a.b: \"\"", "a.b", ""),
            ("\u{feff}a: \"\\u00fc\\n\\\"\\\\\"", "a", "ü\n\"\\"),
            ("# c\n\n---\na: 1\r\n", "a", "1"),
        ] {
            assert_eq!(one(text), (key.into(), value.into()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line() {
        for (text, words) in [
            ("a: 1\nnothing", "line 2: no : or ="),
            ("a:", "line 1: a key without a value"),
            ("a: # none", "a key without a value"),
            ("execution:\n  checkpointing:\n", "line 1: a key without a value"),
            ("a: 1\n  b: 2", "line 2: a line that is part of a nested structure"),
            ("[execution]", "nested"),
            (": 1", "without a key"),
            ("a: 1\na: 2", "line 2: a key that was already set"),
            ("a: \"x", "not closed"),
            ("a: \"x\" y", "after the closing quote"),
            ("a: \"\\x\"", "escape"),
            ("a: \"\\u12\"", "escape"),
            ("a: \"\\u+123\"", "escape"),
            ("a: 'x", "not closed"),
        ] {
            let error = Options::parse(text).unwrap_err();
            assert!(alloc::string::ToString::to_string(&error).contains(words), "{text}: {error}");
        }
    }
}
