use crate::api;
use crate::command::CommandLine;
use crate::configuration;
use crate::console::Console;
use crate::error::Error;
use crate::features;
use crate::licences;
use crate::machines;
use crate::packages;
use crate::proofs;
use crate::step::{Done, Outcome, Step, Work};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Everything that must hold, in the order in which it is cheapest to learn that it does not.
fn steps() -> Vec<Step> {
    vec![
        Step { name: "fmt", work: cargo(&["fmt --all -- --check"]), remedy: "run `cargo xtask fix`" },
        Step {
            name: "clippy",
            work: cargo(&[
                "clippy --workspace --all-targets --all-features -- -D warnings",
                "clippy --workspace --all-targets -- -D warnings",
                "clippy --workspace --all-targets --no-default-features -- -D warnings",
            ]),
            remedy: "run `cargo xtask fix`, and correct what it leaves; a lint that is wrong here gets an #[expect] with its reason",
        },
        Step {
            name: "docs",
            work: Work::Commands(vec![
                CommandLine::cargo("doc --workspace --no-deps --all-features")
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ]),
            remedy: "correct the links and the missing pages that rustdoc names",
        },
        Step {
            name: "tests",
            // Proofs have a step of their own. What passing tests print is asked for because of the skips in it.
            work: cargo(&[
                "test --workspace --all-features --all-targets --no-fail-fast -- --show-output --skip prove::",
            ]),
            remedy: "run the test that failed alone, with `cargo test -p CRATE NAME`",
        },
        Step {
            name: "doctests",
            work: cargo(&["test --workspace --all-features --doc --no-fail-fast -- --show-output"]),
            remedy: "correct the example in the documentation, which is what users will copy",
        },
        Step {
            name: "custom storage",
            // A package outside the workspace, as one of somebody else is.
            work: cargo(&["run --locked --manifest-path tests/custom-storage/Cargo.toml"]),
            remedy: "the example of a storage of one's own has to build and to complete checkpoints; its Cargo.lock follows \
                     the dependencies of the crates: `cargo update --workspace --manifest-path tests/custom-storage/Cargo.toml`",
        },
        Step {
            name: "proofs",
            work: Work::Check(proofs::check),
            remedy: "repeat it with `cargo xtask prove NAME --seed N` and the seed that was printed",
        },
        Step {
            name: "licences, bans, sources",
            work: Work::Check(licences::check),
            remedy: "use another dependency, or discuss the rule in deny.toml",
        },
        Step {
            name: "public API",
            work: Work::Check(api::check),
            remedy: "if the change is meant, run `cargo xtask fix`, review tests/api and mention it in CHANGELOG.md",
        },
        Step {
            name: "table of settings",
            work: Work::Check(configuration::check),
            remedy: "run `cargo xtask fix`; the table in docs/configuration.md is written from that in stillframe-config",
        },
        Step {
            name: "features",
            work: Work::Check(features::check),
            remedy: "run the command that failed; what it misses is usually a feature of a dependency or a #[cfg]",
        },
        Step {
            name: "no std",
            work: Work::Check(machines::no_std),
            remedy: "use core and alloc in this crate, and turn off the default features of what it depends on",
        },
        Step {
            name: "async-free",
            work: Work::Check(machines::async_free),
            remedy: "find the way in with `cargo tree -p CRATE -i RUNTIME`; futures belong to stillframe-runtime",
        },
        Step {
            name: "small config",
            work: Work::Check(machines::small_config),
            remedy: "put what needs the dependency behind a feature that stillframe-config does not enable",
        },
        Step {
            name: "packages",
            work: Work::Check(packages::check),
            remedy: "each package must build from its own files; look for a path that leaves the crate, or a version that is missing",
        },
    ]
}

fn cargo(lines: &[&str]) -> Work {
    Work::Commands(lines.iter().copied().map(CommandLine::cargo).collect())
}

