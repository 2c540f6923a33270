//! Incremental snapshots against a model: whatever the order in which checkpoints end, what is read back is what was there.

mod damage;
mod properties;
mod world;
