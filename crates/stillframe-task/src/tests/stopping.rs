//! Stopping with a savepoint: nothing is read behind its barrier, and nothing goes on without it.

use super::*;

fn stop(number: u64, action: PostCheckpointAction) -> Barrier {
    let kind = SavepointKind { format: SavepointFormat::Canonical, action };
    Barrier { kind: CheckpointKind::Savepoint(kind), ..barrier(number) }
}

const fn aborted(number: u64) -> Event {
    Event::NotifyAborted { checkpoint: id(number), latest_complete: None }
}

fn source() -> TaskMachine {
    TaskMachine::new(0, BarrierPolicy::Align, None)
}

#[test]
fn a_source_stops_before_the_barrier_goes_on() {
    for (action, drain) in [(PostCheckpointAction::Suspend, false), (PostCheckpointAction::Terminate, true)] {
        let barrier = stop(1, action);
        let effects = source().handle(Event::Trigger(barrier.clone()));
        assert_eq!(
            effects,
            [Effect::Stop { drain }, Effect::Forward(barrier.clone()), Effect::Capture(barrier)]
        );
    }
    let barrier = stop(1, PostCheckpointAction::None);
    let effects = source().handle(Event::Trigger(barrier.clone()));
    assert_eq!(
        effects,
        [Effect::Forward(barrier.clone()), Effect::Capture(barrier)],
        "the job goes on behind it"
    );
}

#[test]
fn a_task_with_inputs_stops_when_all_of_them_have() {
    let mut task = aligned(2);
    let barrier = stop(1, PostCheckpointAction::Suspend);
    let arrives = |channel| Event::Barrier { channel, barrier: barrier.clone() };
    assert_eq!(task.handle(arrives(0)), waits(1, 1, 2));
    let stopped =
        [Effect::Stop { drain: false }, Effect::Forward(barrier.clone()), Effect::Capture(barrier.clone())];
    assert_eq!(task.handle(arrives(1)), stopped);
}

/// Aborted before anybody began: the source goes on, and tells those behind it.
#[test]
fn a_savepoint_that_was_given_up_before_it_came_stops_nobody() {
    let mut task = source();
    assert_eq!(task.handle(aborted(1)), [Effect::Aborted(id(1))]);
    let late = task.handle(Event::Trigger(stop(1, PostCheckpointAction::Suspend)));
    assert_eq!(late, [Effect::ForwardCancel(id(1))]);
    assert_eq!(task.handle(Event::Trigger(barrier(2))), taken(2));
}

#[test]
fn a_task_that_has_stopped_for_a_savepoint_that_is_given_up_fails() {
    let mut task = source();
    let _ = task.handle(Event::Trigger(stop(3, PostCheckpointAction::Suspend)));
    assert_eq!(task.handle(aborted(2)), [Effect::Aborted(id(2))], "another one");
    assert_eq!(
        task.handle(aborted(3)),
        [Effect::CancelCapture(id(3)), Effect::Aborted(id(3)), Effect::Fail(id(3))]
    );

    let mut written = source();
    let _ = written.handle(Event::Trigger(stop(3, PostCheckpointAction::Terminate)));
    let durable = Event::Durable { checkpoint: id(3), snapshot: Some(TaskSnapshot::default()) };
    let _ = written.handle(durable);
    assert_eq!(written.handle(aborted(3)), [Effect::Aborted(id(3)), Effect::Fail(id(3))]);
}
