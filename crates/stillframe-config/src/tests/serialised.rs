//! The config and options through serde: flat and nested, as text and as the types that a format has.

use super::{calls, texts};
use crate::{CheckpointConfig, Options};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::time::Duration;
use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

/// The options as tables in tables, with numbers and truth values for texts that look like them. What has no place in a table,
/// because a value is there, stays flat.
fn nested(options: &Options) -> Value {
    let mut root = Map::new();
    for (key, text) in options.iter() {
        let value = match text {
            "true" => json!(true),
            "false" => json!(false),
            _ => match text.parse::<i64>() {
                Ok(number) if number.to_string() == text => json!(number),
                _ => json!(text),
            },
        };
        let path: alloc::vec::Vec<&str> = key.split('.').collect();
        if !place(&mut root, &path, &value) {
            root.insert(key.to_owned(), value);
        }
    }
    Value::Object(root)
}

fn place(table: &mut Map<String, Value>, path: &[&str], value: &Value) -> bool {
    match path {
        [] => false,
        [name] => !table.contains_key(*name) && table.insert((*name).to_owned(), value.clone()).is_none(),
        [name, rest @ ..] => match table.entry(*name).or_insert_with(|| json!({})) {
            Value::Object(below) => place(below, rest, value),
            _ => false,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_config_is_the_same_in_any_format(config in calls::config()) {
        let options = config.to_options();

        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&json, &serde_json::to_string(&options).unwrap());
        prop_assert_eq!(&serde_json::from_str::<CheckpointConfig>(&json).unwrap(), &config);

        let flat = toml::to_string(&config).unwrap();
        prop_assert_eq!(&toml::from_str::<CheckpointConfig>(&flat).unwrap(), &config, "{}", flat);
        prop_assert_eq!(&toml::from_str::<CheckpointConfig>(&options.to_toml()).unwrap(), &config);

        let tables = nested(&options);
        prop_assert_eq!(&CheckpointConfig::deserialize(&tables).unwrap(), &config, "{}", tables);
        let tables = toml::to_string(&tables).unwrap();
        prop_assert_eq!(&toml::from_str::<CheckpointConfig>(&tables).unwrap(), &config, "{}", tables);
    }

    #[test]
    fn any_options_are_the_same_in_any_format(options in texts::options()) {
        let json = serde_json::to_string(&options).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Options>(&json).unwrap(), &options);
        prop_assert_eq!(&toml::from_str::<Options>(&options.to_toml()).unwrap(), &options, "{}", options.to_toml());
        let tables = nested(&options);
        prop_assert_eq!(&Options::deserialize(&tables).unwrap(), &options, "{}", tables);
    }
}

fn options(value: Value) -> Result<Options, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn values_of_any_type_are_texts() {
    let read = options(json!({
        "a": { "b": { "c": "x", "d.e": 1 } },
        "n": -5, "u": u64::MAX, "f": 2.5, "t": true, "l": ["x", 1, true, null], "e": [], "z": null, "s": "",
    }));
    let expected: Options = [
        ("a.b.c", "x"),
        ("a.b.d.e", "1"),
        ("n", "-5"),
        ("u", "18446744073709551615"),
        ("f", "2.5"),
        ("t", "true"),
        ("l", "x;1;true;"),
        ("e", ""),
        ("s", ""),
    ]
    .into_iter()
    .collect();
    assert_eq!(read, Ok(expected));
    let config: CheckpointConfig = serde_json::from_value(json!({ "execution": { "checkpointing": {
        "interval": 1500, "tolerable-failed-checkpoints": 2, "timeout": null,
        "unaligned": { "enabled": true }, "file-merging": { "max-space-amplification": 3 },
    }}}))
    .unwrap();
    assert_eq!(config.checkpoint_interval(), Some(Duration::from_millis(1_500)));
    assert_eq!(config.to_options().get("execution.checkpointing.timeout"), None);
    assert_eq!(config.file_merging_max_space_amplification().to_bits(), 3_f32.to_bits());
}

#[test]
fn what_is_no_configuration_is_refused() {
    for (value, words) in [
        (json!("a: 1"), "expected a map from keys to values"),
        (json!(["a"]), "expected a map from keys to values"),
        (json!(null), "expected a map from keys to values"),
        (json!({ "a": [{ "b": 1 }] }), "expected a list of texts, found a list of maps"),
        (json!({ "a": { "b": 1 }, "a.b": 2 }), "\"a.b\": set twice (allowed: once"),
    ] {
        let error = options(value.clone()).unwrap_err();
        assert!(error.contains(words), "{value}: {error}");
    }
    let error = serde_json::from_str::<Options>(r#"{ "a": 1, "a": 2 }"#).unwrap_err().to_string();
    assert!(error.starts_with("\"a\": set twice"), "{error}");
    // Each leaf of a table repeats the keys of the tables, which may not multiply what a file takes.
    let long = "k".repeat(1_022);
    assert!(options(json!({ long.as_str(): { "a": 1 } })).is_ok());
    for (table, leaf) in [(long.as_str(), "ab"), ("a", &"k".repeat(100_000)), (&"k\n".repeat(50_000), "a")] {
        let error = options(json!({ table: { leaf: 1 } })).unwrap_err();
        assert!(error.contains("too long (allowed: 1024 bytes") && error.len() < 1_000, "{error}");
    }
    // Nor can one be too deep for the stack.
    let deep = alloc::format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(serde_json::from_str::<Options>(&deep).is_err());
}

#[test]
fn a_config_says_what_is_wrong_with_it() {
    let read =
        |value: Value| serde_json::from_value::<CheckpointConfig>(value).map_err(|error| error.to_string());
    for (value, message) in [
        (
            json!({ "execution.checkpointing": { "intervall": "1 s" } }),
            "\"execution.checkpointing.intervall\": unknown key (did you mean execution.checkpointing.interval?)",
        ),
        (
            json!({ "parallelism.default": 4 }),
            "\"parallelism.default\": unknown key (not a setting of checkpointing)",
        ),
        (
            json!({ "execution.checkpointing.interval": 5 }),
            "execution.checkpointing.interval: \"5\" is not allowed (allowed: 10 ms or more)",
        ),
        (
            json!({ "execution.checkpointing.unaligned.enabled": 1 }),
            "execution.checkpointing.unaligned.enabled: \"1\" is not allowed (allowed: true or false)",
        ),
    ] {
        assert_eq!(read(value), Err(message.to_owned()));
    }
    assert_eq!(read(json!({})), Ok(CheckpointConfig::default()));
    assert_eq!(serde_json::to_string(&CheckpointConfig::default()).unwrap(), "{}");
}
