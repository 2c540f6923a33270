//! The names of everything that checkpoints leave on a medium. No other file formats or parses one.

use stillframe_model::{CheckpointId, JobId, Name};
use stillframe_storage::BlobPath;

/// The name of what a checkpoint or savepoint consists of.
pub(crate) const METADATA: &str = "_metadata";
/// What says that a savepoint is being disposed of, within its directory.
pub(crate) const DISPOSED: &str = "_disposed";
/// The directory of the commit register, within that of the job.
pub(crate) const REGISTER: &str = "_ctl";

const CHECKPOINT_PREFIX: &str = "chk-";
const STATE_PREFIX: &str = "state-";
const SEGMENT_PREFIX: &str = "segment-";
const SHARED_PREFIX: &str = "shared-";
const TASK_OWNED_PREFIX: &str = "owned-";
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

/// The mark of a savepoint that is being disposed of, `_disposed`.
pub(crate) fn disposed() -> Name {
    name(DISPOSED)
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

/// The address of the shared directory that lies beside the checkpoint's at this address.
pub(crate) fn shared_beside(checkpoint: &str) -> String {
    let parent = checkpoint.trim_end_matches('/').rsplit_once('/').map_or("..", |(parent, _)| parent);
    format!("{parent}/{}", shared_name())
}

/// The name of a file with one state of one checkpoint, `state-<32 hexadecimal digits>`.
pub(crate) fn state(unique: u128) -> Name {
    unique_name(STATE_PREFIX, unique)
}

/// The name of a file with many states of one checkpoint, `segment-<32 hexadecimal digits>`.
pub(crate) fn segment(unique: u128) -> Name {
    unique_name(SEGMENT_PREFIX, unique)
}

/// The name, if it is one that [`state`] or [`segment`] produces: what belongs to one checkpoint and goes with it.
pub(crate) fn parse_state(text: &str) -> Option<Name> {
    let digits = text.strip_prefix(STATE_PREFIX).or_else(|| text.strip_prefix(SEGMENT_PREFIX))?;
    is_unique(digits).then(|| name(text))
}

/// The directory of what later checkpoints may share, within that of the job.
pub(crate) fn shared_name() -> Name {
    name("shared")
}

/// The directory of what later checkpoints may share, `<job id>/shared`.
pub(crate) fn shared(of: JobId) -> BlobPath {
    job(of).join(shared_name())
}

/// The name of a file in it, `shared-<N>-<32 hexadecimal digits>`, written for checkpoint N.
pub(crate) fn shared_state(checkpoint: CheckpointId, unique: u128) -> Name {
    unique_name(&format!("{SHARED_PREFIX}{checkpoint}-"), unique)
}

/// The checkpoint for which a file was written whose name [`shared_state`] produces.
pub(crate) fn parse_shared_state(text: &str) -> Option<CheckpointId> {
    let (id, digits) = text.strip_prefix(SHARED_PREFIX)?.split_once('-')?;
    if is_unique(digits) { parse_id(id) } else { None }
}

/// The directory of what tasks look after themselves, within that of the job.
pub(crate) fn task_owned_name() -> Name {
    name("taskowned")
}

/// The directory of what tasks look after themselves, `<job id>/taskowned`.
pub(crate) fn task_owned(of: JobId) -> BlobPath {
    job(of).join(task_owned_name())
}

/// The name of a file in it, `owned-<32 hexadecimal digits>`.
pub(crate) fn task_owned_state(unique: u128) -> Name {
    unique_name(TASK_OWNED_PREFIX, unique)
}

/// Whether [`task_owned_state`] produces the name.
pub(crate) fn is_task_owned_state(text: &str) -> bool {
    text.strip_prefix(TASK_OWNED_PREFIX).is_some_and(is_unique)
}

fn unique_name(prefix: &str, unique: u128) -> Name {
    name(format!("{prefix}{unique:0UNIQUE_DIGITS$x}"))
}

fn is_unique(digits: &str) -> bool {
    digits.len() == UNIQUE_DIGITS && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
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
        assert_eq!(state(0xabc).as_str(), "state-00000000000000000000000000000abc");
        assert_eq!(segment(0xabc).as_str(), "segment-00000000000000000000000000000abc");
        let shared_state = shared_state(CheckpointId::new(17), 0xabc);
        assert_eq!(shared_state.as_str(), "shared-17-00000000000000000000000000000abc");
        assert_eq!(task_owned_state(0xabc).as_str(), "owned-00000000000000000000000000000abc");
        assert_eq!(shared(JOB).to_string(), "a8ff7a030405060708090a0b0c0d0e0f/shared");
        assert_eq!(task_owned(JOB).to_string(), "a8ff7a030405060708090a0b0c0d0e0f/taskowned");
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
        assert_eq!(parse_state(state(7).as_str()), Some(state(7)));
        assert_eq!(parse_state(segment(7).as_str()), Some(segment(7)));
        assert!(is_task_owned_state(task_owned_state(7).as_str()));
        for text in [
            "state-7",
            "state-0000000000000000000000000000000G",
            "_metadata",
            "state-000000000000000000000000000000007",
            "segment-7",
            "state-segment-00000000000000000000000000000007",
            "owned-0000000000000000000000000000000G",
            "shared-7-00000000000000000000000000000007",
            "",
        ] {
            assert_eq!(parse_state(text), None, "{text}");
            assert!(!is_task_owned_state(text), "{text}");
        }
        assert_eq!(parse_state(task_owned_state(7).as_str()), None);
        assert!(!is_task_owned_state(state(7).as_str()));
    }

    #[test]
    fn a_shared_file_tells_for_which_checkpoint_it_was_written() {
        for id in [0, 1, 10, u64::MAX] {
            let checkpoint = CheckpointId::new(id);
            assert_eq!(parse_shared_state(shared_state(checkpoint, 7).as_str()), Some(checkpoint));
        }
        let unique = "00000000000000000000000000000007";
        for id in ["", "01", "+1", "-1", "1-", "1x", "18446744073709551616"] {
            assert_eq!(parse_shared_state(&format!("shared-{id}-{unique}")), None, "{id}");
        }
        for text in [&format!("shared-1-{unique}0"), &format!("shared-{unique}"), state(7).as_str()] {
            assert_eq!(parse_shared_state(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_the_register_sort_as_text() {
        assert_eq!(entry(JOB, 7).to_string(), "a8ff7a030405060708090a0b0c0d0e0f/_ctl/r/00000000000000000007");
        assert_eq!(
            marker(JOB, 1).to_string(),
            "a8ff7a030405060708090a0b0c0d0e0f/_ctl/e/00000000000000000001"
        );
        for number in [0, 1, u64::MAX] {
            assert_eq!(parse_number(&format!("{number:020}")), Some(number));
        }
        for text in ["7", "+0000000000000000007", "99999999999999999999", "0000000000000000000x"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }
}
