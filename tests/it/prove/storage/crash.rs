//! The power goes, or the process dies, after each operation of a job; then again after each operation of the recovery. Every
//! disk that may be left is given to the real recovery, which has to find all that was reported and nothing by half.

mod adoption;

use super::mutated::{After, Mutant, Mutated, Sync};
use super::scripted::process::Errors;
use super::scripted::{JOB, Journal, Outcome, ROOT, encode, ready, recovery, script, storage};
use crate::prove::{Proof, report, seed, size};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use stillframe::fs::disk::Disk;
use stillframe::fs::simulation::{Coverage, SimDisk};
use stillframe::storage::{CheckpointStorage, StorageError};

/// The fewest states that count as having looked.
const FEWEST: u64 = 50_000;

/// How a disk is reached by those who are to be found out: as it is, or with something in between.
type Wrap<'a> = &'a dyn Fn(&SimDisk) -> Arc<dyn Disk>;

type Script = fn(&Arc<dyn Disk>, Errors, &mut Journal) -> Result<(), StorageError>;

/// How closely to look.
#[derive(Clone, Copy, Debug)]
struct Depth {
    coverage: Coverage,
    /// Of so many states of the first crash one is followed into a second crash.
    stride: u64,
    again: Coverage,
}

/// What was looked at, and what was found.
#[derive(Debug, Default)]
struct Found {
    cuts: u64,
    /// Disks that were recovered, of which no two are the same with the same history.
    states: u64,
    /// Those among them whose recovery was interrupted as well.
    nested: u64,
    seen: BTreeSet<u64>,
    wrong: Vec<String>,
    /// Whether one wrong is enough.
    stops: bool,
}

impl Found {
    /// Recovers a disk, unless the same disk with the same history was recovered before.
    fn look(
        &mut self,
        disk: &SimDisk,
        process: u64,
        journal: &Journal,
        context: impl Fn() -> String,
    ) -> bool {
        let mut hasher = DefaultHasher::new();
        (disk.digest(), process, journal).hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return false;
        }
        self.states += 1;
        let wrong =
            journal.wrong.first().cloned().or_else(|| recovery::check(&disk.fork(), process, journal).err());
        self.wrong.extend(wrong.map(|wrong| format!("{}: {wrong}", context())));
        true
    }

    fn is_over(&self) -> bool {
        self.stops && !self.wrong.is_empty()
    }

    /// Lets a recovery come to its end after each of its operations.
    fn look_again(
        &mut self,
        disk: &SimDisk,
        journal: &Journal,
        wrap: Wrap<'_>,
        coverage: &Coverage,
        context: &str,
    ) {
        let recovered = |disk: &SimDisk| {
            let mut journal = journal.clone();
            let _ = recovery::recover(wrap(disk), 10, Errors::OfTheDead, &mut journal);
            journal
        };
        let before = self.states;
        for cut in disk.cut_everywhere(recovered) {
            if self.is_over() {
                break;
            }
            let here = || format!("{context}; its recovery ended after operation {}", cut.after);
            self.look(&cut.disk, 20, &cut.outcome, || format!("{}, the machine lives", here()));
            for (survived, image) in cut.disk.after_power_loss(coverage) {
                self.look(&image, 20, &cut.outcome, || format!("{}, {survived}", here()));
            }
        }
        self.nested += self.states - before;
    }

    /// Ends the script after each of its operations.
    fn explore(&mut self, script: Script, start: (&SimDisk, &Journal), wrap: Wrap<'_>, depth: Depth) {
        let run = |disk: &SimDisk| {
            let mut journal = start.1.clone();
            (script(&wrap(disk), Errors::OfTheDead, &mut journal), journal)
        };
        let mut turn = 0;
        for cut in start.0.cut_everywhere(run) {
            if self.is_over() {
                break;
            }
            self.cuts += 1;
            let (result, journal) = &cut.outcome;
            if cut.is_whole
                && let Err(error) = result
            {
                self.wrong.push(format!("nothing came between, and yet: {error:?}"));
            }
            let killed = format!("ended after operation {}, the machine lives", cut.after);
            let images = cut.disk.after_power_loss(&depth.coverage);
            let images = images
                .map(|(survived, image)| (format!("ended after operation {}, {survived}", cut.after), image));
            for (context, image) in core::iter::once((killed, cut.disk.fork())).chain(images) {
                let is_new = self.look(&image, 10, journal, || context.clone());
                turn += u64::from(is_new);
                if is_new && turn % depth.stride == 0 {
                    self.look_again(&image, journal, wrap, &depth.again, &context);
                }
            }
        }
    }
}

