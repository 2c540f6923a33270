//! Flink's options against ours.

use super::super::difference::Difference;
use super::super::option_keys as keys;
use super::super::tally::Outcome;
use super::not_understood;
use serde_json::Value;
use stillframe::config::{ConfigOption, OptionType};

/// Where Flink keeps what checkpoints are about. An option here that we do not have is missing.
const OURS: [&str; 3] = ["execution.checkpointing.", "execution.state-recovery.", "web.checkpoints."];

/// One option: its key, the older ones, its type and its default.
pub(super) fn option(kind: &str, name: &str, recorded: &Value) -> Outcome {
    let (Some(key), Some(flinks_type)) = (recorded["key"].as_str(), recorded["type"].as_str()) else {
        return not_understood(kind, name, recorded);
    };
    let name = format!("{name} ({key})");
    let mut findings = Vec::new();
    let under_key = keys::option(key);
    // What has a new name in one of Flink's classes can still have its old one in another.
    let Some(option) = under_key.or_else(|| keys::read_under(key).next()) else {
        return if OURS.iter().any(|prefix| key.starts_with(prefix)) {
            Outcome::found(kind, name, vec!["it is about checkpoints, and we do not have it".into()])
        } else {
            let difference = Difference::NoStateBackends;
            Outcome::skipped(kind, name, format!("deliberate difference {} ({key})", difference.name()))
                .with(difference)
        };
    };
    if !is_of(option.option_type(), flinks_type) {
        findings.push(format!("expected the type {flinks_type}, ours {:?}", option.option_type()));
    }
    if let Some(finding) = default(option, recorded) {
        findings.push(finding);
    }
    let old_keys = recorded["fallback_keys"].as_array().into_iter().flatten();
    let old_keys: Option<Vec<_>> = old_keys.map(|old| old["key"].as_str()).collect();
    let Some(old_keys) = old_keys else { return not_understood(kind, &name, recorded) };
    if under_key.is_some() && option.old_keys() != old_keys {
        findings.push(format!("expected the old keys {old_keys:?}, ours {:?}", option.old_keys()));
    }
    Outcome::found(kind, name, findings)
}

/// Whether values of our type are those of Flink's. A type that is none of Java's is an enumeration.
fn is_of(ours: OptionType, flinks: &str) -> bool {
    let expected = match flinks {
        "Boolean" => OptionType::Boolean,
        "Integer" | "Long" => OptionType::Integer,
        "Float" | "Double" => OptionType::Float,
        "Duration" => OptionType::Duration,
        "MemorySize" => OptionType::MemorySize,
        "String" => OptionType::Text,
        _ => OptionType::Enum,
    };
    ours == expected
}

/// What is wrong with the default, if anything. It may be written in another unit.
fn default(option: &ConfigOption, recorded: &Value) -> Option<String> {
    let ours = option.default();
    let text = match &recorded["default"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let has_default = recorded["has_default"].as_bool() == Some(text.is_some());
    let agrees = match (&text, &ours) {
        (Some(text), Some(ours)) => keys::as_we_write_it(option.key(), text).as_deref() == Some(ours),
        (text, ours) => text.is_none() && ours.is_none(),
    };
    (!agrees || !has_default).then(|| format!("expected the default {}, ours {ours:?}", recorded["default"]))
}
