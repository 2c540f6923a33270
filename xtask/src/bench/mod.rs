//! Measurements beside a reference from the same run, so that a figure means something on any machine.

mod flights;
mod row;

use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;
use row::Row;
use serde_json::Value;
use std::fs;
use std::path::Path;

type Bench = fn(&mut Console, &Workspace) -> Result<Vec<Row>, Error>;

/// Every bench, by the name under which it is asked for.
const BENCHES: [(&str, Bench); 1] = [("flights", flights::run)];

/// The verb. Missing a goal is shown and is no failure: a busy machine is not a broken program.
pub(crate) fn run(
    console: &mut Console,
    workspace: &Workspace,
    name: &str,
    json: Option<&Path>,
) -> Result<bool, Error> {
    let Some((_, bench)) = BENCHES.into_iter().find(|(known, _)| *known == name) else {
        let known = BENCHES.map(|(known, _)| known).join(", ");
        return Err(Error::Unknown { what: "bench", name: name.to_owned(), known });
    };
    let rows = bench(console, workspace)?;
    for row in &rows {
        console.say(&row.to_string());
    }
    if let Some(path) = json {
        let rows = rows.iter().map(Row::to_json).collect::<Vec<Value>>();
        fs::write(path, format!("{:#}\n", Value::Array(rows))).map_err(Error::file("write", path))?;
    }
    Ok(true)
}
