//! Beginning with a snapshot that another job took.

use crate::session::{Session, Taken};
use crate::state::{JOB, OTHER_JOB, in_file};
use crate::{Capability, Fresh, Subject, Verdict};
use std::sync::Arc;
use stillframe_model::StateDirectory;
use stillframe_storage::{CompletedLocation, ErrorKind, Ownership, SweepMode};

/// A snapshot of another job, and the job that is to begin with it.
struct Snapshot {
    taken: Taken,
    found: Arc<dyn CompletedLocation>,
    session: Session,
}

/// Takes a snapshot of another job: a checkpoint of it where such have an address, else a savepoint.
///
/// Where the storage says that it does not adopt like this, shows that it refuses.
async fn snapshot(subject: &Subject, ownership: Ownership) -> Result<Snapshot, Verdict> {
    let other = subject.run(OTHER_JOB).await;
    // Ids that are higher than those of a job that is new.
    for _ in 0..5 {
        other.draw();
    }
    let checkpoint = other.complete(&[]).await;
    let (taken, found) =
        match (subject.storage().resolve(&checkpoint.pointer).await, subject.savepoint_target()) {
            (Ok(found), _) => (checkpoint, found),
            (Err(_), Some(target)) => {
                let savepoint = other.savepoint(Some(target)).await;
                let found = subject.storage().resolve(&savepoint.pointer).await;
                (savepoint, found.expect("a savepoint has an address"))
            }
            (Err(error), None) => {
                assert!(
                    !other.coordinator.is_highly_available(),
                    "a checkpoint that outlives its job: {error}"
                );
                return Err(match subject.without(Capability::Savepoints) {
                    Some(_) => Verdict::does_not_apply("nothing of it has an address"),
                    None => Verdict::skipped(
                        "its checkpoints have no address, and nobody said where savepoints can go",
                    ),
                });
            }
        };
    let session = subject.run(JOB).await;
    let lacking = match ownership {
        Ownership::Taken => Capability::TakenSnapshots,
        Ownership::Left => Capability::LeftSnapshots,
        Ownership::Unclaimed => Capability::UnclaimedSnapshots,
    };
    if subject.lacks(lacking) {
        let adopted = session.coordinator.adopt(found, taken.id, ownership).await;
        assert_eq!(adopted.expect_err("it adopts none like this").kind(), ErrorKind::Unsupported);
        return Err(Verdict::Shown);
    }
    Ok(Snapshot { taken, found, session })
}

/// A snapshot that was taken over is retained under its own id, and what follows has higher ones.
pub async fn a_taken_snapshot_is_a_checkpoint_of_the_job(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let Snapshot { taken, found, session } = match snapshot(&subject, Ownership::Taken).await {
        Ok(snapshot) => snapshot,
        Err(verdict) => return verdict,
    };
    let adopted = session.coordinator.adopt(found, taken.id, Ownership::Taken).await;
    let claim = adopted.expect("a snapshot can be taken over");
    assert_eq!((&claim.retained[..], &claim.left[..]), (&[taken.id][..], &[][..]));
    assert_eq!(claim.taken, [taken.id]);
    assert!(claim.next > taken.id, "{:?}", claim.next);
    session.assert_intact(&taken).await;
    drop(session);
    let session = subject.run(JOB).await;
    assert_eq!(session.claimed.retained, [taken.id]);
    assert_eq!(session.claimed.taken, [taken.id], "also to whoever did not take it himself");
    assert!(session.claimed.next > taken.id, "{:?}", session.claimed.next);
    session.assert_intact(&taken).await;
    let next = session.complete(&[]).await;
    let claim = session.claim().await;
    assert_eq!((claim.retained, claim.taken), (vec![taken.id, next.id], vec![taken.id]));
    Verdict::Shown
}

