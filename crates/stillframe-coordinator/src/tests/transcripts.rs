//! Transcripts: what happens to a coordinator and what it does about it, one file for each concern, to be read as a
//! specification.
//!
//! ```text
//! Prose is everything that begins with a letter.
//! job small interval=1s      a new coordinator; all tasks run, and the clock stands at 0
//! - start 500ms              sets the scene: what comes of it is not shown
//! > at 500ms                 happens, and what comes of it follows
//!   storage  locate 1        written by the machine, to be read by people
//! ```
//!
//! `UPDATE_EXPECT=1 cargo test -p stillframe-coordinator transcripts` writes down anew what comes of each event.

mod script;
mod words;

extern crate std;

use super::*;
use script::Script;
use std::path::PathBuf;
use std::{env, fs};

fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/transcripts");
    folder.join(std::format!("{name}.txt"))
}

fn check(name: &str) {
    let expected = fs::read_to_string(file(name)).unwrap();
    let found = run(&expected);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(file(name), &found).unwrap();
    } else {
        assert_eq!(found, expected, "{name}.txt; UPDATE_EXPECT=1 writes it anew");
    }
}

/// Plays a script, and gives it back with what came of its events.
fn run(text: &str) -> String {
    let mut script = None;
    let mut found = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        found.push_str(line);
        found.push('\n');
        if let Some(job) = line.strip_prefix("job ") {
            script = Some(Script::new(job));
        }
        let (events, is_shown) = match (line.strip_prefix("> "), line.strip_prefix("- ")) {
            (Some(events), _) => (events, true),
            (None, Some(events)) => (events, false),
            (None, None) => continue,
        };
        let script = script.as_mut().expect("a job comes before the first event");
        for event in events.split("; ") {
            let lines = script.play(event);
            for line in lines.lines().filter(|_| is_shown) {
                found.push_str("  ");
                found.push_str(line);
                found.push('\n');
            }
        }
    }
    found
}

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_transcript_is_played() {
            let files = fs::read_dir(file("x").parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
            let texts = files.filter(|path| path.extension().is_some_and(|kind| kind == "txt"));
            let mut texts: Vec<_> = texts.map(|path| path.file_stem().unwrap().to_str().unwrap().to_string()).collect();
            texts.sort();
            assert_eq!(texts, [$(stringify!($name)),*]);
        }
    };
}

transcripts! {
    acknowledging
    backlog
    declining
    failover
    finished_tasks
    levels
    pausing
    publishing
    queueing
    restoring
    retaining
    savepoints
    sharing
    stopping
    subsuming
    timing_out
    triggering
}
