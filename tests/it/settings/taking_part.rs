//! Settings that a task reads: the same barriers, and other inputs held back.

use super::{Setting, effective};
use stillframe::model::{Barrier, CheckpointId, CheckpointKind, LocationReference, UnixMillis};
use stillframe::task::{Effect, Event, Gate, TaskMachine};

pub(super) fn mode(setting: &Setting) {
    let gates = setting.changes(["EXACTLY_ONCE", "AT_LEAST_ONCE"], &[], |config| {
        let mut task = TaskMachine::new(2, effective(config).barriers.policy, None);
        let barrier = Barrier {
            checkpoint: CheckpointId::FIRST,
            kind: CheckpointKind::Checkpoint,
            triggered_at: UnixMillis(0),
            location: LocationReference::Default,
        };
        assert_eq!(task.handle(Event::Barrier { channel: 0, barrier: barrier.clone() }), []);
        let gates = [task.gate(0), task.gate(1)];
        let taken = task.handle(Event::Barrier { channel: 1, barrier: barrier.clone() });
        assert_eq!(taken, [Effect::Forward(barrier.clone()), Effect::Capture(barrier)]);
        gates
    });
    assert_eq!(gates, [[Gate::Blocked, Gate::Open], [Gate::Open, Gate::Open]]);
}
