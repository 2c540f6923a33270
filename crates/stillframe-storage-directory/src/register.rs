//! The commit register of a job: which checkpoints it has, and who may add to them.
//!
//! The register is a row of objects that are created once and never changed (`_ctl/r/<sequence>`), beside a row of markers,
//! one for each claim that ever was (`_ctl/e/<epoch>`). An [`Entry`] is the whole truth at its time: the retained
//! checkpoints, the dropped ones, the ids that are given out, whether the job has ended. It counts when it is durable and no
//! newer epoch has been marked. All that is asked of the store is that creating an object fails if its name is taken, and
//! that an object can be read; listing is not relied upon.
//!
//! [`Register`] decides, one [`Request`] after the other, and performs nothing. What may have happened is settled by reading
//! back; what cannot be settled ends in [`Fenced`](Conclusion::Fenced). Whoever performs the requests hands back every
//! [`Reply`], and acts on nothing but a [`Conclusion`]:
//!
//! ```text
//!              claim                     reclaim
//!   nothing ──────────► owns, at epoch ─────────► owns, at epoch + 1
//!                         │    ▲   │
//!         append, confirm │    └───┘ Committed, Claimed, Refused, Invalid
//!                         ▼
//!                   Fenced, Corrupt, Foreign: for good
//! ```

mod check;
mod machine;
mod phase;
mod record;
mod step;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod update;

pub use machine::Register;
pub use record::{ENTRY_LIMIT, Entry, MARKER_LIMIT, Marker, Retained, Root};
pub use step::{Conclusion, Fence, Outcome, Reply, Request, Step};
pub(crate) use update::IDS;
pub use update::Update;
