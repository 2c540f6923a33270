//! The checkpoint coordinator as a state machine: it decides, somebody else acts.
//!
//! ```text
//!   people, job ─┐                                  ┌─▶ tasks      Trigger, Notify…, Close
//!   tasks ───────┼─▶ Event ─▶ Coordinator ─▶ Effect ─┼─▶ operators' coordinators, hooks
//!   storage ─────┤           handle(now)              ├─▶ storage    Locate, Publish, Discard, Remove, Conclude
//!   the clock ───┘              │                     ├─▶ job        FailJob
//!                               │                     └─▶ people     Resolve, Report, Ignored
//!                               ▼
//!                        next_deadline()
//! ```
//!
//! There is one rule. **Nothing that relies on an effect is emitted before the event that reports how the effect went**:
//! tasks are told of a completed checkpoint by [`Event::Published`], never beside [`Effect::Publish`]. So a driver may
//! perform the effects of one step in any order, if it keeps the order of those for the same recipient.
//!
//! The crate is `no_std + alloc` and has no clock, no runtime and no storage. Read [`Coordinator`] first, then [`Event`]
//! and [`Effect`]. Each of the other modules is a part that returns decisions; only the coordinator turns them into
//! effects. Two of them are of use on their own: [`requests`] decides which request goes next, and [`failure`] which
//! failed checkpoint fails the job.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod completion;
mod confirmations;
mod coordinator;
mod effect;
mod ending;
mod event;
pub mod failure;
mod invariants;
mod lifecycle;
mod pending;
mod plan;
mod recovery;
pub mod requests;
mod retention;
mod schedule;
mod shared;
pub mod statistics;
mod status;
mod stopping;
mod tasks;
#[cfg(test)]
mod tests;
mod triggering;
mod waiting;

pub use coordinator::Coordinator;
pub use effect::{Aborted, Completed, Effect, Ignored, Outcome, Refused, Report};
pub use event::{CheckpointType, Event, Fault, SnapshotRequest};
pub use plan::{DistributionPattern, Input, JobPlan, VertexPlan};
pub use recovery::{Recovery, RetainedState, plan_recovery};
pub use status::{PendingStatus, Stage, Straggler};
