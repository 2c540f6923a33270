//! The recording is believed, so these tests look whether its interpreter would notice a lie: every recorded value is
//! doctored in turn, and what nobody understands is added.

use super::conversion;
use super::decider;
use super::difference::Difference;
use super::oracle::{FILES, Oracle};
use super::tally::{Outcome, Verdict};
use super::{guarded, replay};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use stillframe::model::FailureReason;

/// What a case says about Java, or to a person, or about the object that a setter gives back.
const NOT_COMPARED: [&str; 10] =
    ["name", "note", "str", "iso", "java_class", "python_class", "message", "cause", "layer", "returns"];

/// Differences because of which a part of a case cannot be compared. That of the others is worked out.
const LOOSE: [Difference; 8] = [
    Difference::UnsignedTypes,
    Difference::AtomicSetters,
    Difference::RefusedWhenRead,
    Difference::TodaysKeys,
    Difference::UnknownKeysReported,
    Difference::NoClassNames,
    Difference::NullIsNone,
    Difference::AtLeastOne,
];

fn recorded(file: &str) -> Vec<Value> {
    Oracle::ours().cases(file).expect("our copy can be read").expect("our copy has all files")
}

fn outcome(case: &Value) -> Outcome {
    guarded("golden_config.json", case).remove(0)
}

fn fails(case: &Value) -> bool {
    matches!(outcome(case).verdict, Verdict::Failed(_))
}

/// The paths to everything that is compared in a case.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(field, _)| !NOT_COMPARED.contains(&field.as_str()))
            .map(|(field, value)| (field.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(values) => {
            values.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        _ => return found.push(path.to_owned()),
    };
    for (step, value) in entries {
        leaves(value, &format!("{path}/{step}"), found);
    }
}

/// A value that says something else.
fn doctored(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => json!(!truth),
        Value::Number(number) => json!(number.as_i64().map(|number| number.wrapping_sub(1))),
        Value::String(text) => json!(format!("{text}x")),
        _ => json!(1),
    }
}

#[test]
fn no_recorded_value_goes_unnoticed() {
    let mut lies = 0;
    let mut unnoticed = Vec::new();
    for case in recorded("golden_config.json") {
        let honest = outcome(&case);
        if honest.verdict != Verdict::Passed || LOOSE.iter().any(|loose| honest.differences.contains(loose)) {
            continue;
        }
        let mut paths = Vec::new();
        for section in ["getters", "java_getters", "config", "effective", "result"] {
            leaves(case.get(section).unwrap_or(&json!({})), &format!("/{section}"), &mut paths);
        }
        for path in paths {
            let mut lie = case.clone();
            let leaf = lie.pointer_mut(&path).expect("it was just found");
            *leaf = doctored(leaf);
            lies += 1;
            if !fails(&lie) {
                unnoticed.push(format!("{}: {path}", honest.name));
            }
        }
        for path in ["/config", "/effective/coordinator", "/effective/task"] {
            let added = |object: &mut Map<String, Value>| drop(object.insert("x.y".into(), json!("z")));
            let removed = |object: &mut Map<String, Value>| object.retain(|key, _| key.contains('_'));
            let spoil: [fn(&mut Map<String, Value>); 2] = [added, removed];
            for spoil in spoil.into_iter().take(if path == "/config" { 2 } else { 1 }) {
                let mut lie = case.clone();
                if let Some(object) = lie.pointer_mut(path).and_then(Value::as_object_mut) {
                    spoil(object);
                }
                if lie != case && !fails(&lie) {
                    unnoticed.push(format!("{}: {path} with more or less in it", honest.name));
                }
            }
        }
    }
    assert!(lies > 10_000, "only {lies} values were doctored");
    assert_eq!(unnoticed, [""; 0]);
}

