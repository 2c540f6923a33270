//! What the supervisor is told while the job runs, gathered from the sources and from the job's events.

use crate::protocol::WorkerEvent;
use crate::split::{SPLITS, lines_before};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use stillframe::model::CheckpointId;

pub(crate) struct Progress {
    say: Box<dyn Fn(WorkerEvent) + Send + Sync>,
    sources: u32,
    /// Sources of this attempt that stand where they begin.
    opened: AtomicU32,
    /// For each split, how many of its records were read.
    splits: [AtomicU64; SPLITS as usize],
    records: AtomicU64,
    checkpoints: AtomicU64,
    last: AtomicU64,
}

impl Progress {
    pub(crate) fn new(sources: u32, say: Box<dyn Fn(WorkerEvent) + Send + Sync>) -> Self {
        Self {
            say,
            sources,
            opened: AtomicU32::new(0),
            splits: [const { AtomicU64::new(0) }; SPLITS as usize],
            records: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            last: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn say(&self, event: WorkerEvent) {
        (self.say)(event);
    }

    /// An attempt begins; its sources will say where.
    pub(crate) fn starting(&self) {
        self.opened.store(0, Ordering::SeqCst);
        self.splits.iter().for_each(|split| split.store(0, Ordering::SeqCst));
    }

    /// A source begins. The last one to do so has the whole attempt reported.
    pub(crate) fn opened(&self, restored: Option<CheckpointId>, places: impl Iterator<Item = (u32, u64)>) {
        self.set(places);
        if self.opened.fetch_add(1, Ordering::SeqCst) + 1 == self.sources {
            let restored = restored.map(CheckpointId::get);
            self.say(WorkerEvent::Started { restored, position: self.position() });
        }
    }

    /// A source has read some records and stands at these lines now.
    pub(crate) fn read(&self, records: u64, places: impl Iterator<Item = (u32, u64)>) {
        if records > 0 {
            self.records.fetch_add(records, Ordering::Relaxed);
            self.set(places);
        }
    }

    pub(crate) fn completed(&self, id: u64, millis: u64, bytes: u64) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.say(WorkerEvent::Completed { id, millis, bytes });
    }

    /// Time to report, if there is news and every source has begun.
    pub(crate) fn tick(&self) {
        let position = self.position();
        if self.opened.load(Ordering::SeqCst) == self.sources
            && self.last.swap(position, Ordering::Relaxed) != position
        {
            let (records, checkpoints) = self.counts();
            self.say(WorkerEvent::Progress { position, records, checkpoints });
        }
    }

    /// There was nothing left to do in this process.
    pub(crate) fn all_done_before(&self, records: u64) {
        self.set((0..SPLITS).map(|split| (split, records)));
        self.say(WorkerEvent::Started { restored: None, position: self.position() });
    }

    pub(crate) fn finished(&self) {
        let (records, checkpoints) = self.counts();
        self.say(WorkerEvent::Finished { position: self.position(), records, checkpoints });
    }

    fn set(&self, places: impl Iterator<Item = (u32, u64)>) {
        for (split, line) in places {
            if let Some(count) = self.splits.get(split as usize) {
                count.store(lines_before(split, line), Ordering::Relaxed);
            }
        }
    }

    fn position(&self) -> u64 {
        self.splits.iter().map(|split| split.load(Ordering::Relaxed)).sum()
    }

    fn counts(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.checkpoints.load(Ordering::Relaxed))
    }
}
