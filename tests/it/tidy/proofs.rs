//! The seam between proofs and `cargo xtask prove`: what one writes is what the other reads.

use super::{assert_none, root};
use crate::prove::{Proof, Size, report, seed, size};
use std::fs;
use std::panic;

#[test]
fn every_proof_is_declared() {
    let folder = root().join("tests/it/prove");
    let declarations = fs::read_to_string(folder.join("mod.rs")).expect("the list of proofs can be read");
    let entries = fs::read_dir(&folder).expect("the folder of proofs can be listed");
    let names = entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()));
    let missing = names.filter(|name| {
        name != "mod" && !declarations.lines().any(|line| line.ends_with(&format!("mod {name};")))
    });
    let complaints =
        missing.map(|name| format!("tests/it/prove/{name} is not declared in mod.rs")).collect::<Vec<_>>();
    assert_none(&complaints, "without a declaration it is not compiled, and proves nothing");
}

#[test]
fn a_report_has_exactly_the_agreed_fields() {
    let proof =
        Proof { cases: 3, skipped: 1, detail: "a \"quoted\" word".into(), ..Proof::begin("name/part") };
    let row = proof.row();
    let mut fields = row.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    fields.sort_unstable();
    assert_eq!(fields, ["cases", "detail", "name", "seconds", "skipped", "violations"]);

    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    proof.write_into(directory);
    let text = fs::read_to_string(directory.join("name.part.json")).unwrap();
    let read = serde_json::from_str::<serde_json::Value>(&text).unwrap();
    assert_eq!(
        (&read["name"], &read["cases"], &read["detail"]),
        (&row["name"], &row["cases"], &row["detail"])
    );
}

#[test]
fn a_violation_is_a_failed_test() {
    let violated = Proof { cases: 2, violations: 1, ..Proof::begin("violated") };
    let panic = panic::catch_unwind(|| report(&violated)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("violated in 1 of 2 cases"), "{message}");
    report(&Proof { cases: 2, ..Proof::begin("held") });
}

#[test]
fn without_a_wish_the_size_is_that_of_ci_and_every_seed_is_new() {
    assert_eq!((Size::parse("ci").pick(1, 2), Size::parse("deep").pick(1, 2)), (1, 2));
    assert!(panic::catch_unwind(|| Size::parse("huge")).is_err());
    if std::env::var_os("STILLFRAME_PROVE_SIZE").is_none() {
        assert_eq!(size(), Size::Ci);
    }
    if std::env::var_os("STILLFRAME_SEED").is_none() {
        assert_ne!(seed(), seed());
    }
}
