//! The coordinator's machine beside a plain model of what it is to do, step by step through random histories: everything
//! that is said after every step has to be the same, and so has everything that can be seen. The model is written from the
//! description of Flink's coordinator.

mod job;
mod machine;
mod model;
mod steps;
mod words;

use crate::prove::{Proof, report, seed, size};
use machine::Machine;
use model::Model;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::sync::{Mutex, PoisonError};
use words::{Step, Told, WORDS};

/// How many steps a sequence has.
const STEPS: std::ops::Range<usize> = 40..120;

/// What was said in any sequence, and how often. A proof in which nothing happens proves nothing.
static SAID: Mutex<Option<Said>> = Mutex::new(None);

type Said = HashMap<Discriminant<Told>, (String, u64)>;

struct Coordinators;

impl ReferenceStateMachine for Coordinators {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        let opened = |settings| {
            let opening = steps::opening(&settings);
            opening.iter().fold(Model::new(settings), Model::step)
        };
        steps::settings().prop_map(opened).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        steps::next(model)
    }

    fn apply(model: Model, step: &Step) -> Model {
        model.step(step)
    }
}

impl StateMachineTest for Coordinators {
    type SystemUnderTest = Machine;
    type Reference = Self;

    fn init_test(model: &Model) -> Machine {
        let mut machine = Machine::new(model.settings);
        for step in steps::opening(&model.settings) {
            assert_eq!(machine.step(0, &step), [], "nothing is due at once");
        }
        machine
    }

    fn apply(mut machine: Machine, model: &Model, step: Step) -> Machine {
        let said = machine.step(model.now, &step);
        count(&said);
        let (said, expected) = (Told::sorted(said), Told::sorted(model.told.clone()));
        assert_eq!(said, expected, "the machine (left) and the model (right) after {step:?}");
        machine
    }

    fn check_invariants(machine: &Machine, model: &Model) {
        assert_eq!(
            machine.visible(model.now),
            model.visible(),
            "what is seen of the machine (left) and the model"
        );
    }
}

fn count(said: &[Told]) {
    let mut all = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    for told in said {
        let name = || (format!("{told:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(), 0);
        all.entry(discriminant(told)).or_insert_with(name).1 += 1;
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the way to a difference is what a person needs to see")]
fn the_machine_does_what_the_description_says() {
    let mut proof = Proof::begin("coordinator/reference");
    let seed = seed();
    let sequences: u32 = size().pick(2_000, 50_000);
    let config = ProptestConfig {
        cases: sequences,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config.clone(), random);
    let strategy = Coordinators::sequential_strategy(STEPS);
    let outcome = runner.run(&strategy, |(model, steps, seen)| {
        Coordinators::test_sequential(config.clone(), model, steps, seen);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, (model, steps, _))) => {
            println!("{why}\nwith {:?}", model.settings);
            steps.iter().for_each(|step| println!("  {step:?}"));
            proof.violations += 1;
        }
        Err(TestError::Abort(why)) => panic!("no sequences could be made: {why}"),
    }
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    let mut said: Vec<_> = said.into_values().collect();
    said.sort_unstable();
    proof.violations += u64::from(said.len() < WORDS);
    proof.cases = u64::from(sequences);
    proof.detail = format!(
        "sequences of {} to {} steps from seed {seed}, in lockstep with a model of the description; what was said, all {WORDS} \
         kinds of it: {}",
        STEPS.start,
        STEPS.end - 1,
        said.iter().map(|(name, number)| format!("{name} {number}")).collect::<Vec<_>>().join(", ")
    );
    report(&proof);
}
