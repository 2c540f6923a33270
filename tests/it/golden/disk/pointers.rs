//! What a person may give as the address of a checkpoint.

use super::ground::{Files, Ground, compare_refusal, polynomial_hash, state};
use crate::golden::difference::Difference;
use crate::golden::tally::Outcome;
use serde_json::{Value, json};
use std::fs;
use stillframe::model::Pointer;
use stillframe::storage::{CompletedLocation, StorageError};

pub(super) async fn resolve(name: &str, case: &Value) -> Outcome {
    const KIND: &str = "resolve_pointer";
    let Some(pointer) = case["pointer"].as_str() else {
        let is_none = case["pointer"].is_null() && case["result"]["raises"].is_object();
        let findings = (!is_none).then(|| "the pointer is not understood".to_owned());
        return Outcome::found(KIND, name, findings.into_iter().collect()).with(Difference::NullIsNone);
    };
    let ground = match Ground::files(Files::default()).await {
        Ok(ground) => ground,
        Err(error) => return Outcome::found(KIND, name, vec![error.to_string()]),
    };
    // What the recording found in its folder: a checkpoint, and a directory where the metadata should be.
    let root = ground.root.path();
    fs::create_dir(root.join("chk-1")).expect("a folder can be made");
    fs::write(root.join("chk-1/_metadata"), state(0, 9)).expect("a file can be written");
    fs::create_dir_all(root.join("dirmeta/_metadata")).expect("a folder can be made");
    let found = ground.storage.resolve(&Pointer::new(ground.real(pointer))).await;
    let recorded = &case["result"];
    match (found, recorded.get("raises")) {
        (Err(ours), Some(raises)) if !raises.is_null() => {
            Outcome::found(KIND, name, compare_refusal(raises, &ours))
        }
        (Ok(found), None) => {
            let findings = compare_found(&ground, recorded, &*found).await;
            Outcome::found(KIND, name, findings.unwrap_or_else(|error| vec![error.to_string()]))
                .with(Difference::PlainPointers)
        }
        (ours, _) => Outcome::found(KIND, name, vec![format!("expected {recorded}, ours {ours:?}")]),
    }
}

/// Compares a checkpoint that was found. Flink's pointer is a URI, ours a path; the place has to be the same.
pub(super) async fn compare_found(
    ground: &Ground,
    recorded: &Value,
    found: &dyn CompletedLocation,
) -> Result<Vec<String>, StorageError> {
    let mut findings = compare_pointer(ground, &recorded["external_pointer"], found.pointer());
    let metadata = found.metadata().await?;
    let handle = &recorded["metadata_handle"];
    for (field, ours) in [
        ("state_size", json!(metadata.len())),
        ("bytes_read_back", json!(metadata.len())),
        ("polynomial_hash_31", json!(polynomial_hash(&metadata))),
    ] {
        if handle[field] != ours {
            findings.push(format!("metadata: {field}: expected {}, ours {ours}", handle[field]));
        }
    }
    Ok(findings)
}

pub(super) fn compare_pointer(ground: &Ground, recorded: &Value, ours: &Pointer) -> Vec<String> {
    let ours = ground.recorded(ours.as_str());
    let ours = match ours.rsplit_once('-') {
        Some((savepoint, _)) if savepoint.contains("/savepoint-") => format!("{savepoint}-RANDOM"),
        _ => ours,
    };
    let expected = recorded.as_str().unwrap_or_default();
    let differs = expected.strip_prefix("file:").unwrap_or(expected) != ours;
    differs.then(|| format!("expected the pointer {expected}, ours {ours}")).into_iter().collect()
}
