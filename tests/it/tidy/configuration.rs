//! What a person wrote in `docs/configuration.md` around the table is true as well. The table itself is compared by
//! `cargo xtask ci`.

use super::{assert_none, root};
use std::fs;
use stillframe::config::{
    CheckpointingMode, ExternalizedCheckpointRetention, OPTIONS, OptionType, RecoveryClaimMode,
};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

#[test]
fn the_example_of_the_page_is_the_compiled_one() {
    let (page, crate_doc) = (read("docs/configuration.md"), read("crates/stillframe-config/src/lib.rs"));
    let shown = super::readme::block(&page, "", "```rust");
    let compiled = super::readme::block(&crate_doc, "//! ", "```no_run");
    let visible = compiled.iter().map(|line| if *line == "//!" { "" } else { line });
    let visible = visible.filter(|line| !line.starts_with("# ")).collect::<Vec<_>>();
    assert_eq!(shown.len(), 12, "{shown:?}");
    assert_eq!(
        shown, visible,
        "copy the example from crates/stillframe-config/src/lib.rs to docs/configuration.md"
    );
}

/// What is not in the page, in backticks, although it is a word that a setting can be.
fn missing_words(page: &str) -> Vec<String> {
    let words = CheckpointingMode::ALL
        .map(CheckpointingMode::name)
        .into_iter()
        .chain(ExternalizedCheckpointRetention::ALL.map(ExternalizedCheckpointRetention::name))
        .chain(RecoveryClaimMode::ALL.map(RecoveryClaimMode::name));
    let of_enums =
        OPTIONS.iter().filter(|option| option.option_type() == OptionType::Enum).map(|option| option.key());
    // An enum has its own sentence beside its row in the table.
    let sentences =
        page.split("The words are").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or("");
    words.chain(of_enums).map(|word| format!("`{word}`")).filter(|word| !sentences.contains(word)).collect()
}

#[test]
fn the_page_names_every_word_that_a_setting_can_be() {
    let page = read("docs/configuration.md");
    assert_none(&missing_words(&page), "add it to the sentence `The words are …` in docs/configuration.md");
    assert_eq!(missing_words(&page.replace("`NO_CLAIM`", "")), ["`NO_CLAIM`"]);
}

#[test]
fn the_page_describes_every_type_of_value() {
    let page = read("docs/configuration.md");
    let is_described = |option_type: OptionType| page.contains(&format!("\n| {option_type} | "));
    let complaints = OPTIONS
        .iter()
        .filter(|option| !is_described(option.option_type()))
        .map(|option| format!("{}: {}", option.key(), option.option_type()))
        .collect::<Vec<_>>();
    assert_none(&complaints, "add a row to the table of values in docs/configuration.md");
}

#[test]
fn the_readme_leads_to_the_page() {
    assert!(read("README.md").contains("](docs/configuration.md)"));
}