/// What the tables answer, as the ends of paths; the rest of an entry is what they ask, or prose.
const ANSWERS: [(&str, &[&str]); 13] = [
    ("constants", &[""]),
    ("enums", &[""]),
    ("coordinator_constants", &[""]),
    ("retention_policies", &[""]),
    (
        "checkpoint_properties",
        &[
            "finished",
            "cancelled",
            "failed",
            "subsumed",
            "_strategy",
            "is_savepoint",
            "is_synchronous",
            "/type",
        ],
    ),
    ("checkpoint_failure_reasons", &["pre_flight"]),
    ("failure_counting_by_reason", &["checkpoint_fails_job", "savepoint_fails_job", "pre_flight"]),
    ("failure_manager_scripts", &["fails_job"]),
    ("options_CheckpointingOptions", &["/default", "/has_default", "/0/key", "/1/key"]),
    ("options_ExecutionCheckpointingOptions", &["/default", "/has_default", "/0/key", "/1/key"]),
    ("key_group_of_hash", &["key_group", "murmur"]),
    ("key_group_ranges", &["/0", "/1"]),
    ("default_max_parallelism", &[""]),
];

#[test]
fn no_answer_of_a_table_goes_unnoticed() {
    let tables = recorded("golden_tables.json").remove(0);
    let fails = |tables: &Value| {
        let outcomes = guarded("golden_tables.json", tables);
        outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed(_)))
    };
    let passes = |tables: &Value| {
        guarded("golden_tables.json", tables).iter().all(|outcome| outcome.verdict == Verdict::Passed)
    };
    for (table, answers) in ANSWERS {
        let entries: Vec<Value> = match &tables[table] {
            Value::Object(entries) => entries.iter().map(|(name, entry)| json!({ name: entry })).collect(),
            Value::Array(entries) => entries.iter().map(|entry| json!([entry])).collect(),
            other => panic!("{table} is no table: {other}"),
        };
        let mut lies = 0;
        for entry in entries.into_iter().map(|entry| json!({ table: entry })).filter(passes) {
            let mut paths = Vec::new();
            leaves(&entry, "", &mut paths);
            for path in paths.iter().filter(|path| answers.iter().any(|answer| path.ends_with(answer))) {
                let mut lie = entry.clone();
                let leaf = lie.pointer_mut(path).expect("it was just found");
                *leaf = doctored(leaf);
                assert!(fails(&lie), "{path}: {lie}");
                lies += 1;
            }
        }
        assert!(lies > 0, "nothing in {table} was doctored");
    }
}

#[test]
fn no_answer_of_a_script_of_requests_goes_unnoticed() {
    let fails = |script: &Value| {
        let outcome = guarded("golden_decider.json", script).remove(0);
        matches!(outcome.verdict, Verdict::Failed(_))
    };
    let mut lies = 0;
    let mut unnoticed = Vec::new();
    for script in recorded("golden_decider.json") {
        let steps = script["steps"].as_array().expect("a list");
        assert!(!steps.is_empty() && !fails(&script), "an honest script with steps");
        for (at, step) in steps.iter().enumerate() {
            let mut doctor = |path: &str, lie: &dyn Fn(&mut Value)| {
                let mut script = script.clone();
                lie(script.pointer_mut(&format!("/steps/{at}{path}")).expect("it was recorded"));
                lies += 1;
                if !fails(&script) {
                    unnoticed.push(format!("seed {}: /steps/{at}{path}", script["seed"]));
                }
            };
            let mut paths = Vec::new();
            for answer in decider::ANSWERS {
                leaves(&step[answer], &format!("/{answer}"), &mut paths);
                doctor("", &|step| drop(step.as_object_mut().expect("an object").remove(answer)));
            }
            for path in &paths {
                doctor(path, &|leaf| *leaf = doctored(leaf));
            }
            for list in ["/rejected", "/rescheduled"] {
                doctor(list, &|list| list.as_array_mut().expect("a list").push(json!({})));
            }
            doctor("/op", &|op| *op = doctored(op));
            doctor("", &|step| step["nonsense"] = json!(1));
        }
    }
    assert!(lies > 10_000, "only {lies} answers were doctored");
    assert_eq!(unnoticed, [""; 0]);
}

