//! Looking for what earlier runs left behind.

use crate::session::Session;
use crate::state::{JOB, LARGE, pattern};
use crate::{Capability, Fresh, Subject, Verdict};
use stillframe_model::StateHandle;
use stillframe_storage::{StateScope, Sweep, SweepMode};

async fn sweep(session: &Session, mode: SweepMode) -> Sweep {
    session.coordinator.sweep(mode).await.expect("a sweep succeeds")
}

/// Where nothing was left behind, nothing is found that should go, and nothing goes.
pub async fn a_sweep_of_nothing_finds_no_orphan(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    for mode in [SweepMode::DryRun, SweepMode::Remove] {
        assert_eq!(sweep(&session, mode).await.orphans().count(), 0);
    }
    let taken = session.complete(&[]).await;
    let before = subject.residue();
    for mode in [SweepMode::DryRun, SweepMode::Remove] {
        assert_eq!(sweep(&session, mode).await.orphans().collect::<Vec<_>>(), Vec::<&_>::new());
        assert_eq!(subject.residue(), before);
    }
    session.assert_intact(&taken).await;
}

/// What one run left for the next.
struct Leftovers {
    /// What the storage occupies because of what nobody needs.
    orphans: Vec<String>,
    /// What it occupies because of what is retained.
    kept: Vec<String>,
    retained: crate::session::Taken,
    shared: Vec<(StateHandle, bytes::Bytes)>,
}

/// A run that leaves a retained checkpoint with shared state, one that was given up by nobody, and one that was dropped and
/// not removed.
async fn leave(subject: &Subject) -> Leftovers {
    let session = subject.run(JOB).await;
    let empty = subject.residue();
    let dropped = session.complete(&[]).await;
    session.leave_incomplete().await;
    let orphans = subject.new_since(&empty);
    let with_orphans = subject.residue();
    let retained = session.complete(&[dropped.id]).await;
    let kept = subject.new_since(&with_orphans);
    let state = pattern(LARGE, 17);
    let (id, location) = session.place().await;
    let handle = session.write((id, &location), StateScope::Shared, &state, LARGE).await;
    session.sync(id, &location).await;
    let shared = vec![(handle, state)];
    session.commit(id, &location, &shared, &[]).await;
    // What a storage drops at once is no orphan.
    let residue = subject.residue();
    let orphans = orphans.into_iter().filter(|name| residue.contains(name)).collect();
    Leftovers { orphans, kept, retained, shared }
}

/// A dry run has a line with a reason for what it would remove, and removes nothing.
pub async fn a_dry_run_removes_nothing_and_says_why(fresh: Fresh<'_>) {
    let subject = fresh();
    let left = leave(&subject).await;
    let session = subject.run(JOB).await;
    let before = subject.residue();
    let found = sweep(&session, SweepMode::DryRun).await;
    assert_eq!(subject.residue(), before, "a dry run removes nothing");
    assert_eq!(
        found.orphans().count() == 0,
        left.orphans.is_empty(),
        "{found:?}, but there is {:?}",
        left.orphans
    );
    for swept in &found.found {
        assert!(!swept.object.is_empty(), "each line names an object");
        assert!(swept.to_string().len() > swept.object.len() + 2, "each line gives a reason: {swept}");
    }
    let mut names = found.found.iter().map(|swept| &swept.object).collect::<Vec<_>>();
    assert!(names.is_sorted(), "in the order of the names: {names:?}");
    names.dedup();
    assert_eq!(names.len(), found.found.len(), "one line for each object");
    assert_eq!(sweep(&session, SweepMode::Remove).await, found, "what goes is what it said would go");
}

