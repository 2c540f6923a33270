//! What must hold across crates, as one test binary.
//!
//! [`tidy`] holds the rules of the house: which crate may know which, what files may be called, what a published crate
//! must say about itself. [`e2e`] runs whole jobs, in this process and as the example that is killed. [`prove`] holds the
//! proofs, which run at two sizes and report what they looked at. [`settings`] shows for every setting that it changes
//! something. [`golden`] does again what real Flink did. [`format`] holds the bytes on disk against their description.
//! [`hardening`] has the lines of the checklist that concern more than one crate.

mod e2e;
mod format;
mod golden;
mod hardening;
mod prove;
mod settings;
mod tidy;
