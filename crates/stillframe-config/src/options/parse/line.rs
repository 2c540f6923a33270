//! Takes one line apart.

use super::Fault;
use alloc::string::String;

const NO_SEPARATOR: &str = "put : and a blank, or =, between the key and its value";
const QUOTES: &str =
    "in double quotes, \\ is followed by one of \\ \" n r t, or by u and four hexadecimal digits";
const HEADER: &str =
    "the header of a section is keys with dots between them, such as [execution.checkpointing]";

/// A key and what stands behind it.
pub(super) struct Entry<'a> {
    pub(super) key: String,
    /// Trimmed, and otherwise as it is there.
    pub(super) rest: &'a str,
    /// Whether there is a colon between the two, as in YAML.
    pub(super) is_colon: bool,
}

/// A trimmed line that is not empty.
pub(super) fn entry(line: &str) -> Result<Entry<'_>, Fault> {
    let (key, at) = match quoted(line)? {
        Some((key, rest)) => {
            let rest = rest.trim_start();
            if !rest.starts_with([':', '=']) {
                return Err(Fault::new("no : or = after the key", NO_SEPARATOR));
            }
            (key, line.len() - rest.len())
        }
        None => {
            let at = separator(line)?;
            let key = line[..at].trim_end();
            if key.is_empty() {
                return Err(Fault::new("a value without a key", NO_SEPARATOR));
            }
            (String::from(key), at)
        }
    };
    Ok(Entry { key, rest: line[at + 1..].trim(), is_colon: line[at..].starts_with(':') })
}

/// Where a plain key ends. A colon that no blank follows is part of the key, as in YAML.
fn separator(line: &str) -> Result<usize, Fault> {
    let ends_a_key = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    let colon = line.match_indices(':').map(|(at, _)| at).find(|at| ends_a_key(&line[at + 1..]));
    match (colon, line.find('=')) {
        (Some(colon), Some(equals)) => Ok(colon.min(equals)),
        (Some(at), None) | (None, Some(at)) => Ok(at),
        (None, None) if line.contains(':') => Err(Fault::new("no blank after the colon", NO_SEPARATOR)),
        (None, None) => Err(Fault::new("no : or = after the key", NO_SEPARATOR)),
    }
}

/// The text of a value. What goes on after its closing quote is no text in quotes, but one that begins with them.
pub(super) fn scalar(rest: &str) -> Result<String, Fault> {
    Ok(match quoted(rest)? {
        Some((value, after)) if without_comment(after.trim_start()).is_empty() => value,
        _ => String::from(without_comment(rest)),
    })
}

pub(super) fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let comment = value.match_indices('#').map(|(at, _)| at).find(|at| value[..*at].ends_with([' ', '\t']));
    comment.map_or(value, |at| value[..at].trim_end())
}

/// What stands behind the dash of an item of a list.
pub(super) fn item(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('-')?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| rest.trim_start())
}

/// What a `|` or a `>` puts between the lines of the text below it.
pub(super) fn block_separator(rest: &str) -> Option<char> {
    let rest = without_comment(rest);
    let separator = match rest.chars().next()? {
        '|' => '\n',
        '>' => ' ',
        _ => return None,
    };
    rest[1..].chars().all(|c| matches!(c, '+' | '-' | '1'..='9')).then_some(separator)
}

/// How many brackets of a list or a table are open after this text, if so many were before it.
pub(super) fn open_brackets(text: &str, before: usize) -> usize {
    let mut is_quoted = false;
    text.chars().fold(before, |open, c| match c {
        '"' => {
            is_quoted = !is_quoted;
            open
        }
        '[' | '{' if !is_quoted => open + 1,
        ']' | '}' if !is_quoted => open.saturating_sub(1),
        _ => open,
    })
}

/// The keys in the header of a section of TOML, with dots between them.
pub(super) fn header(line: &str) -> Result<String, Fault> {
    let fault = || Fault::new("a header of a section that is none", HEADER);
    let mut rest = line.strip_prefix('[').ok_or_else(fault)?;
    let mut path = String::new();
    loop {
        rest = rest.trim_start();
        if let Some((key, after)) = quoted(rest)? {
            path.push_str(&key);
            rest = after.trim_start();
        } else {
            let end = rest.find(['.', ']', '[', '"', '\'', '#', '=']).ok_or_else(fault)?;
            let key = rest[..end].trim_end();
            if key.is_empty() {
                return Err(fault());
            }
            path.push_str(key);
            rest = &rest[end..];
        }
        if let Some(after) = rest.strip_prefix(']') {
            return if without_comment(after.trim_start()).is_empty() { Ok(path) } else { Err(fault()) };
        }
        rest = rest.strip_prefix('.').ok_or_else(fault)?;
        path.push('.');
    }
}

/// What stands in the quotes that a text begins with, and what follows them.
fn quoted(text: &str) -> Result<Option<(String, &str)>, Fault> {
    if let Some(rest) = text.strip_prefix('\'') {
        return single_quoted(rest).map(Some);
    }
    let Some(rest) = text.strip_prefix('"') else { return Ok(None) };
    let mut value = String::new();
    let mut chars = rest.chars();
    let escape = || Fault::new("an unknown escape", QUOTES);
    loop {
        match chars.next().ok_or_else(not_closed)? {
            '"' => return Ok(Some((value, chars.as_str()))),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(same @ ('\\' | '"')) => value.push(same),
                Some('u') => {
                    let digits = chars.as_str().get(..4).ok_or_else(escape)?;
                    let code = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
                    value.push(code.and_then(char::from_u32).ok_or_else(escape)?);
                    chars = chars.as_str()[4..].chars();
                }
                _ => return Err(escape()),
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
        let (before, after) = rest.split_once('\'').ok_or_else(not_closed)?;
        value.push_str(before);
        let Some(more) = after.strip_prefix('\'') else { return Ok((value, after)) };
        value.push('\'');
        rest = more;
    }
}

fn not_closed() -> Fault {
    Fault::new("a quote that is not closed", QUOTES)
}
