//! What a worker tells its supervisor: one event per line on the worker's standard output.

use std::fmt;
use std::str::FromStr;

/// Something that happened in the worker.
///
/// A position is the number of input records whose effects are in the job at that moment, those that came back with a
/// restored checkpoint included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkerEvent {
    /// The job runs, from this checkpoint or from the beginning. Said again after a restart within the process.
    Started { restored: Option<u64>, position: u64 },
    /// Said many times while the job runs. `records` were read by this process, records read again counted again;
    /// `checkpoints` were completed by it.
    Progress { position: u64, records: u64, checkpoints: u64 },
    /// A checkpoint is complete: how long it took from its trigger, and the size of its state.
    Completed { id: u64, millis: u64, bytes: u64 },
    /// A checkpoint will not complete. Reasons that are equal are counted together.
    Aborted { id: u64, reason: String },
    /// The job failed and will be restored within the process.
    Restarting { cause: String },
    /// Something went wrong that the job can live with, such as a file that could not be removed.
    Warning { message: String },
    /// The whole input is processed, and its results are committed and written.
    Finished { position: u64, records: u64, checkpoints: u64 },
    /// The worker gives up and ends with an exit status other than 0.
    Failed { message: String },
}

impl fmt::Display for WorkerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { restored: Some(id), position } => {
                write!(f, "started restored={id} position={position}")
            }
            Self::Started { restored: None, position } => {
                write!(f, "started restored=none position={position}")
            }
            Self::Progress { position, records, checkpoints } => {
                write!(f, "progress position={position} records={records} checkpoints={checkpoints}")
            }
            Self::Completed { id, millis, bytes } => {
                write!(f, "completed id={id} millis={millis} bytes={bytes}")
            }
            Self::Aborted { id, reason } => write!(f, "aborted id={id} reason={}", Escaped(reason)),
            Self::Restarting { cause } => write!(f, "restarting cause={}", Escaped(cause)),
            Self::Warning { message } => write!(f, "warning message={}", Escaped(message)),
            Self::Finished { position, records, checkpoints } => {
                write!(f, "finished position={position} records={records} checkpoints={checkpoints}")
            }
            Self::Failed { message } => write!(f, "failed message={}", Escaped(message)),
        }
    }
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoEvent(String);

impl fmt::Display for NoEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker printed `{}`, expected an event", Escaped(&self.0))
    }
}

impl FromStr for WorkerEvent {
    type Err = NoEvent;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        parse(line).ok_or_else(|| NoEvent(line.into()))
    }
}

fn parse(line: &str) -> Option<WorkerEvent> {
    let (kind, rest) = line.split_once(' ')?;
    let mut fields = Fields(rest);
    let event = match kind {
        "started" => {
            let restored = match fields.word("restored")? {
                "none" => None,
                id => Some(id.parse().ok()?),
            };
            WorkerEvent::Started { restored, position: fields.number("position")? }
        }
        "progress" => WorkerEvent::Progress {
            position: fields.number("position")?,
            records: fields.number("records")?,
            checkpoints: fields.number("checkpoints")?,
        },
        "completed" => WorkerEvent::Completed {
            id: fields.number("id")?,
            millis: fields.number("millis")?,
            bytes: fields.number("bytes")?,
        },
        "aborted" => WorkerEvent::Aborted { id: fields.number("id")?, reason: fields.text("reason")? },
        "restarting" => WorkerEvent::Restarting { cause: fields.text("cause")? },
        "warning" => WorkerEvent::Warning { message: fields.text("message")? },
        "finished" => WorkerEvent::Finished {
            position: fields.number("position")?,
            records: fields.number("records")?,
            checkpoints: fields.number("checkpoints")?,
        },
        "failed" => WorkerEvent::Failed { message: fields.text("message")? },
        _ => return None,
    };
    fields.0.is_empty().then_some(event)
}

/// The fields `name=value` that are still to be read. A text is the last field and may contain spaces.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn word(&mut self, name: &str) -> Option<&'a str> {
        let value = self.value(name)?;
        let (word, rest) = value.split_once(' ').unwrap_or((value, ""));
        self.0 = rest;
        Some(word)
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.word(name)?.parse().ok()
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        self.0 = "";
        unescape(value)
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.strip_prefix(name)?.strip_prefix('=')
    }
}

/// A text on one line: a message may quote a file name or a panic that has line ends.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => f.write_str(r"\\"),
            '\n' => f.write_str(r"\n"),
            '\r' => f.write_str(r"\r"),
            other => fmt::Write::write_char(f, other),
        })
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_survives_the_way_through_a_line() {
        let text = "a=b c \\n is\nno\r\\end ".to_owned();
        for event in [
            WorkerEvent::Started { restored: None, position: 0 },
            WorkerEvent::Started { restored: Some(u64::MAX), position: 7 },
            WorkerEvent::Progress { position: 1, records: 2, checkpoints: 3 },
            WorkerEvent::Completed { id: 1, millis: 2, bytes: 3 },
            WorkerEvent::Aborted { id: 1, reason: text.clone() },
            WorkerEvent::Aborted { id: 1, reason: String::new() },
            WorkerEvent::Restarting { cause: text.clone() },
            WorkerEvent::Warning { message: text.clone() },
            WorkerEvent::Finished { position: 1, records: 2, checkpoints: 3 },
            WorkerEvent::Failed { message: text },
        ] {
            let line = event.to_string();
            assert!(!line.contains(['\n', '\r']), "{line}");
            assert_eq!(line.parse(), Ok(event));
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for line in [
            "",
            "started",
            "started position=1 restored=none",
            "started restored=x position=1",
            "started restored=1 position=-1",
            "started restored=1 position=1 more=1",
            "progress position=1 records=2",
            "completed id=1 millis=2 bytes=3 4",
            "completed id=1 millis=2  bytes=3",
            r"failed message=a\b",
            r"failed message=a\",
            "thread 'main' panicked",
        ] {
            let error = line.parse::<WorkerEvent>().expect_err(line);
            assert!(error.to_string().starts_with("the worker printed `"), "{error}");
        }
    }
}
