//! What a body may hold at most.
//!
//! A reader checks a count against its limit, and against the bytes that are left, before it makes room for anything. A
//! writer refuses what a reader would.

pub use crate::frame::MAX_BODY;

/// Operators of a job.
pub const OPERATORS: usize = 65_536;
/// Subtasks of an operator, and key groups: Flink's limit for the parallelism.
pub const SUBTASKS: usize = 32_768;
/// Subtasks of all operators. A subtask without state takes one byte in the body and 160 in memory.
pub const SUBTASKS_IN_ALL: usize = 1 << 20;
/// Hooks of a job that have state.
pub const HOOKS: usize = 65_536;
/// Handles of a subtask, of all kinds together.
pub const HANDLES: usize = 65_536;
/// Directories of other jobs.
pub const ROOTS: usize = 65_536;
/// The address of such a directory, in bytes.
pub const ROOT_LEN: usize = 4_096;
/// The end of a state in its file, in bytes: the largest offset that file systems know.
pub const FILE_LEN: u64 = i64::MAX as u64;
