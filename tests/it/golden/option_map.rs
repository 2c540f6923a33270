//! The options that a config holds, as they would be written into a file.

use super::config_case::Replay;
use super::difference::Difference;
use super::option_keys as keys;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stillframe::config::{CheckpointConfig, ConfigOption, OPTIONS, OptionType, parse_duration};

/// What to expect under one of today's keys.
struct Expected {
    /// The recorded text; `None` where Flink overflowed while it wrote.
    text: Option<String>,
    /// Whether Flink keeps it as it was typed.
    is_as_typed: bool,
}

pub(crate) fn compare(replay: &mut Replay, recorded: &Value) {
    let Some(recorded) = entries(replay, recorded) else { return };
    let ours = replay.config.to_options();
    read_back(replay);

    for key in recorded.keys().filter(|key| keys::read_under(key).next().is_none()) {
        if replay.unknown.contains(key) {
            replay.differences.insert(Difference::UnknownKeysReported);
        } else {
            replay.findings.push(format!("config: the unknown key {key} was not reported"));
        }
    }
    if ours.iter().any(|(key, _)| key.starts_with(keys::OURS)) {
        if replay.config.checkpoint_storage().is_some() {
            replay.differences.insert(Difference::StorageByValueIsWritten);
        } else {
            replay.findings.push("config: a storage was written, and none was set by program".into());
        }
    }
    for option in OPTIONS {
        let expected = expected(replay, option, &recorded);
        let ours = ours.get(option.key());
        match (expected, ours) {
            (Some(expected), Some(ours)) => text(replay, option.key(), &expected, ours),
            (None, None) => {}
            (expected, ours) => {
                let recorded = expected.map(|expected| json!(expected.text));
                let (recorded, ours) = (recorded.unwrap_or_default(), json!(ours));
                let what = format!("config {}", option.key());
                replay.differ(&[option.key()], || format!("{what}: expected {recorded}, ours {ours}"));
            }
        }
    }
    let strangers = ours
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !key.starts_with(keys::OURS) && !OPTIONS.iter().any(|option| option.key() == *key));
    replay.findings.extend(strangers.map(|key| format!("config: {key} is written and in no table")));
}

/// The recorded texts. Without them, because Flink could not write one of them, the keys alone.
fn entries(replay: &mut Replay, recorded: &Value) -> Option<BTreeMap<String, Option<String>>> {
    let Some(refusal) = recorded.get("raises") else {
        return match keys::options(recorded) {
            Ok(options) => {
                Some(options.iter().map(|(key, text)| (key.to_owned(), Some(text.to_owned()))).collect())
            }
            Err(error) => {
                replay.findings.push(format!("config: {error}"));
                None
            }
        };
    };
    let fields = recorded.as_object().map(|fields| keys::unknown_fields(fields, &["raises", "keys"]));
    replay.findings.extend(fields.into_iter().flatten());
    let keys = recorded["keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if refusal["java_class"] == "java.lang.ArithmeticException" {
        let keys: Vec<_> = keys.collect();
        let written = replay.config.to_options();
        if durations().any(|option| written.get(option.key()).is_some_and(overflows)) {
            replay.differences.insert(Difference::EveryValueCanBeWritten);
        } else {
            // Flink may hold one that we refused together with another.
            let held = durations().filter(|option| keys::names(option).any(|name| keys.contains(&name)));
            let held: Vec<_> = held.map(|option| option.key()).collect();
            replay.differ(&held, || {
                format!("config: Flink overflowed, and no duration is that long: {keys:?}")
            });
        }
        Some(keys.into_iter().map(|key| (key.to_owned(), None)).collect())
    } else {
        replay.findings.push(format!("config: Flink could not write it: {refusal}"));
        None
    }
}

fn durations() -> impl Iterator<Item = &'static ConfigOption> {
    OPTIONS.iter().filter(|option| option.option_type() == OptionType::Duration)
}

/// Whether Flink, which counts nanoseconds in signed numbers while it writes, cannot write this duration.
fn overflows(text: &str) -> bool {
    let duration = parse_duration("what we wrote", text);
    duration.is_ok_and(|duration| i64::try_from(duration.as_nanos()).is_err())
}

/// What to expect of an option: the first text that stands under one of its names.
fn expected(
    replay: &mut Replay,
    option: &'static ConfigOption,
    recorded: &BTreeMap<String, Option<String>>,
) -> Option<Expected> {
    let texts =
        recorded.iter().map(|(key, text)| (key.as_str(), text.as_deref().unwrap_or_default())).collect();
    let (name, _) = keys::found(option, &texts)?;
    let is_old = name != option.key();
    if keys::names(option).skip(1).any(|old| recorded.contains_key(old)) {
        replay.differences.insert(Difference::TodaysKeys);
    }
    let text = recorded.get(name).cloned().flatten();
    Some(Expected { text, is_as_typed: is_old || !keys::is_applied(option.key()) })
}

fn text(replay: &mut Replay, key: &'static str, expected: &Expected, ours: &str) {
    let Some(recorded) = &expected.text else { return };
    if recorded == ours {
        return;
    }
    if expected.is_as_typed && keys::as_we_write_it(key, recorded).as_deref() == Some(ours) {
        replay.differences.insert(Difference::OneTextPerValue);
        return;
    }
    replay.compare(&format!("config {key}"), &json!(recorded), &json!(ours), &[key]);
}

/// What we write, we read as the same.
fn read_back(replay: &mut Replay) {
    let written = replay.config.to_options();
    match CheckpointConfig::from_options(&written) {
        Ok((config, report)) if config == replay.config && report.unknown.is_empty() => {}
        Ok(_) => {
            let text = written.to_flink_conf();
            replay.findings.push(format!("config: what is written reads as something else: {text:?}"));
        }
        Err(errors) => replay.findings.push(format!("config: what is written is refused: {errors}")),
    }
}
