//! The task machine stepped by hand, and against a specification.

mod cut;
mod ending;
mod stopping;

use crate::*;
use alloc::vec::Vec;
use stillframe_config::BarrierPolicy;
use stillframe_model::*;

const fn id(number: u64) -> CheckpointId {
    CheckpointId::new(number)
}

fn barrier(number: u64) -> Barrier {
    Barrier {
        checkpoint: id(number),
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        location: LocationReference::Default,
    }
}

fn arrives(task: &mut TaskMachine, channel: usize, number: u64) -> Vec<Effect> {
    task.handle(Event::Barrier { channel, barrier: barrier(number) })
}

fn waits(number: u64, arrived: u32, of: u32) -> [Effect; 1] {
    [Effect::Aligning { checkpoint: id(number), arrived, of }]
}

fn taken(number: u64) -> [Effect; 2] {
    [Effect::Forward(barrier(number)), Effect::Capture(barrier(number))]
}

fn given_up(number: u64, reason: FailureReason) -> [Effect; 3] {
    [
        Effect::Decline { checkpoint: id(number), reason },
        Effect::Aborted(id(number)),
        Effect::ForwardCancel(id(number)),
    ]
}

fn aligned(channels: usize) -> TaskMachine {
    TaskMachine::new(channels, BarrierPolicy::Align, None)
}

fn tracking(channels: usize) -> TaskMachine {
    TaskMachine::new(channels, BarrierPolicy::Track, None)
}

fn gates(task: &TaskMachine, channels: usize) -> Vec<Gate> {
    (0..channels).map(|channel| task.gate(channel)).collect()
}

#[test]
fn a_newer_barrier_ends_an_alignment() {
    let mut task = aligned(3);
    assert_eq!(arrives(&mut task, 0, 1), waits(1, 1, 3));
    let [declined, aborted, cancel] = given_up(1, FailureReason::CheckpointDeclinedSubsumed);
    let [waits_for_others] = waits(2, 1, 3);
    assert_eq!(arrives(&mut task, 1, 2), [declined, aborted, cancel, waits_for_others]);
    assert_eq!(gates(&task, 3), [Gate::Open, Gate::Blocked, Gate::Open]);
    assert_eq!(arrives(&mut task, 2, 1), [Effect::Ignored(Ignored::Obsolete(id(1)))]);
    assert_eq!(arrives(&mut task, 0, 2), waits(2, 2, 3));
    assert_eq!(arrives(&mut task, 2, 2), taken(2));
    assert_eq!(gates(&task, 3), [Gate::Open; 3]);
}

#[test]
fn a_cancel_marker_ends_an_alignment_and_is_passed_on_once() {
    let mut task = aligned(2);
    assert_eq!(arrives(&mut task, 0, 1), waits(1, 1, 2));
    let cancel = |channel| Event::CancelMarker { channel, checkpoint: id(1) };
    assert_eq!(task.handle(cancel(1)), given_up(1, FailureReason::CheckpointDeclinedOnCancellationBarrier));
    assert_eq!(gates(&task, 2), [Gate::Open; 2]);
    assert_eq!(task.handle(cancel(0)), [Effect::Ignored(Ignored::Obsolete(id(1)))]);
}

#[test]
fn a_cancel_marker_that_comes_first_leaves_nothing_blocked() {
    let mut task = aligned(2);
    let effects = task.handle(Event::CancelMarker { channel: 0, checkpoint: id(1) });
    assert_eq!(effects, given_up(1, FailureReason::CheckpointDeclinedOnCancellationBarrier));
    assert_eq!(arrives(&mut task, 1, 1), [Effect::Ignored(Ignored::Obsolete(id(1)))]);
    assert_eq!(gates(&task, 2), [Gate::Open; 2]);
}

#[test]
fn an_ended_input_counts_as_aligned() {
    let mut task = aligned(2);
    assert_eq!(arrives(&mut task, 0, 1), waits(1, 1, 2));
    assert_eq!(task.handle(Event::EndOfInput { channel: 1 }), taken(1));
    assert_eq!(arrives(&mut task, 0, 2), taken(2));

    let mut task = tracking(2);
    assert_eq!(arrives(&mut task, 0, 1), waits(1, 1, 2));
    assert_eq!(task.handle(Event::EndOfInput { channel: 1 }), taken(1));
    assert_eq!(arrives(&mut task, 0, 2), taken(2));
}

