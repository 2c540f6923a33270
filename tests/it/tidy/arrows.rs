//! `docs/architecture.md` says which crate may know which. This compares it with what is.

use super::packages::{Package, Use, packages};
use super::{assert_none, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The first row of the table.
const HEADER: &str = "| crate | layer | depends on | by feature | in tests |";

/// The crate that is never a normal dependency.
const CONFORMANCE: &str = "stillframe-storage-conformance";

/// An arrow from a crate to another, and when it holds.
type Arrow = (String, String, Use);

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    layers: BTreeMap<String, u32>,
    arrows: BTreeSet<Arrow>,
}

impl Table {
    /// Reads the table out of the document. Names in backticks count; in the columns of arrows, `stillframe-` is left out.
    fn parse(document: &str) -> Result<Self, String> {
        let mut lines = document.lines().skip_while(|line| line.trim() != HEADER).skip(2).peekable();
        if lines.peek().is_none() {
            return Err(format!("docs/architecture.md has no table with the header `{HEADER}`"));
        }
        let mut table = Self::default();
        for line in lines.take_while(|line| line.starts_with('|')) {
            let cells = line.trim().trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
            let &[name, layer, always, by_feature, in_tests] = cells.as_slice() else {
                return Err(format!("expected five columns: {line}"));
            };
            let [name] = names(name)[..] else {
                return Err(format!("expected one name in backticks: {line}"));
            };
            let layer = layer.parse().map_err(|_| format!("expected a number as the layer: {line}"))?;
            if table.layers.insert(name.to_owned(), layer).is_some() {
                return Err(format!("a second row for {name}"));
            }
            for (cell, kind) in
                [(always, Use::Always), (by_feature, Use::ByFeature), (in_tests, Use::InTests)]
            {
                let arrows =
                    names(cell).into_iter().map(|to| (name.to_owned(), format!("stillframe-{to}"), kind));
                table.arrows.extend(arrows);
            }
        }
        Ok(table)
    }
}

/// What stands in backticks.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The arrows between our crates. A crate that is used always may be used in tests too, which says nothing new.
fn arrows(packages: &[Package]) -> BTreeSet<Arrow> {
    let ours = packages.iter().map(|package| &package.name).collect::<BTreeSet<_>>();
    let mut arrows = BTreeSet::new();
    for package in packages {
        for (to, kind) in package.uses.iter().filter(|(to, _)| ours.contains(to)) {
            let implied = *kind == Use::InTests && package.uses.contains(&(to.clone(), Use::Always));
            if !implied {
                arrows.insert((package.name.clone(), to.clone(), *kind));
            }
        }
    }
    arrows
}

fn complaints(table: &Table, packages: &[Package]) -> Vec<String> {
    let mut complaints = Vec::new();
    let there = packages.iter().map(|package| package.name.clone()).collect::<BTreeSet<_>>();
    let listed = table.layers.keys().cloned().collect::<BTreeSet<_>>();
    complaints.extend(there.difference(&listed).map(|name| format!("{name} has no row in the table")));
    complaints.extend(listed.difference(&there).map(|name| format!("{name} has a row and does not exist")));

    let actual = arrows(packages);
    let text = |(from, to, kind): &Arrow| format!("{from} -> {to} ({kind:?})");
    complaints
        .extend(actual.difference(&table.arrows).map(|arrow| format!("not in the table: {}", text(arrow))));
    complaints
        .extend(table.arrows.difference(&actual).map(|arrow| format!("only in the table: {}", text(arrow))));

    for arrow @ (from, to, kind) in actual.union(&table.arrows) {
        let is_tested_by = to == CONFORMANCE && *kind == Use::InTests;
        let goes_down = match (table.layers.get(from), table.layers.get(to)) {
            (Some(from), Some(to)) if is_tested_by => to <= from,
            (Some(from), Some(to)) => to < from,
            _ => false,
        };
        if !goes_down {
            complaints.push(format!("does not point to a lower layer: {}", text(arrow)));
        }
        if to == CONFORMANCE && !is_tested_by {
            complaints.push(format!("the conformance cases are for tests only: {}", text(arrow)));
        }
    }
    complaints
}

#[test]
fn crates_depend_on_one_another_as_the_document_says() {
    let document =
        fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md can be read");
    let table = Table::parse(&document).unwrap_or_else(|error| panic!("{error}"));
    let crates = packages().into_iter().filter(Package::is_crate).collect::<Vec<_>>();
    assert_none(
        &complaints(&table, &crates),
        "remove the arrow, or put it into the table and say in the review why it is right",
    );
}

/// The rules shown a small workspace: `a` below `b` below the facade.
mod rules {
    use super::*;
    use serde_json::json;

    const DOCUMENT: &str = "\
Some text.

| crate | layer | depends on | by feature | in tests |
|---|---|---|---|---|
| `stillframe-a` | 0 | – | – | – |
| `stillframe-storage-conformance` | 2 | `a` | – | – |
| `stillframe-b` | 2 | `a` | – | `storage-conformance` |
| `stillframe` | 3 | `a` | `b` | – |

More text.
";

