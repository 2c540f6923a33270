//! Many at once: every trait here is used from several threads.

use crate::Fresh;
use crate::state::{JOB, LARGE, MEDIUM, metadata, pattern};
use crate::subject::Encode;
use bytes::Bytes;
use futures_executor::block_on;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use stillframe_model::{CheckpointId, CheckpointKind, LocationReference, StateHandle};
use stillframe_storage::{Claim, ErrorKind, StateScope, StorageAccess, StorageError, SweepMode};

/// How many threads there are.
const THREADS: u64 = 8;

/// Runs the same on several threads at once.
fn at_once<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// Many threads create, write and finish streams of one checkpoint at once.
pub async fn concurrent_streams_do_not_mix(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let written = at_once(|thread| {
        let lens = [10, 5_000, MEDIUM, LARGE / 2 + 1].into_iter().zip(thread * 10..);
        let states = lens.map(|(len, salt)| pattern(len, salt));
        let scope = if thread % 2 == 0 { StateScope::Exclusive } else { StateScope::Shared };
        let write = async |state: Bytes| (session.write((id, &location), scope, &state, 4_099).await, state);
        let written = states.map(|state| block_on(write(state))).collect::<Vec<_>>();
        block_on(session.sync(id, &location));
        written
    });
    let written = written.concat();
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

/// Each task finishes its own state and syncs. Whoever is told that it is durable may rely on that for its own part.
pub async fn tasks_sync_together(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    for _ in 0..3 {
        let (id, location) = session.place().await;
        let written = at_once(|thread| {
            let state = pattern(MEDIUM, thread);
            let worker = session.access.worker();
            let write =
                crate::session::write(&*worker, (id, &location), StateScope::Exclusive, &state, MEDIUM);
            let handle = block_on(write);
            block_on(worker.sync(id, &location)).expect("what was finished can be made durable");
            (handle, state)
        });
        session.commit(id, &location, &written, &[]).await;
        let found = session.open(id).await;
        for (handle, state) in written {
            assert!(found.read(&handle).await.expect("state can be read") == state);
        }
    }
}

/// Many threads read the same state, each from its beginning.
pub async fn readers_do_not_disturb_each_other(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let taken = session.complete(&[]).await;
    let found = session.open(taken.id).await;
    at_once(|_| block_on(taken.assert_at(&*found)));
}

/// Of several that commit the same checkpoint, one succeeds, and its metadata is what is read.
pub async fn of_many_committers_one_wins(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let outcomes = at_once(|thread| {
        block_on(session.coordinator.commit(id, &location, Bytes::from(format!("by {thread}")), &[]))
    });
    let winners = (0_u64..).zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(thread, _)| thread);
    let [winner] = winners.collect::<Vec<_>>()[..] else {
        panic!("not exactly one committer won: {outcomes:?}")
    };
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    let found = session.open(id).await;
    assert_eq!(found.metadata().await.expect("its metadata can be read"), format!("by {winner}"));
    assert_eq!(session.retained().await, [id]);
}

/// Several coordinators take the job over from each other and commit as far as they get. Nothing that one of them was told
/// exists is lost, and no id is used by two.
pub async fn whatever_was_committed_survives_many_claims(fresh: Fresh<'_>) {
    let subject = fresh();
    let storage = subject.storage();
    let metadata_of = |id: CheckpointId| Bytes::from(format!("metadata of {id}"));
    let outcomes = at_once(|_| {
        let access = block_on(storage.open(JOB)).expect("a storage opens");
        let coordinator = access.coordinator();
        let claim = match block_on(coordinator.claim()) {
            Ok(claim) => claim,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Fenced, "{error:?}");
                return (Vec::new(), Vec::new());
            }
        };
        let (mut committed, mut unsettled) = (Vec::new(), Vec::new());
        let mut id = claim.next;
        for _ in 0..4 {
            let Ok(location) = block_on(coordinator.begin_checkpoint(id)) else { break };
            match block_on(coordinator.commit(id, &location, metadata_of(id), &[])) {
                Ok(_) => committed.push(id),
                Err(error) => {
                    let is_of_the_race =
                        matches!(error.kind(), ErrorKind::Fenced | ErrorKind::OutcomeUnknown);
                    assert!(is_of_the_race, "{error:?}");
                    unsettled.push(id);
                    break;
                }
            }
            id = id.next();
        }
        (committed, unsettled)
    });
    let (committed, unsettled): (Vec<_>, Vec<_>) = outcomes.into_iter().unzip();
    let (mut committed, unsettled) = (committed.concat(), unsettled.concat());
    committed.sort_unstable();
    let session = subject.run(JOB).await;
    let retained = &session.claimed.retained;
    // Whoever is fenced in the middle of a commit may have made it all the same, and cannot know.
    let reported: Vec<_> = retained.iter().filter(|id| !unsettled.contains(id)).copied().collect();
    assert_eq!(reported, committed, "what was committed, by whomever and each id once");
    for id in session.claimed.retained.clone() {
        let metadata = session.open(id).await.metadata().await;
        assert_eq!(metadata.expect("its metadata can be read"), metadata_of(id));
    }
}

