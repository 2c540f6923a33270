//! A job that ran on a recorded disk, and what a loss of power at one moment of it leaves.

use super::blocks::Blocks;
use super::mounts::{FileSystem, Mounted};
use super::recorder::{Event, Recorder, place};
use crate::e2e::flights::departures::Random;
use crate::prove::storage::child::disk::{Forgetful, WatchedDisk};
use crate::prove::storage::child::job::{self, Plan};
use crate::prove::storage::child::ledger::{Kind, Ledger};
use crate::prove::storage::child::message::Message;
use crate::prove::storage::child::{Orders, Process};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// How many runs of the job there are on one disk. The later ones begin with a recovery.
const RUNS: u64 = 3;

/// How many checkpoints one of them takes.
const CHECKPOINTS: u64 = 6;

/// Where the disk is mounted, before and after: the pointers of savepoints are paths.
const MOUNTED: &str = "mounted";

/// What a disk writes at once.
const SECTOR: usize = 512;

pub(super) struct Recording {
    file_system: FileSystem,
    before: Blocks,
    events: Vec<Event>,
}

/// A disk that is recorded, with a file system on it that is mounted.
pub(super) struct Disk {
    // In the order in which they go.
    mounted: Mounted,
    recorder: Recorder,
}

impl Disk {
    /// # Errors
    /// Why that cannot be had on this machine.
    pub(super) fn start(file_system: FileSystem, empty: &Blocks, scratch: &Path) -> Result<Self, String> {
        let device = scratch.join("device");
        let _ = fs::remove_file(&device);
        place(&device).map_err(|error| format!("{}: {error}", device.display()))?;
        let recorder = Recorder::serve(empty.clone(), &device)
            .map_err(|error| format!("a file system in user space: {error}"))?;
        Ok(Self { mounted: file_system.mount(&device, &scratch.join(MOUNTED))?, recorder })
    }
}

/// What somebody who was told finds after a power cut.
pub(super) struct Found {
    /// How many checkpoints had been reported complete.
    pub(super) committed: u64,
    pub(super) ledger: Ledger,
}

impl Recording {
    /// Runs the job on a disk that is empty before.
    ///
    /// # Errors
    /// If anything fails on a disk whose power was never cut.
    pub(super) fn make(
        file_system: FileSystem,
        empty: &Blocks,
        seed: u64,
        forgetful: Forgetful,
        scratch: &Path,
    ) -> Result<Self, String> {
        let Disk { mounted, recorder } = Disk::start(file_system, empty, scratch)?;
        recorder.begin();
        for run in 0..RUNS {
            let orders = Orders {
                directory: mounted.path().join("job"),
                plan: Plan::draw(seed.wrapping_add(run), CHECKPOINTS),
                die_at: None,
                forgetful,
                // So that what it says lies between what it wrote before and what it writes then.
                waits: true,
            };
            let mut process = Process::start(&orders, &[]).map_err(|error| error.to_string())?;
            while let Some(message) = process.listen() {
                if let Message::Failed(error) = &message {
                    return Err(format!("the job failed before any power was cut: {error}"));
                }
                recorder.enter(message);
                process.answer();
            }
            let status = process.wait().map_err(|error| error.to_string())?;
            if !status.success() {
                return Err(format!("the job ended with {status} before any power was cut"));
            }
        }
        let (before, events) = recorder.end().ok_or("nothing was recorded")?;
        drop(mounted);
        Ok(Self { file_system, before, events })
    }

    /// Cuts the power at some moment, lets some of what was under way survive, and recovers.
    pub(super) fn cut(&self, random: &mut Random, scratch: &Path) -> Found {
        let moment = random.below(self.events.len() as u64 + 1) as usize;
        let past = self.events.get(..moment).unwrap_or_default();
        let mut ledger = Ledger::new();
        for event in past {
            if let Event::Said(message) = event {
                ledger.hear(message);
            }
        }
        let committed = ledger.committed();
        let image = scratch.join("image");
        let _ = fs::remove_file(&image);
        let written = survive(self.before.clone(), past, random).write_file(&image);
        written.expect("an image can be written");
        match self.file_system.mount(&image, &scratch.join(MOUNTED)) {
            // What the file system itself does not survive says nothing about us, but nothing good about this proof.
            Err(error) => ledger.complain(Kind::Wrong, format!("after event {moment}: {error}")),
            Ok(mounted) => recover(&mounted.path().join("job"), &mut ledger, random),
        }
        Found { committed, ledger }
    }
}

/// The content of the disk: everything that was flushed, and of the rest any part.
fn survive(mut content: Blocks, past: &[Event], random: &mut Random) -> Blocks {
    let flushed = past.iter().rposition(|event| matches!(event, Event::Flush)).unwrap_or(0);
    // In how many of sixteen cases a write survives. None and all are cases that matter more than others.
    let chance = [0, 0, 4, 8, 12, 15, 16, 16][random.below(8) as usize];
    let torn = flushed + random.below((past.len() - flushed) as u64 + 1) as usize;
    for (number, event) in past.iter().enumerate() {
        let Event::Write { offset, bytes } = event else { continue };
        if number < flushed || random.below(16) < chance {
            content.write(*offset, bytes);
        } else if number == torn {
            let sectors = random.below((bytes.len() / SECTOR) as u64 + 1) as usize;
            content.write(*offset, bytes.get(..sectors * SECTOR).unwrap_or_default());
        }
    }
    content
}

/// Recovers as a new process would, goes on for a bit, and recovers again.
fn recover(directory: &Path, ledger: &mut Ledger, random: &mut Random) {
    for _ in 0..2 {
        let plan = Plan::draw(random.draw(), 1);
        let disk = Arc::new(WatchedDisk::watching_nothing());
        job::run(directory, &plan, disk, &mut |message| {
            ledger.hear(&message);
            if message == Message::Swept {
                ledger.inspect(directory);
            }
        });
    }
    ledger.inspect_savepoints(directory);
}