#[test]
fn a_script_of_requests_that_is_not_understood_fails() {
    let steps = json!([{
        "op": "request", "id": 0, "kind": "periodic", "now": 9, "last_completion": 3, "is_triggering": false,
        "pending": 0, "cleaning": 0, "chosen": 0, "rejected": [], "rescheduled": [], "queued": 0,
    }]);
    let honest = json!({ "seed": 1, "max_concurrent": 1, "min_pause": 6, "max_queued": 1, "steps": steps });
    let verdict = |script: &Value| guarded("golden_decider.json", script).remove(0).verdict;
    assert_eq!(verdict(&honest), Verdict::Passed);
    for (pointer, lie) in [
        ("/min_pause", json!(7)),
        ("/min_pause", Value::Null),
        ("/max_concurrent", json!(0)),
        ("/max_queued", json!(0)),
        ("/steps", json!({})),
        ("/steps/0", json!([])),
        ("/steps/0/id", json!("0")),
        ("/steps/0/kind", json!("odd")),
        ("/steps/0/is_triggering", json!(0)),
        ("/steps/0/is_triggering", json!(true)),
        ("/steps/0/pending", json!(1)),
        ("/steps/0/cleaning", json!(2)),
        ("/steps/0/last_completion", json!(4)),
        ("/steps/0/now", json!(8)),
        ("/steps/0/op", json!("poll")),
    ] {
        let mut script = honest.clone();
        *script.pointer_mut(pointer).expect("it is there") = lie.clone();
        assert!(matches!(verdict(&script), Verdict::Failed(_)), "{pointer}: {lie}");
    }
}

#[test]
fn a_reason_that_nobody_knows_fails() {
    let tables = recorded("golden_tables.json").remove(0);
    for (table, field) in [
        ("checkpoint_failure_reasons", "/0/name"),
        ("failure_counting_by_reason", "/0/reason"),
        ("failure_manager_scripts", "/0/steps/0/event"),
        ("failure_manager_scripts", "/0/steps/0/checkpoint_id"),
    ] {
        for lie in [json!("UNHEARD_OF"), json!(-2)] {
            let mut entry = tables[table].clone();
            *entry.pointer_mut(field).expect("it was recorded") = lie.clone();
            let outcomes = guarded("golden_tables.json", &json!({ table: entry }));
            let failed = |outcome: &Outcome| matches!(outcome.verdict, Verdict::Failed(_));
            assert!(outcomes.iter().any(failed), "{table}{field}: {lie}");
        }
    }
}

/// A case that passes, to be spoilt.
fn honest() -> Value {
    json!({
        "name": "honest",
        "kind": "config",
        "env_config": { "execution.checkpointing.timeout": "1 min" },
        "calls": [
            { "method": "set_checkpoint_interval", "args": [1000], "returns": "self" },
            { "method": "java.setMaxConcurrentCheckpoints", "args": [0], "raises": { "layer": "java", "java_class": "X" } },
            { "method": "set_checkpoint_timeout", "args": ["x"], "raises": { "layer": "py4j" } },
        ],
        "getters": { "get_checkpoint_interval": 1000 },
        "java_getters": { "getCheckpointTimeout": 60000 },
        "config": { "execution.checkpointing.interval": "1 s", "execution.checkpointing.timeout": "1 min" },
    })
}

#[test]
fn a_refusal_is_a_refusal_and_what_is_not_understood_fails() {
    assert_eq!(outcome(&honest()).verdict, Verdict::Passed);
    assert_eq!(outcome(&honest()).left_out, ["call refused in the py4j layer"]);
    let refusal = json!({ "layer": "java", "java_class": "X", "message": "no" });
    let call =
        |method: &str, argument: Value| json!({ "method": method, "args": [argument], "returns": null });
    for (pointer, lie) in [
        ("/kind", json!("configs")),
        ("/calls/0/raises", refusal.clone()),
        ("/calls/1/raises", Value::Null),
        ("/calls/0/method", json!("set_checkpoint_intervall")),
        ("/calls/0/args", json!([1000, 2000])),
        ("/calls/0/args", json!([{ "milliseconds": 1000 }])),
        ("/calls/0/nonsense", json!(1)),
        ("/calls/2/raises/layer", json!("java")),
        ("/calls", json!([call("set_alignment_timeout", json!({ "duration": { "of_weeks": 1 } }))])),
        ("/calls", json!([call("set_checkpoint_storage", json!({ "store": {} }))])),
        ("/getters/get_checkpoint_intervall", json!(1000)),
        ("/java_getters", Value::Null),
        ("/config", json!([])),
        ("/config/no.such.key", json!("1")),
        ("/env_config", json!({ "execution.checkpointing.timeout": "x" })),
        ("/env_raises", refusal),
        ("/graph", json!("a tree")),
        ("/nonsense", json!(1)),
    ] {
        let mut case = honest();
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer has a slash");
        let parent = case.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        if lie.is_null() {
            parent.remove(field);
        } else {
            parent.insert(field.to_owned(), lie.clone());
        }
        // A graph is looked at when the job is.
        case["effective"] = if field == "graph" { json!({ "raises": {} }) } else { case["effective"].take() };
        if case["effective"].is_null() {
            case.as_object_mut().expect("an object").remove("effective");
        }
        assert!(fails(&case), "{pointer}: {lie}");
    }
}

