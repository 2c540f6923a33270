//! What is left out of the protocol, or done wrong, to see that it is missed.

/// A mistake in whoever performs what the machine asks for, or in what is done beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Nobody asks for a newer epoch before an entry counts.
    NoLookAfterwards,
    /// Entries are deleted up to the newest one, not up to the floor.
    DeletesToTheTail,
    /// An answer that was lost is taken for a refusal, and the checkpoint for failed.
    LostIsRefused,
    /// What an update drops is deleted before the update is committed.
    DeletesBeforeCommit,
    /// A coordinator goes on behind the newest id that it finds, instead of in a range of its own.
    NoRanges,
    /// A sweep deletes also what has ids that are not below its coordinator's own.
    SweepsEverything,
    /// A name that is taken is taken for a success.
    TakenIsWon,
    /// A name that is taken is taken for a failure.
    TakenIsRefused,
    /// A checkpoint refers to the shared file of the one triggered before it, complete or not.
    SharesUnconfirmed,
}

impl Mutant {
    pub(super) const ALL: [Self; 9] = [
        Self::NoLookAfterwards,
        Self::DeletesToTheTail,
        Self::LostIsRefused,
        Self::DeletesBeforeCommit,
        Self::NoRanges,
        Self::SweepsEverything,
        Self::TakenIsWon,
        Self::TakenIsRefused,
        Self::SharesUnconfirmed,
    ];
}
