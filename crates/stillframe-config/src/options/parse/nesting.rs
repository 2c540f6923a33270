//! What a line means below the lines before it.

use super::line::{self, Entry};
use super::{Fault, ParseError};
use crate::option::is_known;
use crate::options::{LONGEST_JOINED_KEY, Options};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use stillframe_model::Redacted;

const INDENTATION: &str =
    "indent the keys of a section by the same number of blanks, more than the section itself";
const TABS: &str = "indent with blanks, as YAML demands";
const TWICE: &str = "a setting of checkpointing is there once; remove one of the two";
const MULTI_LINE: &str = "put the text into one line, in double quotes with \\n in it";
const NO_TABLE: &str = "read JSON with a library for it into `Options`, feature `serde`";
const NO_LIST: &str = "an item stands below a key that has no other value";

/// The reader of a file between two of its lines.
#[derive(Default)]
pub(super) struct Nesting {
    options: Options,
    /// Where each setting of ours is.
    lines: BTreeMap<String, usize>,
    /// What comes before the keys of the innermost section: nothing, or something that ends with a dot.
    path: String,
    /// The sections that the next line may belong to, from the outermost; none before the first line below a header.
    levels: Vec<Level>,
    /// The entry to which more lines may belong.
    open: Option<Open>,
}

/// The entries with one indentation.
struct Level {
    indent: usize,
    path_len: usize,
}

struct Open {
    line: usize,
    indent: usize,
    key: String,
    value: String,
    form: Form,
}

enum Form {
    /// Nothing stands behind the key yet. It is a section, a list, or the empty text.
    Undecided,
    /// A list whose dashes have this indentation.
    List { indent: usize },
    /// A text in lines of its own, with this between them; the first one has said where they begin.
    Block { separator: char, margin: Option<usize> },
    /// A list or a table with this many open brackets.
    Flow { brackets: usize },
}

impl Nesting {
    pub(super) fn line(&mut self, number: usize, line: &str) -> Result<(), ParseError> {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start_matches(' ').len();
        if self.open.as_mut().is_some_and(|open| open.takes_text(line, indent)) {
            return Ok(());
        }
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" {
            return Ok(());
        }
        if line[indent..].starts_with('\t') {
            return Err(Fault::new("a tab in the indentation", TABS).at(number));
        }
        if self.open.as_mut().is_some_and(|open| open.takes(trimmed, indent)) {
            return Ok(());
        }
        if trimmed.starts_with('[') {
            return self.header(number, trimmed);
        }
        self.place(number, indent)?;
        if line::item(trimmed).is_some() {
            return Err(Fault::new("an item of a list without a key", NO_LIST).at(number));
        }
        if trimmed.starts_with('{') {
            return Err(Fault::new("a table without a key", NO_TABLE).at(number));
        }
        let entry = line::entry(trimmed).map_err(|fault| fault.at(number))?;
        self.entry(number, indent, entry)
    }

    pub(super) fn finish(mut self) -> Result<Options, ParseError> {
        self.close()?;
        Ok(self.options)
    }

    /// Finds the section that a line with this indentation belongs to.
    fn place(&mut self, number: usize, indent: usize) -> Result<(), ParseError> {
        match self.open.take_if(|open| matches!(open.form, Form::Undecided) && indent > open.indent) {
            Some(section) => {
                self.path = section.key;
                self.path.push('.');
                self.levels.push(Level { indent, path_len: self.path.len() });
            }
            None => self.close()?,
        }
        if self.levels.is_empty() {
            self.levels.push(Level { indent, path_len: self.path.len() });
        }
        while self.levels.pop_if(|level| level.indent > indent).is_some() {}
        match self.levels.last() {
            Some(level) if level.indent == indent => {
                self.path.truncate(level.path_len);
                Ok(())
            }
            _ => Err(Fault::new("an indentation that fits nothing above it", INDENTATION).at(number)),
        }
    }

    fn header(&mut self, number: usize, line: &str) -> Result<(), ParseError> {
        self.close()?;
        self.path = line::header(line).map_err(|fault| fault.at(number))?;
        self.path.push('.');
        self.levels.clear();
        Ok(())
    }

    fn entry(&mut self, number: usize, indent: usize, entry: Entry<'_>) -> Result<(), ParseError> {
        let Entry { key, rest, is_colon } = entry;
        let key = self.join(key).map_err(|fault| fault.at(number))?;
        if !is_colon && (rest.starts_with("\"\"\"") || rest.starts_with("'''")) {
            return Err(Fault::new("a text of several lines", MULTI_LINE).at(number));
        }
        let text = line::without_comment(rest);
        let mut open = Open { line: number, indent, key, value: String::new(), form: Form::Undecided };
        if text.starts_with(['[', '{']) {
            let brackets = line::open_brackets(text, 0);
            open.value.push_str(text);
            open.form = Form::Flow { brackets };
        } else if let Some(separator) = line::block_separator(rest).filter(|_| is_colon) {
            open.form = Form::Block { separator, margin: None };
        } else if !text.is_empty() || !is_colon {
            let value = match line::scalar(rest) {
                // Flink's older files know no quotes, so that somebody else's may be anything.
                Err(_) if !is_ours(&open.key) => text.into(),
                value => value.map_err(|fault| fault.at(number))?,
            };
            return self.insert(number, open.key, value);
        }
        self.open = Some(open);
        Ok(())
    }

    fn join(&self, key: String) -> Result<String, Fault> {
        if self.path.is_empty() {
            return Ok(key);
        }
        if self.path.len() + key.len() > LONGEST_JOINED_KEY {
            // As much of it as is quoted, and not all of it once more for each line.
            let start: String = self.path.chars().chain(key.chars()).take(LONGEST_JOINED_KEY).collect();
            let found =
                format!("{}, a key of more than {LONGEST_JOINED_KEY} bytes", Redacted::new(&start).quote());
            return Err(Fault::new(found, "give the sections shorter names"));
        }
        Ok([self.path.as_str(), &key].concat())
    }

    /// No more lines belong to the entry before.
    fn close(&mut self) -> Result<(), ParseError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if let Form::Block { .. } = open.form {
            open.value.truncate(open.value.trim_end().len());
        }
        self.insert(open.line, open.key, open.value)
    }

    fn insert(&mut self, number: usize, key: String, value: String) -> Result<(), ParseError> {
        if is_ours(&key)
            && let Some(first) = self.lines.insert(key.clone(), number)
        {
            let found = format!("{}, which was already set in line {first}", Redacted::new(&key).quote());
            return Err(Fault::new(found, TWICE).at(number));
        }
        self.options.insert(key, value);
        Ok(())
    }
}

