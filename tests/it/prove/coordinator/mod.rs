//! The coordinator's machine in a world that delivers its messages in any order, repeats and loses them, answers when it
//! likes, and restarts it: every order of events up to a bound.
//!
//! The machine is the one that runs. A message that was sent can be delivered from then on, as often as it likes: late and
//! repeated ones need no action of their own, and one that is never delivered is one that was lost. A world is bounded by how
//! much is asked for and goes wrong in it, and by how often time moves on; within these bounds every state is looked at. What
//! must hold is said in [`ledger`], by somebody who sees events and effects and does not look into the
//! machine.

mod coverage;
mod ledger;
mod model;
mod mutant;
mod reference;
mod world;

use crate::prove::{Proof, Size, report, size};
use coverage::Coverage;
use model::{Action, Bounds};
use mutant::Mutant;
use stateright::{Checker, HasDiscoveries, Model};
use std::sync::Arc;
use world::Settings;

/// The fewest states that count as having looked.
const FEWEST: usize = 1_000_000;

/// What came of a check.
#[derive(Debug)]
struct Checked {
    states: usize,
    /// What happened on the way to where something does not hold.
    violated: Vec<(String, Vec<Action>)>,
}

/// Looks at every state, or at as many as it takes to find one that should not be.
fn check(bounds: Bounds, threads: usize) -> Checked {
    let checker = bounds.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let violated = checker.discoveries().into_values().map(|path| {
        let wrong =
            path.last_state().wrong().map_or_else(|| "unknown".to_owned(), |wrong| format!("{wrong:?}"));
        (wrong, path.into_actions())
    });
    Checked { violated: violated.collect(), states: checker.unique_state_count() }
}

/// Three tasks and three checkpoints, of which some may expire.
fn least(coverage: &Arc<Coverage>) -> Bounds {
    Bounds {
        settings: Settings { max_concurrent: 1, retained: 1, tolerable: 1, min_pause: 300 },
        ids: 3,
        ticks: 6,
        savepoints: 0,
        stops: 0,
        checkpoints: 0,
        declines: 0,
        faults: 0,
        restarts: 0,
        ends: 0,
        mutant: None,
        coverage: Arc::clone(coverage),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the way to a violation is what a person needs to see")]
fn no_order_of_events_breaks_the_coordinator() {
    let mut proof = Proof::begin("coordinator/model");
    let coverage = Arc::new(Coverage::default());
    let least = || least(&coverage);
    let two = Settings { max_concurrent: 2, ..least().settings };
    let keeping_two = |settings| Settings { retained: 2, ..settings };
    let mut all = vec![
        // Three checkpoints and a savepoint, and one restart.
        Bounds { ids: 4, ticks: 6, savepoints: 1, restarts: 1, ..least() },
        Bounds { ids: 3, ends: 1, savepoints: 1, ..least() },
        Bounds { settings: two, declines: 2, ..least() },
        Bounds { settings: keeping_two(two), faults: 1, declines: 1, restarts: 1, ..least() },
        Bounds { settings: keeping_two(least().settings), ..least() },
        Bounds { stops: 1, declines: 1, ends: 1, ..least() },
        Bounds { stops: 1, faults: 1, ..least() },
        Bounds { settings: two, stops: 1, checkpoints: 1, ..least() },
    ];
    if size() == Size::Deep {
        all.push(Bounds { ids: 4, ticks: 7, savepoints: 1, restarts: 2, ..least() });
        all.push(Bounds { settings: two, faults: 2, declines: 2, restarts: 1, ..least() });
        all.push(Bounds { settings: two, stops: 2, checkpoints: 1, declines: 1, ..least() });
    }
    let mut states = 0;
    for bounds in &all {
        let checked = check(bounds.clone(), 2);
        println!("{} states of {bounds}", checked.states);
        states += checked.states;
        proof.violations += checked.violated.len() as u64;
        for (wrong, way) in checked.violated {
            println!("{wrong}: {bounds} after {way:#?}");
        }
    }
    let unseen = coverage.unseen();
    proof.cases = states as u64;
    proof.violations += unseen.len() as u64 + u64::from(states < FEWEST);
    proof.detail = format!(
        "unique states of {} bounded worlds of three tasks, every one that there is; expected {FEWEST} at least, and events \
         that never happened: {unseen:?}",
        all.len()
    );
    report(&proof);
}

#[test]
#[expect(clippy::print_stdout, reason = "the way to a violation is what a person wants to see")]
fn every_mistake_is_found() {
    let mut proof = Proof::begin("coordinator/mutants");
    let mut found = Vec::new();
    for mutant in Mutant::ALL {
        let bounds = mutant.shows_in(least(&Arc::default()));
        // One thread, so that the way found first is always the same.
        let Checked { states, violated } = check(bounds, 1);
        proof.cases += 1;
        proof.violations += u64::from(violated.is_empty());
        match violated.first() {
            Some((wrong, way)) => {
                println!("{mutant:?} breaks {wrong}, as {states} states show: {way:?}");
                found.push(format!("{mutant:?} in {} steps ({wrong})", way.len()));
            }
            None => found.push(format!("{mutant:?} NOT FOUND in {states} states")),
        }
    }
    proof.detail = found.join("; ");
    report(&proof);
}
