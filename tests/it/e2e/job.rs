//! Jobs in this process, on sources, operators, sinks and storages that can be held at any step and seen at each.
//!
//! Every test here runs the dataflow of [`rig`]: two [sources of numbers](numbers), [running sums](sums), and a sink that
//! writes into a [ledger](ledger). Nothing sleeps; a test waits until something was seen, or holds it with a [brake](brake).

mod alignment;
pub(crate) mod brake;
mod durability;
mod finishing;
mod ledger;
mod lifecycle;
mod newest;
mod numbers;
mod preparation;
mod publication;
mod readback;
mod recovery;
mod retention;
pub(crate) mod rig;
mod savepoints;
mod settings;
pub(crate) mod steered;
mod stopping;
mod sums;
mod watch;
