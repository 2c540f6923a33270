//! What the pure crates promise about what they cannot reach: no async runtime, no standard library.

use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::step::Outcome;
use crate::workspace::Workspace;
use serde_json::Value;
use std::collections::BTreeSet;

/// Crates that run futures, or exist to serve one that does.
const RUNTIMES: [&str; 12] = [
    "actix-rt",
    "async-executor",
    "async-io",
    "async-std",
    "compio",
    "embassy-executor",
    "futures-executor",
    "glommio",
    "mio",
    "monoio",
    "smol",
    "tokio",
];

/// No crate without the standard library has an async runtime anywhere below it, in any feature, not even for its tests.
pub(crate) fn async_free(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    let mut found = Vec::new();
    for package in workspace.no_std() {
        let tree =
            CommandLine::cargo("tree --all-features --prefix none --format {p} --package").arg(&package.name);
        console.say(&format!("$ {tree}"));
        found.extend(
            runtimes_in(&tree.output()?).map(|runtime| format!("{} depends on {runtime}", package.name)),
        );
    }
    Ok(if found.is_empty() { Outcome::Ok } else { Outcome::Failed(found.join("; ")) })
}

/// The crates that a config may need when it is built without features: ours, and an error derive with what it is made of.
const CONFIG_MAY_NEED: [&str; 8] = [
    "stillframe-config",
    "stillframe-model",
    "thiserror",
    "thiserror-impl",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

/// The config, without features, needs nothing else.
pub(crate) fn small_config(console: &mut Console, _: &Workspace) -> Result<Outcome, Error> {
    let tree = CommandLine::cargo(
        "tree --no-default-features --edges normal --prefix none --format {p} --package stillframe-config",
    );
    console.say(&format!("$ {tree}"));
    let output = tree.output()?;
    let needed = names_in(&output);
    let more: Vec<_> = needed.into_iter().filter(|name| !CONFIG_MAY_NEED.contains(name)).collect();
    Ok(if more.is_empty() {
        Outcome::Ok
    } else {
        Outcome::Failed(format!("stillframe-config without features depends on {}", more.join(", ")))
    })
}

/// The names at the beginning of the lines of `cargo tree`.
fn names_in(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

/// The runtimes in the output of `cargo tree`, where a line begins with the name of a crate.
fn runtimes_in(tree: &str) -> impl Iterator<Item = &str> {
    names_in(tree).into_iter().filter(|name| RUNTIMES.contains(name))
}

/// Asks the compiler what each crate links when it is built without features. A target that has no standard library would
/// show the same, but cannot be had everywhere.
pub(crate) fn no_std(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    let mut found = Vec::new();
    for package in workspace.no_std() {
        let check =
            CommandLine::cargo("check --quiet --lib --no-default-features --message-format json --package");
        let check = check.arg(&package.name);
        console.say(&format!("$ {check}"));
        let messages = check.output()?;
        let Some(library) = library_in(&messages, &package.name) else {
            return Err(Error::Output { command: check.to_string(), detail: "it names no library".into() });
        };
        let list = CommandLine::new("rustc").arg("-Zls=root").arg(library).env("RUSTC_BOOTSTRAP", "1");
        let linked = match list.output() {
            Ok(linked) => linked,
            Err(error) => {
                return Ok(Outcome::Skipped(format!(
                    "this compiler does not list what a crate links: {error}"
                )));
            }
        };
        match links_std(&linked) {
            Some(false) => {}
            Some(true) => found.push(format!("{} or something below it links std", package.name)),
            None => {
                return Ok(Outcome::Skipped("this compiler lists what a crate links in another form".into()));
            }
        }
    }
    Ok(if found.is_empty() { Outcome::Ok } else { Outcome::Failed(found.join("; ")) })
}

/// The metadata file of a package's library among the messages of `cargo check`.
fn library_in(messages: &str, package: &str) -> Option<String> {
    let library = package.replace('-', "_");
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let artifact = messages
        .filter(|message| message["reason"] == "compiler-artifact")
        .find(|artifact| artifact["target"]["name"] == *library)?;
    let files = artifact["filenames"].as_array()?.iter().filter_map(Value::as_str);
    files.filter(|file| file.ends_with(".rmeta")).map(str::to_owned).next()
}

/// Whether `std` is among the dependencies that the compiler lists, each with a number in front and a hash behind.
/// `None` if there is no such list, or not even `core` in it.
fn links_std(listing: &str) -> Option<bool> {
    let (_, dependencies) = listing.split_once("=External Dependencies=")?;
    let lines = dependencies.lines().skip(1).take_while(|line| !line.starts_with('='));
    let names = lines
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter_map(|name| name.rsplit_once('-'))
        .map(|(name, _)| name)
        .collect::<BTreeSet<_>>();
    names.contains("core").then(|| names.contains("std"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_found_by_its_whole_name() {
        let tree = "stillframe-config v0.1.0 (/w)\ntokio-macros v2.0.0 (proc-macro)\ntokio v1.54.1\nmio v1.0.0 (*)\n";
        assert_eq!(runtimes_in(tree).collect::<Vec<_>>(), ["mio", "tokio"]);
    }

    #[test]
    fn std_is_found_among_what_is_linked() {
        let listing = |name| {
            format!(
                "Crate info:\nname x\n=External Dependencies=\n1 core-12 hash 0\n2 {name}-34 hash 0\n=Next=\n3 std-56\n"
            )
        };
        assert_eq!(links_std(&listing("std")), Some(true));
        assert_eq!(links_std(&listing("alloc")), Some(false));
        assert_eq!(links_std(&listing("std_detect")), Some(false));
        assert_eq!(links_std("Crate info:\n"), None);
        assert_eq!(links_std("=External Dependencies=\nanother form\n"), None);
    }

    #[test]
    fn the_library_is_found_among_the_messages() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"bytes"},"filenames":["/t/libbytes.rmeta"]}
            {"reason":"compiler-artifact","target":{"name":"a_b"},"filenames":["/t/liba_b.rlib","/t/liba_b.rmeta"]}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(library_in(messages, "a-b").as_deref(), Some("/t/liba_b.rmeta"));
        assert_eq!(library_in(messages, "c"), None);
    }
}