/// A snapshot that was taken over goes like any checkpoint of the job.
pub async fn a_taken_snapshot_goes_when_it_is_dropped(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let Snapshot { taken, found, session } = match snapshot(&subject, Ownership::Taken).await {
        Ok(snapshot) => snapshot,
        Err(verdict) => return verdict,
    };
    let adopted = session.coordinator.adopt(found, taken.id, Ownership::Taken).await;
    adopted.expect("a snapshot can be taken over");
    // The ids that the job is told then are higher.
    drop(session);
    let session = subject.run(JOB).await;
    let next = session.complete(&[taken.id]).await;
    assert_eq!(session.retained().await, [next.id]);
    for _ in 0..2 {
        session.coordinator.remove(taken.id, &[]).await.expect("what was dropped can be removed");
    }
    subject.storage().resolve(&taken.pointer).await.expect_err("nothing is left where it was");
    session.assert_intact(&next).await;
    Verdict::Shown
}

/// A snapshot that was left to its owner is not among the job's own checkpoints.
pub async fn a_left_snapshot_is_no_checkpoint_of_the_job(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let Snapshot { taken, found, session } = match snapshot(&subject, Ownership::Left).await {
        Ok(snapshot) => snapshot,
        Err(verdict) => return verdict,
    };
    let adopted = session.coordinator.adopt(found, taken.id, Ownership::Left).await;
    let claim = adopted.expect("a snapshot can be left to its owner");
    assert_eq!(claim.retained, []);
    assert!(claim.next > taken.id, "{:?}", claim.next);
    session.coordinator.begin_checkpoint(claim.next).await.expect("the id that it was told is free");
    drop(session);
    assert_eq!(subject.run(JOB).await.claimed.retained, []);
    Verdict::Shown
}

/// A snapshot of which nothing is claimed only says from where on the ids go.
pub async fn an_unclaimed_snapshot_is_only_the_beginning(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let Snapshot { taken, found, session } = match snapshot(&subject, Ownership::Unclaimed).await {
        Ok(snapshot) => snapshot,
        Err(verdict) => return verdict,
    };
    let mut outside = Vec::new();
    for (handle, _) in &taken.states {
        outside.extend(handle.file().and_then(|file| found.foreign(file)).map(|file| in_file(handle, file)));
    }
    let adopted = session.coordinator.adopt(found, taken.id, Ownership::Unclaimed).await;
    let claim = adopted.expect("a job can begin with a snapshot");
    assert_eq!((&claim.retained[..], &claim.left[..]), (&[][..], &[][..]));
    assert!(claim.next > taken.id, "{:?}", claim.next);
    drop(session);
    let session = subject.run(JOB).await;
    assert!(session.claimed.next > taken.id, "{:?}", session.claimed.next);
    let own = session.complete(&[]).await;
    let found = session.open(own.id).await;
    for handle in &outside {
        let read = found.read(handle).await;
        assert_eq!(read.expect_err("nobody said that it may be read").kind(), ErrorKind::InvalidPointer);
    }
    session.coordinator.sweep(SweepMode::Remove).await.expect("a sweep succeeds");
    let found = subject.storage().resolve(&taken.pointer).await.expect("it is still where it was");
    taken.assert_at(&*found).await;
    Verdict::Shown
}

/// A snapshot that was left to its owner stays, whatever the job does.
pub async fn a_left_snapshot_is_never_removed(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let Snapshot { taken, found, session } = match snapshot(&subject, Ownership::Left).await {
        Ok(snapshot) => snapshot,
        Err(verdict) => return verdict,
    };
    let files = taken.files().filter_map(|file| found.foreign(file)).collect::<Vec<_>>();
    let adopted = session.coordinator.adopt(found, taken.id, Ownership::Left).await;
    adopted.expect("a snapshot can be left to its owner");
    drop(session);
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let two = session.complete(&[one.id]).await;
    // Not even if somebody takes its files for shared ones.
    let _ = session.coordinator.remove(one.id, &files).await;
    let status = stillframe_model::JobStatus::Canceled;
    session.coordinator.conclude(status, &[two.id]).await.expect("the end can be written down");
    session.coordinator.remove(two.id, &[]).await.expect("what was dropped can be removed");
    session.coordinator.sweep(SweepMode::Remove).await.expect("a sweep succeeds");
    let found = subject.storage().resolve(&taken.pointer).await.expect("it is still where it was");
    taken.assert_at(&*found).await;
    Verdict::Shown
}

