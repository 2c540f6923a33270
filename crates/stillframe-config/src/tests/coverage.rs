//! What the drawn cases reach, so that the properties are about every setting.

use super::calls::config;
use crate::{CheckpointConfig, GraphDescription, OPTIONS};
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

fn drawn<T>(number: usize, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..number).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn every_option_is_set_and_left_out_by_some_drawn_config() {
    let configs = drawn(1_000, config());
    for option in OPTIONS {
        let has = |config: &&CheckpointConfig| config.to_options().get(option.key()).is_some();
        let set = configs.iter().filter(has).count();
        assert!(set > 0 && set < configs.len(), "{}: set by {set} of {}", option.key(), configs.len());
    }
}

#[test]
fn every_option_is_drawn_as_a_text_that_it_reads_and_as_one_that_it_refuses() {
    let drawn = drawn(20_000, (super::texts::option(), super::texts::text()));
    let mut seen: BTreeSet<(&str, bool)> = BTreeSet::new();
    for ((option, key), text) in drawn {
        let options = [(key, text)].into_iter().collect();
        seen.insert((option.key(), CheckpointConfig::from_options(&options).is_ok()));
    }
    for option in OPTIONS {
        assert!(seen.contains(&(option.key(), true)), "{}: nothing was read", option.key());
        // Where any text will do, none is refused.
        let takes_all = ["execution.checkpointing.local-backup.dirs", "execution.state-recovery.path"];
        assert_eq!(
            seen.contains(&(option.key(), false)),
            !takes_all.contains(&option.key()),
            "{}",
            option.key()
        );
    }
}

/// What every kind of violation and of adjustment begins with, and the storages.
#[test]
fn every_outcome_of_resolve_is_drawn() {
    let mut seen = BTreeSet::new();
    for (index, config) in drawn(4_000, config()).iter().enumerate() {
        let graph = GraphDescription::default()
            .with_batch(index % 5 == 0)
            .with_iterative(index % 3 == 0)
            .with_custom_partitioner(index % 4 == 0)
            .with_input_selectable(index % 7 == 0);
        let word = |debug: String| debug.split([' ', '(']).next().map(ToString::to_string);
        match config.resolve(&graph) {
            Ok(resolved) => {
                seen.extend(
                    resolved
                        .adjustments
                        .iter()
                        .filter_map(|adjustment| word(alloc::format!("{adjustment:?}"))),
                );
                let kind = resolved.effective.storage.kind;
                seen.extend(
                    ["jobmanager", "filesystem", "custom"]
                        .iter()
                        .filter(|known| kind == **known)
                        .map(ToString::to_string),
                );
            }
            Err(violations) => {
                seen.extend(violations.iter().filter_map(|violation| word(alloc::format!("{violation:?}"))));
            }
        }
    }
    for expected in [
        "MinPauseCapped",
        "IntervalRaised",
        "BatchWithoutCheckpoints",
        "UnalignedNeedsExactlyOnce",
        "RetainedRaised",
        "InlineThresholdIgnored",
        "WriteBufferRaised",
        "Unused",
        "IntervalIsNever",
        "Pending",
        "BacklogIntervalTooShort",
        "UnalignedNotConcurrent",
        "Iterations",
        "UnalignedIterations",
        "UnalignedCustomPartitioner",
        "InputSelectable",
        "UnalignedApproximateRecovery",
        "StorageWithoutDirectory",
        "Storage",
        "jobmanager",
        "filesystem",
        "custom",
    ] {
        assert!(seen.contains(expected), "{expected} is in none of the drawn cases: {seen:?}");
    }
}

/// The files with setters in them.
const SETTERS: [&str; 7] = [
    include_str!("../config/barriers.rs"),
    include_str!("../config/failures.rs"),
    include_str!("../config/files.rs"),
    include_str!("../config/recovery.rs"),
    include_str!("../config/retention.rs"),
    include_str!("../config/schedule.rs"),
    include_str!("../config/storage.rs"),
];

#[test]
fn every_setter_is_among_the_calls() {
    let calls = include_str!("calls.rs");
    let names: Vec<&str> = SETTERS
        .iter()
        .flat_map(|file| file.split("pub fn ").skip(1))
        .filter_map(|function| function.split(['(', '<']).next())
        .filter(|name| ["set_", "enable_", "disable_"].iter().any(|verb| name.starts_with(verb)))
        .collect();
    for name in &names {
        let is_called =
            [alloc::format!("::{name};"), alloc::format!(".{name}(")].iter().any(|call| calls.contains(call));
        assert!(is_called, "{name} is not among the calls that the properties make");
    }
    assert!(names.len() > OPTIONS.len(), "the setters were not found");
}
