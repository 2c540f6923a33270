//! Inputs and tasks that end one by one, and the news of what was replaced.

use super::*;

const fn ends(channel: usize) -> Event {
    Event::EndOfInput { channel }
}

/// What was on its way when the last task before this one ended is read first.
#[test]
fn a_task_whose_inputs_have_ended_is_triggered_behind_what_they_sent_last() {
    for policy in [BarrierPolicy::Align, BarrierPolicy::Track] {
        let mut task = TaskMachine::new(2, policy, None);
        assert_eq!(task.handle(ends(0)), []);
        assert_eq!(task.handle(Event::Trigger(barrier(2))), []);
        assert_eq!(arrives(&mut task, 1, 1), taken(1), "an older one was still on its way");
        assert_eq!(task.handle(ends(1)), taken(2));
        assert_eq!(task.handle(Event::Trigger(barrier(3))), taken(3));
    }
}

#[test]
fn what_was_given_up_while_it_waited_for_the_end_is_not_taken() {
    let mut task = aligned(1);
    assert_eq!(task.handle(Event::Trigger(barrier(1))), []);
    let aborted = Event::NotifyAborted { checkpoint: id(1), latest_complete: None };
    assert_eq!(task.handle(aborted), [Effect::Aborted(id(1))]);
    assert_eq!(task.handle(ends(0)), [Effect::ForwardCancel(id(1))]);
}

#[test]
fn without_checkpoints_after_the_end_of_tasks_an_ended_input_declines_them() {
    let reason = FailureReason::CheckpointDeclinedInputEndOfStream;
    for policy in [BarrierPolicy::Align, BarrierPolicy::Track] {
        let mut task = TaskMachine::new(3, policy, None).with_checkpoints_after_end_of_input(false);
        assert_eq!(arrives(&mut task, 0, 1), waits(1, 1, 3));
        assert_eq!(task.handle(ends(1)), given_up(1, reason), "it ended without the barrier");
        assert_eq!(gates(&task, 3), [Gate::Open; 3]);
        assert_eq!(arrives(&mut task, 2, 1), [Effect::Ignored(Ignored::Obsolete(id(1)))]);
        assert_eq!(arrives(&mut task, 2, 2), given_up(2, reason), "it can never be complete");
        assert_eq!(arrives(&mut task, 0, 2), [Effect::Ignored(Ignored::Obsolete(id(2)))]);
    }
}

#[test]
fn state_that_cannot_even_be_captured_is_declined_as_the_failure_of_the_task() {
    let mut task = TaskMachine::new(0, BarrierPolicy::Align, None);
    let _ = task.handle(Event::Trigger(barrier(1)));
    let not_captured = Event::NotCaptured { checkpoint: id(1) };
    let declined = Effect::Decline { checkpoint: id(1), reason: FailureReason::TaskFailure };
    assert_eq!(task.handle(not_captured.clone()), [declined]);
    assert_eq!(task.handle(not_captured), [Effect::Ignored(Ignored::Obsolete(id(1)))]);
}

#[test]
fn what_was_replaced_is_told_once_and_in_order() {
    let mut task = TaskMachine::new(0, BarrierPolicy::Align, Some(id(4)));
    let subsumed = |number| Event::NotifySubsumed { checkpoint: id(number) };
    assert_eq!(
        task.handle(subsumed(4)),
        [Effect::Subsumed(id(4))],
        "the restored one too is replaced one day"
    );
    assert_eq!(task.handle(subsumed(6)), [Effect::Subsumed(id(6))]);
    for late in [6, 5] {
        assert_eq!(task.handle(subsumed(late)), [Effect::Ignored(Ignored::AlreadyNotified(id(late)))]);
    }
}