    fn package(name: &str, uses: &[(&str, Use)]) -> Package {
        let dependencies = uses.iter().map(|(to, kind)| {
            let dev = (*kind == Use::InTests).then_some("dev");
            json!({ "name": to, "kind": dev, "optional": *kind == Use::ByFeature })
        });
        Package::parse(json!({ "name": name, "dependencies": dependencies.collect::<Vec<_>>() }))
    }

    /// The workspace that fits the document, with other uses of one crate.
    fn workspace(changed: &str, uses: &[(&str, Use)]) -> Vec<Package> {
        let mut packages = vec![
            package("stillframe-a", &[("bytes", Use::Always)]),
            package(CONFORMANCE, &[("stillframe-a", Use::Always)]),
            package("stillframe-b", &[("stillframe-a", Use::Always), (CONFORMANCE, Use::InTests)]),
            package("stillframe", &[("stillframe-a", Use::Always), ("stillframe-b", Use::ByFeature)]),
        ];
        for slot in &mut packages {
            if slot.name == changed {
                *slot = package(changed, uses);
            }
        }
        packages
    }

    fn complaints_about(packages: &[Package]) -> Vec<String> {
        complaints(&Table::parse(DOCUMENT).expect("the document is well-formed"), packages)
    }

    #[test]
    fn what_fits_is_not_complained_about() {
        assert_eq!(complaints_about(&workspace("", &[])), [""; 0]);
    }

    #[test]
    fn a_test_may_name_again_what_is_used_anyway() {
        let uses =
            [("stillframe-a", Use::Always), ("stillframe-a", Use::InTests), (CONFORMANCE, Use::InTests)];
        assert_eq!(complaints_about(&workspace("stillframe-b", &uses)), [""; 0]);
    }

    #[test]
    fn an_arrow_must_be_in_the_table() {
        let uses =
            [("stillframe-a", Use::Always), ("stillframe-b", Use::ByFeature), (CONFORMANCE, Use::InTests)];
        let complaint = format!("not in the table: stillframe -> {CONFORMANCE} (InTests)");
        assert_eq!(complaints_about(&workspace("stillframe", &uses)), [complaint]);
    }

    #[test]
    fn an_arrow_in_the_table_must_exist() {
        let complaint = format!("only in the table: stillframe-b -> {CONFORMANCE} (InTests)");
        assert_eq!(
            complaints_about(&workspace("stillframe-b", &[("stillframe-a", Use::Always)])),
            [complaint]
        );
    }

    #[test]
    fn an_optional_arrow_is_not_one_that_always_holds() {
        let uses = [("stillframe-a", Use::Always), ("stillframe-b", Use::Always)];
        assert_eq!(complaints_about(&workspace("stillframe", &uses)).len(), 2);
    }

    #[test]
    fn nothing_points_up_even_in_tests() {
        let complaints = complaints_about(&workspace("stillframe-a", &[("stillframe", Use::InTests)]));
        let expected = [
            "not in the table: stillframe-a -> stillframe (InTests)",
            "does not point to a lower layer: stillframe-a -> stillframe (InTests)",
        ];
        assert_eq!(complaints, expected);
    }

    #[test]
    fn the_table_cannot_permit_an_arrow_upwards() {
        let document = DOCUMENT.replace("`stillframe-a` | 0", "`stillframe-a` | 9");
        let complaints = complaints(&Table::parse(&document).unwrap(), &workspace("", &[]));
        assert_eq!(complaints.len(), 3, "{complaints:?}");
    }

    #[test]
    fn conformance_is_for_tests_only() {
        let document =
            DOCUMENT.replace("| `a` | – | `storage-conformance` |", "| `a`, `storage-conformance` | – | – |");
        let uses = [("stillframe-a", Use::Always), (CONFORMANCE, Use::Always)];
        let complaints = complaints(&Table::parse(&document).unwrap(), &workspace("stillframe-b", &uses));
        let expected =
            format!("the conformance cases are for tests only: stillframe-b -> {CONFORMANCE} (Always)");
        assert!(complaints.contains(&expected), "{complaints:?}");
    }

    #[test]
    fn rows_and_crates_go_together() {
        let mut packages = workspace("", &[]);
        packages.push(package("stillframe-new", &[]));
        assert_eq!(complaints_about(&packages), ["stillframe-new has no row in the table"]);
        let shorter = packages
            .iter()
            .filter(|package| package.name != "stillframe-new" && package.name != "stillframe");
        let complaints = complaints_about(&shorter.cloned().collect::<Vec<_>>());
        assert!(complaints.contains(&"stillframe has a row and does not exist".to_owned()), "{complaints:?}");
    }

    #[test]
    fn a_table_that_cannot_be_read_is_refused() {
        for (was, becomes) in [
            ("| layer |", "| level |"),
            ("| 2 | `a` |", "| two | `a` |"),
            ("| 2 | `a` |", "| 2 |"),
            ("`stillframe-b`", "stillframe-b"),
            ("`stillframe-b`", "`stillframe-a`"),
        ] {
            let document = DOCUMENT.replace(was, becomes);
            assert_ne!(document, DOCUMENT, "{was} is not in the document");
            assert!(Table::parse(&document).is_err(), "{becomes}");
        }
    }
}
