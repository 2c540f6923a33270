//! Reading state back: in pieces that were checked, and not at all where the handle does not fit what is there.

use crate::session::Session;
use crate::state::{JOB, LARGE, MEDIUM, in_file, pattern};
use crate::{Capability, Fresh, Subject, Verdict};
use bytes::Bytes;
use std::sync::Arc;
use stillframe_model::{Crc32c, Name, StateDirectory, StateFile, StateHandle};
use stillframe_storage::{CompletedLocation, ErrorKind, StateScope};

/// A reader tells the length beforehand, gives pieces that are not empty and together all of it, and then nothing any more.
pub async fn a_reader_gives_what_it_says(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let taken = session.complete(&[]).await;
    let found = session.open(taken.id).await;
    for (handle, state) in &taken.states {
        let mut reader = found.open(handle).await.expect("state can be opened");
        assert_eq!((reader.len(), reader.is_empty()), (state.len() as u64, false));
        let mut read = Vec::new();
        while let Some(piece) = reader.next().await.expect("state can be read") {
            assert!(!piece.is_empty(), "a piece has at least one byte");
            read.extend_from_slice(&piece);
            assert!(read.len() <= state.len(), "{} bytes of {}", read.len(), state.len());
        }
        assert!(read == *state, "{} bytes differ", state.len());
        assert_eq!(reader.next().await.expect("the end can be asked for twice"), None);
        assert_eq!(reader.len(), state.len() as u64, "the length is that of all of it");
    }
}

/// State that somebody put into the metadata needs no file, whoever made the handle.
pub async fn state_in_the_metadata_is_read_from_its_handle(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let taken = session.complete_empty(&[]).await;
    let found = session.open(taken.id).await;
    for len in [0, 1, MEDIUM] {
        let state = pattern(len, 5);
        let read = found.read(&StateHandle::Inline(state.clone())).await.expect("it is in the handle");
        assert!(read == state, "{len} bytes differ");
    }
}

/// State that is shorter or longer than its handle says is corrupt.
pub async fn a_wrong_length_is_refused(fresh: Fresh<'_>) -> Verdict {
    each_file(fresh, async |found, handle, _| {
        let len = handle.size();
        for wrong in [0, 1, len - 1, len + 1, len * 2, u64::MAX / 2, u64::MAX] {
            let mut handle = handle.clone();
            match &mut handle {
                StateHandle::Inline(_) => {}
                StateHandle::File(handle) => handle.len = wrong,
                StateHandle::Segment(handle) => handle.len = wrong,
            }
            assert_refused(found, &handle, &[ErrorKind::Corrupt]).await;
        }
    })
    .await
}

/// State that has another checksum than its handle says is corrupt.
pub async fn a_wrong_checksum_is_refused(fresh: Fresh<'_>) -> Verdict {
    each_file(fresh, async |found, handle, _| {
        for bit in 0..32 {
            let mut handle = handle.clone();
            match &mut handle {
                StateHandle::Inline(_) => {}
                StateHandle::File(handle) => handle.crc = Crc32c(handle.crc.0 ^ 1 << bit),
                StateHandle::Segment(handle) => handle.crc = Crc32c(handle.crc.0 ^ 1 << bit),
            }
            assert_refused(found, &handle, &[ErrorKind::Corrupt]).await;
        }
    })
    .await
}

/// State that is elsewhere in its file than its handle says is corrupt.
pub async fn a_wrong_offset_is_refused(fresh: Fresh<'_>) -> Verdict {
    let verdict = each_file(fresh, async |found, handle, _| {
        let StateHandle::Segment(segment) = handle else { return };
        let right = segment.offset;
        for wrong in [right.wrapping_sub(1), right + 1, right + segment.len, u64::MAX - segment.len, u64::MAX]
        {
            let mut segment = segment.clone();
            segment.offset = wrong;
            assert_refused(found, &StateHandle::Segment(segment), &[ErrorKind::Corrupt]).await;
        }
    });
    let verdict = verdict.await;
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (_, files) = complete_with_files(&session).await;
    let has_parts = files.iter().any(|(handle, _)| matches!(handle, StateHandle::Segment(_)));
    match verdict {
        Verdict::Shown if !has_parts => Verdict::skipped("no state is in a part of a file"),
        verdict => verdict,
    }
}

/// A file that is not there is not found.
pub async fn a_missing_file_is_not_found(fresh: Fresh<'_>) -> Verdict {
    each_file(fresh, async |found, handle, file| {
        let missing = StateFile { name: unlike(&file.name), ..file.clone() };
        assert_refused(found, &in_file(handle, missing), &[ErrorKind::NotFound]).await;
    })
    .await
}

/// Another state of the same checkpoint and of the same length in the place of the right one is corrupt.
pub async fn an_exchanged_file_is_refused(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (found, files) = complete_with_files(&session).await;
    let mut exchanged = 0;
    for (one, _) in &files {
        for (other, _) in files.iter().filter(|(other, _)| other != one) {
            let handle = match (one, other) {
                (StateHandle::File(one), StateHandle::File(other)) if one.len == other.len => {
                    let mut one = one.clone();
                    one.file = other.file.clone();
                    StateHandle::File(one)
                }
                (StateHandle::Segment(one), StateHandle::Segment(other)) if one.len == other.len => {
                    let mut one = one.clone();
                    (one.file, one.offset) = (other.file.clone(), other.offset);
                    StateHandle::Segment(one)
                }
                _ => continue,
            };
            assert_refused(&*found, &handle, &[ErrorKind::Corrupt]).await;
            exchanged += 1;
        }
    }
    seen(&subject, &files, exchanged)
}

