//! The config as its users meet it: any settings in any order, any text, and files that people have.

mod calls;
mod coverage;
mod edges;
mod effective;
mod flink_files;
mod messages;
mod properties;
mod round;
#[cfg(feature = "serde")]
mod serialised;
mod texts;