/// What was never completed and what was dropped goes.
pub async fn a_sweep_removes_what_nobody_needs(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let left = leave(&subject).await;
    if left.orphans.is_empty() {
        return Verdict::skipped("nothing is left behind, or nobody said how to see it");
    }
    let session = subject.run(JOB).await;
    sweep(&session, SweepMode::Remove).await;
    let residue = subject.residue();
    let survivors = left.orphans.iter().filter(|name| residue.contains(name)).collect::<Vec<_>>();
    assert_eq!(survivors, Vec::<&String>::new());
    assert_eq!(
        sweep(&session, SweepMode::DryRun).await.orphans().count(),
        0,
        "nothing is left to be removed"
    );
    Verdict::Shown
}

/// Everything that a retained checkpoint needs stays.
pub async fn a_sweep_leaves_what_is_retained(fresh: Fresh<'_>) {
    let subject = fresh();
    let left = leave(&subject).await;
    let session = subject.run(JOB).await;
    let retained = session.retained().await;
    for _ in 0..2 {
        sweep(&session, SweepMode::Remove).await;
        assert_eq!(session.retained().await, retained);
        let residue = subject.residue();
        assert!(left.kept.iter().all(|name| residue.contains(name)), "{:?} of {residue:?}", left.kept);
        session.assert_intact(&left.retained).await;
        let found = session.open(retained[retained.len() - 1]).await;
        for (handle, state) in &left.shared {
            assert!(found.read(handle).await.expect("shared state stays") == *state);
        }
    }
}

/// What this run is writing stays, whether it is synced or not, and can be committed.
pub async fn a_sweep_spares_what_is_being_written(fresh: Fresh<'_>) {
    let subject = fresh();
    leave(&subject).await;
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let mut written = vec![session.write_one((id, &location), LARGE).await];
    let state = pattern(LARGE, 19);
    written.push((session.write((id, &location), StateScope::Shared, &state, LARGE).await, state));
    sweep(&session, SweepMode::Remove).await;
    session.sync(id, &location).await;
    sweep(&session, SweepMode::Remove).await;
    written.push(session.write_one((id, &location), LARGE + 1).await);
    session.sync(id, &location).await;
    session.commit(id, &location, &written, &[]).await;
    let found = session.open(id).await;
    for (handle, state) in written {
        assert!(
            found.read(&handle).await.expect("its state is there") == state,
            "{} bytes differ",
            state.len()
        );
    }
}

/// What somebody else put there stays, and is named as such.
pub async fn a_sweep_spares_what_is_not_ours(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    if let Some(verdict) = subject.without(Capability::ReachableMedium) {
        return verdict;
    }
    let Some(put) = subject.foreign() else {
        return Verdict::skipped("nobody said how to put something foreign there");
    };
    let session = subject.run(JOB).await;
    let (id, _) = session.leave_incomplete().await;
    let taken = session.complete(&[]).await;
    let foreign = [put(JOB, id), put(JOB, taken.id)];
    drop(session);
    let session = subject.run(JOB).await;
    let found = sweep(&session, SweepMode::Remove).await;
    let residue = subject.residue();
    assert!(foreign.iter().all(|name| residue.contains(name)), "it was removed: {residue:?}");
    assert!(!found.found.is_empty());
    session.assert_intact(&taken).await;
    Verdict::Shown
}

/// A coordinator that was replaced removes nothing that the new one writes or retains.
pub async fn a_fenced_coordinator_sweeps_nothing_of_its_successor(fresh: Fresh<'_>) {
    let subject = fresh();
    let first = subject.run(JOB).await;
    let one = first.complete(&[]).await;
    let second = subject.run(JOB).await;
    let two = second.complete(&[]).await;
    let (three, location) = second.place().await;
    let written = [second.write_one((three, &location), LARGE).await];
    second.sync(three, &location).await;
    // Whether it is refused or finds nothing is its own affair.
    let _ = first.coordinator.sweep(SweepMode::Remove).await;
    second.commit(three, &location, &written, &[]).await;
    assert_eq!(second.retained().await, [one.id, two.id, three]);
    for taken in [&one, &two] {
        second.assert_intact(taken).await;
    }
    let found = second.open(three).await;
    let [(handle, state)] = &written;
    assert!(found.read(handle).await.expect("its state is there") == *state);
}
