//! The cases, by subject. Each takes a function that makes a fresh [`Subject`](crate::Subject), and panics if
//! the storage does not do what the case's name says.

pub mod adoption;
pub mod checkpoints;
pub mod claims;
pub mod concurrency;
pub mod configuration;
pub mod disposal;
pub mod export;
pub mod readers;
pub mod removal;
pub mod savepoints;
pub mod streams;
pub mod sweeping;
pub mod task_owned;