#[test]
fn at_least_once_counts_and_never_blocks() {
    let mut task = tracking(2);
    assert_eq!(arrives(&mut task, 0, 1), waits(1, 1, 2));
    assert_eq!(arrives(&mut task, 0, 2), waits(2, 1, 2));
    assert_eq!(gates(&task, 2), [Gate::Open; 2]);
    assert_eq!(arrives(&mut task, 1, 2), taken(2), "the older one is dropped with it");
    assert_eq!(arrives(&mut task, 1, 1), [Effect::Ignored(Ignored::Obsolete(id(1)))]);
}

#[test]
fn at_least_once_gives_up_a_cancelled_checkpoint_once() {
    let mut task = tracking(2);
    assert_eq!(arrives(&mut task, 0, 3), waits(3, 1, 2));
    let reason = FailureReason::CheckpointDeclinedOnCancellationBarrier;
    assert_eq!(task.handle(Event::CancelMarker { channel: 1, checkpoint: id(3) }), given_up(3, reason));
    assert_eq!(task.handle(Event::CancelMarker { channel: 0, checkpoint: id(4) }), given_up(4, reason));
    assert_eq!(arrives(&mut task, 1, 4), [], "counted, but not taken");
}

#[test]
fn state_is_acknowledged_when_it_is_durable_and_not_before() {
    let mut task = TaskMachine::new(0, BarrierPolicy::Align, None);
    let effects = task.handle(Event::Trigger(barrier(1)));
    assert_eq!(effects, taken(1));
    let snapshot = TaskSnapshot { finished: true, ..TaskSnapshot::default() };
    let durable = Event::Durable { checkpoint: id(1), snapshot: Some(snapshot.clone()) };
    assert_eq!(task.handle(durable.clone()), [Effect::Acknowledge { checkpoint: id(1), snapshot }]);
    assert_eq!(task.handle(durable), [Effect::Ignored(Ignored::Obsolete(id(1)))], "once");
}

#[test]
fn state_that_cannot_be_written_is_declined() {
    let mut task = TaskMachine::new(0, BarrierPolicy::Align, None);
    assert_eq!(task.handle(Event::Trigger(barrier(1))), taken(1));
    assert_eq!(
        task.handle(Event::Durable { checkpoint: id(1), snapshot: None }),
        [Effect::Decline { checkpoint: id(1), reason: FailureReason::CheckpointAsyncException }]
    );
}

#[test]
fn an_aborted_checkpoint_is_not_acknowledged() {
    let mut task = TaskMachine::new(0, BarrierPolicy::Align, None);
    assert_eq!(task.handle(Event::Trigger(barrier(1))), taken(1));
    let aborted = Event::NotifyAborted { checkpoint: id(1), latest_complete: None };
    assert_eq!(task.handle(aborted), [Effect::CancelCapture(id(1)), Effect::Aborted(id(1))]);
    let late = Event::Durable { checkpoint: id(1), snapshot: Some(TaskSnapshot::default()) };
    assert_eq!(task.handle(late), [Effect::Ignored(Ignored::Obsolete(id(1)))]);
}

#[test]
fn a_checkpoint_aborted_before_its_barrier_is_cancelled_when_the_barrier_comes() {
    let mut task = aligned(1);
    let aborted = Event::NotifyAborted { checkpoint: id(5), latest_complete: None };
    assert_eq!(task.handle(aborted), [Effect::Aborted(id(5))]);
    assert_eq!(arrives(&mut task, 0, 5), [Effect::ForwardCancel(id(5))]);
    assert_eq!(arrives(&mut task, 0, 6), taken(6));
}

#[test]
fn completion_is_told_once_in_order_and_again_when_it_was_lost() {
    let mut task = TaskMachine::new(0, BarrierPolicy::Align, Some(id(4)));
    let complete = |number| Event::NotifyComplete { checkpoint: id(number) };
    assert_eq!(task.handle(complete(4)), [Effect::Ignored(Ignored::AlreadyNotified(id(4)))]);
    assert_eq!(task.handle(complete(5)), [Effect::Complete(id(5))]);
    assert_eq!(task.handle(complete(5)), [Effect::Ignored(Ignored::AlreadyNotified(id(5)))]);
    let aborted = Event::NotifyAborted { checkpoint: id(7), latest_complete: Some(id(6)) };
    assert_eq!(task.handle(aborted), [Effect::Complete(id(6)), Effect::Aborted(id(7))]);
}

#[test]
fn an_input_that_does_not_exist_changes_nothing() {
    let mut task = aligned(1);
    assert_eq!(arrives(&mut task, 1, 1), [Effect::Ignored(Ignored::UnknownChannel(1))]);
    assert_eq!(task.gate(7), Gate::Open);
}
