//! Streams of state, and what makes it durable.

use crate::session::write;
use crate::state::{JOB, LARGE, MEDIUM, pattern};
use crate::{Capability, Fresh, Verdict};
use bytes::Bytes;
use stillframe_model::LocationReference;
use stillframe_storage::{ErrorKind, StateScope, StateStream, StorageError};

/// A stream into which nothing was written gives no handle, as in Flink.
pub async fn an_empty_stream_gives_no_handle(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let before = subject.residue();
    for scope in [StateScope::Exclusive, StateScope::Shared] {
        let stream = session.worker.create(id, &location, scope).await.expect("a stream can be created");
        assert_eq!(stream.position(), 0);
        assert_eq!(stream.finish().await.expect("an empty stream can be finished"), None);
        assert_eq!(subject.residue(), before, "an empty stream occupies nothing");
    }
}

/// Writing zero bytes is writing nothing.
pub async fn empty_writes_are_no_state(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let stream = session.worker.create(id, &location, StateScope::Exclusive).await;
    let mut stream = stream.expect("a stream can be created");
    stream.write(Bytes::new()).await.expect("an empty write succeeds");
    assert_eq!(stream.position(), 0);
    assert_eq!(stream.finish().await.expect("the stream can be finished"), None);
}

/// State of one byte comes back.
pub async fn small_state_round_trips(fresh: Fresh<'_>) {
    round_trip(fresh, StateScope::Exclusive, 1, 1).await;
}

/// State that is written at once and is too large for metadata comes back.
pub async fn large_state_round_trips(fresh: Fresh<'_>) {
    round_trip(fresh, StateScope::Exclusive, MEDIUM, MEDIUM).await;
    round_trip(fresh, StateScope::Exclusive, LARGE, LARGE).await;
}

/// The boundaries between writes leave no trace.
pub async fn state_written_in_pieces_round_trips(fresh: Fresh<'_>) {
    for (len, piece) in [(100, 1), (MEDIUM, 4_099), (MEDIUM, MEDIUM - 1), (LARGE, 65_537), (LARGE, LARGE - 1)]
    {
        round_trip(fresh, StateScope::Exclusive, len, piece).await;
    }
}

/// State that later checkpoints may refer to comes back as well.
pub async fn shared_state_round_trips(fresh: Fresh<'_>) {
    for len in [1, MEDIUM, LARGE] {
        round_trip(fresh, StateScope::Shared, len, 65_536).await;
    }
}

/// A handle tells the size of the state, on both sides of every size at which something changes.
pub async fn a_handle_has_the_size_that_was_written(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let mut written = Vec::new();
    for len in [1, 1_023, 20_480, 20_481, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, LARGE] {
        let (handle, state) = session.write_one((id, &location), len).await;
        assert_eq!(handle.size(), len as u64);
        written.push((handle, state));
    }
    session.sync(id, &location).await;
    session.commit(id, &location, &written, &[]).await;
    let found = session.open(id).await;
    for (handle, state) in written {
        assert!(
            found.read(&handle).await.expect("state can be read") == state,
            "{} bytes differ",
            state.len()
        );
    }
}

/// An aborted stream occupies nothing, however far it got.
pub async fn an_aborted_stream_leaves_nothing(fresh: Fresh<'_>) {
    ended_without_a_handle(fresh, async |stream| stream.abort().await).await;
}

/// A stream that is merely dropped, as when its task is cancelled, occupies nothing either.
pub async fn a_dropped_stream_leaves_nothing(fresh: Fresh<'_>) {
    ended_without_a_handle(fresh, async |stream| {
        drop(stream);
        Ok(())
    })
    .await;
}

/// A task without state syncs all the same, before anybody wrote and however often.
pub async fn a_sync_without_state_succeeds(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let before = subject.residue();
    for _ in 0..3 {
        session.sync(id, &location).await;
    }
    assert_eq!(subject.residue(), before, "a sync of nothing occupies nothing");
    session.commit(id, &location, &[], &[]).await;
}

/// Tasks finish at different times: what was synced stays as it is, and what follows is synced later.
pub async fn state_can_be_written_after_a_sync(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let mut written = Vec::new();
    for round in 1..=3_usize {
        for len in [1, MEDIUM, LARGE] {
            written.push(session.write_one((id, &location), len + round).await);
        }
        for _ in 0..round {
            session.sync(id, &location).await;
        }
    }
    session.commit(id, &location, &written, &[]).await;
    let found = session.open(id).await;
    for (handle, state) in written {
        assert!(
            found.read(&handle).await.expect("state can be read") == state,
            "{} bytes differ",
            state.len()
        );
    }
}

/// Two checkpoints and a third that is given up are written at the same time, by the same worker.
pub async fn several_checkpoints_are_written_at_once(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let places = [session.place().await, session.place().await, session.place().await];
    let mut written = [vec![], vec![], vec![]];
    for len in [1, MEDIUM, MEDIUM + 1, LARGE] {
        for ((id, location), written) in places.iter().zip(&mut written) {
            written.push(session.write_one((*id, location), len).await);
        }
    }
    let [first, given_up, last] = &places;
    session.coordinator.discard(given_up.0, &given_up.1).await.expect("a checkpoint can be given up");
    for ((id, location), written) in [(first, &written[0]), (last, &written[2])] {
        session.sync(*id, location).await;
        session.commit(*id, location, written, &[]).await;
    }
    for ((id, _), written) in [(first, &written[0]), (last, &written[2])] {
        let found = session.open(*id).await;
        for (handle, state) in written {
            assert!(
                found.read(handle).await.expect("state can be read") == *state,
                "{} bytes differ",
                state.len()
            );
        }
    }
}

