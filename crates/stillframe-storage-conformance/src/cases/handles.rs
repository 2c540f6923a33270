//! Handles that do not fit what is there. A storage without files has none to refuse.

use crate::Subject;
use crate::subject::{JOB, Session, id, pattern};
use std::sync::Arc;
use stillframe_model::{Crc32c, FileHandle, Name, StateHandle};
use stillframe_storage::{CompletedLocation, ErrorKind};

/// State that every storage with files puts into one.
const LARGE: usize = 1 << 21;

/// A file that is shorter or longer than its handle says is corrupt.
pub async fn a_wrong_length_is_refused(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let (location, files) = complete_with_files(&session).await;
    for file in files {
        for len in [0, 1, file.len - 1, file.len + 1, u64::MAX] {
            assert_refused(&*location, FileHandle { len, ..file.clone() }, ErrorKind::Corrupt).await;
        }
    }
}

/// A file whose bytes have another checksum is corrupt.
pub async fn a_wrong_checksum_is_refused(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let (location, files) = complete_with_files(&session).await;
    for file in files {
        for bit in 0..32 {
            let crc = Crc32c(file.crc.0 ^ 1 << bit);
            assert_refused(&*location, FileHandle { crc, ..file.clone() }, ErrorKind::Corrupt).await;
        }
    }
}

/// A file that is not there is not found.
pub async fn a_missing_file_is_not_found(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let (location, _) = complete_with_files(&session).await;
    let name = Name::new("no-such-file").expect("it is a valid name");
    assert_refused(&*location, FileHandle { name, len: 1, crc: Crc32c::EMPTY }, ErrorKind::NotFound).await;
}

/// Another file of the same checkpoint in the place of the right one is corrupt.
pub async fn an_exchanged_file_is_refused(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let (location, files) = complete_with_files(&session).await;
    if let [first, second] = &files[..] {
        assert_refused(
            &*location,
            FileHandle { name: second.name.clone(), ..first.clone() },
            ErrorKind::Corrupt,
        )
        .await;
    }
}

/// Completes a checkpoint with two large states, and gives the handles of those that became files.
async fn complete_with_files(session: &Session) -> (Arc<dyn CompletedLocation>, Vec<FileHandle>) {
    let location = session.begin(id(1)).await;
    let mut files = Vec::new();
    for salt in [1, 2] {
        match session.write(id(1), &location, &pattern(LARGE, salt), LARGE).await {
            StateHandle::File(file) => files.push(file),
            StateHandle::Inline(_) => {}
        }
    }
    session.publish(id(1), &location).await;
    (session.coordinator.open_checkpoint(id(1)).await.expect("the checkpoint opens"), files)
}

async fn assert_refused(location: &dyn CompletedLocation, file: FileHandle, kind: ErrorKind) {
    let name = file.name.clone();
    let error = location.read(&StateHandle::File(file)).await.expect_err("the handle is refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(name.as_str()), "the error names the file: {error}");
}
