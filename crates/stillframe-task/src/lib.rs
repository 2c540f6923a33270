//! The task side of checkpoints as a state machine: which inputs are held back, when state is captured, what is
//! acknowledged.
//!
//! Control elements (barriers, cancel markers, the end of an input, notifications) go through
//! [`TaskMachine::handle`]. Records do not: before it reads from an input, the driver asks
//! [`TaskMachine::gate`], which is one look into a table. So the rules of alignment are tested without a loop.
//!
//! The crate is `no_std + alloc` and knows neither records nor state. Read [`TaskMachine`] first.
#![no_std]

extern crate alloc;

mod align;
mod effect;
mod event;
mod machine;
mod subtask;
#[cfg(test)]
mod tests;

pub use effect::{Effect, Ignored};
pub use event::Event;
pub use machine::{Gate, TaskMachine};
