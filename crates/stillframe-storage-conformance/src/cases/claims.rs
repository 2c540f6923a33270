//! Who holds a job, what he is told when he takes it over, and that nobody else can do anything to it then.

use crate::state::{JOB, MEDIUM, OTHER_JOB};
use crate::{Capability, Fresh, Verdict};
use std::collections::BTreeSet;
use stillframe_model::{CheckpointId, JobStatus};
use stillframe_storage::{Claim, ErrorKind};

/// Opening a storage leaves no trace; only the claim may.
pub async fn opening_creates_nothing(fresh: Fresh<'_>) {
    let subject = fresh();
    let access = subject.storage().open(JOB).await.expect("a fresh storage opens");
    let (_, _) = (access.coordinator(), access.worker());
    assert_eq!(subject.residue(), [""; 0]);
}

/// There is nothing to see of a job that was never checkpointed, and its first id is the first.
pub async fn a_new_job_has_nothing(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let nothing =
        Claim { retained: vec![], taken: vec![], next: CheckpointId::FIRST, ended: None, left: vec![] };
    assert_eq!(session.claimed, nothing);
    assert_eq!(subject.residue(), [""; 0]);
}

/// What one run completed, the next one finds, and nothing that it left incomplete.
pub async fn a_second_coordinator_sees_what_the_first_completed(fresh: Fresh<'_>) {
    let subject = fresh();
    let first = subject.run(JOB).await;
    let one = first.complete(&[]).await;
    first.leave_incomplete().await;
    let three = first.complete(&[]).await;
    first.place().await;
    drop(first);
    let second = subject.run(JOB).await;
    assert_eq!(second.claimed.retained, [one.id, three.id]);
    for taken in [&one, &three] {
        second.assert_intact(taken).await;
    }
    let last = second.complete(&[one.id]).await;
    assert_eq!(second.retained().await, [three.id, last.id]);
}

/// Whoever held the job before can commit nothing, nor take it back.
pub async fn a_second_coordinator_fences_the_first(fresh: Fresh<'_>) {
    let subject = fresh();
    let first = subject.run(JOB).await;
    let (id, location) = first.leave_incomplete().await;
    let (later, later_location) = first.place().await;
    let second = subject.run(JOB).await;
    let committed = first.coordinator.commit(id, &location, first.metadata(id, &[]), &[]).await;
    assert_eq!(committed.expect_err("somebody else holds the job").kind(), ErrorKind::Fenced);
    let claimed = first.coordinator.claim().await;
    assert_eq!(claimed.expect_err("it is not taken back").kind(), ErrorKind::Fenced);
    assert_eq!(second.retained().await, []);
    let taken = second.complete(&[]).await;
    let metadata = first.metadata(later, &[]);
    let committed = first.coordinator.commit(later, &later_location, metadata, &[]).await;
    assert_eq!(committed.expect_err("nor later").kind(), ErrorKind::Fenced);
    assert_eq!(second.retained().await, [taken.id]);
}

/// A commit that comes too late drops nothing, and what its coordinator removes then was not retained.
pub async fn a_fenced_commit_changes_nothing(fresh: Fresh<'_>) {
    let subject = fresh();
    let first = subject.run(JOB).await;
    let one = first.complete(&[]).await;
    let (id, location) = first.place().await;
    let second = subject.run(JOB).await;
    let two = second.complete(&[]).await;
    let committed = first.coordinator.commit(id, &location, first.metadata(id, &[]), &[one.id]).await;
    assert_eq!(committed.expect_err("somebody else holds the job").kind(), ErrorKind::Fenced);
    // Whether it is refused or has nothing to do there is its own affair.
    let _ = first.coordinator.remove(one.id, &[]).await;
    let _ = first.coordinator.remove(two.id, &[]).await;
    assert_eq!(second.retained().await, [one.id, two.id]);
    for taken in [&one, &two] {
        second.assert_intact(taken).await;
    }
}

/// A job is ended by whoever holds it.
pub async fn a_fenced_coordinator_does_not_end_the_job(fresh: Fresh<'_>) {
    let subject = fresh();
    let first = subject.run(JOB).await;
    let one = first.complete(&[]).await;
    let second = subject.run(JOB).await;
    let concluded = first.coordinator.conclude(JobStatus::Canceled, &[one.id]).await;
    assert_eq!(concluded.expect_err("somebody else holds the job").kind(), ErrorKind::Fenced);
    let claim = second.claim().await;
    assert_eq!((claim.retained, claim.ended), (vec![one.id], None));
}

/// A coordinator that holds the job is told what is there now, and goes on behind the ids that it used.
pub async fn the_holder_may_claim_again(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let (incomplete, location) = session.leave_incomplete().await;
    let claim = session.claim().await;
    assert_eq!((&claim.retained[..], claim.ended), (&[one.id][..], None));
    assert!(claim.next > incomplete, "{:?} was begun already", claim.next);
    session.coordinator.begin_checkpoint(claim.next).await.expect("the id that it was told is free");
    // What it had under way goes on.
    session.commit(incomplete, &location, &[], &[]).await;
    assert_eq!(session.retained().await, [one.id, incomplete]);
}

