//! The names of everything that checkpoints leave on a medium. No other file formats or parses one.

use stillframe_model::{CheckpointId, JobId, Name};
use stillframe_storage::BlobPath;

/// The name that makes a checkpoint complete.
pub(crate) const METADATA: &str = "_metadata";
/// The directory of the commit register, within that of the job.
pub(crate) const REGISTER: &str = "_ctl";

const CHECKPOINT_PREFIX: &str = "chk-";
const SHARED: &str = "shared";
const UNIQUE_DIGITS: usize = 32;

/// The directory of one job, `<job id>`.
pub(crate) fn job(job: JobId) -> BlobPath {
    BlobPath::root().join(name(job.to_string()))
}

/// The directory of one checkpoint, `<job id>/chk-<N>`.
pub(crate) fn checkpoint(of: JobId, checkpoint: CheckpointId) -> BlobPath {
    job(of).join(name(format!("{CHECKPOINT_PREFIX}{checkpoint}")))
}

/// The id in `chk-<N>`. Only the one spelling that [`checkpoint`] produces: `chk-007` is somebody else's.
pub(crate) fn parse_checkpoint(text: &str) -> Option<CheckpointId> {
    parse_id(text.strip_prefix(CHECKPOINT_PREFIX)?)
}

fn parse_id(digits: &str) -> Option<CheckpointId> {
    let canonical = digits == "0" || digits.starts_with(|c: char| matches!(c, '1'..='9'));
    if !canonical || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(CheckpointId::new)
}

pub(crate) fn metadata() -> Name {
    name(METADATA)
}

/// The directory of the register, `<job id>/_ctl`.
pub(crate) fn register(of: JobId) -> BlobPath {
    job(of).join(name(REGISTER))
}

/// The directory of the register's entries, `<job id>/_ctl/r`.
pub(crate) fn entries(of: JobId) -> BlobPath {
    register(of).join(name("r"))
}

/// The directory of the register's markers, `<job id>/_ctl/e`.
pub(crate) fn markers(of: JobId) -> BlobPath {
    register(of).join(name("e"))
}

/// An entry, `<job id>/_ctl/r/<20 digits>`.
pub(crate) fn entry(of: JobId, number: u64) -> BlobPath {
    entries(of).join(name(format!("{number:020}")))
}

/// A marker, `<job id>/_ctl/e/<20 digits>`.
pub(crate) fn marker(of: JobId, epoch: u64) -> BlobPath {
    markers(of).join(name(format!("{epoch:020}")))
}

/// The number in the name of an entry or a marker.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let canonical = text.len() == 20 && text.bytes().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|_| canonical)
}

/// The directory with the files that checkpoints share, `<job id>/shared`.
pub(crate) fn shared(of: JobId) -> BlobPath {
    job(of).join(name(SHARED))
}

/// The address of the shared directory that lies beside the checkpoint's at this address.
pub(crate) fn shared_beside(checkpoint: &str) -> String {
    let parent = checkpoint.trim_end_matches('/').rsplit_once('/').map_or("..", |(parent, _)| parent);
    format!("{parent}/{SHARED}")
}

/// The directory with what tasks look after themselves, `<job id>/taskowned`.
pub(crate) fn task_owned(of: JobId) -> BlobPath {
    job(of).join(name("taskowned"))
}

/// What a file with state is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StateName {
    /// `state-<32 digits>`: one state of one checkpoint.
    Own,
    /// `segment-<32 digits>`: many states of one checkpoint.
    Segment,
    /// `shared-<id>-<32 digits>`: state that was written for this checkpoint and may serve later ones.
    Shared(CheckpointId),
    /// `owned-<32 digits>`: what a task looks after itself.
    TaskOwned,
}

impl StateName {
    /// The name with this unique number.
    pub(crate) fn with(self, unique: u128) -> Name {
        let prefix = match self {
            Self::Own => "state".to_owned(),
            Self::Segment => "segment".to_owned(),
            Self::Shared(checkpoint) => format!("shared-{checkpoint}"),
            Self::TaskOwned => "owned".to_owned(),
        };
        name(format!("{prefix}-{unique:0UNIQUE_DIGITS$x}"))
    }

    /// What a name says, if it is one that [`with`](Self::with) gives.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (prefix, unique) = text.rsplit_once('-')?;
        let hexadecimal = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if unique.len() != UNIQUE_DIGITS || !unique.bytes().all(hexadecimal) {
            return None;
        }
        match prefix {
            "state" => Some(Self::Own),
            "segment" => Some(Self::Segment),
            "owned" => Some(Self::TaskOwned),
            _ => prefix.strip_prefix("shared-").and_then(parse_id).map(Self::Shared),
        }
    }
}

/// The directory of a savepoint, `savepoint-<6 digits of the job id>-<12 random digits>`, as Flink names it.
pub(crate) fn savepoint(job: JobId, unique: u128) -> Name {
    let [a, b, c, ..] = *job.as_bytes();
    name(format!("savepoint-{a:02x}{b:02x}{c:02x}-{:012x}", unique & 0xffff_ffff_ffff))
}

fn name(text: impl Into<String>) -> Name {
    Name::new(text).expect("the layout formats valid names only")
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId::from_bytes([0xa8, 0xff, 0x7a, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    #[test]
    fn names_are_those_of_the_documentation() {
        assert_eq!(
            checkpoint(JOB, CheckpointId::new(17)).to_string(),
            "a8ff7a030405060708090a0b0c0d0e0f/chk-17"
        );
        assert_eq!(StateName::Own.with(0xabc).as_str(), "state-00000000000000000000000000000abc");
        assert_eq!(savepoint(JOB, u128::MAX - 0xf).as_str(), "savepoint-a8ff7a-fffffffffff0");
    }

    #[test]
    fn only_the_canonical_spelling_is_a_checkpoint() {
        for id in [0, 1, 9, 10, u64::MAX] {
            assert_eq!(parse_checkpoint(&format!("chk-{id}")), Some(CheckpointId::new(id)));
        }
        let foreign = [
            "chk-",
            "chk-01",
            "chk-00",
            "chk-+1",
            "chk--1",
            "chk-1 ",
            "chk-1x",
            "Chk-1",
            "1",
            "chk-18446744073709551616",
        ];
        for text in foreign {
            assert_eq!(parse_checkpoint(text), None, "{text}");
        }
    }

    #[test]
    fn only_our_own_names_are_state() {
        let shared = StateName::Shared(CheckpointId::new(17));
        for kind in [StateName::Own, StateName::Segment, shared, StateName::TaskOwned] {
            assert_eq!(StateName::parse(kind.with(7).as_str()), Some(kind));
        }
        for text in [
            "state-7",
            "state-0000000000000000000000000000000G",
            "_metadata",
            "state-000000000000000000000000000000007",
            "shared-00000000000000000000000000000007",
            "shared-07-00000000000000000000000000000007",
            "shared--00000000000000000000000000000007",
            "other-00000000000000000000000000000007",
            "-00000000000000000000000000000007",
            "",
        ] {
            assert_eq!(StateName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_the_register_sort_as_text() {
        assert_eq!(entry(JOB, 7).to_string(), "a8ff7a030405060708090a0b0c0d0e0f/_ctl/r/00000000000000000007");
        assert_eq!(marker(JOB, 1).to_string(), "a8ff7a030405060708090a0b0c0d0e0f/_ctl/e/00000000000000000001");
        for number in [0, 1, u64::MAX] {
            assert_eq!(parse_number(&format!("{number:020}")), Some(number));
        }
        for text in ["7", "+0000000000000000007", "99999999999999999999", "0000000000000000000x"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }
}