/// Checkpoints of the job may refer to state of such a snapshot, by the names that it gives for that.
pub async fn state_of_a_left_snapshot_can_be_referred_to(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let Snapshot { taken, found, session } = match snapshot(&subject, Ownership::Left).await {
        Ok(snapshot) => snapshot,
        Err(verdict) => return verdict,
    };
    let mut referred = Vec::new();
    for (handle, state) in &taken.states {
        if let Some(file) = handle.file().and_then(|file| found.foreign(file)) {
            referred.push((in_file(handle, file), state.clone()));
        }
    }
    taken.states.iter().for_each(|(handle, _)| subject.assert_place(handle));
    if referred.is_empty() {
        let verdict = subject.without(Capability::StateInFiles);
        return verdict.unwrap_or_else(|| Verdict::skipped("nothing of such a snapshot can be referred to"));
    }
    let adopted = session.coordinator.adopt(found, taken.id, Ownership::Left).await;
    let claim = adopted.expect("a snapshot can be left to its owner");
    for (handle, _) in &referred {
        let Some(StateDirectory::Foreign(address)) = handle.file().map(|file| &file.directory) else {
            panic!("what is elsewhere has an address: {handle:?}")
        };
        assert!(claim.left.contains(address), "{address} is not in {:?}", claim.left);
    }
    let begun = session.coordinator.begin_checkpoint(claim.next).await;
    let location = begun.expect("the id that it was told is free");
    session.commit(claim.next, &location, &referred, &[]).await;
    for session in [session, subject.run(JOB).await] {
        let own = session.open(claim.next).await;
        for (handle, state) in &referred {
            assert!(own.read(handle).await.expect("it can be referred to") == *state);
        }
    }
    Verdict::Shown
}

/// A job that has a checkpoint with a higher id of its own does not begin with an older snapshot.
pub async fn a_snapshot_does_not_go_before_own_checkpoints(fresh: Fresh<'_>) -> Verdict {
    for ownership in [Ownership::Left, Ownership::Taken, Ownership::Unclaimed] {
        let subject = fresh();
        let Snapshot { taken, found, session } = match snapshot(&subject, ownership).await {
            Ok(snapshot) => snapshot,
            Err(Verdict::Shown) => continue,
            Err(verdict) => return verdict,
        };
        while session.draw() <= taken.id {}
        let own = session.complete(&[]).await;
        let adopted = session.coordinator.adopt(found, taken.id, ownership).await;
        assert_eq!(adopted.expect_err("it is older").kind(), ErrorKind::AlreadyExists);
        assert_eq!(session.retained().await, [own.id]);
        session.assert_intact(&own).await;
    }
    Verdict::Shown
}

/// Whoever lost the job takes nothing over for it.
pub async fn a_fenced_coordinator_adopts_nothing(fresh: Fresh<'_>) -> Verdict {
    for ownership in [Ownership::Left, Ownership::Taken, Ownership::Unclaimed] {
        let subject = fresh();
        let Snapshot { taken, found, session } = match snapshot(&subject, ownership).await {
            Ok(snapshot) => snapshot,
            Err(Verdict::Shown) => continue,
            Err(verdict) => return verdict,
        };
        let second = subject.run(JOB).await;
        let adopted = session.coordinator.adopt(found, taken.id, ownership).await;
        assert_eq!(adopted.expect_err("somebody else holds the job").kind(), ErrorKind::Fenced);
        assert_eq!(second.retained().await, []);
        let (id, location) = second.place().await;
        let committed = second.coordinator.commit(id, &location, second.metadata(id, &[]), &[]).await;
        committed.expect("whoever holds the job is not disturbed");
    }
    Verdict::Shown
}
