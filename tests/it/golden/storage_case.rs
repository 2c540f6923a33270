//! Which storage a job gets, and cases of the kinds `storage` and `load_storage`.

use super::argument::{self, Trouble};
use super::config_case::{Replay, message, skipped_for_its_layer};
use super::conversion;
use super::difference::Difference;
use super::option_keys as keys;
use super::tally::Outcome;
use serde_json::{Map, Value, json};
use stillframe::config::{CheckpointConfig, GraphDescription};
use stillframe::model::{FileSystemDescriptor, JobManagerDescriptor, StorageDescriptor, StoragePath};

/// A storage as a constructor makes it. Java's own way of printing it, `str`, is nobody's business here.
pub(crate) fn constructor(name: &str, case: &Map<String, Value>) -> Outcome {
    const KIND: &str = "storage";
    let mut findings =
        keys::unknown_fields(case, &["name", "kind", "note", "class", "args", "result", "raises", "str"]);
    let refusal = case.get("raises");
    if let Some(verdict) = refusal.and_then(skipped_for_its_layer) {
        return Outcome::new(KIND, name, verdict);
    }
    let (Some(class), Some(arguments)) =
        (case.get("class").and_then(Value::as_str), case.get("args").and_then(Value::as_object))
    else {
        return Outcome::found(KIND, name, vec!["there is no class with arguments".into()]);
    };
    let made = match class {
        custom if custom.starts_with("Custom") => Ok(argument::custom(custom, arguments)),
        class => argument::constructed(class, arguments),
    };
    match (refusal, case.get("result"), made) {
        (_, _, Err(Trouble::NotUnderstood(what))) => findings.push(what),
        (None, Some(_), Err(Trouble::Inexpressible(difference))) => {
            let reason = format!("deliberate difference {}", difference.name());
            return Outcome::skipped(KIND, name, reason).with(difference);
        }
        (Some(_), None, Err(trouble)) => {
            let outcome = Outcome::found(KIND, name, findings);
            return match trouble {
                Trouble::Inexpressible(Difference::NullIsNone) => outcome.with(Difference::NullIsNone),
                _ => outcome,
            };
        }
        (None, Some(recorded), Ok(storage)) => {
            let ours = conversion::storage(&storage);
            if !conversion::agree(recorded, &ours) {
                findings.push(format!("expected {recorded}, ours {ours}"));
            }
        }
        (None, Some(_), Err(trouble)) => {
            findings.push(format!("Flink accepted it, ours refused: {trouble:?}"))
        }
        (Some(refusal), None, Ok(_)) => {
            findings.push(format!("Flink refused it ({}), ours accepted", message(refusal)));
        }
        (Some(_), Some(_), _) | (None, None, _) => {
            findings.push("expected either a result or a refusal".into())
        }
    }
    Outcome::found(KIND, name, findings)
}

