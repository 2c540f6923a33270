//! What must hold after every step. Cheap enough to stay on in release builds: the control plane takes a handful of events
//! a second, and wrong is worse than down.

use crate::coordinator::Coordinator;
use crate::ending::Ending;

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
    if let Ending::Settled | Ending::Concluding(..) = coordinator.ending {
        assert!(pending.is_empty(), "a coordinator that has ended has no checkpoint in progress");
    }
    for (id, pending) in pending {
        assert!(
            !pending.is_publishing() || pending.missing().is_empty(),
            "checkpoint {id} is published before all acknowledged it"
        );
    }
}
