//! Measurements beside a reference from the same run, so that a figure means something on any machine.
//!
//! A bench makes rows. [`compare`] runs a case of our program, which brings a plain counterpart along, in turn with the
//! same case of a peer; [`flink`] is the one peer so far.

mod compare;
mod coordinator;
mod flights;
mod flink;
mod metadata;
mod row;
mod samples;
mod storage;

use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;
use row::Row;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What somebody may want otherwise.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Also write the figures to this file, as a JSON list
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure another system as well, in turn; it is installed below `target/peers`
    #[arg(long)]
    peer: Option<Peer>,
    /// Work in this directory, which should be on a disk, instead of below `target`
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

impl Options {
    /// The directory to work in.
    fn place(&self, workspace: &Workspace) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| workspace.target.join("bench"))
    }
}

/// A system that does the same things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Peer {
    Flink,
}

type Measure = fn(&mut Console, &Workspace, &Options) -> Result<Vec<Row>, Error>;

struct Bench {
    /// Under which it is asked for.
    name: &'static str,
    measure: Measure,
    /// Whether a peer has the same cases.
    has_peer: bool,
}

const BENCHES: [Bench; 4] = [
    Bench { name: "coordinator", measure: coordinator::measure, has_peer: true },
    Bench { name: "flights", measure: flights::measure, has_peer: false },
    Bench { name: "metadata", measure: metadata::measure, has_peer: true },
    Bench { name: "storage", measure: storage::measure, has_peer: true },
];

/// The verb. Missing a goal is shown and is no failure: a busy machine is not a broken program.
pub(crate) fn run(
    console: &mut Console,
    workspace: &Workspace,
    name: &str,
    options: &Options,
) -> Result<bool, Error> {
    let rows = (find(name, options.peer)?.measure)(console, workspace, options)?;
    for row in &rows {
        console.say(&row.to_string());
    }
    if let Some(path) = &options.json {
        write(path, &rows)?;
    }
    Ok(true)
}

fn find(name: &str, peer: Option<Peer>) -> Result<Bench, Error> {
    let known = BENCHES.map(|bench| bench.name).join(", ");
    match BENCHES.into_iter().find(|bench| bench.name == name) {
        None => Err(Error::Unknown { what: "bench", name: name.to_owned(), known }),
        Some(bench) if peer.is_some() && !bench.has_peer => {
            let with = BENCHES.iter().filter(|bench| bench.has_peer).map(|bench| bench.name);
            let known = with.collect::<Vec<_>>().join(", ");
            Err(Error::Unknown { what: "bench with a peer", name: name.to_owned(), known })
        }
        Some(bench) => Ok(bench),
    }
}

fn write(path: &Path, rows: &[Row]) -> Result<(), Error> {
    let rows = rows.iter().map(Row::to_json).collect::<Vec<Value>>();
    fs::write(path, format!("{:#}\n", Value::Array(rows))).map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_answered_with_what_does() {
        let said = |name, peer| find(name, peer).err().map(|error| error.to_string());
        assert_eq!(
            said("speed", None).unwrap(),
            "there is no bench `speed`; known: coordinator, flights, metadata, storage"
        );
        assert_eq!(
            said("flights", Some(Peer::Flink)).unwrap(),
            "there is no bench with a peer `flights`; known: coordinator, metadata, storage"
        );
        assert_eq!(said("storage", Some(Peer::Flink)), None);
    }
}
