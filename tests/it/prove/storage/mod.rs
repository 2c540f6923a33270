//! The proof `storage`: what storages promise holds in every case that was looked at.

mod broken_rules;
mod crash;
mod io_faults;
mod register;
mod scripted;