/// What was written for each checkpoint.
type Written = Mutex<BTreeMap<CheckpointId, Vec<(StateHandle, Bytes)>>>;

/// Several coordinators take the job over from each other, and each restores, clears up and goes on while the others do. Whoever
/// has lost is told that, and not that something is missing which a successor has replaced; and nobody is kept from his work by
/// what another one removes or writes.
pub async fn coordinators_that_sweep_at_once_are_fenced_at_most(fresh: Fresh<'_>) {
    let subject = fresh();
    let (storage, encode, written) = (subject.storage(), subject.encoding(), Written::default());
    for _ in 0..4 {
        let outcomes = at_once(|_| {
            let access = block_on(storage.open(JOB)).expect("a storage opens");
            block_on(run_beside_others(&*access, &encode, &written))
        });
        for error in outcomes.into_iter().filter_map(Result::err) {
            let is_of_the_race = matches!(error.kind(), ErrorKind::Fenced | ErrorKind::OutcomeUnknown);
            assert!(is_of_the_race, "{error:?}");
        }
    }
    let session = subject.run(JOB).await;
    session.coordinator.sweep(SweepMode::Remove).await.expect("a sweep succeeds");
    let written = written.into_inner().expect("no thread panicked");
    for id in &session.claimed.retained {
        let found = session.open(*id).await;
        found.metadata().await.expect("its metadata is there");
        for (handle, state) in &written[id] {
            assert!(found.read(handle).await.expect("its state is there") == *state, "of checkpoint {id}");
        }
    }
    session.complete(&session.claimed.retained).await;
}

/// What a coordinator does from its beginning on, until it is fenced.
async fn run_beside_others(
    access: &dyn StorageAccess,
    encode: &Encode,
    written: &Written,
) -> Result<(), StorageError> {
    let coordinator = access.coordinator();
    let Claim { mut retained, next: mut id, .. } = coordinator.claim().await?;
    if let Some(newest) = retained.last() {
        coordinator.open_checkpoint(*newest).await?.metadata().await?;
    }
    coordinator.sweep(SweepMode::Remove).await?;
    for _ in 0..3 {
        let location = coordinator.begin_checkpoint(id).await?;
        // A task may lose its directory to the successor of its coordinator. What it is told then is its own affair.
        let states = write_state(access, id, &location).await.unwrap_or_default();
        let content = encode(&metadata(JOB, id, CheckpointKind::Checkpoint, &states));
        written.lock().expect("no thread panicked").insert(id, states);
        coordinator.commit(id, &location, content, &retained).await?;
        for dropped in core::mem::replace(&mut retained, vec![id]) {
            coordinator.remove(dropped, &[]).await?;
        }
        id = id.next();
    }
    let location = coordinator.begin_checkpoint(id).await?;
    let _ = write_state(access, id, &location).await;
    coordinator.discard(id, &location).await
}

/// Durable state in both scopes.
async fn write_state(
    access: &dyn StorageAccess,
    id: CheckpointId,
    location: &LocationReference,
) -> Result<Vec<(StateHandle, Bytes)>, StorageError> {
    let mut states = Vec::new();
    for scope in [StateScope::Exclusive, StateScope::Shared] {
        let state = pattern(MEDIUM, id.get());
        let mut stream = access.worker().create(id, location, scope).await?;
        stream.write(state.clone()).await?;
        states.extend(stream.finish().await?.map(|handle| (handle, state)));
    }
    access.worker().sync(id, location).await?;
    Ok(states)
}