fn plain(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// A job's place in which somebody else has put things.
fn populated() -> (SimDisk, Journal) {
    let (disk, mut journal) = (SimDisk::new(), Journal::default());
    let job = Path::new(ROOT).join(JOB.to_string());
    for below in ["", "shared", "taskowned", "_ctl", "_ctl/r", "_ctl/e", "chk-notes", "Notes"] {
        let mut path = PathBuf::new();
        for name in &job.join(below) {
            path.push(name);
            let _ = disk.create_dir(&path);
            let _ = disk.sync_dir(path.parent().unwrap_or(&path));
        }
        let file = path.join("notes.txt");
        let content = format!("somebody's in {below:?}").into_bytes();
        let written = disk.create_new(&file).and_then(|mut file| {
            file.write(&content)?;
            file.sync()
        });
        written.and_then(|()| disk.sync_dir(&path)).expect("the disk is fine");
        journal.foreign.insert(file.display().to_string(), content);
    }
    (disk, journal)
}

#[test]
#[expect(clippy::print_stdout, reason = "what was found is what a person needs to see")]
fn nothing_that_was_reported_is_lost_wherever_the_power_goes() {
    let mut proof = Proof::begin("storage/crash");
    let seed = seed();
    let coverage = Coverage { every_subset_up_to: 9, pairs_up_to: 20, random: 32, seed };
    let again = Coverage { every_subset_up_to: 4, pairs_up_to: 0, random: 4, seed };
    let mut found = Found::default();
    let empty = (SimDisk::new(), Journal::default());
    let populated = populated();
    let backwards =
        |disk: &SimDisk| -> Arc<dyn Disk> { Arc::new(Mutated::new(disk, Mutant::ListsBackwards)) };
    let late = |disk: &SimDisk| -> Arc<dyn Disk> { Arc::new(Mutated::new(disk, Mutant::ListsLate)) };
    let mut explore = |script, start: &(SimDisk, Journal), wrap: Wrap<'_>, stride| {
        found.explore(script, (&start.0, &start.1), wrap, Depth { coverage, stride, again });
    };
    explore(script::everything, &empty, &plain, size().pick(2, 1));
    explore(script::everything, &populated, &backwards, size().pick(2, 1));
    explore(script::everything, &empty, &late, size().pick(50, 2));
    explore(script::large, &empty, &plain, size().pick(50, 5));
    found.wrong.iter().take(20).for_each(|wrong| println!("{wrong}"));
    let Found { cuts, states, nested, wrong, .. } = &found;
    let about = |words: &str| wrong.iter().filter(|wrong| wrong.contains(words)).count();
    let (orphans, corrupt) = (about("orphan"), about("not what was written") + about("looks complete"));
    proof.cases = *states;
    proof.violations = wrong.len() as u64 + u64::from(*states < FEWEST);
    proof.detail = format!(
        "seed {seed}: {states} different disks from {cuts} cuts, {nested} of them of recoveries that were cut as well; \
         {} lost, {corrupt} corrupt accepted, {orphans} orphans; expected {FEWEST} disks at least",
        wrong.len() - orphans - corrupt
    );
    report(&proof);
}

/// The job's directory, which its id names.
const PLACE: &str = "/7363726970746564206a6f62206e6f31";

