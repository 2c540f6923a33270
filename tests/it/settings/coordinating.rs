//! Settings that the coordinator reads: the same events, and other effects or deadlines.

use super::Setting;
use super::driven::{Driven, FIRST};
use stillframe::model::{FailureReason, JobStatus};

/// Checkpoints every second.
const EVERY_SECOND: (&str, &str) = ("execution.checkpointing.interval", "1 s");

pub(super) fn interval(setting: &Setting) {
    let following = setting.changes(["1 s", "3 s"], &[], |config| {
        let mut job = Driven::new(config);
        job.at(FIRST).complete(1).next_deadline()
    });
    assert_eq!(following, [Some(1_500), Some(3_500)]);
}

pub(super) fn interval_during_backlog(setting: &Setting) {
    let following = setting.changes(["1 s", "3 s"], &[EVERY_SECOND], |config| {
        let mut job = Driven::new(config);
        let during = job.backlog(true).at(FIRST).complete(1).next_deadline();
        (during, job.at(600).backlog(false).next_deadline())
    });
    assert_eq!(following, [(Some(1_500), Some(1_500)), (Some(3_500), Some(1_600))]);
    let none = setting.changes(["0 ms", "1 s"], &[EVERY_SECOND], |config| {
        Driven::new(config).backlog(true).at(FIRST).complete(1).next_deadline()
    });
    assert_eq!(none, [None, Some(1_500)]);
}

/// A checkpoint in progress when the only task comes to its end, and one that is asked for behind that.
pub(super) fn after_tasks_finish(setting: &Setting) {
    let [goes_on, ends] = setting.changes(["true", "false"], &[], |config| {
        let mut job = Driven::new(config);
        let closed = job.end_of_data().has_closed();
        (closed, job.begun(), super::taking_part::beside_an_ended_input(config))
    });
    assert_eq!((goes_on.0, goes_on.1), (false, vec![1]), "it waits for a last one");
    assert_eq!((ends.0, ends.1), (true, vec![]), "it ends at once");
    assert_eq!((goes_on.2, ends.2), (None, Some(FailureReason::CheckpointDeclinedInputEndOfStream)));
}

pub(super) fn timeout(setting: &Setting) {
    let aborted = setting.changes(["10 s", "20 s"], &[], |config| {
        let mut job = Driven::new(config);
        let deadline = job.ask().locate().next_deadline();
        (deadline, job.at(10_000).aborted())
    });
    assert_eq!(
        aborted,
        [(Some(10_000), vec![(1, FailureReason::CheckpointExpired)]), (Some(20_000), vec![])]
    );
}

pub(super) fn min_pause(setting: &Setting) {
    let begun = setting.changes(["0 ms", "800 ms"], &[EVERY_SECOND], |config| {
        let mut job = Driven::new(config);
        let after = job.at(FIRST).locate().at(1_400).complete(1).at(1_500).begun();
        (after, job.next_deadline())
    });
    assert_eq!(begun, [(vec![1, 2], Some(2_500)), (vec![1], Some(2_200))]);
}

pub(super) fn max_concurrent(setting: &Setting) {
    let begun = setting.changes(["1", "2"], &[EVERY_SECOND], |config| {
        Driven::new(config).at(FIRST).locate().at(1_500).begun()
    });
    assert_eq!(begun, [vec![1], vec![1, 2]]);
}

pub(super) fn tolerable_failures(setting: &Setting) {
    let after_one = |job: &mut Driven| job.ask().locate().decline(1).has_failed();
    let failed = setting.changes(["0", "1"], &[], |config| {
        let mut job = Driven::new(config);
        (after_one(&mut job), job.ask().locate().decline(2).has_failed())
    });
    assert_eq!(failed, [(true, true), (false, true)]);
    let failed = setting.changes(["1", "2147483647"], &[], |config| {
        let mut job = Driven::new(config);
        (1..100).any(|checkpoint| job.ask().locate().decline(checkpoint).has_failed())
    });
    assert_eq!(failed, [true, false]);
}

pub(super) fn retention(setting: &Setting) {
    let ends = [JobStatus::Finished, JobStatus::Canceled, JobStatus::Failed];
    let discarded = |values| {
        setting.changes(values, &[], |config| {
            ends.map(|status| Driven::new(config).ask().complete(1).end(status).discarded())
        })
    };
    let kept = vec![];
    assert_eq!(
        discarded(["NO_EXTERNALIZED_CHECKPOINTS", "DELETE_ON_CANCELLATION"]),
        [[vec![1], vec![1], vec![1]], [vec![1], vec![1], kept.clone()]]
    );
    assert_eq!(
        discarded(["DELETE_ON_CANCELLATION", "RETAIN_ON_CANCELLATION"]),
        [[vec![1], vec![1], kept.clone()], [vec![1], kept.clone(), kept]]
    );
}

pub(super) fn num_retained(setting: &Setting) {
    let discarded = setting.changes(["1", "2"], &[], |config| {
        Driven::new(config).ask().complete(1).ask().complete(2).ask().complete(3).discarded()
    });
    assert_eq!(discarded, [vec![1, 2], vec![1]]);
}