/// Workers of several processes write the same checkpoint, and each makes its own part durable.
pub async fn several_workers_write_one_checkpoint(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let other = subject.storage().open(JOB).await.expect("the storage opens once more").worker();
    let mut written = Vec::new();
    for (worker, salt) in [(&session.worker, 1), (&other, 2), (&session.access.worker(), 3)] {
        for len in [1, MEDIUM, LARGE] {
            let state = pattern(len, salt);
            let handle = write(&**worker, (id, &location), StateScope::Exclusive, &state, len).await;
            written.push((handle, state));
        }
        worker.sync(id, &location).await.expect("what was finished can be made durable");
    }
    session.commit(id, &location, &written, &[]).await;
    let found = session.open(id).await;
    for (handle, state) in written {
        assert!(
            found.read(&handle).await.expect("state can be read") == state,
            "{} bytes differ",
            state.len()
        );
    }
}

/// A location reference that another storage made names no place here.
pub async fn a_foreign_reference_is_refused(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, _) = session.place().await;
    for foreign in [&b"\xff\xfe made by somebody else"[..], b"", b"\x05\x5f\x3f\x18\xff"] {
        let foreign = LocationReference::Encoded(Bytes::from_static(foreign));
        for scope in [StateScope::Exclusive, StateScope::Shared] {
            let created = session.worker.create(id, &foreign, scope).await;
            assert_eq!(created.expect_err("a stream is refused").kind(), ErrorKind::InvalidPointer);
        }
        let synced = session.worker.sync(id, &foreign).await;
        assert_eq!(synced.expect_err("a sync is refused").kind(), ErrorKind::InvalidPointer);
    }
}

/// A stream whose medium failed can only be given up, also when the medium works again.
pub async fn after_an_error_a_stream_gives_no_handle(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    // A stream that goes into its handle fails with no medium.
    if let Some(verdict) = subject.without(Capability::StateInFiles) {
        return verdict;
    }
    let Some(outage) = subject.outage() else {
        return Verdict::skipped("nobody said how to make its medium fail");
    };
    let session = subject.run(JOB).await;
    for is_aborted in [true, false] {
        // Of the checkpoint for which something failed, nothing can be relied on afterwards.
        let (id, location) = session.place().await;
        let before = subject.residue();
        let stream = session.worker.create(id, &location, StateScope::Exclusive).await;
        let mut stream = stream.expect("a stream can be created");
        stream.write(pattern(LARGE, 1)).await.expect("state can be written");
        outage(true);
        let mut failed = false;
        for _ in 0..4 {
            failed |= stream.write(pattern(LARGE, 2)).await.is_err();
        }
        outage(false);
        assert!(failed, "{} bytes were accepted while nothing could be written", 4 * LARGE);
        stream.write(pattern(1, 3)).await.expect_err("after an error nothing is accepted");
        if is_aborted {
            stream.abort().await.expect("the stream can be aborted");
        } else {
            stream.finish().await.expect_err("after an error there is no handle");
        }
        assert_eq!(subject.residue(), before, "what was written is removed");
    }
    Verdict::Shown
}

/// State that could not be made durable once is never said to be durable, however often it is asked for.
pub async fn a_failed_sync_is_not_forgotten(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    // A stream that goes into its handle fails with no medium.
    if let Some(verdict) = subject.without(Capability::StateInFiles) {
        return verdict;
    }
    let Some(outage) = subject.outage() else {
        return Verdict::skipped("nobody said how to make its medium fail");
    };
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    session.write_one((id, &location), MEDIUM).await;
    outage(true);
    let synced = session.worker.sync(id, &location).await;
    outage(false);
    if synced.is_ok() {
        return Verdict::skipped("its state is durable as soon as its stream is finished");
    }
    for _ in 0..2 {
        let again = session.worker.sync(id, &location).await;
        again.expect_err("a sync that failed once does not succeed later");
    }
    session.coordinator.discard(id, &location).await.expect("the checkpoint can be given up");
    // The next one is not affected.
    let taken = session.complete(&[]).await;
    session.assert_intact(&taken).await;
    Verdict::Shown
}

async fn ended_without_a_handle(
    fresh: Fresh<'_>,
    end: impl AsyncFn(Box<dyn StateStream>) -> Result<(), StorageError>,
) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let before = subject.residue();
    for scope in [StateScope::Exclusive, StateScope::Shared] {
        for len in [0, 1, MEDIUM, LARGE] {
            let stream = session.worker.create(id, &location, scope).await;
            let mut stream = stream.expect("a stream can be created");
            stream.write(pattern(len, 1)).await.expect("state can be written");
            end(stream).await.expect("a stream can be ended");
            assert_eq!(subject.residue(), before, "after {len} bytes, {scope:?}");
        }
    }
}

async fn round_trip(fresh: Fresh<'_>, scope: StateScope, len: usize, piece: usize) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let state = pattern(len, len as u64);
    let handle = session.write((id, &location), scope, &state, piece).await;
    session.sync(id, &location).await;
    let written = [(handle, state)];
    session.commit(id, &location, &written, &[]).await;
    let found = session.open(id).await;
    let [(handle, state)] = &written;
    let read = found.read(handle).await.expect("state can be read");
    assert!(read == *state, "{len} bytes in pieces of {piece} differ");
}
