//! A job begins with what another one left, claims it or not, and drops it: whatever comes between, what is its own can be
//! restored, what is not its own stays as it is, and of what it took over nothing stays that nobody needs.

use super::{Depth, Found, plain};
use crate::prove::storage::mutated::{After, Mutant, Mutated};
use crate::prove::storage::scripted::adoption::{Source, WAYS, prepared};
use crate::prove::storage::scripted::script;
use crate::prove::{Proof, report, seed, size};
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::fs::simulation::{Coverage, SimDisk};
use stillframe::storage::Ownership;

/// The fewest states that count as having looked.
const FEWEST: u64 = 10_000;

#[test]
#[expect(clippy::print_stdout, reason = "what was found is what a person needs to see")]
fn what_another_job_left_is_claimed_used_and_removed_wherever_the_power_goes() {
    let mut proof = Proof::begin("storage/crash_adoption");
    let seed = seed();
    let coverage = Coverage { every_subset_up_to: 6, pairs_up_to: 10, random: 8, seed };
    let again = Coverage { every_subset_up_to: 3, pairs_up_to: 0, random: 2, seed };
    let mut details = Vec::new();
    let mut cuts = 0;
    for (source, ownership) in WAYS {
        let mut found = Found::default();
        let (disk, journal) = prepared(source, ownership);
        // Only what is claimed is ever removed.
        let stride = if ownership == Ownership::Taken { size().pick(20, 1) } else { size().pick(100, 5) };
        let depth = Depth { coverage, stride, again };
        found.explore(script::adopted, (&disk, &journal), &plain, depth);
        let Found { states, nested, wrong, .. } = &found;
        wrong.iter().take(10).for_each(|wrong| println!("{source:?} {ownership:?}: {wrong}"));
        proof.cases += states;
        proof.violations += wrong.len() as u64;
        cuts += found.cuts;
        details.push(format!(
            "{source:?} {ownership:?}: {states} disks, {nested} of them cut again, {} wrong",
            wrong.len()
        ));
    }
    proof.violations += u64::from(proof.cases < FEWEST);
    proof.detail =
        format!("seed {seed}, {cuts} cuts: {}; expected {FEWEST} disks at least", details.join("; "));
    report(&proof);
}

/// Metadata of a snapshot that is to go, whose absence is not made durable before the rest goes.
#[test]
#[expect(clippy::print_stdout, reason = "the way to a violation is what a person wants to see")]
fn a_claimed_snapshot_that_goes_in_the_wrong_order_is_found_out() {
    let mut proof = Proof::begin("storage/crash_adoption_mutants");
    let coverage = Coverage { every_subset_up_to: 4, pairs_up_to: 0, random: 2, seed: 1 };
    let mutants = [
        (Source::Checkpoint, Mutant::Directory("chk-2", After::Remove)),
        (Source::Savepoint, Mutant::Directory("savepoint-*", After::Any)),
        // Nobody but the register knows where it was, and the register forgets it.
        (Source::Savepoint, Mutant::Directory("/data/sp", After::Remove)),
        (Source::Checkpoint, Mutant::Directory("/_ctl/r", After::Link)),
    ];
    let mut caught = Vec::new();
    for (source, mutant) in mutants {
        let (disk, journal) = prepared(source, Ownership::Taken);
        let mut found = Found { stops: true, ..Found::default() };
        let wrap = |disk: &SimDisk| -> Arc<dyn Disk> { Arc::new(Mutated::new(disk, mutant)) };
        let depth = Depth { coverage, stride: u64::MAX, again: coverage };
        found.explore(script::adopted, (&disk, &journal), &wrap, depth);
        proof.cases += 1;
        proof.violations += u64::from(found.wrong.is_empty());
        let wrong = found.wrong.first().map_or("NOT FOUND", String::as_str);
        println!("{source:?} {mutant:?} after {} states: {wrong}", found.states);
        caught.push(format!("{mutant:?} after {} states: {wrong}", found.states));
    }
    proof.detail = caught.join("; ");
    report(&proof);
}
