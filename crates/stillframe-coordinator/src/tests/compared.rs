//! Mistakes that the comparison with a model of the description found (`cargo xtask prove coordinator`).

use super::*;

const STOP: SnapshotRequest =
    SnapshotRequest::Stop { target: None, format: SavepointFormat::Canonical, drain: false };

fn resolved(effects: &[Effect]) -> Vec<(u64, bool)> {
    let resolved = effects.iter().filter_map(|effect| match effect {
        Effect::Resolve { request, outcome } => Some((request.get(), outcome.is_ok())),
        _ => None,
    });
    resolved.collect()
}

#[test]
fn a_suspended_job_has_no_periodic_checkpoints_even_if_it_was_to_stop() {
    let mut world = World::new(&config());
    world.start().at(200).trigger(1, STOP);
    world.handle(Event::StopPeriodic);
    assert_eq!(resolved(&world.take()), [(1, false)]);
    assert_eq!(world.coordinator.next_deadline(), None);
}

#[test]
fn everybody_who_asked_for_the_stop_hears_of_it() {
    let mut world = World::new(&config());
    world.trigger(1, STOP).locate().acknowledge_all(1);
    let first = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.trigger(2, STOP).locate().acknowledge_all(2);
    world.handle(Event::Published { op: first, result: Ok(Pointer::new("there")) }).publish();
    assert_eq!(resolved(&world.take()), [], "the tasks have not ended");
    world.handle(Event::End { status: JobStatus::Finished });
    assert_eq!(resolved(&world.take()), [(1, true), (2, true)]);
}

#[test]
fn what_is_acknowledged_before_the_trigger_is_durable_once_and_behind_it() {
    let mut world = World::new(&config());
    let durable = Report::Durable { checkpoint: id(1) };
    world.start().at(500).acknowledge_all(1);
    assert!(!world.reports.contains(&durable));
    world.locate();
    assert_eq!(world.reports.iter().filter(|report| **report == durable).count(), 1);
    assert_eq!(dropped(&world.take()), [0_u64; 0]);
}

#[test]
fn a_periodic_checkpoint_of_unknown_outcome_was_not_skipped() {
    let mut world = World::new(&config());
    world.start().at(500).locate().acknowledge_all(1);
    let op = world.op(|effect| if let Effect::Publish { op, .. } = effect { Some(*op) } else { None });
    world.handle(Event::Published { op, result: Err(Fault::Unknown { message: "no answer".to_string() }) });
    assert!(!world.reports.iter().any(|report| matches!(report, Report::Skipped { .. })));
}
