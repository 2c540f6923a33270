//! Settings that nothing reads yet: whoever sets one is told so, by `resolve` and by the job.

use super::config;
use super::files::now;
use std::sync::{Arc, Mutex, PoisonError};
use stillframe::config::{
    Adjustment, CheckpointConfig, ConfigOption, GraphDescription, OPTIONS, OptionType, Reader,
};
use stillframe::prelude::*;
use stillframe::runtime::JobEvent;

/// The options that nothing reads, with what each waits for.
fn pending() -> impl Iterator<Item = (&'static ConfigOption, &'static str)> {
    OPTIONS.iter().filter_map(|option| match option.reader() {
        Reader::Pending(awaits) => Some((option, awaits)),
        _ => None,
    })
}

/// A value that is not the default.
fn another(option: &ConfigOption) -> &'static str {
    let other = match option.option_type() {
        OptionType::Boolean if option.default().as_deref() == Some("true") => "false",
        OptionType::Boolean => "true",
        OptionType::Integer => "70000",
        OptionType::Float => "7.5",
        OptionType::Duration => "70 s",
        OptionType::MemorySize => "7 mb",
        OptionType::Enum => "CLAIM",
        _ => "file:///somewhere/else",
    };
    assert_ne!(option.default().as_deref(), Some(other), "{}", option.key());
    other
}

/// A normal interval, which one during a backlog needs beside it.
const INTERVAL: (&str, &str) = ("execution.checkpointing.interval", "10 s");

fn adjustments(config: &CheckpointConfig) -> Vec<Adjustment> {
    config.resolve(&GraphDescription::default()).expect("no rule is broken").adjustments
}

#[test]
fn a_setting_that_nothing_reads_is_reported_until_something_does() {
    assert_eq!(adjustments(&CheckpointConfig::default()), []);
    for (option, awaits) in pending() {
        let key = option.key();
        let adjusted = adjustments(&config([INTERVAL, (key, another(option))]));
        assert_eq!(adjusted, [Adjustment::Pending { option: key, awaits }]);
        assert!(adjusted[0].to_string().starts_with(key) && adjusted[0].to_string().ends_with(awaits));
        if let Some(default) = option.default() {
            assert_eq!(adjustments(&config([INTERVAL, (key, &default)])), [], "{key} = {default}");
        }
    }
}

#[test]
fn a_setting_that_is_read_is_not_reported_as_pending() {
    for option in OPTIONS.iter().filter(|option| matches!(option.reader(), Reader::Read(_))) {
        let other = match option.key() {
            "execution.checkpointing.mode" => "AT_LEAST_ONCE",
            "execution.checkpointing.externalized-checkpoint-retention" => "RETAIN_ON_CANCELLATION",
            "execution.checkpointing.data-inline-threshold" => "1 mb",
            _ => another(option),
        };
        let needs_it = option.key() == "execution.checkpointing.interval-during-backlog";
        let beside = [INTERVAL].into_iter().filter(|_| needs_it);
        let adjusted = adjustments(&config(beside.chain([(option.key(), other)])));
        assert!(
            !adjusted.iter().any(|adjustment| matches!(adjustment, Adjustment::Pending { .. })),
            "{adjusted:?}"
        );
    }
}

#[test]
fn the_directories_of_the_storage_in_memory_are_used() {
    let adjusted = adjustments(&config([
        ("execution.checkpointing.storage", "jobmanager"),
        ("execution.checkpointing.dir", "file:///somewhere"),
        ("execution.checkpointing.savepoint-dir", "file:///somewhere/else"),
    ]));
    assert_eq!(adjusted, []);
}

/// What the observer of a job with this config hears of settings that do not apply as they are.
fn heard(config: &CheckpointConfig) -> Vec<Adjustment> {
    let mut graph = JobGraph::new();
    graph.source("numbers", 1, |task| Replay::new(task, vec![1_u64, 2, 3]));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let job = stillframe::job(graph, config).expect("no rule is broken").on_event(move |event| {
        if let JobEvent::Adjusted(adjustment) = event {
            sink.lock().unwrap_or_else(PoisonError::into_inner).push(**adjustment);
        }
    });
    now(job.run()).expect("nothing fails");
    heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[test]
fn the_observer_of_a_job_hears_of_it() {
    assert_eq!(heard(&CheckpointConfig::default()), []);
    for (option, awaits) in pending() {
        let key = option.key();
        let told = Adjustment::Pending { option: key, awaits };
        assert_eq!(heard(&config([INTERVAL, (key, another(option))])), [told]);
    }
}
