//! What must hold after every step. Cheap enough to stay on in release builds, because wrong is worse than down: it looks at
//! checkpoints and never at their tasks, so an acknowledgement costs the same however many tasks there are.

use crate::coordinator::Coordinator;
use crate::ending::Ending;
use crate::pending::Phase;
use alloc::vec;

pub(crate) fn check(coordinator: &Coordinator) {
    let pending = &coordinator.pending;
    // All in one pass: this is done for every acknowledgement of every task.
    let [mut publishing, mut triggering, mut checkpoints] = [0_usize; 3];
    for (id, pending) in pending {
        let is_checkpoint = !pending.kind().is_savepoint();
        checkpoints += usize::from(is_checkpoint);
        triggering += usize::from(pending.is_triggering());
        if let Phase::Publishing { dropped, .. } = &pending.phase {
            publishing += usize::from(pending.is_told());
            let replaced = if is_checkpoint { coordinator.retained.replaced_by(*id) } else { vec![] };
            assert_eq!(
                *dropped, replaced,
                "what checkpoint {id} drops was decided when its publication began"
            );
            assert!(pending.missing() == 0, "checkpoint {id} is published before all acknowledged it");
        }
    }
    assert!(
        publishing <= 1,
        "what tasks are told of is published one at a time, or they could hear of it out of order"
    );
    assert!(triggering <= 1, "one trigger at a time, or barriers could be injected out of order");
    assert!(checkpoints <= coordinator.max_concurrent, "no more checkpoints in progress than allowed");
    assert!(
        coordinator.shared.pending().eq(pending.keys().copied()),
        "the shared files of all checkpoints in progress are known, and of no others"
    );
    assert!(
        coordinator.retained.consists_of(coordinator.shared.retained()),
        "the shared files of all retained checkpoints are known, and of no others"
    );
    if let Ending::Settled | Ending::Concluding(..) = coordinator.ending {
        assert!(pending.is_empty(), "a coordinator that has ended has no checkpoint in progress");
    }
}
