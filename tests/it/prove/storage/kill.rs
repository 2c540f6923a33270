//! SIGKILL, again and again: at one operation on the disk, at one system call, and at moments that nobody chose; while a job
//! writes, while it commits, and while it recovers from the kill before. What is there afterwards is compared with what it
//! had said.

use super::child::disk::{Forgetful, Site};
use super::child::job::Plan;
use super::child::ledger::{Kind, Ledger};
use super::child::message::{Message, Phase};
use super::child::{Orders, Process};
use crate::e2e::flights::departures::Random;
use crate::prove::{Proof, report, seed, size};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

const SIGKILL: i32 = 9;

/// In one directory the job is killed so often. Then it is to end, and is killed while it does.
const KILLS: u64 = 24;

/// System calls at which strace can kill.
const CALLS: &str = "openat2,write,fsync,linkat,unlinkat,mkdirat";

/// How a process comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// By itself, at an operation on the disk that was chosen, counted from the start.
    Operation,
    /// By itself, at an operation within one sort of work.
    Phase(Phase),
    /// By strace, at a system call that was chosen.
    Call,
    /// By the parent, when so many messages have come: wherever it is by then.
    Messages,
}

impl Means {
    fn name(self) -> &'static str {
        match self {
            Self::Operation | Self::Phase(_) => "at an operation",
            Self::Call => "at a system call",
            Self::Messages => "at some moment",
        }
    }
}

/// What came of many kills.
#[derive(Debug, Default)]
struct Outcome {
    kills: BTreeMap<&'static str, u64>,
    phases: BTreeMap<Phase, u64>,
    runs: u64,
    committed: u64,
    complaints: Vec<(u64, Ledger)>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        other.kills.iter().for_each(|(means, kills)| *self.kills.entry(*means).or_default() += kills);
        other.phases.iter().for_each(|(phase, kills)| *self.phases.entry(*phase).or_default() += kills);
        self.runs += other.runs;
        self.committed += other.committed;
        self.complaints.extend(other.complaints);
    }

    fn kills(&self) -> u64 {
        self.kills.values().sum()
    }

    fn of(&self, kind: Kind) -> usize {
        self.complaints.iter().filter(|(_, ledger)| ledger.kinds().contains(&kind)).count()
    }
}

/// Runs the job once. Whether it was killed.
fn run(ledger: &mut Ledger, directory: &Path, plan: Plan, random: &mut Random, means: Option<Means>) -> bool {
    // Early and late ones are as likely; recovery is all that happens early.
    let magnitude = 3 + random.below(7);
    let (moment, is_done) = (random.below(1 << magnitude), random.below(2) == 0);
    let die_at = match means {
        Some(Means::Operation) => Some(Site { operation: moment, phase: None, is_done }),
        Some(Means::Phase(phase)) => Some(Site { operation: moment % 12, phase: Some(phase), is_done }),
        Some(Means::Call | Means::Messages) | None => None,
    };
    let orders =
        Orders { directory: directory.into(), plan, die_at, forgetful: Forgetful::default(), waits: false };
    let below = match means {
        // Those of the start are not counted: each thread counts by itself, and the job runs in another one.
        Some(Means::Call) => strace(1 + moment),
        _ => Vec::new(),
    };
    let mut process = Process::start(&orders, &below).expect("the test binary can be started");
    let mut heard = 0;
    while let Some(message) = process.listen() {
        ledger.hear(&message);
        if message == Message::Swept {
            ledger.inspect(directory);
            process.answer();
        }
        heard += 1;
        if means == Some(Means::Messages) && heard == 1 + moment / 2 {
            process.kill();
        }
    }
    let status = process.wait().expect("the process ends");
    let was_killed = status.signal() == Some(SIGKILL);
    let is_expected = was_killed || (status.success() && ledger.is_over());
    if !is_expected {
        ledger.complain(Kind::Wrong, format!("the process ended with {status}"));
    }
    ledger.inspect_savepoints(directory);
    was_killed
}

/// The command that kills what it runs at the n-th of the system calls.
fn strace(number: u64) -> Vec<String> {
    let inject = format!("inject={CALLS}:signal=SIGKILL:when={number}");
    let trace = format!("trace={CALLS}");
    ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, "--"].map(str::to_owned).to_vec()
}

