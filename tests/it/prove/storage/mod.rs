//! The proof `storage`: what storages promise holds in every case that was looked at.

mod broken_rules;
mod child;
mod crash;
mod fuzz;
mod io_faults;
mod kill;
mod mutated;
mod power_cut;
mod register;
mod scripted;