/// Which storage is loaded from a configuration of the cluster, one of the job, and a storage set by program.
pub(crate) fn load(name: &str, case: &Map<String, Value>) -> Outcome {
    const KIND: &str = "load_storage";
    const FIELDS: [&str; 9] = [
        "name",
        "kind",
        "note",
        "application_storage",
        "state_backend",
        "job_config",
        "cluster_config",
        "result",
        "raises",
    ];
    // Of the others, none is a storage at the same time, so that they are all one to whoever loads a storage.
    let backend = case.get("state_backend").and_then(Value::as_str).unwrap_or_default();
    if backend.starts_with("legacy") {
        let difference = Difference::NoStateBackends;
        let reason = format!("deliberate difference {}", difference.name());
        return Outcome::skipped(KIND, name, reason).with(difference);
    }
    if let Some(verdict) = case.get("raises").and_then(skipped_for_its_layer) {
        return Outcome::new(KIND, name, verdict);
    }
    let mut replay = Replay::new();
    replay.findings = keys::unknown_fields(case, &FIELDS);
    let empty = json!({});
    let read = |field| keys::options(case.get(field).unwrap_or(&empty));
    let (cluster, job) = match (read("cluster_config"), read("job_config")) {
        (Ok(cluster), Ok(job)) => (cluster, job),
        (Err(error), _) | (_, Err(error)) => return Outcome::found(KIND, name, vec![error]),
    };
    // Flink lays the job's options over the cluster's as well.
    let mut options = cluster.clone();
    options.extend(job.iter());
    let recorded = match (case.get("result"), case.get("raises")) {
        (Some(result), None) => result.clone(),
        (None, Some(refusal)) => json!({ "raises": refusal }),
        _ => return Outcome::found(KIND, name, vec!["expected either a result or a refusal".into()]),
    };
    let ((cluster, clusters_refused), (config, refused)) =
        match (keys::readable(cluster), keys::readable(options)) {
            (Ok(cluster), Ok(all)) => (cluster, all),
            (Err(error), _) | (_, Err(error)) => return Outcome::found(KIND, name, vec![error]),
        };
    let application = case.get("application_storage").filter(|storage| !storage.is_null());
    let is_set = application.is_some();
    // What Flink completes a storage from, it reads; where the job's options hide that, we do not.
    let read = if is_set { &clusters_refused } else { &refused };
    if recorded.get("raises").is_some()
        && let Some(key) = read.iter().find(|key| keys::OF_STORAGE.contains(key))
    {
        let is_ours = refused.contains(key);
        let difference = if is_ours { Difference::RefusedWhenRead } else { Difference::OneConfiguration };
        replay.differences.insert(difference);
        return replay.outcome(KIND, name);
    }
    // What else we refuse, Flink did not read, so that its answer is that without it.
    replay.differences.extend((!refused.is_empty()).then_some(Difference::RefusedWhenRead));
    replay.config = config;
    let application = application.map(|application| {
        let mut application = application.clone();
        argument::complete(&mut application, recorded["checkpoint_path"].as_str());
        argument::storage(&application)
    });
    match application {
        None => {}
        Some(Ok(storage)) => drop(replay.config.set_checkpoint_storage(storage)),
        Some(Err(trouble)) => return Outcome::found(KIND, name, vec![format!("{trouble:?}")]),
    }
    let resolution = replay.config.resolve(&GraphDescription::default());
    let refusal = resolution.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let ours = resolution.as_ref().map(|resolved| &resolved.effective.storage).map_err(|_| refusal.as_str());
    resolved(&mut replay, &recorded, is_set, &cluster, ours);
    replay.outcome(KIND, name)
}

/// Compares the storage that a job gets. `is_set` says whether a program set it, and `cluster` from what Flink would then
/// complete it.
pub(crate) fn resolved(
    replay: &mut Replay,
    recorded: &Value,
    is_set: bool,
    cluster: &CheckpointConfig,
    ours: Result<&StorageDescriptor, &str>,
) {
    let about = &keys::OF_STORAGE;
    let refusal = recorded.get("raises");
    if let Some(kind) = class_name(&replay.config).map(str::to_owned)
        && (refusal.is_some_and(is_about_a_class) || recorded["type"] == "CustomCheckpointStorage")
    {
        replay.differences.insert(Difference::NoClassNames);
        let expected = json!({ "type": "CustomCheckpointStorage", "kind": kind });
        let ours = ours.map_or_else(|error| json!({ "refused": error }), conversion::storage);
        return replay.compare("resolved_storage", &expected, &ours, about);
    }
    match (refusal, ours) {
        (Some(_), Err(_)) => {}
        (Some(refusal), Ok(_)) => {
            replay.differ(about, || {
                format!("resolved_storage: Flink refused it ({}), ours accepted", message(refusal))
            });
        }
        (None, Err(error)) => {
            replay.differ(about, || format!("resolved_storage: expected {recorded}, ours refused: {error}"));
        }
        (None, Ok(ours)) => {
            let ours = conversion::storage(ours);
            let set = replay.config.checkpoint_storage().filter(|_| is_set).cloned();
            let Some(set) = set else { return replay.compare("resolved_storage", recorded, &ours, about) };
            let (flinks, expected) = (completed(&set, cluster), completed(&set, &replay.config));
            replay.compare("resolved_storage in Flink", recorded, &flinks, about);
            replay.compare("resolved_storage", &expected, &ours, about);
            if flinks != expected {
                replay.differences.insert(Difference::OneConfiguration);
            }
        }
    }
}

