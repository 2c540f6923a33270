//! The file of what Flink's storages did: streams, pointers, references, and the life of a storage from its creation to the
//! removal of a checkpoint. Where something is on the disk, it is below a folder that the recording calls `ROOT`.

mod ground;
mod lifecycle;
mod pointers;
mod references;
mod streams;
mod tree;

use super::tally::Outcome;
use super::text;
use ground::block_on;
use serde_json::Value;

pub(crate) fn replay(case: &Value) -> Outcome {
    let (kind, name) = (text(case, "kind"), text(case, "name"));
    match kind {
        "stream" => block_on(streams::on_files(name, case)),
        "memory_stream" => block_on(streams::in_memory(name, case)),
        "resolve_pointer" => block_on(pointers::resolve(name, case)),
        "path_reference" => block_on(references::encode(name, case)),
        "decode_reference" => block_on(references::decode(name, case)),
        "lifecycle" => block_on(lifecycle::replay(name, case)),
        _ => Outcome::found(kind, name, vec![format!("the kind `{kind}` is not understood")]),
    }
}

/// Another recording may have other numbers, and the same must come of it.
#[test]
fn the_life_of_a_storage_may_have_other_numbers() {
    use super::oracle::Oracle;
    use super::tally::Verdict;
    use ground::{polynomial_hash, state};
    use serde_json::json;
    let cases = Oracle::ours().cases("golden_storage.json").expect("our copy can be read");
    let cases = cases.expect("our copy has all files");
    let mut lives = 0;
    for (completed, given_up, len) in [(3, 5, 11), (42, 43, 40)] {
        for case in cases.iter().filter(|case| text(case, "kind") == "lifecycle") {
            let (one, other) = (state(0, 5), state(0, len));
            let mut other_case = case.to_string();
            for (recorded, instead) in [
                ("chk-7", format!("chk-{completed}")),
                ("chk-8", format!("chk-{given_up}")),
                ("location_for_checkpoint 7", format!("location_for_checkpoint {completed}")),
                ("write metadata 5 bytes", format!("write metadata {len} bytes")),
                (&*format!("chk-{completed}/_metadata 5"), format!("chk-{completed}/_metadata {len}")),
                ("ROOT/sp", "ROOT/elsewhere".to_owned()),
                ("\"sp/", "\"elsewhere/".to_owned()),
            ] {
                other_case = other_case.replace(recorded, &instead);
            }
            let mut case: Value = serde_json::from_str(&other_case).expect("it is JSON still");
            let is_written = |handle: &Value| handle["polynomial_hash_31"] == polynomial_hash(&one);
            for step in case["steps"].as_array_mut().expect("a list") {
                if let Some(handle) =
                    step.pointer_mut("/result/metadata_handle").filter(|handle| is_written(handle))
                {
                    handle["state_size"] = json!(other.len());
                    handle["bytes_read_back"] = json!(other.len());
                    handle["polynomial_hash_31"] = json!(polynomial_hash(&other));
                }
            }
            let outcome = replay(&case);
            assert_eq!(outcome.verdict, Verdict::Passed, "{case}");
            lives += 1;
        }
    }
    assert!(lives > 3, "only {lives} lives");
}

/// The recording is believed, so this looks whether a lie in it would be noticed.
#[test]
fn no_recorded_value_of_a_storage_goes_unnoticed() {
    use super::difference::Difference;
    use super::oracle::Oracle;
    use super::tally::Verdict;
    use serde_json::json;
    let cases = Oracle::ours().cases("golden_storage.json").expect("our copy can be read");
    let lies = [
        ("/result/handle", json!("another")),
        ("/result/state_size", json!(7_777)),
        ("/result/bytes_read_back", json!(7_777)),
        ("/result/polynomial_hash_31", json!(7_777)),
        ("/result/external_pointer", json!("file:ROOT/elsewhere")),
        ("/result/metadata_handle/polynomial_hash_31", json!(7_777)),
        ("/result/raises", json!(null)),
        ("/positions/0", json!(7_777)),
        ("/state_files_on_disk", json!(7)),
        ("/decoded", json!("elsewhere")),
        ("/bytes", json!("055f3f1878")),
        ("/steps/0/result/supports_highly_available_storage", json!("perhaps")),
        ("/steps/0/result/has_default_savepoint_location", json!("perhaps")),
        ("/steps/4/tree", json!(["another/"])),
        ("/steps/6/result/polynomial_hash_31", json!(7_777)),
        ("/steps/11/result/external_pointer", json!("file:ROOT/elsewhere")),
        ("/steps/11/tree", json!(["another/"])),
    ];
    let mut told = 0;
    for case in cases.expect("our copy has all files") {
        let honest = replay(&case);
        // Where Flink has a state of no bytes and we have none, there is nothing to compare.
        let loose = [Difference::AnyWriteBuffer, Difference::NothingIsNoState];
        if honest.verdict != Verdict::Passed || loose.iter().any(|loose| honest.differences.contains(loose)) {
            continue;
        }
        for (pointer, lie) in &lies {
            let mut doctored = case.clone();
            let Some(value) = doctored.pointer_mut(pointer).filter(|value| *value != lie) else { continue };
            *value = lie.clone();
            let verdict = replay(&doctored).verdict;
            assert!(
                matches!(verdict, Verdict::Failed(_)),
                "{}: a lie about {pointer} was not noticed",
                case["name"]
            );
            told += 1;
        }
    }
    assert!(told > 400, "only {told} lies were told");
}
