//! What tasks remember, in a form that can be captured without stopping them and restored with another parallelism.
//!
//! - [`KeyedState`] holds one value per key. [`KeyedState::snapshot`] takes as long as copying one pointer per key group;
//!   what the task changes afterwards is copied first, and only that.
//! - [`KeyedSnapshot::increment`] is what has to be written of it when an earlier checkpoint has the rest. [`KeyedHistory`]
//!   knows which one that may be, and [`KeyedBase`] what is where.
//! - [`elements`] holds operator state: lists of elements that other subtasks may take over.
//! - [`assignment`] says which subtask of a restored job reads which state, whatever the parallelism was before.
//! - [`key_group`] says which subtask a key belongs to, with Flink's arithmetic.
//!
//! Everything is plain memory. Where the bytes go is the business of a storage.

pub mod assignment;
mod base;
pub mod elements;
mod error;
mod history;
mod increment;
pub mod key_group;
mod keyed;
#[cfg(test)]
mod tests;

pub use base::{AMPLIFICATION, KeyedBase, KeyedIncrement};
pub use error::StateError;
pub use history::KeyedHistory;
pub use key_group::KeyHash;
pub use keyed::{KeyedSnapshot, KeyedState};