/// Why strace cannot do that here, if it cannot.
fn no_strace() -> Option<String> {
    let mut command = strace(1_000);
    command.push("true".to_owned());
    let mut command = command.iter();
    let program = command.next()?;
    let tried = Command::new(program).args(command).stdin(Stdio::null()).output();
    match tried {
        Err(error) => Some(format!("strace: {error}")),
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).lines().take(1).collect()),
    }
}

/// A job from its first checkpoint to its end, in a directory of its own.
fn series(seed: u64, with_strace: bool) -> Outcome {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut random = Random::new(seed);
    let (mut ledger, mut outcome) = (Ledger::new(), Outcome::default());
    let mut kills = 0;
    // The last run, which nobody kills, shows that it can always end.
    while !ledger.has_ended() || !ledger.is_over() {
        let is_last = outcome.runs >= 2 * KILLS;
        let concludes = kills >= KILLS || is_last;
        let plan = Plan { concludes, ..Plan::draw(random.draw(), if concludes { 2 } else { 40 }) };
        let phase = Phase::ALL[random.below(Phase::ALL.len() as u64 - 1) as usize];
        let means = match random.below(8) {
            _ if is_last => None,
            0 if with_strace => Some(Means::Call),
            0 | 1 => Some(Means::Messages),
            2..5 => Some(Means::Phase(if concludes { Phase::Conclude } else { phase })),
            _ => Some(Means::Operation),
        };
        outcome.runs += 1;
        if run(&mut ledger, directory.path(), plan, &mut random, means)
            && let Some(means) = means
        {
            kills += 1;
            *outcome.kills.entry(means.name()).or_default() += 1;
            ledger.phase().into_iter().for_each(|phase| *outcome.phases.entry(phase).or_default() += 1);
        }
        if !ledger.kinds().is_empty() {
            break;
        }
    }
    outcome.committed = ledger.committed();
    if !ledger.kinds().is_empty() {
        outcome.complaints.push((seed, ledger));
    }
    outcome
}

#[test]
#[expect(clippy::print_stdout, reason = "what went wrong, and how to repeat it")]
fn what_was_reported_survives_every_kill() {
    let (first, count) = (seed(), size().pick(24, 800));
    let mut proof = Proof::begin("storage/kill");
    let no_strace = no_strace();
    let with_strace = no_strace.is_none();
    let mut outcome = Outcome::default();
    // A seed that is given back comes first.
    let seeds = (0..count).map(|number| first.wrapping_add(number)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let half = |seeds: &[u64]| seeds.iter().map(|seed| series(*seed, with_strace)).collect::<Vec<_>>();
        let (one, other) = seeds.split_at(seeds.len() / 2);
        let other = scope.spawn(move || half(other));
        half(one).into_iter().for_each(|one| outcome.add(one));
        other.join().expect("a series does not panic").into_iter().for_each(|one| outcome.add(one));
    });
    for (seed, ledger) in &outcome.complaints {
        println!("violated, repeat with --seed {seed}: {:#?}", ledger.complaints());
    }
    let unmet = Phase::ALL.iter().filter(|phase| !outcome.phases.contains_key(phase)).collect::<Vec<_>>();
    let in_recovery = outcome.phases.iter().filter(|(phase, _)| phase.is_recovery()).map(|(_, kills)| kills);
    proof.cases = outcome.kills();
    proof.violations = (outcome.complaints.len() + unmet.len()) as u64;
    proof.detail = format!(
        "seed {first}: {} kills of {} processes ({:?}), {} of them in recovery ({:?}); {} checkpoints reported; lost {}, \
         corrupt {}, orphans {}; phases without a kill: {unmet:?}",
        proof.cases,
        outcome.runs,
        outcome.kills,
        in_recovery.sum::<u64>(),
        outcome.phases,
        outcome.committed,
        outcome.of(Kind::Lost),
        outcome.of(Kind::Corrupt),
        outcome.of(Kind::Orphan),
    );
    if let Some(why) = no_strace {
        proof.skipped = 1;
        proof.detail = format!("{}; no kills at system calls: {why}", proof.detail);
    }
    report(&proof);
}
