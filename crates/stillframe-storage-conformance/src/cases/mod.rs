//! The cases, by subject. Each takes a function that makes a fresh [`Subject`](crate::Subject), and panics if
//! the storage does not do what the case's name says.

pub mod checkpoints;
pub mod configuration;
pub mod disposal;
pub mod handles;
pub mod streams;
pub mod survey;
