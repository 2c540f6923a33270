//! The power is cut while a job runs on a real file system: what the file system wrote to its device and when it flushed
//! is recorded below it, and for a moment that was, an image of the device is made that a loss of power could have left
//! then. It is mounted, and the job recovers from it.
//!
//! All of it happens in a mount namespace of its own. Whatever is left mounted there, and the loop devices below, go when
//! the last process in it does, however that ends.

mod blocks;
mod mounts;
mod recorder;
mod recording;

use super::child::disk::Forgetful;
use super::child::ledger::Kind;
use crate::e2e::flights::departures::Random;
use crate::prove::{Proof, report, seed, size};
use mounts::{EXT4, EXT4_WRITEBACK, FileSystem, XFS, run};
use recording::{Disk, Recording};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::geteuid;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

const NAME: &str = "storage/power_cut";

/// Set in the process that has the namespace.
const INSIDE: &str = "STILLFRAME_POWER_CUT_INSIDE";

/// How many images are made of one recording.
const IMAGES: u64 = 30;

#[test]
fn what_was_reported_survives_the_loss_of_power() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let tried = why_not().map_or_else(|| run(Command::new("unshare").args(["--mount", "true"])), Err);
    match tried {
        Ok(()) => outside(),
        Err(why) => {
            let mut proof = Proof::begin(NAME);
            proof.skipped = 1;
            proof.detail = format!("no power cuts on real file systems: {why}");
            report(&proof);
        }
    }
}

/// Why this machine cannot do it at all.
fn why_not() -> Option<String> {
    if !geteuid().is_root() {
        return Some("mounting needs root".to_owned());
    }
    (!Path::new("/dev/fuse").exists()).then(|| "there is no /dev/fuse to record writes with".to_owned())
}

/// Runs this test again, with mounts of its own.
#[expect(clippy::print_stdout, reason = "what the other process says is what this one has to say")]
fn outside() {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]);
    command.arg(env::current_exe().expect("this test"));
    command.args([
        "--exact",
        "prove::storage::power_cut::what_was_reported_survives_the_loss_of_power",
        "--nocapture",
        "--test-threads=1",
    ]);
    let output = command.env(INSIDE, "1").stdin(Stdio::null()).output().expect("unshare was tried before");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What came of the images of one file system, with or without something that is not synced.
#[derive(Debug, Default)]
struct Tally {
    images: u64,
    /// Of these, those made when at least one checkpoint had been reported.
    telling: u64,
    violated: u64,
    lost: u64,
    corrupt: u64,
    orphans: u64,
    complaints: Vec<String>,
}

impl Tally {
    /// Takes so many recordings, and looks at images of each.
    ///
    /// # Errors
    /// Why none can be taken on this machine.
    fn of(
        file_system: FileSystem,
        recordings: u64,
        forgetful: Forgetful,
        random: &mut Random,
        scratch: &Path,
    ) -> Result<Self, String> {
        let empty = file_system.make(scratch)?;
        drop(Disk::start(file_system, &empty, scratch)?);
        let mut tally = Self::default();
        for _ in 0..recordings {
            let recording = match Recording::make(file_system, &empty, random.draw(), forgetful, scratch) {
                Ok(recording) => recording,
                Err(complaint) => {
                    tally.violated += 1;
                    tally.complaints.push(complaint);
                    continue;
                }
            };
            for _ in 0..IMAGES {
                let found = recording.cut(random, scratch);
                let kinds = found.ledger.kinds();
                tally.images += 1;
                tally.telling += u64::from(found.committed > 0);
                tally.violated += u64::from(!kinds.is_empty());
                tally.lost += u64::from(kinds.contains(&Kind::Lost));
                tally.corrupt += u64::from(kinds.contains(&Kind::Corrupt));
                tally.orphans += u64::from(kinds.contains(&Kind::Orphan));
                tally.complaints.extend(found.ledger.complaints());
            }
        }
        Ok(tally)
    }
}

/// A directory in memory, for as long as this lives.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mounted = mount("stillframe-scratch", directory.path(), "tmpfs", MountFlags::empty(), None);
        mounted.map_err(|error| format!("tmpfs: {error}"))?;
        Ok(Self(directory))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

#[expect(clippy::print_stdout, reason = "what went wrong, in words")]
fn inside() {
    let first = seed();
    let mut proof = Proof::begin(NAME);
    let mut random = Random::new(first);
    let scratch = Scratch::new().expect("a file system in memory");
    let scratch = scratch.0.path();
    let mut details = Vec::new();
    let planned =
        [(EXT4, size().pick(10, 300)), (EXT4_WRITEBACK, size().pick(4, 150)), (XFS, size().pick(6, 150))];
    for (file_system, recordings) in planned {
        let name = file_system.name;
        match Tally::of(file_system, recordings, Forgetful::default(), &mut random, scratch) {
            Err(why) => {
                proof.skipped += recordings * IMAGES;
                details.push(format!("{name}: skipped, {why}"));
            }
            Ok(tally) => {
                proof.cases += tally.images;
                // What never had anything to lose proves nothing.
                proof.violations += tally.violated + u64::from(tally.telling < tally.images / 2);
                tally.complaints.iter().for_each(|complaint| println!("{name}: {complaint}"));
                let Tally { images, telling, lost, corrupt, orphans, .. } = tally;
                details.push(format!(
                    "{name}: {images} images, {telling} with checkpoints to lose: lost {lost}, corrupt {corrupt}, orphans {orphans}"
                ));
            }
        }
    }
    let mutants = [
        ("without any fsync", Forgetful { files: true, directories: true }),
        ("without the fsync of files", Forgetful { files: true, directories: false }),
        ("without the fsync of directories", Forgetful { files: false, directories: true }),
    ];
    for (name, forgetful) in mutants {
        let recordings = size().pick(2, 10);
        match Tally::of(EXT4, recordings, forgetful, &mut random, scratch) {
            // Nobody knows then whether a mistake would be seen.
            Err(why) => {
                proof.skipped += recordings * IMAGES;
                details.push(format!("{name}: skipped, {why}"));
            }
            Ok(Tally { images, lost, corrupt, .. }) => {
                // A harness that does not see this sees nothing.
                proof.violations += u64::from(lost + corrupt == 0);
                details.push(format!("ext4 {name}: {images} images, lost {lost}, corrupt {corrupt}"));
            }
        }
    }
    proof.detail = format!("seed {first}; {}", details.join("; "));
    report(&proof);
}