/// No id is used by two runs, neither while the older one goes on nor afterwards.
pub async fn ids_are_never_used_again(fresh: Fresh<'_>) {
    let subject = fresh();
    let mut used = BTreeSet::new();
    let mut before = None;
    for run in 0..4 {
        let session = subject.run(JOB).await;
        let newest = used.last().copied().unwrap_or(CheckpointId::new(0));
        assert!(
            session.claimed.next > newest,
            "run {run} was told {:?} after {newest:?}",
            session.claimed.next
        );
        for _ in 0..=run {
            let (id, location) = session.place().await;
            assert!(used.insert(id), "{id:?} was used before");
            session.write_one((id, &location), MEDIUM).await;
        }
        // Whoever held the job before may still begin something, as long as nobody else ever uses that id.
        if let Some(before) = before.replace(session) {
            let id = before.draw();
            if before.coordinator.begin_checkpoint(id).await.is_ok() {
                assert!(used.insert(id), "{id:?} was used before");
            }
        }
    }
}

/// An id is not free again because its checkpoint is gone.
pub async fn an_id_stays_used_after_its_checkpoint_is_gone(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let one = session.complete(&[]).await;
    let two = session.complete(&[one.id]).await;
    session.coordinator.remove(one.id, &[]).await.expect("what was dropped can be removed");
    let (three, location) = session.place().await;
    session.coordinator.discard(three, &location).await.expect("a checkpoint can be given up");
    assert!(session.claim().await.next > three);
    session.coordinator.conclude(JobStatus::Finished, &[two.id]).await.expect("the end can be written down");
    session.coordinator.remove(two.id, &[]).await.expect("what was dropped can be removed");
    drop(session);
    assert!(subject.run(JOB).await.claimed.next > three);
}

/// Checkpoints and savepoints draw their ids from the same numbers.
pub async fn ids_of_savepoints_are_used_too(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    if let Some(verdict) = subject.without(Capability::Savepoints) {
        return verdict;
    }
    let Some(target) = subject.savepoint_target() else {
        return Verdict::skipped("nobody said where savepoints can go");
    };
    let session = subject.run(JOB).await;
    let savepoint = session.savepoint(Some(target)).await;
    assert!(session.claim().await.next > savepoint.id);
    drop(session);
    assert!(subject.run(JOB).await.claimed.next > savepoint.id);
    Verdict::Shown
}

/// Jobs that share a storage share nothing else.
pub async fn jobs_do_not_see_each_other(fresh: Fresh<'_>) {
    let subject = fresh();
    let one = subject.run(JOB).await;
    let of_one = one.complete(&[]).await;
    let other = subject.run(OTHER_JOB).await;
    assert_eq!(other.claimed.retained, []);
    let of_other = other.complete(&[]).await;
    one.coordinator.conclude(JobStatus::Canceled, &[of_one.id]).await.expect("the end can be written down");
    one.coordinator.remove(of_one.id, &[]).await.expect("what was dropped can be removed");
    let claim = other.claim().await;
    assert_eq!((claim.retained, claim.ended), (vec![of_other.id], None));
    other.assert_intact(&of_other).await;
}

/// However a job ended, that is seen, also if it never had a checkpoint and if it was written down twice.
pub async fn the_end_of_a_job_is_seen(fresh: Fresh<'_>) {
    for status in [JobStatus::Finished, JobStatus::Canceled, JobStatus::Failed] {
        let subject = fresh();
        let session = subject.run(JOB).await;
        session.coordinator.conclude(status, &[]).await.expect("the end can be written down");
        session.coordinator.conclude(status, &[]).await.expect("and once more");
        assert_eq!(session.claim().await.ended, Some(status));
        assert_eq!(subject.run(JOB).await.claimed.ended, Some(status));
    }
}

/// The end of a job does not change afterwards.
pub async fn a_job_ends_in_one_way(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    session.coordinator.conclude(JobStatus::Failed, &[]).await.expect("the end can be written down");
    let changed = session.coordinator.conclude(JobStatus::Finished, &[]).await;
    assert_eq!(changed.expect_err("it ended otherwise").kind(), ErrorKind::AlreadyExists);
    assert_eq!(session.claim().await.ended, Some(JobStatus::Failed));
}

/// A job that is to be continued has not ended, and may end later.
pub async fn a_suspended_job_has_not_ended(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let taken = session.complete(&[]).await;
    session.coordinator.conclude(JobStatus::Suspended, &[]).await.expect("there is nothing to write down");
    drop(session);
    let session = subject.run(JOB).await;
    assert_eq!((&session.claimed.retained[..], session.claimed.ended), (&[taken.id][..], None));
    session.coordinator.conclude(JobStatus::Finished, &[]).await.expect("the end can be written down");
    assert_eq!(session.claim().await.ended, Some(JobStatus::Finished));
}

/// With its end a job gives up the checkpoints that this makes superfluous, in the same step.
pub async fn the_end_drops_what_it_says(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let [one, two, three] =
        [session.complete(&[]).await, session.complete(&[]).await, session.complete(&[]).await];
    let dropped = [one.id, three.id];
    session.coordinator.conclude(JobStatus::Canceled, &dropped).await.expect("the end can be written down");
    session.coordinator.conclude(JobStatus::Canceled, &dropped).await.expect("and once more");
    let claim = session.claim().await;
    assert_eq!((&claim.retained[..], claim.ended), (&[two.id][..], Some(JobStatus::Canceled)));
    for id in dropped {
        session.coordinator.remove(id, &[]).await.expect("what was dropped can be removed");
    }
    drop(session);
    let session = subject.run(JOB).await;
    assert_eq!(session.claimed.retained, [two.id]);
    session.assert_intact(&two).await;
}
