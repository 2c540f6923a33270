//! How fast state is written, durably, and read back, and how much memory that takes.

use super::Options;
use super::compare::{Case, Comparison};
use super::row::{Goal, Row};
use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;

/// In each round, beside as many of the plain counterpart.
const REPETITIONS: usize = 3;

const fn case(name: &'static str, peer: Option<(&'static str, &'static str)>) -> Case {
    Case { name, repetitions: REPETITIONS, peer }
}

/// The peer's numbers are those of our program: bytes in a write, streams, threads, states.
pub(super) const CASES: [Case; 9] = [
    case(
        "write-1",
        Some(("Storage", "--mode stream --threads 1 --mib 256 --chunk 65536 --warmup 1 --iters 3")),
    ),
    case(
        "write-8",
        Some(("Storage", "--mode stream --threads 8 --mib 64 --chunk 65536 --warmup 1 --iters 3")),
    ),
    case("states-64k", Some(("Storage", "--mode small --files 1000 --size 65536 --warmup 1 --iters 3"))),
    // These are over in milliseconds.
    Case {
        repetitions: 5 * REPETITIONS,
        ..case("states-1k", Some(("Storage", "--mode small --files 2000 --size 1024 --warmup 8 --iters 15")))
    },
    case("read", None),
    case("memory-1-64", None),
    case("memory-1-1024", None),
    case("memory-8-64", None),
    case("memory-8-1024", None),
];

pub(crate) fn measure(
    console: &mut Console,
    workspace: &Workspace,
    options: &Options,
) -> Result<Vec<Row>, Error> {
    let measured = Comparison::run(console, workspace, options, &CASES)?;
    let plain = |case: &str, name, unit, reference_name, goal| {
        let case = measured.case(case)?;
        let (ours, reference) = (case.ours("ours")?, Ok(case.ours("plain")?));
        Ok::<_, Error>(Row { name, unit, ours, reference_name, reference, goal: Goal::AtLeast(goal) })
    };
    let flink = |case: &str, name, unit, figure, goal| {
        let case = measured.case(case)?;
        let (ours, reference) = (case.ours("ours")?, case.peer(figure));
        let goal = Goal::AtLeast(goal);
        Ok::<_, Error>(Row { name, unit, ours, reference_name: "flink", reference, goal })
    };
    // That memory does not grow with the state is the claim; how much it is, the figures say. The goal leaves room for what
    // the allocator and the kernel's coarse counting add to a few MiB; a program that keeps its state misses it by far.
    let memory = |more: &str, less: &str, name, reference_name| {
        let (ours, reference) = (measured.case(more)?.ours("peak")?, Ok(measured.case(less)?.ours("peak")?));
        Ok::<_, Error>(Row { name, unit: "MiB", ours, reference_name, reference, goal: Goal::AtMost(1.5) })
    };
    let [one, eight] = ["one stream of 256 MiB, durable", "8 streams of 64 MiB on 8 threads, durable"];
    let [small, tiny] = ["1,000 states of 64 KiB, durable", "2,000 states of 1 KiB, inlined"];
    Ok(vec![
        plain("write-1", one, "MB/s", "a plain write and fsync", 0.9)?,
        flink("write-1", one, "MB/s", "write_mb_s", 0.95)?,
        plain("write-8", eight, "MB/s", "8 plain writes and fsyncs", 0.9)?,
        flink("write-8", eight, "MB/s", "write_mb_s", 0.95)?,
        plain("states-64k", small, "states/s", "a plain write and fsync of one file", 0.8)?,
        flink("states-64k", small, "states/s", "states_per_s", 5.0)?,
        flink("states-1k", tiny, "states/s", "states_per_s", 8.0)?,
        plain("read", "256 MiB read back and checked", "MB/s", "a plain read", 0.75)?,
        memory(
            "memory-1-1024",
            "memory-1-64",
            "peak memory while 1 GiB is written in one stream",
            "while 64 MiB are",
        )?,
        memory(
            "memory-8-1024",
            "memory-8-64",
            "peak memory while 1 GiB is written in 8 streams",
            "while 64 MiB are",
        )?,
    ])
}
