use crate::ExternalizedCheckpointRetention as R;
use crate::*;
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::JobStatus as J;
use stillframe_model::StorageDescriptor;

#[test]
fn an_interval_below_the_pause_is_raised_and_said_so() {
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(Duration::from_secs(1)).unwrap();
    config.set_min_pause_between_checkpoints(Duration::from_secs(5));
    let Resolved { effective, adjustments } = config.resolve(&GraphDescription::default()).unwrap();
    assert_eq!(effective.schedule.interval, Some(Duration::from_secs(5)));
    assert_eq!(
        adjustments,
        [Adjustment::IntervalRaised { asked: Duration::from_secs(1), effective: Duration::from_secs(5) }]
    );
}

#[test]
fn each_setting_reaches_its_group() {
    let mut config = CheckpointConfig::default();
    config.set_checkpointing_mode(CheckpointingMode::AtLeastOnce);
    config.set_tolerable_checkpoint_failure_number(u32::MAX);
    let effective = config.resolve(&GraphDescription::default()).unwrap().effective;
    assert_eq!(effective.barriers.policy, BarrierPolicy::Track);
    assert_eq!(effective.tolerance, FailureTolerance::Unlimited);
    assert_eq!(effective.storage.kind, StorageDescriptor::JOB_MANAGER);
    assert_eq!(effective.schedule.interval, None);
}

#[test]
fn retention_follows_the_recorded_table() {
    let kept = |on_end| {
        let retention = Retention { max_retained: NonZeroU32::MIN, on_end };
        [J::Finished, J::Canceled, J::Failed, J::Suspended].map(|status| retention.keeps_after(status))
    };
    assert_eq!(kept(R::NoExternalizedCheckpoints), [false, false, false, true]);
    assert_eq!(kept(R::DeleteOnCancellation), [false, false, true, true]);
    assert_eq!(kept(R::RetainOnCancellation), [false, true, true, true]);
}
