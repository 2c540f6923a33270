//! The source: each instance reads the whole file and emits the lines of its own splits.

use crate::args::WorkerOptions;
use crate::clock::now;
use crate::departure::Departure;
use crate::input::FlightsReader;
use crate::job::Flight;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::split::{SPLITS, split_of};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use stillframe::prelude::*;
use stillframe::runtime::TaskError;
use stillframe::state::elements;

pub(crate) struct FlightSource {
    input: PathBuf,
    parallelism: u32,
    total: u64,
    duration: Duration,
    progress: Arc<Progress>,
    /// For each split of this instance, from where on its lines are still to be read.
    splits: BTreeMap<u32, Place>,
    reading: Option<Reading>,
}

/// A line, and the byte of the text at which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: u64,
    offset: u64,
}

struct Reading {
    reader: FlightsReader,
    pace: Pace,
    started: Instant,
}

/// How many lines one read looks at, whosever they are.
const LINES_PER_READ: usize = 512;

impl FlightSource {
    pub(crate) fn new(task: &TaskContext, options: &WorkerOptions, progress: Arc<Progress>) -> Self {
        let mine = (0..SPLITS).filter(|split| split % task.parallelism == task.subtask);
        Self {
            input: options.input.clone(),
            parallelism: task.parallelism,
            total: options.records,
            duration: options.pace,
            progress,
            // The reader finds the first line by itself.
            splits: mine.map(|split| (split, Place { line: 0, offset: 0 })).collect(),
            reading: None,
        }
    }

    /// Where the splits stand: behind the reader, or further on where a restored split is ahead of it.
    fn places(&self) -> impl Iterator<Item = (u32, Place)> {
        let here = self
            .reading
            .as_ref()
            .map(|reading| Place { line: reading.reader.line(), offset: reading.reader.offset() });
        self.splits.iter().map(move |(&split, &place)| (split, here.map_or(place, |here| here.max(place))))
    }
}

/// The splits that a checkpoint gives to one of so many instances.
fn restored_splits<E: AsRef<[u8]>>(elements: &[E], parallelism: u32) -> TaskResult<BTreeMap<u32, Place>> {
    // There are splits for everybody then. Without this, a checkpoint of another job that happens to hold nothing would
    // be taken for one of a job that has nothing left to read.
    if elements.is_empty() && parallelism <= SPLITS {
        return Err(TaskError::message(
            "the checkpoint does not say how far the input was read, so it is not one of this job; restore another",
        ));
    }
    let split = |element: &E| {
        let (split, line, offset): (u32, u64, u64) = elements::decode_value(element.as_ref())?;
        Ok((split, Place { line, offset }))
    };
    elements.iter().map(split).collect()
}

impl Stateful for FlightSource {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        if restored.checkpoint.is_some() {
            self.splits = restored_splits(&restored.elements, self.parallelism)?;
        }
        let mut reader = FlightsReader::open(&self.input)?;
        let first = self.splits.values().min().copied().filter(|place| place.line > 0);
        if let Some(Place { line, offset }) = first {
            reader.resume_at(line, offset)?;
        }
        let pace = Pace::new(reader.line(), self.total, self.duration);
        self.reading = Some(Reading { reader, pace, started: now() });
        let places = self.places().map(|(split, place)| (split, place.line));
        self.progress.opened(restored.checkpoint, places);
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        self.places().try_fold(Snapshot::new(), |snapshot, (split, Place { line, offset })| {
            snapshot.with_element(&(split, line, offset))
        })
    }
}

impl Source<Flight> for FlightSource {
    fn read(&mut self, output: &mut Output<Flight>) -> TaskResult<SourceStatus> {
        let Some(Reading { reader, pace, started }) = &mut self.reading else {
            return Err(TaskError::message("the source was not opened"));
        };
        let elapsed = if self.duration.is_zero() { Duration::MAX } else { now().duration_since(*started) };
        let mut records = 0;
        let mut status = SourceStatus::More;
        for _ in 0..LINES_PER_READ {
            let wait = pace.release(reader.line()).saturating_sub(elapsed);
            if !wait.is_zero() {
                status = SourceStatus::Idle(wait);
                break;
            }
            let Some((line, text)) = reader.next_line()? else {
                let wait = pace.end().saturating_sub(elapsed);
                status = if wait.is_zero() { SourceStatus::End } else { SourceStatus::Idle(wait) };
                break;
            };
            if self.splits.get(&split_of(line)).is_some_and(|place| place.line <= line) {
                match Departure::parse(text) {
                    Ok(departure) => output.emit(Flight::Departure(departure)),
                    Err(malformed) => return Err(reader.malformed(line, malformed).into()),
                }
                records += 1;
            }
        }
        let places = self.places().map(|(split, place)| (split, place.line));
        self.progress.read(records, places);
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_holds_no_splits_is_of_another_job() {
        let element = elements::encode_value(&(3_u32, 300_u64, 9_000_u64)).expect("a small value");
        let splits = restored_splits(&[&element], SPLITS).expect("an element as it was written");
        assert_eq!(splits, BTreeMap::from([(3, Place { line: 300, offset: 9_000 })]));

        let none: [&[u8]; 0] = [];
        for parallelism in [1, SPLITS] {
            let error = restored_splits(&none, parallelism).expect_err("somebody must have the splits");
            assert!(error.to_string().contains("not one of this job"), "{error}");
        }
        // More instances than splits: some have none.
        assert_eq!(restored_splits(&none, SPLITS + 1).expect("nothing to read"), BTreeMap::new());
    }
}
