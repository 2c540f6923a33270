//! Two coordinators, one register, and a store between them that delays, loses answers and forgets nothing it was told:
//! every order of events up to a bound. The machine is the one that runs; the files of checkpoints and their deletion
//! are the model's.
//!
//! A state is what the store holds, what is under way, what each coordinator knows, and what was reported. It is kept small by
//! naming coordinators in the order in which they begin, by forgetting what can have no effect, and by letting a deletion
//! that was asked for count as one that may happen at any time.

mod coverage;
mod files;
mod model;
mod mutant;
mod world;

use crate::prove::{Proof, Size, report, size};
use coverage::Coverage;
use model::{Action, Bounds};
use mutant::Mutant;
use stateright::{Checker, HasDiscoveries, Model};
use std::sync::Arc;

/// The fewest states that count as having looked.
const FEWEST: usize = 1_000_000;

/// What came of a check.
#[derive(Debug)]
struct Checked {
    states: usize,
    /// The properties that do not hold, with what happened on the way to where they do not.
    violated: Vec<(&'static str, Vec<Action>)>,
}

/// Two coordinators, one after the other or at once, that trigger two checkpoints between them.
fn least(coverage: &Arc<Coverage>) -> Bounds {
    Bounds {
        births: 2,
        checkpoints: 2,
        retained: 1,
        reclaims: 0,
        late: 1,
        refusals: false,
        mutant: None,
        coverage: Arc::clone(coverage),
    }
}

/// Looks at every state, or at as many as it takes to find one that should not be.
fn check(bounds: Bounds, threads: usize) -> Checked {
    let checker =
        bounds.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let violated =
        checker.discoveries().into_iter().map(|(name, path)| (name, path.into_actions())).collect();
    Checked { states: checker.unique_state_count(), violated }
}

#[test]
#[expect(clippy::print_stdout, reason = "the way to a violation is what a person needs to see")]
fn no_order_of_events_breaks_the_register() {
    let mut proof = Proof::begin("storage/model");
    let coverage = Arc::new(Coverage::default());
    let least = || least(&coverage);
    let mut all = vec![
        Bounds { reclaims: 3, refusals: true, ..least() },
        Bounds { late: 2, ..least() },
        Bounds { checkpoints: 3, ..least() },
        Bounds { checkpoints: 3, retained: 2, ..least() },
        Bounds { births: 3, checkpoints: 1, refusals: true, ..least() },
    ];
    if size() == Size::Deep {
        all.push(Bounds { checkpoints: 3, reclaims: 3, refusals: true, ..least() });
        all.push(Bounds { checkpoints: 4, retained: 2, ..least() });
        all.push(Bounds { births: 3, ..least() });
        all.push(Bounds { births: 3, checkpoints: 1, late: 2, ..least() });
    }
    let mut states = 0;
    for bounds in &all {
        let checked = check(bounds.clone(), 2);
        states += checked.states;
        proof.violations += checked.violated.len() as u64;
        for (property, way) in checked.violated {
            println!("{property}: not so for {bounds:?} after {way:#?}");
        }
    }
    let unseen = coverage.unseen();
    proof.cases = states as u64;
    proof.violations += unseen.len() as u64 + u64::from(states < FEWEST);
    proof.detail = format!(
        "unique states of {} bounded worlds of two coordinators, every one of them; expected {FEWEST} at least, \
         and events that never happened: {unseen:?}",
        all.len()
    );
    report(&proof);
}

#[test]
#[expect(clippy::print_stdout, reason = "the way to a violation is what a person wants to see")]
fn every_mistake_is_found() {
    let mut proof = Proof::begin("storage/mutants");
    let mut found = Vec::new();
    for mutant in Mutant::ALL {
        let bounds = Bounds { mutant: Some(mutant), ..least(&Arc::default()) };
        // One thread, so that the way found first is always the same.
        let Checked { states, violated } = check(bounds, 1);
        proof.cases += 1;
        proof.violations += u64::from(violated.is_empty());
        match violated.first() {
            Some((property, way)) => {
                println!("{mutant:?} breaks {property}, as {states} states show: {way:?}");
                found.push(format!("{mutant:?} in {} steps ({property})", way.len()));
            }
            None => found.push(format!("{mutant:?} NOT FOUND in {states} states")),
        }
    }
    proof.detail = found.join("; ");
    report(&proof);
}
