//! The commit register of a job: which checkpoints it has, and who may add to them.
//!
//! The register is a row of objects that are created once and never changed (`_ctl/r/<sequence>`), beside a row of markers,
//! one for each coordinator that ever was (`_ctl/e/<epoch>`). An [`Entry`] is the whole truth at its time: the retained
//! checkpoints, the dropped ones, the ids that the coordinator may use. It counts when it is durable and no newer epoch has
//! been marked. All that is asked of the store is that creating an object fails if its name is taken, and that an object can
//! be read; listing is not relied upon.
//!
//! [`Register`] decides, one [`Request`] after the other, and performs nothing. What may have happened is settled by reading
//! back; what cannot be settled ends in [`Fenced`](Conclusion::Fenced).

mod machine;
mod record;

pub use machine::{Conclusion, Fence, Outcome, Register, Reply, Request, Step};
pub use record::{Entry, Marker, Retained};
