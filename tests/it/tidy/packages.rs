//! The packages of the workspace as cargo sees them, and what a published one must say about itself.

use super::{assert_none, root};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How one package uses another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Always, also while it is built.
    Always,
    /// When a feature asks for it.
    ByFeature,
    /// In its tests and examples.
    InTests,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// The packages it uses, ours and others', by name.
    pub(crate) uses: Vec<(String, Use)>,
    value: Value,
}

impl Package {
    /// Whether it lies below `crates/`, which is where everything lies that is subject to the table of arrows.
    pub(crate) fn is_crate(&self) -> bool {
        self.manifest.starts_with(root().join("crates"))
    }

    /// Whether it goes to the registry.
    pub(crate) fn is_published(&self) -> bool {
        self.value["publish"].is_null()
    }

    /// Whether it promises to work without the standard library.
    pub(crate) fn is_no_std(&self) -> bool {
        self.texts("categories").contains(&"no-std")
    }

    pub(crate) fn version(&self) -> &str {
        self.text("version")
    }

    fn text(&self, field: &str) -> &str {
        self.value[field].as_str().unwrap_or_default()
    }

    fn texts(&self, field: &str) -> Vec<&str> {
        self.value[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// From what `cargo metadata` says of it.
    pub(crate) fn parse(value: Value) -> Self {
        let dependencies = value["dependencies"].as_array().into_iter().flatten();
        let uses = dependencies.map(|dependency| {
            let kind = match (dependency["kind"].as_str(), dependency["optional"] == true) {
                (Some("dev"), _) => Use::InTests,
                (_, true) => Use::ByFeature,
                (_, false) => Use::Always,
            };
            (dependency["name"].as_str().unwrap_or_default().to_owned(), kind)
        });
        let (name, manifest) = (value["name"].as_str(), value["manifest_path"].as_str());
        Self {
            uses: uses.collect(),
            name: name.unwrap_or_default().to_owned(),
            manifest: manifest.unwrap_or_default().into(),
            value,
        }
    }
}

/// All packages of the workspace.
pub(crate) fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output =
        Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let mut value = serde_json::from_slice::<Value>(&output.stdout).expect("cargo prints JSON");
    let Value::Array(packages) = value["packages"].take() else { panic!("cargo metadata lists no packages") };
    packages.into_iter().map(Package::parse).collect()
}

/// What is missing from a published package's description of itself.
fn complaints(package: &Package) -> Vec<String> {
    let keywords = package.texts("keywords");
    let docs_rs = &package.value["metadata"]["docs"]["rs"];
    let rules = [
        (package.text("description").ends_with('.'), "its description is no sentence"),
        (package.text("license") == "MIT OR Apache-2.0", "its licence is not `MIT OR Apache-2.0`"),
        (package.text("repository").starts_with("https://"), "it names no repository"),
        // The registry refuses more than five, and longer ones.
        ((1..=5).contains(&keywords.len()), "it has no keywords, or more than five"),
        (keywords.iter().all(|keyword| keyword.len() <= 20), "a keyword is longer than 20 letters"),
        ((1..=5).contains(&package.texts("categories").len()), "it has no categories, or more than five"),
        (docs_rs["all-features"] == true, "docs.rs would not show all its features"),
        (
            docs_rs["rustdoc-args"] == serde_json::json!(["--cfg", "docsrs"]),
            "docs.rs would not set the cfg `docsrs`",
        ),
    ];
    rules
        .iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, complaint)| format!("{}: {complaint}", package.name))
        .collect()
}

#[test]
fn published_packages_describe_themselves() {
    let packages = packages();
    let published = packages.iter().filter(|package| package.is_published()).collect::<Vec<_>>();
    assert!(!published.is_empty(), "nothing would be published");
    let complaints = published.iter().flat_map(|package| complaints(package)).collect::<Vec<_>>();
    assert_none(&complaints, "copy the top of another crate's Cargo.toml and say what this one is for");
}

#[test]
fn a_package_that_says_nothing_is_complained_about() {
    let package = Package::parse(serde_json::json!({ "name": "x", "description": null, "keywords": [] }));
    assert_eq!(complaints(&package).len(), 7, "{:?}", complaints(&package));
}

#[test]
fn what_lies_in_crates_is_published_and_nothing_else_is() {
    let wrong = packages().into_iter().filter(|package| package.is_crate() != package.is_published());
    let complaints =
        wrong.map(|package| format!("{}: {}", package.name, package.manifest.display())).collect::<Vec<_>>();
    assert_none(&complaints, "products lie in crates/; whatever lies elsewhere says `publish = false`");
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    let takes = |package: &Package| {
        fs::read_to_string(&package.manifest).is_ok_and(|text| text.contains("[lints]\nworkspace = true\n"))
    };
    let complaints = packages()
        .iter()
        .filter(|package| !takes(package))
        .map(|package| package.name.clone())
        .collect::<Vec<_>>();
    assert_none(&complaints, "add `[lints]` with `workspace = true` to its Cargo.toml");
}
