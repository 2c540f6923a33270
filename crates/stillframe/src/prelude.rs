//! What most programs type.

pub use core::time::Duration;
#[doc(no_inline)]
pub use stillframe_config::{CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention};
#[doc(no_inline)]
pub use stillframe_model::{CheckpointId, JobId, JobStatus, Pointer, SavepointFormat};
#[cfg(feature = "runtime")]
#[doc(no_inline)]
pub use stillframe_runtime::{
    Exchange, ForEach, Job, JobGraph, Operator, Output, Reduce, Replay, Restored, Snapshot, Source,
    SourceStatus, Stateful, TaskContext, TaskResult,
};
#[cfg(feature = "runtime")]
#[doc(no_inline)]
pub use stillframe_state::{KeyHash, KeyedState};
#[doc(no_inline)]
pub use stillframe_storage::CheckpointStorage;
#[cfg(feature = "fs")]
#[doc(no_inline)]
pub use stillframe_storage_fs::FileSystemCheckpointStorage;
#[cfg(feature = "memory")]
#[doc(no_inline)]
pub use stillframe_storage_memory::JobManagerCheckpointStorage;
