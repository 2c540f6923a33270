//! Any calls in any order. Each property is what a sentence of the documentation promises.

use super::calls::{Call, config};
use super::effective::{assert_settled, assert_valid};
use super::texts;
use crate::{Adjustment, CheckpointConfig, CheckpointingMode, GraphDescription, OPTIONS, Options};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use proptest::prelude::*;
use stillframe_model::{FileSystemDescriptor, Redacted, StorageDescriptor};

fn graph() -> impl Strategy<Value = GraphDescription> {
    let often_not = || prop::bool::weighted(0.2);
    (often_not(), often_not(), often_not(), often_not()).prop_map(
        |(batch, iterative, custom_partitioner, input_selectable)| {
            GraphDescription::default()
                .with_batch(batch)
                .with_iterative(iterative)
                .with_custom_partitioner(custom_partitioner)
                .with_input_selectable(input_selectable)
        },
    )
}

/// Every getter, so that none panics for anything that can be set.
fn read_everything(config: &CheckpointConfig) {
    let whole_millis =
        |duration: Duration| assert_eq!(duration.subsec_nanos() % 1_000_000, 0, "{duration:?}");
    let _ =
        (config.is_checkpointing_enabled(), config.checkpointing_mode(), config.max_concurrent_checkpoints());
    config.checkpoint_interval().into_iter().for_each(whole_millis);
    config.checkpoint_interval_during_backlog().into_iter().for_each(whole_millis);
    whole_millis(config.checkpoint_timeout());
    whole_millis(config.min_pause_between_checkpoints());
    let limit = CheckpointConfig::UNLIMITED_TOLERABLE_FAILURE_NUMBER;
    assert!(config.tolerable_checkpoint_failure_number() <= limit);
    assert_eq!(config.is_fail_on_checkpointing_errors(), config.tolerable_checkpoint_failure_number() == 0);
    assert_eq!(config.externalized_checkpoint_cleanup(), config.externalized_checkpoint_retention());
    let _ = (config.is_externalized_checkpoints_enabled(), config.num_retained_checkpoints());
    let _ = (config.is_unaligned_checkpoints_enabled(), config.alignment_timeout());
    let _ = (config.checkpoint_storage(), config.checkpoint_storage_dir(), config.checkpoint_storage_kind());
    let _ = (config.savepoint_dir(), config.data_inline_threshold(), config.write_buffer_size());
    assert!(config.file_merging_max_space_amplification().is_finite());
    let _ = (config.is_local_backup_enabled(), config.is_local_recovery_enabled(), config.recovery_path());
    let _ = alloc::format!("{config:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No call panics, and what is refused changes nothing and says which option it was.
    #[test]
    fn a_call_that_is_refused_changes_nothing(calls in proptest::collection::vec(Call::any(), 0..24)) {
        let mut config = CheckpointConfig::default();
        for call in calls {
            let before = config.clone();
            if let Err(errors) = call.apply(&mut config) {
                prop_assert_eq!(&config, &before, "{:?}", call);
                prop_assert!(!errors.is_empty());
                for error in errors {
                    let text = error.to_string();
                    let option = error.option();
                    prop_assert!(text.starts_with(option), "{}", text);
                    prop_assert!(text.contains(" is not allowed (allowed: "), "{}", text);
                    let is_ours = OPTIONS.iter().any(|known| known.key() == option);
                    prop_assert!(is_ours || option.starts_with("stillframe.storage."), "{}", text);
                }
            }
            read_everything(&config);
        }
    }

    /// `resolve` answers every config with a valid value or with all that is wrong with it.
    #[test]
    fn every_config_is_resolved_or_refused_with_reasons(config in config(), graph in graph()) {
        match config.resolve(&graph) {
            Ok(resolved) => {
                assert_valid(&resolved.effective);
                if resolved.effective.barriers.unaligned.is_some() {
                    prop_assert!(config.is_checkpointing_enabled() && !graph.batch);
                    prop_assert_eq!(config.checkpointing_mode(), CheckpointingMode::ExactlyOnce);
                }
                if graph.batch || !config.is_checkpointing_enabled() {
                    prop_assert_eq!(resolved.effective.schedule.interval, None);
                    prop_assert_eq!(resolved.effective.schedule.interval_during_backlog, None);
                }
                for adjustment in resolved.adjustments {
                    let text = adjustment.to_string();
                    prop_assert!(text.starts_with(adjustment.option()), "{}", text);
                }
            }
            Err(violations) => {
                prop_assert!(violations.iter().count() > 0);
                for violation in violations.iter() {
                    let text = violation.to_string();
                    prop_assert!(text.starts_with(violation.option()), "{}", text);
                    prop_assert!(text.contains("(allowed: "), "{}", text);
                }
            }
        }
    }

    /// What applies is a fixed point: asked for, it is granted as it is.
    #[test]
    fn what_applies_can_be_asked_for(config in config(), graph in graph()) {
        if let Ok(resolved) = config.resolve(&graph) {
            assert_settled(&resolved.effective, &graph);
        }
    }

    /// What is not adjusted is what was asked for.
    #[test]
    fn nothing_is_changed_in_silence(config in config()) {
        let Ok(resolved) = config.resolve(&GraphDescription::default()) else { return Ok(()) };
        let schedule = &resolved.effective.schedule;
        let has = |of: fn(&Adjustment) -> bool| resolved.adjustments.iter().any(of);
        let is_adjusted = has(|a| {
            matches!(a, Adjustment::IntervalRaised { .. })
                || *a == Adjustment::IntervalIsNever { option: "execution.checkpointing.interval" }
        });
        prop_assert_eq!(schedule.interval != config.checkpoint_interval(), is_adjusted);
        prop_assert_eq!(
            schedule.min_pause != config.min_pause_between_checkpoints(),
            has(|a| matches!(a, Adjustment::MinPauseCapped { .. }))
        );
        prop_assert_eq!(
            config.is_checkpointing_enabled()
                && config.is_unaligned_checkpoints_enabled()
                && resolved.effective.barriers.unaligned.is_none(),
            has(|a| matches!(a, Adjustment::UnalignedNeedsExactlyOnce))
        );
        let buffer = |storage: &StorageDescriptor| {
            let files = FileSystemDescriptor::try_from(storage).ok()?;
            // What was asked for may be below zero, which the getter does not say.
            Some(files.explicit_write_buffer_size().map_or_else(|| config.settings.write_buffer().into(), i64::from))
        };
        let asked = config.checkpoint_storage().and_then(buffer);
        let applies = buffer(&resolved.effective.storage);
        let is_set = config.checkpoint_storage().is_some_and(|storage| {
            let buffer = StorageDescriptor::FS_WRITE_BUFFER_SIZE;
            storage.options.contains_key(buffer) || config.to_options().get(buffer).is_some()
        });
        if let (Some(asked), Some(applies), true) = (asked, applies, is_set) {
            prop_assert_eq!(applies != asked, has(|a| matches!(a, Adjustment::WriteBufferRaised { .. })));
        }
    }

    /// A config is its options: written and read, through each of the formats, it is the same.
    #[test]
    fn what_is_written_reads_back_as_the_same(config in config()) {
        let options = config.to_options();
        let (read, report) = CheckpointConfig::from_options(&options).unwrap_or_else(|errors| panic!("{errors}"));
        prop_assert_eq!(&read, &config);
        prop_assert!(report.unknown.is_empty() && report.renamed.is_empty(), "{:?}", report);
        prop_assert_eq!(&read.to_options(), &options);
        for text in [options.to_flink_conf(), options.to_toml()] {
            prop_assert_eq!(Options::parse(&text), Ok(options.clone()), "{}", text);
        }
        // Onto a config that has settings of its own, it changes those that it has.
        let mut other = CheckpointConfig::default();
        other.set_checkpoints_history_size(77).set_file_merging(true);
        let written = other.to_options();
        let _ = other.configure(&options).unwrap_or_else(|errors| panic!("{errors}"));
        let after = other.to_options();
        for (key, value) in written.iter() {
            prop_assert_eq!(after.get(key), options.get(key).or(Some(value)));
        }
    }

    /// Options are whatever they are, and a file of them says so.
    #[test]
    fn any_options_can_be_written_and_read(options in texts::options()) {
        for text in [options.to_flink_conf(), options.to_toml()] {
            prop_assert_eq!(Options::parse(&text), Ok(options.clone()), "{}", text);
        }
    }

    /// A line that cannot be read is named.
    #[test]
    fn any_text_is_read_or_refused_with_its_line(
        text in texts::text(),
        more in any::<String>(),
        nested in texts::lines(),
    ) {
        let lines = [text.as_str(), &more].join("\n");
        for text in [&text, &more, &lines, &nested] {
            if let Err(error) = Options::parse(text) {
                prop_assert!((1..=text.lines().count()).contains(&error.line()), "{}", error);
            }
        }
    }

    /// A nested file says the same as the flat one, however its sections are indented.
    #[test]
    fn sections_say_the_same_as_keys_with_dots(
        values in proptest::collection::btree_map("[a-d](\\.[a-d]){0,3}", texts::text(), 0..12),
        step in 1_usize..5,
    ) {
        // A key that is also a section has no place in a nested file.
        let is_section = |key: &String| values.keys().any(|other| other.starts_with(&alloc::format!("{key}.")));
        let options: Options = values.iter().filter(|(key, _)| !is_section(key)).collect();
        let mut text = String::new();
        let mut path: Vec<&str> = Vec::new();
        for (key, value) in options.iter() {
            let parts: Vec<&str> = key.split('.').collect();
            let (sections, leaf) = (&parts[..parts.len() - 1], parts[parts.len() - 1]);
            let shared = path.iter().zip(sections).take_while(|(open, section)| open == section).count();
            for (depth, section) in sections.iter().enumerate().skip(shared) {
                text.push_str(&alloc::format!("{}{section}:  # below\n\n", " ".repeat(depth * step)));
            }
            path = sections.to_vec();
            let single: Options = [(leaf, value)].into_iter().collect();
            text.push_str(&" ".repeat(sections.len() * step));
            text.push_str(&single.to_flink_conf());
        }
        prop_assert_eq!(Options::parse(&text), Ok(options), "{}", text);
    }

    /// Every option reads any text, and writes what it has read; or it says what is wrong with it.
    #[test]
    fn every_option_takes_any_text_or_says_why_not((option, key) in texts::option(), text in texts::text()) {
        let options: Options = [(key, text.as_str())].into_iter().collect();
        match CheckpointConfig::from_options(&options) {
            Ok((config, report)) => {
                prop_assert!(report.unknown.is_empty());
                let written = config.to_options();
                prop_assert!(written.get(option.key()).is_some(), "{:?}", written);
                let (again, _) = CheckpointConfig::from_options(&written).unwrap();
                prop_assert_eq!(&again, &config);
                prop_assert_eq!(again.to_options(), written);
            }
            Err(errors) => {
                let messages: Vec<_> =
                    errors.iter().filter(|error| error.option() == option.key()).map(ToString::to_string).collect();
                prop_assert_eq!(messages.len(), 1, "{}", errors);
                prop_assert!(messages[0].contains(key), "{}", messages[0]);
                // All of it, but for the end of a very long one and for what may be a password.
                let shown = Redacted::new(&text).quote();
                prop_assert!(text.contains(['@', '?']) || text.len() > 200 || shown.contains(&text.escape_debug().to_string()));
                let is_named = messages[0].contains(&shown) || text.is_empty() && messages[0].contains("an empty text");
                prop_assert!(is_named, "{}", messages[0]);
            }
        }
    }
}
