//! Settings of the cleaner: the same checkpoints, removed otherwise.

use super::files::now;
use super::{Setting, effective};
use crate::e2e::job::brake::settle;
use crate::e2e::job::rig::{Rig, checkpoint, memory};
use crate::e2e::job::steered::Steering;
use std::sync::Arc;
use stillframe::config::CheckpointConfig;

pub(super) fn parallel_cleaner(setting: &Setting) {
    let at_once = setting.changes(["true", "false"], &[], removals_at_once);
    assert_eq!(at_once, [2, 1]);
}

/// How many removals have begun when two are due and none is let go.
fn removals_at_once(config: &CheckpointConfig) -> u64 {
    now(async {
        let (rig, steering) = (Rig::new(30), Arc::<Steering>::default());
        rig.allow(10);
        let hold = steering.removing.hold();
        let (job, _events) = rig.job(config, steering.around(memory()));
        let handle = job.start();
        rig.processed(10).await;
        for _ in 0..3 {
            checkpoint(&handle).await;
        }
        steering.removing.stopped.reach(if effective(config).parallel_cleaner { 2 } else { 1 }).await;
        settle().await;
        let begun = steering.removing.stopped.get();
        drop(hold);
        handle.cancel();
        handle.wait().await.expect("nothing fails");
        begun
    })
}
