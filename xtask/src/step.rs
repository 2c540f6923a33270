use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::stopwatch::Stopwatch;
use crate::workspace::Workspace;
use std::time::Duration;

/// One thing that must hold, how to find out, and what to do if it does not.
#[derive(Debug)]
pub(crate) struct Step {
    /// A word or two; also how the summary refers to it.
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// A sentence for the person whose change broke it.
    pub(crate) remedy: &'static str,
}

/// How a step finds out.
#[derive(Debug)]
pub(crate) enum Work {
    /// All of these succeed. The others run even if one fails.
    Commands(Vec<CommandLine>),
    /// More than an exit status has to be looked at.
    Check(fn(&mut Console, &Workspace) -> Result<Outcome, Error>),
}

/// What a step found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// What is wrong, in a few words.
    Failed(String),
    /// Why it cannot be known here.
    Skipped(String),
}

/// A step that was run.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) remedy: &'static str,
    pub(crate) took: Duration,
}

impl Step {
    /// Runs it. What keeps it from running counts as its failure, so that the steps after it run all the same.
    pub(crate) fn run(self, console: &mut Console, workspace: &Workspace) -> Done {
        let Self { name, work, remedy } = self;
        console.say(&format!("\n== {name}"));
        let stopwatch = Stopwatch::start();
        let result = match work {
            Work::Commands(commands) => run_all(console, &commands),
            Work::Check(check) => check(console, workspace),
        };
        let outcome = result.unwrap_or_else(|error| Outcome::Failed(error.to_string()));
        let took = stopwatch.elapsed();
        let seconds = took.as_secs_f64();
        match &outcome {
            Outcome::Ok => console.say(&format!("== {name}: ok, {seconds:.1} s")),
            Outcome::Failed(what) => {
                console.say(&format!("== {name}: FAILED, {seconds:.1} s: {what}\n   what to do: {remedy}"));
            }
            Outcome::Skipped(reason) => console.skip(name, reason),
        }
        Done { name, outcome, remedy, took }
    }
}

fn run_all(console: &mut Console, commands: &[CommandLine]) -> Result<Outcome, Error> {
    let mut failed = Vec::new();
    for command in commands {
        if !console.run(command)? {
            failed.push(command.to_string());
        }
    }
    Ok(if failed.is_empty() { Outcome::Ok } else { Outcome::Failed(failed.join("; ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(work: Work) -> (Outcome, Console) {
        let mut console = Console::unseen();
        let done = Step { name: "try", work, remedy: "nothing" }.run(&mut console, &Workspace::empty());
        (done.outcome, console)
    }

    #[test]
    fn a_failed_command_is_named_and_the_next_one_runs() {
        let commands = ["exit 1", "echo SKIPPED: this ran", "exit 2"]
            .map(|script| CommandLine::new("sh").arg("-c").arg(script));
        let (outcome, console) = run(Work::Commands(commands.into()));
        assert_eq!(outcome, Outcome::Failed("sh -c 'exit 1'; sh -c 'exit 2'".into()));
        assert_eq!(console.tally.skips, ["SKIPPED: this ran"]);
    }

    #[test]
    fn what_cannot_run_has_failed() {
        let (outcome, _) = run(Work::Commands(vec![CommandLine::new("no-such-program-anywhere")]));
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    }

    #[test]
    fn a_skipped_step_is_counted() {
        let (outcome, console) = run(Work::Check(|_, _| Ok(Outcome::Skipped("no such tool here".into()))));
        assert_eq!(outcome, Outcome::Skipped("no such tool here".into()));
        assert_eq!(console.tally.skips, ["SKIPPED: try: no such tool here"]);
    }
}
