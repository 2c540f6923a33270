//! Streams of state.

use crate::Subject;
use crate::subject::{JOB, id, pattern};
use bytes::Bytes;
use futures_executor::block_on;
use stillframe_model::LocationReference;
use stillframe_storage::ErrorKind;

/// More than any storage puts into metadata by default, less than `JobManagerCheckpointStorage` refuses.
const LARGE: usize = 300_000;

/// A stream into which nothing was written gives no handle, as in Flink.
pub async fn an_empty_stream_gives_no_handle(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let before = subject.residue();
    let stream = session.worker.create(id(1), &location).await.expect("a stream can be created");
    assert_eq!(stream.position(), 0);
    assert_eq!(stream.finish().await.expect("an empty stream can be finished"), None);
    assert_eq!(subject.residue(), before, "an empty stream occupies nothing");
}

/// Writing zero bytes is writing nothing.
pub async fn empty_writes_are_no_state(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let mut stream = session.worker.create(id(1), &location).await.expect("a stream can be created");
    stream.write(Bytes::new()).await.expect("an empty write succeeds");
    assert_eq!(stream.finish().await.expect("the stream can be finished"), None);
}

/// State of one byte comes back.
pub async fn small_state_round_trips(fresh: &dyn Fn() -> Subject) {
    round_trip(fresh, 1, 1).await;
}

/// State that is written at once and is too large for metadata comes back.
pub async fn large_state_round_trips(fresh: &dyn Fn() -> Subject) {
    round_trip(fresh, LARGE, LARGE).await;
}

/// The boundaries between writes leave no trace.
pub async fn state_written_in_pieces_round_trips(fresh: &dyn Fn() -> Subject) {
    round_trip(fresh, 100, 1).await;
    round_trip(fresh, LARGE, 4_099).await;
    round_trip(fresh, LARGE, LARGE - 1).await;
}

/// A handle tells the size of the state.
pub async fn a_handle_has_the_size_that_was_written(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    for len in [1, 1_023, 20_480, 20_481, 65_536, LARGE] {
        let handle = session.write(id(1), &location, &pattern(len, 1), 65_536).await;
        assert_eq!(handle.size(), len as u64);
    }
}

/// An aborted stream occupies nothing, however far it got.
pub async fn an_aborted_stream_leaves_nothing(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let before = subject.residue();
    for len in [0, 1, LARGE] {
        let mut stream = session.worker.create(id(1), &location).await.expect("a stream can be created");
        stream.write(pattern(len, 1)).await.expect("state can be written");
        stream.abort().await.expect("a stream can be aborted");
        assert_eq!(subject.residue(), before, "after abort of {len} bytes");
    }
}

/// A stream that is merely dropped, as when its task is cancelled, occupies nothing either.
pub async fn a_dropped_stream_leaves_nothing(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let before = subject.residue();
    for len in [0, 1, LARGE] {
        let mut stream = session.worker.create(id(1), &location).await.expect("a stream can be created");
        stream.write(pattern(len, 1)).await.expect("state can be written");
        drop(stream);
        assert_eq!(subject.residue(), before, "after drop with {len} bytes");
    }
}

/// Many threads create, write and finish streams of one checkpoint at once.
pub async fn concurrent_streams_do_not_mix(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let (session, location) = (&session, &location);
    let work = |thread: u64| {
        let lens = [10, 5_000, 100_000];
        let states =
            lens.into_iter().zip(thread * 10..).map(|(len, salt)| pattern(len, salt)).collect::<Vec<_>>();
        let write = async |state| (session.write(id(1), location, state, 1_000).await, state.clone());
        states.iter().map(|state| block_on(write(state))).collect::<Vec<_>>()
    };
    let written = std::thread::scope(|scope| {
        let threads = (0..8).map(|thread| scope.spawn(move || work(thread))).collect::<Vec<_>>();
        threads.into_iter().flat_map(|thread| thread.join().expect("no writer panics")).collect::<Vec<_>>()
    });
    session.publish(id(1), location).await;
    let found = session.coordinator.open_checkpoint(id(1)).await.expect("the checkpoint opens");
    for (handle, state) in written {
        assert_eq!(found.read(&handle).await.expect("state can be read"), state);
    }
}

/// A location reference that another storage made names no place here.
pub async fn a_foreign_reference_is_refused(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    session.begin(id(1)).await;
    let foreign = LocationReference::Encoded(Bytes::from_static(b"\xff\xfe made by somebody else"));
    let created = session.worker.create(id(1), &foreign).await;
    assert_eq!(created.expect_err("a stream is refused").kind(), ErrorKind::InvalidPointer);
    let published = session.coordinator.publish(id(1), &foreign, Bytes::from_static(b"m")).await;
    assert_eq!(published.expect_err("a publication is refused").kind(), ErrorKind::InvalidPointer);
    let discarded = session.coordinator.discard(id(1), &foreign).await;
    assert_eq!(discarded.expect_err("a removal is refused").kind(), ErrorKind::InvalidPointer);
}

async fn round_trip(fresh: &dyn Fn() -> Subject, len: usize, piece: usize) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    let location = session.begin(id(1)).await;
    let state = pattern(len, len as u64);
    let handle = session.write(id(1), &location, &state, piece).await;
    session.publish(id(1), &location).await;
    let found = session.coordinator.open_checkpoint(id(1)).await.expect("the checkpoint opens");
    assert_eq!(
        found.read(&handle).await.expect("state can be read"),
        state,
        "{len} bytes in pieces of {piece}"
    );
}
