use bytes::Bytes;

/// Tells a worker where the state of one checkpoint goes. Made by the coordinator's view of a storage, opaque to
/// everybody else, and small enough to travel inside a [`Barrier`](crate::Barrier).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocationReference {
    /// The place that follows from the checkpoint's id alone.
    Default,
    /// Any other place, as the storage encodes it.
    Encoded(Bytes),
}