const MUTANTS: [(Mutant, Script); 29] = [
    (Mutant::File("/segment-"), script::everything),
    (Mutant::File("/state-"), script::large),
    (Mutant::File("/shared/shared-"), script::everything),
    (Mutant::File("/taskowned/owned-"), script::everything),
    (Mutant::File("/._metadata."), script::everything),
    (Mutant::File("/_ctl/r/."), script::everything),
    (Mutant::File("/_ctl/e/."), script::everything),
    (Mutant::Directory("chk-*", After::Create), script::everything),
    (Mutant::Directory("chk-*", After::Link), script::everything),
    (Mutant::Directory("chk-*", After::Remove), script::everything),
    (Mutant::Directory("savepoint-*", After::Link), script::everything),
    (Mutant::Directory("/sp", After::Make("")), script::everything),
    (Mutant::Directory("/_ctl/r", After::Link), script::everything),
    (Mutant::Directory("/_ctl/r", After::Nothing), script::everything),
    (Mutant::Directory("/_ctl/e", After::Link), script::everything),
    (Mutant::Directory("/_ctl", After::Any), script::everything),
    (Mutant::Directory(PLACE, After::Make("chk-")), script::everything),
    (Mutant::Directory(PLACE, After::Make("shared")), script::everything),
    (Mutant::Directory(PLACE, After::Make("taskowned")), script::everything),
    (Mutant::Directory(PLACE, After::Any), script::everything),
    (Mutant::Directory("/data/c", After::Any), script::everything),
    (Mutant::Directory("/data", After::Any), script::everything),
    (Mutant::Directory("/shared", After::Any), script::everything),
    (Mutant::Directory("/taskowned", After::Any), script::everything),
    (Mutant::Directory("/", After::Any), script::everything),
    (Mutant::Directory("savepoint-*", After::Create), script::everything),
    (Mutant::Directory("chk-*", After::Nothing), script::everything),
    (Mutant::DeletesBeforeCommit, script::everything),
    (Mutant::ListIsTruth, script::everything),
];

/// Those that nobody misses, and why they are there all the same.
const SPARE: [(Mutant, &str); 3] = [
    (
        Mutant::Directory("/_ctl/r", After::Create),
        "an entry needs no state beside it; there is one way to publish",
    ),
    (Mutant::Directory("/_ctl/e", After::Create), "as for an entry"),
    (
        Mutant::Directory("/_ctl/e", After::Nothing),
        "the marker that the claim writes next makes them durable, too",
    ),
];

