//! The proof `recovery`: the main job is killed at random moments of random runs, and its output is right all the same.

use super::{Proof, report, seed, size};
use crate::e2e::flights::departures::{Departures, Random};
use crate::e2e::flights::program::{Place, Run, program};

/// One run of the example. Everything follows from the seed but the moments at which the kernel lets the processes work.
#[derive(Debug)]
struct Case {
    seed: u64,
    records: u64,
    packed: bool,
    parallelism: u64,
    interval: u64,
    kills: u64,
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // From nothing to more than fits between two checkpoints, the small numbers as often as the large ones.
        let magnitude = random.below(16);
        Self {
            seed,
            records: random.below(1 << magnitude),
            packed: random.below(2) == 0,
            parallelism: 1 + random.below(5),
            interval: 10 + random.below(50),
            kills: random.below(9),
        }
    }

    fn run(&self) -> (Run, Option<String>) {
        let departures = Departures::generate(self.seed, self.records);
        let place = Place::new();
        let name = if self.packed { "input.csv.gz" } else { "input.csv" };
        let input = place.input(name, &departures.text);
        let [seed, parallelism, interval, kills] =
            [self.seed, self.parallelism, self.interval, self.kills].map(|number| number.to_string());
        let flags =
            ["--seed", &seed, "--parallelism", &parallelism, "--interval", &interval, "--kills", &kills];
        let run = place.run(&input, &flags);
        let complaint = run.complaint().or_else(|| place.difference(&departures));
        (run, complaint)
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a run that went wrong can be repeated by what is printed")]
fn killed_runs_end_as_if_nothing_had_happened() {
    let (first, runs) = (seed(), size().pick(12, 200));
    // Its compilation is no part of the proof.
    program();
    let mut proof = Proof::begin("recovery");
    let mut kills = 0;
    for number in 0..runs {
        // The seed of any run, given back, makes it the first.
        let case = Case::of(first.wrapping_add(number));
        let (run, complaint) = case.run();
        // A run that was not killed as planned has not shown what it was to show.
        let killed = run.kills().unwrap_or_default();
        let complaint =
            complaint.or_else(|| (killed != case.kills).then(|| format!("it was killed {killed} times")));
        kills += killed;
        if let Some(complaint) = complaint {
            proof.violations += 1;
            println!("violated, repeat with --seed {}: {case:?}: {complaint}", case.seed);
        }
    }
    proof.cases = runs + kills;
    proof.detail = format!("seed {first}: {runs} runs with {kills} kills");
    report(&proof);
}