/// Runs all steps, also those after a failure, and sums up. `false` if one failed.
pub(crate) fn run(console: &mut Console, workspace: &Workspace) -> Result<bool, Error> {
    let done = steps().into_iter().map(|step| step.run(console, workspace)).collect::<Vec<_>>();
    for line in summary(&done, &console.tally) {
        console.say(&line);
    }
    Ok(!done.iter().any(|done| matches!(done.outcome, Outcome::Failed(_))))
}

/// What a person reads who was away: what failed, what the proofs found, what was not looked at, how much was tested.
fn summary(done: &[Done], tally: &Tally) -> Vec<String> {
    let mut lines = vec![String::new(), "== summary".to_owned()];
    let [mut ok, mut failed, mut skipped] = [0_u32; 3];
    for Done { name, outcome, remedy, took } in done {
        let (word, detail) = match outcome {
            Outcome::Ok => {
                ok += 1;
                ("ok", String::new())
            }
            Outcome::Failed(what) => {
                failed += 1;
                ("FAILED", format!("  {what}; {remedy}"))
            }
            Outcome::Skipped(reason) => {
                skipped += 1;
                ("skipped", format!("  {reason}"))
            }
        };
        lines.push(
            format!("{word:<8}{:>7.1} s  {name:<24}{detail}", took.as_secs_f64()).trim_end().to_owned(),
        );
    }
    lines.push(String::new());
    if !tally.proofs.is_empty() {
        lines.push("proofs:".to_owned());
        lines.extend(tally.proofs.iter().map(|proof| format!("  {proof}")));
        lines.push(String::new());
    }
    lines.extend(tally.skips.iter().cloned());
    lines.push(format!("skips: {}", tally.skips.len()));
    lines.push(format!("steps: {ok} ok, {failed} failed, {skipped} skipped"));
    lines.push(format!("tests: {} passed, {} failed, {} ignored", tally.passed, tally.failed, tally.ignored));
    lines.push(format!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Stream;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn every_step_has_a_name_of_its_own_and_says_what_to_do() {
        let steps = steps();
        let names = steps.iter().map(|step| step.name).collect::<BTreeSet<_>>();
        assert_eq!(names.len(), steps.len());
        for step in steps {
            assert!(step.remedy.contains(' ') && !step.remedy.ends_with('.'), "{}", step.name);
        }
    }

    #[test]
    fn the_summary_has_a_line_for_each_proof() {
        let mut tally = Tally::default();
        let proofs = ["recovery: 40 cases, 0 violations, 0 skipped, 1.2 s; seed 7", "storage/crash: 9 cases"];
        tally.proofs.extend(proofs.map(str::to_owned));
        let lines = summary(&[], &tally);
        let at = lines.iter().position(|line| line == "proofs:").expect("a part about proofs");
        assert_eq!(lines[at + 1..at + 3], proofs.map(|proof| format!("  {proof}")));
    }

    #[test]
    fn the_summary_repeats_what_failed_and_what_was_skipped() {
        let took = Duration::from_millis(1250);
        let done = [
            Done { name: "fmt", outcome: Outcome::Ok, remedy: "fix", took },
            Done { name: "docs", outcome: Outcome::Failed("a link".into()), remedy: "mend it", took },
            Done { name: "packages", outcome: Outcome::Skipped("no cargo".into()), remedy: "get one", took },
        ];
        let mut tally = Tally::default();
        for line in [
            "SKIPPED: packages: no cargo",
            "SKIPPED: no fuse",
            "test result: ok. 7 passed; 0 failed; 1 ignored;",
        ] {
            tally.see(Stream::Stdout, line);
        }
        let expected = [
            "",
            "== summary",
            "ok          1.2 s  fmt",
            "FAILED      1.2 s  docs                      a link; mend it",
            "skipped     1.2 s  packages                  no cargo",
            "",
            "SKIPPED: packages: no cargo",
            "SKIPPED: no fuse",
            "skips: 2",
            "steps: 1 ok, 1 failed, 1 skipped",
            "tests: 7 passed, 0 failed, 1 ignored",
            "7 passed, 0 failed, 3 skipped",
        ];
        assert_eq!(summary(&done, &tally), expected);
    }
}
