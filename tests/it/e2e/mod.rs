//! Whole jobs, from the graph to the files: what is right in every part and does not fit is found here.
//!
//! [`flights`] runs the example as a person does and kills it; [`job`] runs jobs in this process, where a storage can be
//! held at each step and every event can be seen; [`incremental`] runs jobs whose checkpoints share files, and looks at the
//! files; [`rescaling`] restores jobs at another parallelism.

pub(crate) mod flights;
mod incremental;
pub(crate) mod job;
mod rescaling;
mod watchdog;
