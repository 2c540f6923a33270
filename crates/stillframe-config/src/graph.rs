/// What the rules about checkpoints have to know of a job's graph. The default is a graph about which there is nothing to
/// say: streaming, without cycles, with partitioners of the runtime's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GraphDescription {
    /// Its inputs end and it runs stage by stage: restarting a stage takes the place of checkpoints.
    pub batch: bool,
    /// It has a cycle. Records in it belong to no checkpoint.
    pub iterative: bool,
    /// A partitioner of the user decides where records go. The runtime cannot send overtaken ones to the right place after
    /// a restore at another parallelism.
    pub custom_partitioner: bool,
    /// An operator chooses the input from which it reads, and may so keep a barrier waiting for ever.
    pub input_selectable: bool,
}

impl GraphDescription {
    /// The same, run as a batch or not.
    #[must_use]
    pub const fn with_batch(self, batch: bool) -> Self {
        Self { batch, ..self }
    }

    /// The same, with or without a cycle.
    #[must_use]
    pub const fn with_iterative(self, iterative: bool) -> Self {
        Self { iterative, ..self }
    }

    /// The same, with or without a partitioner of the user.
    #[must_use]
    pub const fn with_custom_partitioner(self, custom_partitioner: bool) -> Self {
        Self { custom_partitioner, ..self }
    }

    /// The same, with or without an operator that chooses its input.
    #[must_use]
    pub const fn with_input_selectable(self, input_selectable: bool) -> Self {
        Self { input_selectable, ..self }
    }
}