/// Whoever adds an fsync adds the mistake of leaving it out, or nobody would notice that it is not needed, or not there.
#[test]
fn every_fsync_of_an_honest_run_is_left_out_by_a_mutant() {
    let mut asked = BTreeSet::new();
    for script in [script::everything as Script, script::large] {
        let mutated = Mutated::new(&SimDisk::new(), Mutant::ListsLate);
        let disk: Arc<dyn Disk> = Arc::new(mutated.clone());
        let mut journal = Journal::default();
        script(&disk, Errors::Meant, &mut journal).expect("nothing fails");
        recovery::recover(disk, 10, Errors::Meant, &mut journal).expect("nothing fails");
        asked.extend(mutated.syncs());
    }
    assert!(asked.len() > 30, "{} are few", asked.len());
    let is_missed = |sync: &&Sync| MUTANTS.iter().any(|(mutant, _)| mutant.leaves_out(sync));
    let is_spare = |sync: &&Sync| SPARE.iter().any(|(mutant, _)| mutant.leaves_out(sync));
    let unknown: Vec<_> = asked.iter().filter(|sync| !is_missed(sync) && !is_spare(sync)).collect();
    assert!(unknown.is_empty(), "no mutant leaves these out, add one for each to MUTANTS: {unknown:#?}");
    for (mutant, why) in SPARE {
        let is_asked = asked.iter().any(|sync| mutant.leaves_out(sync));
        assert!(is_asked, "{mutant:?} is not asked for any more, which was: {why}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the way to a violation is what a person wants to see")]
fn every_fsync_that_is_left_out_is_missed() {
    let mut proof = Proof::begin("storage/crash_mutants");
    let coverage = Coverage { every_subset_up_to: 4, pairs_up_to: 0, random: 2, seed: 1 };
    let mut caught = Vec::new();
    assert_eq!(PLACE, format!("/{JOB}"));
    for (mutant, script) in MUTANTS {
        let wrap = |disk: &SimDisk| -> Arc<dyn Disk> { Arc::new(Mutated::new(disk, mutant)) };
        let start = (SimDisk::new(), Journal::default());
        let mut found = Found { stops: true, ..Found::default() };
        // Most show after one crash already; the rest takes a second one.
        for stride in [u64::MAX, 1] {
            found.seen.clear();
            if found.wrong.is_empty() {
                found.explore(
                    script,
                    (&start.0, &start.1),
                    &wrap,
                    Depth { coverage, stride, again: coverage },
                );
            }
        }
        proof.cases += 1;
        match found.wrong.first() {
            Some(wrong) => {
                println!("{mutant:?} after {} states: {wrong}", found.states);
                caught.push(format!("{mutant:?} after {} states", found.states));
            }
            None => {
                println!("{mutant:?} NOT FOUND in {} states, {} nested", found.states, found.nested);
                proof.violations += 1;
                caught.push(format!("{mutant:?} NOT FOUND in {} states", found.states));
            }
        }
    }
    proof.detail = caught.join("; ");
    report(&proof);
}

/// Two coordinators claim the job at once; then one of them commits. Gives what came of that, and what the next claim finds.
fn race(mutant: Mutant) -> (Result<(), StorageError>, Journal) {
    let disk = SimDisk::new();
    let slot = Arc::new(Mutex::new(None));
    let (second_disk, second_slot) = (disk.clone(), Arc::clone(&slot));
    let second = move || {
        let disk = Arc::new(Mutated::new(&second_disk, mutant));
        let access = ready(storage(disk, 2).open(JOB)).expect("the disk is fine");
        let claim = ready(access.coordinator().claim()).expect("nobody else has claimed it yet");
        *second_slot.lock().expect("nobody panics") = Some((access.coordinator(), claim.next));
    };
    let first = Mutated::new(&disk, mutant).with_rival(Box::new(second));
    let claimed =
        ready(ready(storage(Arc::new(first), 1).open(JOB)).expect("the disk is fine").coordinator().claim());
    assert!(claimed.is_ok(), "whoever loses a race begins again: {claimed:?}");
    let (coordinator, id) = slot.lock().expect("nobody panics").take().expect("a marker was written");
    let mut journal = Journal::default();
    let committed = ready(coordinator.begin_checkpoint(id))
        .and_then(|location| ready(coordinator.commit(id, &location, encode(JOB, id, &[]), &[])).map(drop));
    if committed.is_ok() {
        journal.outcomes = [Outcome { retained: [id.get()].into(), ended: None }].into();
    }
    (committed, journal_after(&disk, journal))
}

/// What is wrong with a disk on which that was reported.
fn journal_after(disk: &SimDisk, mut journal: Journal) -> Journal {
    let wrong = recovery::check(disk, 10, &journal).err();
    journal.wrong.extend(wrong);
    journal
}

#[test]
fn a_name_that_is_taken_is_not_taken_for_a_success() {
    let mut proof = Proof::begin("storage/crash_race");
    proof.cases = 2;
    let (committed, journal) = race(Mutant::ListsBackwards);
    assert!(committed.is_err(), "two coordinators own the job");
    let mutated = race(Mutant::TakenIsWon);
    proof.violations = journal.wrong.len() as u64 + u64::from(mutated.1.wrong.is_empty());
    proof.detail =
        format!("honest: {committed:?} {:?}; mutated: {:?} {:?}", journal.wrong, mutated.0, mutated.1.wrong);
    report(&proof);
}
