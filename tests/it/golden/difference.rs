//! Where Stillframe differs from Flink on purpose. The names are those of `docs/from-flink.md`.

/// A deliberate difference. It is recognised by what a case holds, never by what the case is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// Negative numbers and durations cannot be expressed.
    UnsignedTypes,
    /// What was refused changed nothing; Flink keeps a part of it.
    AtomicSetters,
    /// A bad value of a known key is refused when it is read, and not when it is first used.
    RefusedWhenRead,
    /// Where Flink cannot write a value because it overflows on the way, ours is written.
    EveryValueCanBeWritten,
    /// What was read under an old key is written under today's.
    TodaysKeys,
    /// What Flink keeps as it was typed is written as everything else is.
    OneTextPerValue,
    /// Unknown keys are reported and not kept.
    UnknownKeysReported,
    /// The interval is raised to the pause, and the pause capped, when the config is resolved and not in the coordinator.
    IntervalRaisedInConfig,
    /// Without periodic checkpoints, the barriers of the others still follow the mode.
    ModeWhileDisabled,
    /// There is no configuration of a cluster beside the job's, so the job's options complete a storage set by program.
    OneConfiguration,
    /// A storage set by value is part of what is written.
    StorageByValueIsWritten,
    /// A storage is set as data, which can always be sent to a worker.
    StorageIsData,
    /// The option for the storage names a registered kind and no Java class.
    NoClassNames,
    /// There is no null where a value is needed.
    NullIsNone,
    /// A number of subtasks that share a file is at least one.
    AtLeastOne,
    /// A suspended job keeps its checkpoints.
    SuspendedKeeps,
    /// Texts are hashed as bytes and not as UTF-16.
    TextHashesAsBytes,
    /// There is one way to keep state, and it is no storage.
    NoStateBackends,
    /// Whether state is in the metadata follows from its size alone.
    InlineBySize,
    /// A write buffer without room for anything serves as well.
    AnyWriteBuffer,
    /// Writing nothing gives no handle, in memory too.
    NothingIsNoState,
    /// A pointer on the local disk is a path, and may be given with its scheme.
    PlainPointers,
    /// The directories of a job are made when something is put into them.
    DirectoriesOnDemand,
    /// Only ids that a claim gave can be begun.
    ClaimedIds,
    /// State that tasks look after themselves is in files, or not at all.
    TaskOwnedInFiles,
    /// State that tasks look after themselves needs no complete configuration.
    TaskOwnedAsConfigured,
    /// A checkpoint is committed once, in memory too.
    WrittenOnce,
    /// Metadata is written when all of it is known.
    MetadataInOneStep,
    /// The reference of a savepoint names it, in memory too.
    ReferencesNameSavepoints,
    /// All state of a savepoint is referred to relatively.
    SavepointsMoveWhole,
    /// Removing a checkpoint takes its state along.
    RemovalTakesState,
}

impl Difference {
    pub(crate) const ALL: [Self; 31] = [
        Self::UnsignedTypes,
        Self::AtomicSetters,
        Self::RefusedWhenRead,
        Self::EveryValueCanBeWritten,
        Self::TodaysKeys,
        Self::OneTextPerValue,
        Self::UnknownKeysReported,
        Self::IntervalRaisedInConfig,
        Self::ModeWhileDisabled,
        Self::OneConfiguration,
        Self::StorageByValueIsWritten,
        Self::StorageIsData,
        Self::NoClassNames,
        Self::NullIsNone,
        Self::AtLeastOne,
        Self::SuspendedKeeps,
        Self::TextHashesAsBytes,
        Self::NoStateBackends,
        Self::InlineBySize,
        Self::AnyWriteBuffer,
        Self::NothingIsNoState,
        Self::PlainPointers,
        Self::DirectoriesOnDemand,
        Self::ClaimedIds,
        Self::TaskOwnedInFiles,
        Self::TaskOwnedAsConfigured,
        Self::WrittenOnce,
        Self::MetadataInOneStep,
        Self::ReferencesNameSavepoints,
        Self::SavepointsMoveWhole,
        Self::RemovalTakesState,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UnsignedTypes => "unsigned-types",
            Self::AtomicSetters => "atomic-setters",
            Self::RefusedWhenRead => "refused-when-read",
            Self::EveryValueCanBeWritten => "every-value-can-be-written",
            Self::TodaysKeys => "todays-keys",
            Self::OneTextPerValue => "one-text-per-value",
            Self::UnknownKeysReported => "unknown-keys-reported",
            Self::IntervalRaisedInConfig => "interval-raised-in-config",
            Self::ModeWhileDisabled => "mode-while-disabled",
            Self::OneConfiguration => "one-configuration",
            Self::StorageByValueIsWritten => "storage-by-value-is-written",
            Self::StorageIsData => "storage-is-data",
            Self::NoClassNames => "no-class-names",
            Self::NullIsNone => "null-is-none",
            Self::AtLeastOne => "at-least-one",
            Self::SuspendedKeeps => "suspended-keeps",
            Self::TextHashesAsBytes => "text-hashes-as-bytes",
            Self::NoStateBackends => "no-state-backends",
            Self::InlineBySize => "inline-by-size",
            Self::AnyWriteBuffer => "any-write-buffer",
            Self::NothingIsNoState => "nothing-is-no-state",
            Self::PlainPointers => "plain-pointers",
            Self::DirectoriesOnDemand => "directories-on-demand",
            Self::ClaimedIds => "claimed-ids",
            Self::TaskOwnedInFiles => "task-owned-in-files",
            Self::TaskOwnedAsConfigured => "task-owned-as-configured",
            Self::WrittenOnce => "written-once",
            Self::MetadataInOneStep => "metadata-in-one-step",
            Self::ReferencesNameSavepoints => "references-name-savepoints",
            Self::SavepointsMoveWhole => "savepoints-move-whole",
            Self::RemovalTakesState => "removal-takes-state",
        }
    }
}
