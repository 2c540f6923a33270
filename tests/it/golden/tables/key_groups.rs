//! Which key belongs to which key group, and which key group to which subtask.

use super::super::difference::Difference;
use super::super::tally::Outcome;
use super::{compared, not_understood, numbers};
use serde_json::{Map, Value, json};
use stillframe::state::KeyHash;
use stillframe::state::key_group;

/// What `entry` says, if it has these fields and nothing else.
fn exactly<'a>(entry: &'a Value, fields: &[&str]) -> Option<&'a Map<String, Value>> {
    let object = entry.as_object()?;
    (object.len() == fields.len() && fields.iter().all(|field| object.contains_key(*field))).then_some(object)
}

pub(super) fn of_hash(kind: &str, name: &str, entry: &Value) -> Outcome {
    let fields = ["key_hash", "max_parallelism", "key_group", "murmur"];
    let numbers = exactly(entry, &fields).and_then(|entry| numbers(entry, fields));
    let Some([hash, max, group, murmur]) = numbers else { return not_understood(kind, name, entry) };
    let (Ok(hash), Ok(max)) = (i32::try_from(hash), u16::try_from(max)) else {
        return not_understood(kind, name, entry);
    };
    // The hash itself is not public; its remainder by the largest number of groups is nearly as much.
    let largest = key_group::MAX_PARALLELISM;
    let expected = json!([group, murmur % i64::from(largest)]);
    let ours = json!([key_group::key_group(hash, max), key_group::key_group(hash, largest)]);
    compared(kind, name, &expected, &ours)
}

pub(super) fn of_text(kind: &str, name: &str, entry: &Value) -> Outcome {
    let numbers = exactly(entry, &["key", "java_hash_code", "max_parallelism", "key_group"])
        .and_then(|entry| numbers(entry, ["java_hash_code", "max_parallelism", "key_group"]));
    let (Some([hash, max, group]), Some(key)) = (numbers, entry["key"].as_str()) else {
        return not_understood(kind, name, entry);
    };
    let (Ok(code), Ok(max)) = (i32::try_from(hash), u16::try_from(max)) else {
        return not_understood(kind, name, entry);
    };
    let name = format!("{key:?}");
    if key.is_ascii() {
        let ours = json!([key.key_hash(), key_group::key_group(key.key_hash(), max)]);
        return compared(kind, &name, &json!([hash, group]), &ours);
    }
    // What is left to compare is what becomes of Java's hash.
    compared(kind, &name, &json!(group), &json!(key_group::key_group(code, max)))
        .with(Difference::TextHashesAsBytes)
}

pub(super) fn ranges(kind: &str, name: &str, entry: &Value) -> Outcome {
    let numbers = exactly(entry, &["max_parallelism", "parallelism", "ranges_inclusive"])
        .and_then(|entry| numbers(entry, ["max_parallelism", "parallelism"]));
    let Some([max, parallelism]) = numbers else { return not_understood(kind, name, entry) };
    let (Ok(max), Ok(parallelism)) = (u16::try_from(max), u32::try_from(parallelism)) else {
        return not_understood(kind, name, entry);
    };
    let ours = (0..parallelism).map(|subtask| key_group::range_of(subtask, parallelism, max));
    let ours = ours.map(|range| json!([range.start, range.end])).collect::<Value>();
    compared(kind, &format!("{max} among {parallelism}"), &entry["ranges_inclusive"], &ours)
}

pub(super) fn default_max_parallelism(kind: &str, name: &str, recorded: &Value) -> Outcome {
    match name.parse() {
        Ok(parallelism) => {
            compared(kind, name, recorded, &json!(key_group::default_max_parallelism(parallelism)))
        }
        Err(_) => not_understood(kind, name, recorded),
    }
}
