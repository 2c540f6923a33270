//! What must hold across crates, as one test binary.
//!
//! [`tidy`] holds the rules of the house: which crate may know which, what files may be called, what a published crate
//! must say about itself. [`prove`] holds the proofs, which run at two sizes and report what they looked at.

mod prove;
mod tidy;
