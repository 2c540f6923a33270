//! No setting is without effect unnoticed: each option has a test that shows what it changes, or is known to wait for
//! something; and `docs/architecture.md` says which, and where it is read.

use super::{assert_none, root};
use crate::settings::TESTS;
use std::collections::BTreeSet;
use std::fs;
use stillframe::config::{OPTIONS, Reader};

/// The first rows of the two tables.
const READ: &str = "| key | read by | test |";
const PENDING: &str = "| key | waits for |";

/// An option, or what the document says of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    /// This decision reads it, and this test shows it.
    Read { key: String, by: String, test: String },
    /// It waits for this.
    Pending { key: String, awaits: String },
}

/// A place in the sources that the document names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: String,
    item: String,
}

/// The cells of a table's rows, without backquotes.
fn cells<'a>(document: &'a str, header: &str) -> Vec<Vec<&'a str>> {
    let rows = document.lines().skip_while(|line| line.trim() != header).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim().trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// What the document says, and the places that it names; or the row that cannot be read.
fn documented(document: &str) -> Result<(BTreeSet<Row>, Vec<Place>), String> {
    let (mut rows, mut places) = (BTreeSet::new(), Vec::new());
    for cells in cells(document, READ) {
        let &[key, by, test] = cells.as_slice() else { return Err(cells.join(" | ")) };
        let words = by.split('`').collect::<Vec<_>>();
        let &[decision, file, " ", item, ""] = words.as_slice() else { return Err(by.to_owned()) };
        let Some(decision) = decision.strip_suffix(": ") else { return Err(by.to_owned()) };
        places.push(Place { file: file.to_owned(), item: item.to_owned() });
        rows.insert(Row::Read { key: bare(key), by: decision.to_owned(), test: bare(test) });
    }
    for cells in cells(document, PENDING) {
        let &[key, awaits] = cells.as_slice() else { return Err(cells.join(" | ")) };
        rows.insert(Row::Pending { key: bare(key), awaits: awaits.to_owned() });
    }
    Ok((rows, places))
}

/// What is: every option, as `OPTIONS` and the list of tests have it.
fn declared() -> BTreeSet<Row> {
    let test = |key: &str| TESTS.iter().find(|(tested, _)| *tested == key).map_or("", |(_, test)| test);
    let row = |key: &str, reader| match reader {
        Reader::Pending(awaits) => Row::Pending { key: key.to_owned(), awaits: awaits.to_owned() },
        Reader::Read(by) => Row::Read { key: key.to_owned(), by: by.to_owned(), test: test(key).to_owned() },
        other => panic!("{key}: the document has no table for {other:?}"),
    };
    OPTIONS.iter().map(|option| row(option.key(), option.reader())).collect()
}

fn differences(documented: &BTreeSet<Row>, declared: &BTreeSet<Row>) -> Vec<String> {
    let missing = declared.difference(documented).map(|row| format!("not in the table: {row:?}"));
    let stale = documented.difference(declared).map(|row| format!("only in the table: {row:?}"));
    missing.chain(stale).collect()
}

#[test]
fn the_document_says_of_every_setting_what_reads_it() {
    let document =
        fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md can be read");
    let (documented, places) =
        documented(&document).unwrap_or_else(|row| panic!("this row of the settings cannot be read: {row}"));
    assert_none(
        &differences(&documented, &declared()),
        "the tables under `Settings` say what crates/stillframe-config/src/option/table.rs and tests/it/settings do",
    );
    let is_lost = |place: &&Place| {
        let code = fs::read_to_string(root().join("crates").join(&place.file)).unwrap_or_default();
        !code.contains(&format!("fn {}(", place.item))
    };
    let lost = places.iter().filter(is_lost).map(|place| format!("{place:?}")).collect::<Vec<_>>();
    assert_none(&lost, "there is no such function in that file: say where the setting is read now");
}

#[test]
fn every_setting_that_is_read_has_a_test_and_no_other_has() {
    let read = OPTIONS.iter().filter(|option| matches!(option.reader(), Reader::Read(_)));
    let read = read.map(|option| option.key()).collect::<BTreeSet<_>>();
    let tested = TESTS.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>();
    assert_eq!(tested.len(), TESTS.len(), "a key has two tests");
    let complaints = read.symmetric_difference(&tested).map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_none(
        &complaints,
        "write a test that shows what the setting changes (tests/it/settings/mod.rs), or call it pending",
    );
}

#[test]
fn rows_are_read_and_compared() {
    let document = "\
Text.

| key | read by | test |
|---|---|---|
| `a.b` | schedule: `stillframe-x/src/y.rs` `next` | `settings::b` |

| key | waits for |
|---|---|
| `c` | better times |
";
    let (rows, places) = documented(document).expect("it can be read");
    let read = Row::Read { key: "a.b".into(), by: "schedule".into(), test: "settings::b".into() };
    let pending = Row::Pending { key: "c".into(), awaits: "better times".into() };
    assert_eq!(rows, [read.clone(), pending.clone()].into());
    assert_eq!(places, [Place { file: "stillframe-x/src/y.rs".into(), item: "next".into() }]);
    assert_eq!(differences(&rows, &rows), [""; 0]);
    for (documented, declared) in
        [([read.clone()].into(), rows.clone()), (rows.clone(), [pending].into()), ([].into(), [read].into())]
    {
        assert_eq!(differences(&documented, &declared).len(), 1);
    }
    for bad in ["schedule | `t` |", "`x.rs` `next` | `t` |", "s: `x.rs` | `t` |", "s: `x.rs` `f` |"] {
        let document = format!("{READ}\n|---|---|---|\n| `a` | {bad}\n");
        assert!(documented(&document).is_err(), "{bad}");
    }
}
