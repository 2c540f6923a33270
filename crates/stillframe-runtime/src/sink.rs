//! Sinks whose output appears exactly once, although the job may fail and go back.
//!
//! Records go into a transaction. With each checkpoint the transaction is prepared: it survives anything, but nobody sees
//! it. When the checkpoint is complete it is committed; that may happen late or twice, and after a restore it happens
//! again. What was begun and never prepared is undone.

#[cfg(feature = "file-sink")]
mod files;
mod two_phase;

#[cfg(feature = "file-sink")]
pub use files::{FileTransaction, FileTransactions, FileWriter};
pub use two_phase::{Preparation, Transactions, TwoPhaseCommitSink};
