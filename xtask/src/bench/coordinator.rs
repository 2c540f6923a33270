//! How fast a coordinator takes acknowledgements, how long a checkpoint needs behind the last one, and how much memory that
//! takes, with up to a million subtasks.

use super::Options;
use super::compare::{Case, Comparison};
use super::row::{Goal, Row};
use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;

/// Our program's cases; those beyond what the peer can do in reasonable time are compared with the least of ours.
pub(super) const CASES: [Case; 8] = [
    Case {
        name: "acknowledge-1k",
        repetitions: 30,
        peer: Some(("Coordinator", "--subtasks 1000 --state file --warmup 40 --iters 30")),
    },
    Case {
        name: "acknowledge-10k",
        repetitions: 15,
        peer: Some(("Coordinator", "--subtasks 10000 --state file --warmup 10 --iters 15")),
    },
    Case {
        name: "acknowledge-10k-inline",
        repetitions: 15,
        peer: Some(("Coordinator", "--subtasks 10000 --state inline --warmup 10 --iters 15")),
    },
    Case {
        name: "acknowledge-50k",
        repetitions: 10,
        peer: Some(("Coordinator", "--subtasks 50000 --state file --warmup 5 --iters 10")),
    },
    Case { name: "acknowledge-200k", repetitions: 5, peer: None },
    Case { name: "acknowledge-1m", repetitions: 3, peer: None },
    Case { name: "pending-50k", repetitions: 1, peer: None },
    Case { name: "pending-1m", repetitions: 1, peer: None },
];

pub(crate) fn measure(
    console: &mut Console,
    workspace: &Workspace,
    options: &Options,
) -> Result<Vec<Row>, Error> {
    let measured = Comparison::run(console, workspace, options, &CASES)?;
    let mut rows = Vec::new();
    for (case, [rate, cost, completion]) in [
        (
            "acknowledge-1k",
            [
                "acknowledgements of 1,000 subtasks",
                "processor time of one",
                "1,000 subtasks, from the last one until all were told",
            ],
        ),
        (
            "acknowledge-10k",
            [
                "acknowledgements of 10,000 subtasks",
                "processor time of one",
                "10,000 subtasks, from the last one until all were told",
            ],
        ),
        (
            "acknowledge-10k-inline",
            [
                "acknowledgements of 10,000 subtasks with 256 bytes inline",
                "processor time of one",
                "10,000 subtasks with 256 bytes inline, from the last one until all were told",
            ],
        ),
        (
            "acknowledge-50k",
            [
                "acknowledgements of 50,000 subtasks",
                "processor time of one",
                "50,000 subtasks, from the last one until all were told",
            ],
        ),
    ] {
        let case = measured.case(case)?;
        let row = |name, unit, figure, reference, goal| {
            let (ours, reference) = (case.ours(figure)?, case.peer(reference));
            Ok::<_, Error>(Row { name, unit, ours, reference_name: "flink", reference, goal })
        };
        rows.extend([
            row(rate, "acks/s", "rate", "ack_per_s", Goal::AtLeast(5.0))?,
            row(cost, "ns", "cost", "ack_thread_cpu_ns", Goal::AtMost(1.0 / 5.0))?,
            row(completion, "ms", "completion", "last_ack_to_completed_ms", Goal::AtMost(1.0 / 20.0))?,
        ]);
    }
    // Ours against ours, so that it says something without a peer as well.
    let among = |more: &str, less: &str, figure, name, unit, reference_name, goal| {
        let (ours, reference) = (measured.case(more)?.ours(figure)?, Ok(measured.case(less)?.ours(figure)?));
        Ok::<_, Error>(Row { name, unit, ours, reference_name, reference, goal: Goal::AtMost(goal) })
    };
    for (case, name) in [
        ("acknowledge-10k", "an acknowledgement among 10,000 subtasks"),
        ("acknowledge-50k", "an acknowledgement among 50,000 subtasks"),
        ("acknowledge-200k", "an acknowledgement among 200,000 subtasks"),
        ("acknowledge-1m", "an acknowledgement among 1,000,000 subtasks"),
    ] {
        rows.push(among(case, "acknowledge-1k", "cost", name, "ns", "among 1,000", 2.0)?);
    }
    // The claim is that it is the same for each; how much it is, the figures say.
    for (figure, name) in [
        ("collected", "memory for each of 1,000,000 subtasks, all acknowledged"),
        ("completed", "most memory for each of 1,000,000 subtasks until all were told"),
    ] {
        rows.push(among("pending-1m", "pending-50k", figure, name, "bytes", "of 50,000", 1.5)?);
    }
    Ok(rows)
}