impl Open {
    /// Takes a line of any kind, if it is one of a text in lines of its own.
    fn takes_text(&mut self, line: &str, indent: usize) -> bool {
        let Form::Block { separator, margin } = &mut self.form else { return false };
        let is_blank = line.trim().is_empty();
        if !is_blank && indent <= self.indent {
            return false;
        }
        if margin.is_some() {
            self.value.push(*separator);
        }
        if !is_blank {
            let margin = *margin.get_or_insert(indent);
            self.value.push_str(&line[margin.min(indent)..]);
        }
        true
    }

    /// Takes a trimmed line that is neither empty nor a comment, if it is part of the value.
    fn takes(&mut self, line: &str, indent: usize) -> bool {
        let is_below = indent > self.indent;
        match &mut self.form {
            Form::Block { .. } => false,
            Form::Flow { brackets } => {
                let is_part = *brackets > 0 && (is_below || line.starts_with([']', '}']));
                if is_part {
                    let text = line::without_comment(line);
                    *brackets = line::open_brackets(text, *brackets);
                    self.value.push(' ');
                    self.value.push_str(text);
                }
                is_part
            }
            Form::Undecided if is_below && line.starts_with(['[', '{']) => {
                let text = line::without_comment(line);
                self.value.push_str(text);
                self.form = Form::Flow { brackets: line::open_brackets(text, 0) };
                true
            }
            Form::Undecided => match line::item(line).filter(|_| indent >= self.indent) {
                Some(item) => {
                    self.form = Form::List { indent };
                    self.push(item);
                    true
                }
                None => false,
            },
            Form::List { indent: dashes } if indent > *dashes => {
                // An item that is more than a text is nothing that we read.
                self.value.push('\n');
                self.value.push_str(line);
                true
            }
            Form::List { indent: dashes } => match line::item(line).filter(|_| indent == *dashes) {
                Some(item) => {
                    self.value.push(';');
                    self.push(item);
                    true
                }
                None => false,
            },
        }
    }

    fn push(&mut self, item: &str) {
        let text = line::scalar(item).unwrap_or_else(|_| line::without_comment(item).into());
        self.value.push_str(&text);
    }
}

fn is_ours(key: &str) -> bool {
    is_known(key) || key.starts_with("stillframe.")
}
