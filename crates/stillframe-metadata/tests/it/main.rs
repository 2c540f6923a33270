//! The format as its users see it, and as somebody sees it who wants to break it.
//!
//! [`properties`] tries values and damage of all kinds. [`hardening`] has a test for each line of the checklist for decoders,
//! named after its number there, and [`sections`] the same for what follows the operators. [`forge`] writes what the crate itself never would.

mod arbitrary;
mod forge;
mod hardening;
mod properties;
mod sections;
