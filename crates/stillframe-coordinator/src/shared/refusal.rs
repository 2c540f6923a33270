use alloc::string::{String, ToString};
use core::fmt;
use stillframe_model::{CheckpointKind, Name, StateDirectory, StateHandle};

/// Why a checkpoint cannot be completed with what a task acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    part: String,
    file: String,
    why: Why,
}

/// What is wrong with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Such a snapshot refers to nothing that others refer to as well.
    MustStandAlone(CheckpointKind),
    /// The file belongs to one checkpoint alone.
    NotShared,
    /// No retained checkpoint refers to the file.
    NotConfirmed,
    /// The directory is another job's.
    NotOurs,
    /// The file was there before.
    NameTaken,
    /// Two tasks or parts say different things of the same bytes.
    Clash,
    /// It would end behind the last possible byte.
    TooLong,
}

/// What the reference is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    Keyed,
    Increment(&'a Name),
    Operator(&'a Name),
    Channel,
}

impl Refusal {
    pub(crate) fn new(part: Part<'_>, handle: &StateHandle, why: Why) -> Self {
        let file = match handle.file() {
            None => "the metadata".to_string(),
            Some(file) => match &file.directory {
                StateDirectory::Exclusive => alloc::format!("file {} of the checkpoint", file.name),
                StateDirectory::Shared => alloc::format!("shared file {}", file.name),
                StateDirectory::TaskOwned => alloc::format!("task-owned file {}", file.name),
                StateDirectory::Foreign(_) => alloc::format!("file {} of another job", file.name),
            },
        };
        Self { part: part.to_string(), file, why }
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyed => f.write_str("its keyed state"),
            Self::Increment(name) => write!(f, "part {name} of its keyed state"),
            Self::Operator(name) => write!(f, "its operator state {name}"),
            Self::Channel => f.write_str("its channel state"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is said to be in {}, ", self.part, self.file)?;
        match self.why {
            Why::MustStandAlone(kind) => write!(f, "but a {kind} has to be written as a whole"),
            Why::NotShared => f.write_str("which no other checkpoint may refer to; write it again"),
            Why::NotConfirmed => f.write_str(
                "which no retained checkpoint refers to; a task may rely only on files of a checkpoint that it was \
                 restored from or told to be complete",
            ),
            Why::NotOurs => f.write_str("where tasks of this job do not write; write it again"),
            Why::NameTaken => {
                f.write_str("which was there before; a name of a file is used once, so write it under a new one")
            }
            Why::Clash => f.write_str("where other state of this checkpoint is said to be as well"),
            Why::TooLong => f.write_str("but no file is that long"),
        }
    }
}
