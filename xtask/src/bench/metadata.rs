//! How fast metadata becomes bytes and is read from them, and how many bytes.

use super::Options;
use super::compare::{Case, Comparison};
use super::row::{Goal, Row};
use super::samples::Samples;
use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;

/// One repetition is over in milliseconds; in each round they are to last about as long as the peer's.
pub(super) const CASES: [Case; 2] = [
    Case {
        name: "metadata-10k",
        repetitions: 301,
        peer: Some(("Metadata", "--subtasks 10000 --state file --warm-s 2 --secs 2")),
    },
    Case {
        name: "metadata-50k",
        repetitions: 101,
        peer: Some(("Metadata", "--subtasks 50000 --state file --warm-s 2 --secs 2")),
    },
];

pub(crate) fn measure(
    console: &mut Console,
    workspace: &Workspace,
    options: &Options,
) -> Result<Vec<Row>, Error> {
    let measured = Comparison::run(console, workspace, options, &CASES)?;
    let mut rows = Vec::new();
    for (case, names) in [
        ("metadata-10k", ["encode 10,000 subtasks", "decode 10,000 subtasks", "size of 10,000 subtasks"]),
        ("metadata-50k", ["encode 50,000 subtasks", "decode 50,000 subtasks", "size of 50,000 subtasks"]),
    ] {
        let case = measured.case(case)?;
        let size = case.peer("bytes_per_subtask");
        // The peer counts megabytes of its own format.
        let rate = |figure| {
            let bytes = size.clone()?;
            Ok::<Samples, String>(case.peer(figure)?.scaled(1e6 / bytes.median()))
        };
        let [encode, decode, bytes] = names;
        let row = |name, unit, ours, reference, goal| Row {
            name,
            unit,
            ours,
            reference_name: "flink",
            reference,
            goal,
        };
        rows.extend([
            row(encode, "subtasks/s", case.ours("encode")?, rate("serialize_mb_s"), Goal::AtLeast(8.0)),
            row(decode, "subtasks/s", case.ours("decode")?, rate("deserialize_mb_s"), Goal::AtLeast(20.0)),
            row(bytes, "bytes/subtask", case.ours("bytes")?, size.clone(), Goal::AtMost(1.0 / 3.0)),
        ]);
    }
    Ok(rows)
}
