//! What the metadata of a checkpoint says of coordinators and hooks.

use super::*;
use alloc::collections::BTreeMap;
use bytes::Bytes;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The job of the other tests, in which both vertices have a coordinator, and with two hooks.
fn coordinated() -> World {
    let mut plan = plan();
    plan.vertices.iter_mut().for_each(|vertex| vertex.has_coordinator = true);
    plan.hooks = vec![name("offsets"), name("silent")];
    let mut world = World::deploying(plan, &config(), fresh());
    for task in TASKS {
        world.handle(Event::Running { task });
    }
    world.start();
    world
}

impl World {
    /// Answers for coordinators and hooks, in the way of the test.
    fn answer(&mut self) -> &mut Self {
        for effect in self.take() {
            if let Effect::SnapshotCoordinator { op, vertex, checkpoint } = effect {
                let state = Bytes::from(alloc::format!("vertex {vertex} at {checkpoint}"));
                self.handle(Event::CoordinatorSnapshot { op, result: Ok(state) });
            }
        }
        for effect in self.take() {
            if let Effect::TriggerHook { op, hook, .. } = effect {
                let state = (hook == name("offsets")).then(|| Bytes::from_static(b"17"));
                self.handle(Event::HookTriggered { op, result: Ok(state) });
            }
        }
        self
    }

    fn published(&mut self) -> CheckpointMetadata {
        let published = self.effects.iter().find_map(|effect| match effect {
            Effect::Publish { metadata, .. } => Some(metadata.clone()),
            _ => None,
        });
        published.expect("a checkpoint is published")
    }
}

fn coordinators(metadata: &CheckpointMetadata) -> Vec<Option<&[u8]>> {
    metadata.operators.values().map(|operator| operator.coordinator.as_deref()).collect()
}

#[test]
fn the_state_of_coordinators_goes_to_their_operators_and_that_of_hooks_beside_them() {
    let mut world = coordinated();
    world.at(500).locate().answer().acknowledge_all(1);
    let metadata = world.published();
    assert_eq!(coordinators(&metadata), [Some(&b"vertex 0 at 1"[..]), Some(b"vertex 1 at 1")]);
    assert_eq!(metadata.hooks, BTreeMap::from([(name("offsets"), Bytes::from_static(b"17"))]));

    world.publish().at(1_500).locate().answer().acknowledge_all(2);
    let metadata = world.published();
    assert_eq!(
        coordinators(&metadata),
        [Some(&b"vertex 0 at 2"[..]), Some(b"vertex 1 at 2")],
        "never an old one"
    );
}

#[test]
fn the_state_of_a_coordinator_is_dropped_once_all_of_its_subtasks_have_finished() {
    let mut world = coordinated();
    world.handle(Event::Finished { task: TASKS[0] });
    world.at(500).locate().answer().acknowledge(1, TASKS[1]).acknowledge(1, TASKS[2]);
    let metadata = world.published();
    assert_eq!(coordinators(&metadata), [Some(&b"vertex 0 at 1"[..]), Some(b"vertex 1 at 1")], "one is left");

    world.publish().handle(Event::Finished { task: TASKS[1] });
    world.at(1_500).locate().answer().acknowledge(2, TASKS[2]);
    let metadata = world.published();
    assert_eq!(coordinators(&metadata), [None, Some(&b"vertex 1 at 2"[..])]);
    assert!(metadata.operators[&name("source")].subtasks.iter().all(|subtask| subtask.finished));
    assert_eq!(metadata.hooks.len(), 1);
}

#[test]
fn a_task_that_is_at_its_end_and_still_takes_part_keeps_the_state_of_its_coordinator() {
    let mut world = coordinated();
    world.at(500).locate().answer();
    for task in TASKS {
        world.acknowledge_with(1, task, true);
    }
    assert_eq!(coordinators(&world.published()), [Some(&b"vertex 0 at 1"[..]), Some(b"vertex 1 at 1")]);
}
