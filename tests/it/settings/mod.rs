//! Every setting changes something: for each that is read there are two runs of the smallest machine that reads it, which
//! differ in that setting and in nothing else, and do not do the same. What nothing reads yet is [reported](pending).
//!
//! The tests are listed here with the key that they are about, and `tidy::settings` holds the list against the options and
//! against `docs/architecture.md`. [`differences`] pins what the settings deliberately do otherwise than Flink's.

mod coordinating;
mod differences;
mod driven;
mod files;
mod pending;
mod removing;
mod resolving;
mod restoring;
mod statistics;
mod taking_part;

use std::cell::Cell;
use std::fmt::Debug;
use stillframe::config::{CheckpointConfig, EffectiveConfig, GraphDescription, Options};

/// A setting that is to be shown to change something.
pub(crate) struct Setting {
    key: &'static str,
    shown: Cell<bool>,
}

impl Setting {
    const fn new(key: &'static str) -> Self {
        Self { key, shown: Cell::new(false) }
    }

    /// What two runs did, with one value and with the other, and the same `beside` it.
    ///
    /// # Panics
    /// If both did the same.
    fn changes<R: Debug + PartialEq>(
        &self,
        values: [&str; 2],
        beside: &[(&str, &str)],
        run: impl Fn(&CheckpointConfig) -> R,
    ) -> [R; 2] {
        let configs = values.map(|value| config(beside.iter().copied().chain([(self.key, value)])));
        let written = configs.each_ref().map(CheckpointConfig::to_options);
        let [one, other] = written.each_ref().map(|options| options.iter().collect::<Vec<_>>());
        assert_eq!(one.len(), beside.len() + 1, "{one:?} is more than what was set");
        let differing = one.iter().zip(&other).filter(|(one, other)| one != other).collect::<Vec<_>>();
        assert!(
            matches!(differing[..], [((key, _), (same, _))] if key == same && *key == self.key),
            "the two runs should differ in {} alone, and differ in {differing:?}",
            self.key
        );
        let ran = configs.each_ref().map(run);
        assert_ne!(ran[0], ran[1], "{} changed nothing between {values:?}", self.key);
        self.shown.set(true);
        ran
    }

    fn shown_by(&self, test: impl Fn(&Self)) {
        test(self);
        assert!(self.shown.get(), "the test of {} did not compare two runs", self.key);
    }
}

/// A config with these settings, as from a file.
fn config<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> CheckpointConfig {
    let options: Options = settings.into_iter().collect();
    let (config, report) = CheckpointConfig::from_options(&options).expect("the values are allowed");
    assert_eq!(report.unknown, [], "every key is one of ours");
    config
}

/// What applies to a graph about which there is nothing to say.
fn effective(config: &CheckpointConfig) -> EffectiveConfig {
    config.resolve(&GraphDescription::default()).expect("no rule is broken").effective
}

macro_rules! every_setting {
    ($($place:ident::$test:ident: $key:literal;)+) => {
        /// Every setting that is read, with the test that shows it.
        pub(crate) const TESTS: &[(&str, &str)] = &[$(($key, concat!("settings::", stringify!($test)))),+];

        $(
            #[test]
            fn $test() {
                Setting::new($key).shown_by($place::$test);
            }
        )+
    };
}

every_setting! {
    coordinating::interval: "execution.checkpointing.interval";
    coordinating::interval_during_backlog: "execution.checkpointing.interval-during-backlog";
    taking_part::mode: "execution.checkpointing.mode";
    coordinating::timeout: "execution.checkpointing.timeout";
    coordinating::min_pause: "execution.checkpointing.min-pause";
    coordinating::max_concurrent: "execution.checkpointing.max-concurrent-checkpoints";
    coordinating::tolerable_failures: "execution.checkpointing.tolerable-failed-checkpoints";
    coordinating::retention: "execution.checkpointing.externalized-checkpoint-retention";
    coordinating::num_retained: "execution.checkpointing.num-retained";
    removing::parallel_cleaner: "execution.checkpointing.cleaner.parallel-mode";
    coordinating::after_tasks_finish: "execution.checkpointing.checkpoints-after-tasks-finish";
    resolving::force: "execution.checkpointing.force";
    resolving::force_unaligned: "execution.checkpointing.unaligned.forced";
    files::storage: "execution.checkpointing.storage";
    files::dir: "execution.checkpointing.dir";
    files::savepoint_dir: "execution.checkpointing.savepoint-dir";
    files::inline_threshold: "execution.checkpointing.data-inline-threshold";
    files::write_buffer: "execution.checkpointing.write-buffer-size";
    taking_part::incremental: "execution.checkpointing.incremental";
    restoring::recovery_path: "execution.state-recovery.path";
    restoring::ignore_unclaimed_state: "execution.state-recovery.ignore-unclaimed-state";
    restoring::claim_mode: "execution.state-recovery.claim-mode";
    statistics::history: "web.checkpoints.history";
}

#[test]
#[should_panic(expected = "changed nothing")]
fn a_setting_that_changes_nothing_is_noticed() {
    Setting::new("execution.checkpointing.interval").changes(["1 s", "2 s"], &[], |_| "the same");
}

#[test]
#[should_panic(expected = "differ in execution.checkpointing.interval alone")]
fn two_values_that_are_one_are_noticed() {
    Setting::new("execution.checkpointing.interval").changes(["1 s", "1000 ms"], &[], |_| ());
}

#[test]
#[should_panic(expected = "did not compare two runs")]
fn a_test_that_compares_nothing_is_noticed() {
    Setting::new("execution.checkpointing.interval").shown_by(|_| ());
}