/// What the option for the storage names, if it is neither of the two that everybody knows, and if it decides.
fn class_name(config: &CheckpointConfig) -> Option<&str> {
    let known = [StorageDescriptor::JOB_MANAGER, StorageDescriptor::FILE_SYSTEM];
    let named = config.checkpoint_storage_kind().filter(|_| config.checkpoint_storage().is_none());
    named.filter(|kind| !known.iter().any(|known| kind.eq_ignore_ascii_case(known)))
}

fn is_about_a_class(refusal: &Value) -> bool {
    refusal["java_class"] == "org.apache.flink.util.DynamicCodeLoadingException"
}

/// A storage that was set by program, completed from a configuration by the rules of Flink's `configure`: the cluster's in
/// Flink, and the only one there is here.
fn completed(set: &StorageDescriptor, from: &CheckpointConfig) -> Value {
    let mut storage = conversion::storage(set);
    let or = |own: &Value, dir: Option<&StoragePath>| match (own, dir) {
        (Value::Null, Some(dir)) => json!(dir.as_str()),
        (own, _) => own.clone(),
    };
    match set.kind.as_ref() {
        StorageDescriptor::JOB_MANAGER => {
            storage["checkpoint_path"] = or(&storage["checkpoint_path"], from.checkpoint_storage_dir());
            storage["savepoint_path"] = or(&storage["savepoint_path"], from.savepoint_dir());
        }
        StorageDescriptor::FILE_SYSTEM => {
            let own = FileSystemDescriptor::try_from(set).ok();
            let own_threshold = own.as_ref().and_then(FileSystemDescriptor::explicit_min_file_size_threshold);
            let own_buffer = own.as_ref().and_then(FileSystemDescriptor::explicit_write_buffer_size);
            let configured = u32::try_from(from.data_inline_threshold())
                .ok()
                .filter(|bytes| *bytes <= FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD);
            let threshold =
                own_threshold.or(configured).unwrap_or(FileSystemDescriptor::DEFAULT_MIN_FILE_SIZE_THRESHOLD);
            let buffer = own_buffer.unwrap_or_else(|| from.write_buffer_size()).max(threshold);
            storage["savepoint_path"] = or(&storage["savepoint_path"], from.savepoint_dir());
            storage["min_file_size_threshold"] = json!(threshold);
            storage["write_buffer_size"] = json!(buffer);
        }
        _ => {}
    }
    storage
}

/// Flink's older state backends were storages at the same time, and took the place of the one that was set.
#[test]
fn no_state_backends_so_none_decides_the_storage() {
    let keys = ["state.backend", "state.backend.type"];
    let options = keys.into_iter().map(|key| (key, "filesystem")).chain([(keys::DIR, "file:///c")]).collect();
    let (mut config, report) = CheckpointConfig::from_options(&options).unwrap();
    assert_eq!(report.unknown.iter().map(|unknown| unknown.key()).collect::<Vec<_>>(), keys);
    let storage = |config: &CheckpointConfig| {
        config.resolve(&GraphDescription::default()).map(|resolved| resolved.effective.storage.kind)
    };
    assert_eq!(storage(&config).unwrap(), StorageDescriptor::FILE_SYSTEM);
    config.set_checkpoint_storage(JobManagerDescriptor::new());
    assert_eq!(storage(&config).unwrap(), StorageDescriptor::JOB_MANAGER);
}
