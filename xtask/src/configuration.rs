//! The table in `docs/configuration.md`, which says what the option table of `stillframe-config` says.

use crate::api::difference;
use crate::console::Console;
use crate::error::Error;
use crate::step::Outcome;
use crate::workspace::Workspace;
use std::fs;
use std::path::PathBuf;
use stillframe_config::{ConfigOption, OPTIONS, Reader};

/// What stands before and after the table in the page.
const BEGIN: &str =
    "<!-- Written by `cargo xtask fix` from `stillframe_config::OPTIONS`. Change it there. -->\n";
const END: &str = "<!-- End of what is written. -->\n";

/// Compares, and prints what differs.
pub(crate) fn check(console: &mut Console, workspace: &Workspace) -> Result<Outcome, Error> {
    let Page { text, expected, .. } = page(workspace)?;
    if text == expected {
        return Ok(Outcome::Ok);
    }
    difference(&text, &expected).iter().for_each(|line| console.say(line));
    Ok(Outcome::Failed("docs/configuration.md does not say what the option table says".into()))
}

/// Makes the page say what the option table says.
pub(crate) fn rewrite(workspace: &Workspace) -> Result<(), Error> {
    let Page { path, text, expected } = page(workspace)?;
    // Left alone when it is right already, so that its time of change means something.
    if text == expected { Ok(()) } else { fs::write(&path, expected).map_err(Error::file("write", &path)) }
}

struct Page {
    path: PathBuf,
    text: String,
    /// The same with the table as it should be.
    expected: String,
}

fn page(workspace: &Workspace) -> Result<Page, Error> {
    let path = workspace.root.join("docs/configuration.md");
    let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    match with_table(&text, &table(OPTIONS)) {
        Some(expected) => Ok(Page { path, text, expected }),
        None => {
            let detail = format!(
                "the lines `{}` and `{}` are not there, between which the table goes",
                BEGIN.trim_end(),
                END.trim_end()
            );
            Err(Error::Content { path, detail })
        }
    }
}

/// The page with this table between its marks, if it has both.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, table, END, after].concat())
}

fn table(options: &[ConfigOption]) -> String {
    let mut table = String::from(
        "\n| key | type | default | older keys | what it is for | read by |\n|---|---|---|---|---|---|\n",
    );
    for option in options {
        table.push_str(&row([
            code(option.key()),
            option.option_type().to_string(),
            option.default().map_or_else(|| "–".to_owned(), |text| code(&text)),
            option.old_keys().iter().map(|key| code(key)).collect::<Vec<_>>().join(", "),
            option.doc().to_owned(),
            match option.reader() {
                Reader::Read(decision) => decision.to_owned(),
                Reader::Pending(awaits) => format!("*pending:* {awaits}"),
                reader => format!("{reader:?}"),
            },
        ]));
    }
    table.push('\n');
    table
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A row of a table in Markdown, in which a bar would end a cell.
fn row(cells: [String; 6]) -> String {
    let cells = cells.map(|cell| if cell.is_empty() { "–".to_owned() } else { cell.replace('|', "\\|") });
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_one_row() {
        let table = table(OPTIONS);
        for option in OPTIONS {
            let begins = format!("| `{}` | ", option.key());
            let rows = table.lines().filter(|line| line.starts_with(&begins)).collect::<Vec<_>>();
            let &[row] = rows.as_slice() else { panic!("{}: {rows:?}", option.key()) };
            assert_eq!(row.matches(" | ").count(), 5, "{row}");
            assert!(row.contains(option.doc()), "{row}");
        }
        assert_eq!(table.lines().filter(|line| line.starts_with("| `")).count(), OPTIONS.len());
    }

    #[test]
    fn the_table_goes_between_the_marks_and_nothing_else_changes() {
        let page = ["before\n", BEGIN, "old\n", END, "after\n"].concat();
        let expected = ["before\n", BEGIN, "new\n", END, "after\n"].concat();
        assert_eq!(with_table(&page, "new\n"), Some(expected));
        assert_eq!(with_table(&page.replace(END, ""), "new\n"), None);
        assert_eq!(with_table(&page.replace(BEGIN, ""), "new\n"), None);
    }

    #[test]
    fn a_cell_is_never_two() {
        let cells = ["a", "", "b|c", "d", "e", "f"].map(str::to_owned);
        assert_eq!(row(cells), "| a | – | b\\|c | d | e | f |\n");
    }
}
