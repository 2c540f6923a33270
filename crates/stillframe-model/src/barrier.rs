use crate::{CheckpointId, CheckpointKind, LocationReference, UnixMillis};

/// The mark that separates the records of one checkpoint from those of the next. It is injected at the sources,
/// travels in band with the records, and is never overtaken by one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Barrier {
    /// The checkpoint that the records before this barrier belong to.
    pub checkpoint: CheckpointId,
    /// What the snapshot is for.
    pub kind: CheckpointKind,
    /// When the coordinator triggered it.
    pub triggered_at: UnixMillis,
    /// Where tasks write their state for it.
    pub location: LocationReference,
}
