//! Measures storage, metadata and the coordinator once, for `cargo xtask bench`, which repeats it, in turn with what it is compared with.
//!
//! `measure CASE DIRECTORY REPETITIONS` prints one line: a JSON object with a list of values for each figure. Durations
//! never include setting up or cleaning up. All calls to Stillframe are in [`ours`], so that a change of its interface is
//! a change of that file.

mod clock;
mod coordinator;
mod memory;
mod metadata;
mod ours;
mod place;
mod plain;
mod storage;

use coordinator::State;
use serde_json::{Map, Value};
use std::error::Error;
use std::io::Write;

/// Whatever keeps a measurement from being made. The text says what to do.
type Failure = Box<dyn Error + Send + Sync>;

/// What a case measured, by figure.
type Figures = Map<String, Value>;

/// A case: a working directory and a number of repetitions in, figures out.
type Case = fn(&place::Place, usize) -> Result<Figures, Failure>;

/// How much is written or read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// Every case, by the name under which it is asked for.
const CASES: [(&str, Case); 19] = [
    ("write-1", |place, repetitions| storage::write(place, repetitions, 1, 256)),
    ("write-8", |place, repetitions| storage::write(place, repetitions, 8, 64)),
    ("states-64k", |place, repetitions| storage::states(place, repetitions, 1_000, 64 << 10)),
    ("states-1k", |place, repetitions| storage::states(place, repetitions, 2_000, 1 << 10)),
    ("read", |place, repetitions| storage::read(place, repetitions, 256)),
    ("memory-1-64", |place, _| memory::peak(place, 1, 64)),
    ("memory-1-1024", |place, _| memory::peak(place, 1, 1024)),
    ("memory-8-64", |place, _| memory::peak(place, 8, 64)),
    ("memory-8-1024", |place, _| memory::peak(place, 8, 1024)),
    ("metadata-10k", |_, repetitions| metadata::code(repetitions, 1, 10_000)),
    ("metadata-50k", |_, repetitions| metadata::code(repetitions, 5, 10_000)),
    ("acknowledge-1k", |place, repetitions| coordinator::acknowledge(place, repetitions, 1_000, State::File)),
    ("acknowledge-10k", |place, repetitions| {
        coordinator::acknowledge(place, repetitions, 10_000, State::File)
    }),
    ("acknowledge-10k-inline", |place, repetitions| {
        coordinator::acknowledge(place, repetitions, 10_000, State::Inline)
    }),
    ("acknowledge-50k", |place, repetitions| {
        coordinator::acknowledge(place, repetitions, 50_000, State::File)
    }),
    ("acknowledge-200k", |place, repetitions| {
        coordinator::acknowledge(place, repetitions, 200_000, State::File)
    }),
    ("acknowledge-1m", |place, repetitions| {
        coordinator::acknowledge(place, repetitions, 1_000_000, State::File)
    }),
    ("pending-50k", |place, _| coordinator::memory(place, 50_000)),
    ("pending-1m", |place, _| coordinator::memory(place, 1_000_000)),
];

fn main() -> Result<(), Failure> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [name, directory, repetitions] = arguments.as_slice() else {
        return Err("expected CASE DIRECTORY REPETITIONS".into());
    };
    let Some((_, case)) = CASES.into_iter().find(|(known, _)| known == name) else {
        let known = CASES.map(|(known, _)| known).join(", ");
        return Err(format!("there is no case `{name}`; known: {known}").into());
    };
    let repetitions = repetitions.parse().map_err(|error| format!("repetitions `{repetitions}`: {error}"))?;
    let figures = case(&place::Place::below(directory.as_ref())?, repetitions)?;
    writeln!(std::io::stdout(), "{}", Value::Object(figures))?;
    Ok(())
}
