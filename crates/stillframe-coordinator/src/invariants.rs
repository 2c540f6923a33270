//! What must hold after every step. Cheap enough to stay on in release builds: the control plane takes a handful of events
//! a second, and wrong is worse than down.

use crate::coordinator::Coordinator;
use crate::ending::Ending;
use crate::pending::Phase;
use alloc::vec;

pub(crate) fn check(coordinator: &Coordinator) {
    let pending = &coordinator.pending;
    assert!(
        pending.values().filter(|pending| pending.is_publishing() && !pending.kind().is_savepoint()).count()
            <= 1,
        "one checkpoint is published at a time, or they could complete out of order"
    );
    assert!(
        pending.values().filter(|pending| pending.is_triggering()).count() <= 1,
        "one trigger at a time, or barriers could be injected out of order"
    );
    assert!(
        pending.values().filter(|pending| !pending.kind().is_savepoint()).count()
            <= coordinator.max_concurrent,
        "no more checkpoints in progress than allowed"
    );
    for (id, pending) in pending {
        if let Phase::Publishing { dropped, .. } = &pending.phase {
            let replaced =
                if pending.kind().is_savepoint() { vec![] } else { coordinator.retained.replaced_by(*id) };
            assert_eq!(
                *dropped, replaced,
                "what checkpoint {id} drops was decided when its publication began"
            );
        }
    }
    assert!(
        coordinator.shared.pending().eq(pending.keys().copied()),
        "the shared files of all checkpoints in progress are known, and of no others"
    );
    assert!(
        coordinator.shared.retained().eq(coordinator.retained.all()),
        "the shared files of all retained checkpoints are known, and of no others"
    );
    if let Ending::Settled | Ending::Concluding(..) = coordinator.ending {
        assert!(pending.is_empty(), "a coordinator that has ended has no checkpoint in progress");
    }
    for (id, pending) in pending {
        assert!(
            !pending.is_publishing() || pending.missing() == 0,
            "checkpoint {id} is published before all acknowledged it"
        );
    }
}
