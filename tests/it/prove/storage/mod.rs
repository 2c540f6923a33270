//! The proof `storage`: what storages promise holds in every case that was looked at.

mod child;
mod kill;
mod power_cut;
mod register;
