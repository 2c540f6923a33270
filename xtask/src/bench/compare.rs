//! Runs cases of our program, and the same of a peer, in turn.

use super::Options;
use super::flink::Flink;
use super::samples::Samples;
use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All cases are gone through this often, so that the machine's better and worse minutes fall on all of them.
const ROUNDS: usize = 3;

/// A case, as our program knows it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// How often it measures in each round.
    pub(crate) repetitions: usize,
    /// The peer's case that does the same, with its arguments.
    pub(crate) peer: Option<(&'static str, &'static str)>,
}

/// What a program measured, by figure.
pub(crate) type Figures = BTreeMap<String, Samples>;

/// What was measured of one case.
#[derive(Debug)]
pub(crate) struct Measured {
    ours: Figures,
    /// Or why there is nothing.
    peer: Result<Figures, String>,
}

impl Measured {
    /// A figure that our program printed.
    ///
    /// # Errors
    /// If it printed none of this name.
    pub(crate) fn ours(&self, figure: &str) -> Result<Samples, Error> {
        self.ours.get(figure).cloned().ok_or_else(|| Error::Output {
            command: "measure".into(),
            detail: format!("no figure `{figure}`"),
        })
    }

    /// A figure of the peer's, or why there is none.
    pub(crate) fn peer(&self, figure: &str) -> Result<Samples, String> {
        let figures = self.peer.as_ref().map_err(String::clone)?;
        figures.get(figure).cloned().ok_or_else(|| format!("the peer printed no figure `{figure}`"))
    }
}

/// What was measured, by the names of the cases.
#[derive(Debug)]
pub(crate) struct Comparison(BTreeMap<&'static str, Measured>);

impl Comparison {
    /// The case of this name.
    ///
    /// # Errors
    /// If it was not among those that were run.
    pub(crate) fn case(&self, name: &str) -> Result<&Measured, Error> {
        let known = || self.0.keys().copied().collect::<Vec<_>>().join(", ");
        self.0.get(name).ok_or_else(|| Error::Unknown {
            what: "measured case",
            name: name.to_owned(),
            known: known(),
        })
    }

    /// Builds our program, installs the peer if one was asked for, and runs the cases.
    ///
    /// # Errors
    /// If our program fails. Why the peer does not run is a part of what was measured.
    pub(crate) fn run(
        console: &mut Console,
        workspace: &Workspace,
        options: &Options,
        cases: &[Case],
    ) -> Result<Self, Error> {
        let build = CommandLine::cargo("build --release --package stillframe-tests --example measure");
        if !console.run(&build)? {
            return Err(Error::Command { command: build.to_string(), detail: "see above".into() });
        }
        let program = workspace.target.join("release/examples/measure");
        let place = options.place(workspace);
        let peer = match options.peer {
            None => Err("not asked for; add `--peer flink`".to_owned()),
            Some(super::Peer::Flink) => Flink::install(console, workspace, &place),
        };
        let mut measured = BTreeMap::new();
        for round in 1..=ROUNDS {
            for case in cases {
                console.say(&format!("round {round} of {ROUNDS}: {}", case.name));
                let ours = run_ours(&program, &place, case)?;
                let theirs = run_peer(console, peer.as_ref(), case);
                let now = Measured { ours, peer: theirs };
                let before = measured.remove(case.name);
                measured.insert(case.name, together(before, now));
            }
        }
        Ok(Self(measured))
    }
}

fn run_ours(program: &PathBuf, place: &Path, case: &Case) -> Result<Figures, Error> {
    let command = CommandLine::new(program).arg(case.name).arg(place).arg(case.repetitions.to_string());
    let output = command.output()?;
    figures(&output)
        .ok_or_else(|| Error::Output { command: command.to_string(), detail: output.trim().to_owned() })
}

fn run_peer(console: &mut Console, peer: Result<&Flink, &String>, case: &Case) -> Result<Figures, String> {
    let peer = peer.map_err(String::clone)?;
    let (class, flags) = case.peer.ok_or("the peer has no such case")?;
    let output = peer.run(console, class, flags)?;
    figures(&output).ok_or_else(|| format!("the peer printed no figures, but: {}", output.trim()))
}

/// The lists of numbers in the last line that is a JSON object. A figure is such a list, or has one called `values`; a single
/// number is a list of one.
fn figures(output: &str) -> Option<Figures> {
    let objects = output.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let Value::Object(fields) = objects.into_iter().find(Value::is_object)? else { return None };
    let samples = |value: &Value| {
        let value = value.get("values").unwrap_or(value);
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>().and_then(Samples::new)
    };
    Some(fields.iter().filter_map(|(name, value)| Some((name.clone(), samples(value)?))).collect())
}

/// What several rounds measured. A peer that failed once has nothing to say: what it managed in the other rounds may be its
/// better or its worse half.
fn together(before: Option<Measured>, now: Measured) -> Measured {
    let Some(before) = before else { return now };
    let merge = |mut all: Figures, more: Figures| {
        for (name, samples) in more {
            let samples = match all.remove(&name) {
                Some(others) => others.with(samples),
                None => samples,
            };
            all.insert(name, samples);
        }
        all
    };
    Measured {
        ours: merge(before.ours, now.ours),
        peer: before.peer.and_then(|before| Ok(merge(before, now.peer?))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{coordinator, metadata, storage};
    use super::*;

    #[test]
    fn our_program_knows_every_case() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let program = std::fs::read_to_string(root.join("tests/measure/main.rs")).unwrap();
        for case in coordinator::CASES.iter().chain(&metadata::CASES).chain(&storage::CASES) {
            assert!(program.contains(&format!("(\"{}\", |", case.name)), "{}", case.name);
        }
    }

    #[test]
    fn figures_are_read_from_either_program() {
        let ours = figures(r#"{"ours": [2.0, 1.0], "text": "x", "none": []}"#).unwrap();
        assert_eq!(ours, Figures::from([("ours".into(), Samples::from([1.0, 2.0]))]));
        let peer =
            "WARN something\n{\"w\": {\"n\": 1, \"values\": [3]}, \"bytes\": 7, \"load\": {\"x\": 1}}\nbye\n";
        let peer = figures(peer).unwrap();
        let expected = [("bytes".into(), Samples::from([7.0])), ("w".into(), Samples::from([3.0]))];
        assert_eq!(peer, Figures::from(expected));
        assert_eq!(figures("nothing\n[1]\n"), None);
    }

    #[test]
    fn rounds_are_put_together_and_one_failure_of_a_peer_spoils_all() {
        let of = |value| Figures::from([("x".to_owned(), Samples::from([value]))]);
        let round = |value| Measured { ours: of(value), peer: Ok(of(value + 10.0)) };
        let both = together(Some(round(1.0)), together(None, round(2.0)));
        assert_eq!(both.ours("x").unwrap(), Samples::from([1.0, 2.0]));
        assert_eq!(both.peer("x").unwrap(), Samples::from([11.0, 12.0]));
        assert!(both.ours("y").is_err());
        assert!(both.peer("y").is_err());
        let failed = Measured { ours: of(3.0), peer: Err("out of memory".into()) };
        for all in [together(Some(failed), round(1.0)), {
            let failed = Measured { ours: of(3.0), peer: Err("out of memory".into()) };
            together(Some(round(1.0)), failed)
        }] {
            assert_eq!(all.peer("x"), Err("out of memory".to_owned()));
            assert_eq!(all.ours("x").unwrap(), Samples::from([1.0, 3.0]));
        }
    }
}