/// A checkpoint leads to no state that belongs to another one alone.
pub async fn a_file_of_another_checkpoint_is_not_found(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (_, files) = complete_with_files(&session).await;
    let other = session.complete(&[]).await;
    let other = session.open(other.id).await;
    let exclusive = |handle: &&(StateHandle, Bytes)| {
        handle.0.file().is_some_and(|file| file.directory == StateDirectory::Exclusive)
    };
    let mut tried = 0;
    for (handle, _) in files.iter().filter(exclusive) {
        assert_refused(&*other, handle, &[ErrorKind::NotFound]).await;
        tried += 1;
    }
    seen(&subject, &files, tried)
}

/// Metadata that was tampered with does not lead out of the places that the job was told to read from.
pub async fn a_directory_that_nobody_named_is_refused(fresh: Fresh<'_>) -> Verdict {
    each_file(fresh, async |found, handle, file| {
        let directory = StateDirectory::Foreign("/a/place/that/nobody/named".into());
        let elsewhere = StateFile { directory, name: file.name.clone() };
        assert_refused(found, &in_file(handle, elsewhere), &[ErrorKind::InvalidPointer]).await;
    })
    .await
}

/// Of a file with one bit changed, nothing is given out that is not what was written, and it is not read to its end.
pub async fn a_damaged_file_is_refused_before_it_is_used(fresh: Fresh<'_>) -> Verdict {
    let mut damaged = 0;
    for len in [MEDIUM, LARGE] {
        let subject = fresh();
        if let Some(verdict) = subject.without(Capability::StateInFiles) {
            return verdict;
        }
        let Some(damage) = subject.damage() else {
            return Verdict::skipped("nobody said how to damage its files");
        };
        let session = subject.run(JOB).await;
        let (id, location) = session.place().await;
        let before = subject.residue();
        let (handle, state) = session.write_one((id, &location), len).await;
        session.sync(id, &location).await;
        let files = subject.new_since(&before);
        session.commit(id, &location, &[(handle.clone(), state.clone())], &[]).await;
        let found = session.open(id).await;
        if handle.file().is_none() {
            continue;
        }
        assert!(!files.is_empty(), "state in a file is part of what the storage occupies");
        files.iter().for_each(|name| damage(name));
        let mut given = 0;
        let error = match found.open(&handle).await {
            Err(error) => error,
            Ok(mut reader) => loop {
                match reader.next().await {
                    Err(error) => break error,
                    Ok(None) => panic!("state with a changed bit was read to its end"),
                    Ok(Some(piece)) => {
                        assert!(state[given..].starts_with(&piece), "what is given out is what was written");
                        given += piece.len();
                    }
                }
            },
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        damaged += 1;
    }
    if damaged == 0 { Verdict::skipped(INLINE) } else { Verdict::Shown }
}

const INLINE: &str = "it put all state into the metadata";

/// What a case has shown that looked at so many of these states, which it can at those in files.
fn seen(subject: &Subject, states: &[(StateHandle, Bytes)], looked_at: usize) -> Verdict {
    states.iter().for_each(|(handle, _)| subject.assert_place(handle));
    match looked_at {
        0 => subject.without(Capability::StateInFiles).unwrap_or_else(|| Verdict::skipped(INLINE)),
        _ => Verdict::Shown,
    }
}

/// Does something with each handle that leads to a file.
async fn each_file(
    fresh: Fresh<'_>,
    then: impl AsyncFn(&dyn CompletedLocation, &StateHandle, &StateFile),
) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (found, files) = complete_with_files(&session).await;
    let mut looked_at = 0;
    for (handle, state) in &files {
        if let Some(file) = handle.file() {
            then(&*found, handle, file).await;
            looked_at += 1;
            let read = found.read(handle).await.expect("the handle as it was still leads to the state");
            assert!(read == *state, "{} bytes differ", state.len());
        }
    }
    seen(&subject, &files, looked_at)
}

/// Completes a checkpoint with states of which some are in files, two of each size.
async fn complete_with_files(session: &Session) -> (Arc<dyn CompletedLocation>, Vec<(StateHandle, Bytes)>) {
    let (id, location) = session.place().await;
    let mut files = Vec::new();
    for (len, scope) in
        [(MEDIUM, StateScope::Exclusive), (LARGE, StateScope::Exclusive), (MEDIUM, StateScope::Shared)]
    {
        for salt in [1, 2] {
            let state = pattern(len, salt);
            files.push((session.write((id, &location), scope, &state, len).await, state));
        }
    }
    session.sync(id, &location).await;
    session.commit(id, &location, &files, &[]).await;
    (session.open(id).await, files)
}

/// A name of the same form that nothing has.
fn unlike(name: &Name) -> Name {
    let mut text = name.to_string();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    Name::new(text).expect("only a digit or letter was exchanged")
}

async fn assert_refused(location: &dyn CompletedLocation, handle: &StateHandle, kinds: &[ErrorKind]) {
    let error = location.read(handle).await.expect_err("the handle is refused");
    assert!(kinds.contains(&error.kind()), "expected {kinds:?}: {error}, for {handle:?}");
    let name = handle.file().map(|file| file.name.to_string()).unwrap_or_default();
    assert!(error.to_string().contains(&name), "the error names the file {name}: {error}");
}