#[test]
fn a_recording_without_cases_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let complaint = |folder: &Path| replay(&Oracle::at(folder)).1.join("\n");
    assert!(complaint(folder.path()).contains("no case ran"), "an empty folder");
    assert!(complaint(&folder.path().join("nowhere")).contains("no case ran"), "no folder");

    let write = |text: &str| fs::write(folder.path().join(FILES[0]), text).expect("it can be written");
    write("[]");
    assert!(
        complaint(folder.path()).contains("golden_config.json: no case of 0 ran: it has none"),
        "no cases"
    );
    write("{");
    assert!(complaint(folder.path()).contains("cannot parse"), "no JSON");
    write(&honest().to_string());
    let (said, wrong) = replay(&Oracle::at(folder.path()));
    assert_eq!(wrong, [""; 0]);
    assert!(said.contains("golden_config.json: 1 cases: 1 ran, 1 passed, 0 failed, 0 skipped"), "{said}");
    assert!(said.contains("\nSKIPPED: golden: golden_tables.json is not in "), "{said}");
    let mut lie = honest();
    lie["getters"]["get_checkpoint_interval"] = json!(999);
    write(&lie.to_string());
    let complaint = complaint(folder.path());
    assert!(complaint.contains("honest") && complaint.contains("expected 999, ours 1000"), "{complaint}");
}

#[test]
fn a_file_that_nobody_reads_and_one_of_which_no_case_ran_are_complaints() {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |file: &str, text: &str| fs::write(folder.path().join(file), text).expect("it can be written");
    write(FILES[0], &honest().to_string());
    write("README.json", "{}");
    assert_eq!(replay(&Oracle::at(folder.path())).1, [""; 0]);
    write("golden_unheard_of.json", "[]");
    let wrong = replay(&Oracle::at(folder.path())).1.join("\n");
    assert!(
        wrong.starts_with("golden_unheard_of.json: nothing here reads it; known are golden_config.json, "),
        "{wrong}"
    );
    write("golden_tables.json", r#"{ "pyflink_version": "1.20.5" }"#);
    let wrong = replay(&Oracle::at(folder.path())).1.join("\n");
    assert!(wrong.contains("golden_tables.json: no case of 1 ran: says where it was recorded"), "{wrong}");
    assert_eq!(Oracle::ours().unknown_files(), [""; 0]);
}

#[test]
fn every_difference_has_a_row_in_the_document() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/from-flink.md");
    let document = fs::read_to_string(document).expect("a file of the project");
    let missing = Difference::ALL.map(Difference::name).into_iter().filter(|name| !document.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "docs/from-flink.md has to name these differences");
}

#[test]
fn our_reasons_are_flinks_but_for_the_unknown_outcome() {
    let tables = recorded("golden_tables.json").remove(0);
    let flinks = tables["checkpoint_failure_reasons"].as_array().expect("a list");
    let is_flinks = |reason: &FailureReason| {
        flinks.iter().any(|flinks| flinks["name"].as_str() == Some(&conversion::reason(*reason)))
    };
    let ours: Vec<_> = FailureReason::ALL.into_iter().filter(|reason| !is_flinks(reason)).collect();
    assert_eq!(ours, [FailureReason::OutcomeUnknown]);
}
