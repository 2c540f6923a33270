//! What frequent checkpoints cost the main job: its throughput at five checkpoints a second beside its throughput with
//! the one at the end only.

use super::Options;
use super::row::{Goal, Row};
use super::samples::Samples;
use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// How often the shipped input is repeated, and what that must give.
const REPEATS: u64 = 15;
const RECORDS: u64 = 3_000_000;

/// Both ways run this often, in turn, so that a machine that slows down slows both.
const ROUNDS: usize = 3;

pub(crate) fn measure(
    console: &mut Console,
    workspace: &Workspace,
    options: &Options,
) -> Result<Vec<Row>, Error> {
    let build = CommandLine::cargo("build --release --package stillframe --example flights");
    if !console.run(&build)? {
        return Err(Error::Command { command: build.to_string(), detail: "see above".into() });
    }
    let program = workspace.target.join("release/examples/flights");
    let place = options.place(workspace);
    fs::create_dir_all(&place).map_err(Error::file("create", &place))?;
    let input = place.join("flights-3m.csv");
    repeat(&workspace.root.join("crates/stillframe/examples/data/flights-200k.csv.gz"), &input)?;

    let [mut often, mut once] = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (interval, figures) in [("200ms", &mut often), ("1h", &mut once)] {
            figures.push(throughput(console, &program, &input, &place.join("flights"), interval)?);
        }
    }
    let samples = |figures| {
        let none = || Error::Output { command: "flights".into(), detail: "no figures".into() };
        Samples::new(figures).ok_or_else(none)
    };
    Ok(vec![Row {
        name: "flights, a checkpoint every 200 ms",
        unit: "records/s",
        ours: samples(often)?,
        reference_name: "a checkpoint at the end only",
        reference: Ok(samples(once)?),
        goal: Goal::AtLeast(0.9),
    }])
}

/// One run of the job in a directory of its own, in records per second.
fn throughput(
    console: &mut Console,
    program: &Path,
    input: &Path,
    place: &Path,
    interval: &str,
) -> Result<f64, Error> {
    clear(place)?;
    fs::create_dir_all(place).map_err(Error::file("create", place))?;
    let command = CommandLine::new(program)
        .arg("--input")
        .arg(input)
        .arg("--output")
        .arg(place.join("output.csv"))
        .arg("--alerts")
        .arg(place.join("alerts"))
        .arg("--checkpoint-dir")
        .arg(place.join("checkpoints"))
        .words("--kills 0 --seed 1 --interval")
        .arg(interval);
    let mut processed = None;
    let succeeded = console.run_observed(&command, |line| processed = parse_processed(line).or(processed))?;
    clear(place)?;
    let unexpected = |detail: String| Error::Output { command: command.to_string(), detail };
    if !succeeded {
        return Err(Error::Command { command: command.to_string(), detail: "see above".into() });
    }
    match processed {
        Some((RECORDS, seconds)) if seconds > 0.0 => Ok(RECORDS as f64 / seconds),
        Some((records, seconds)) => {
            Err(unexpected(format!("{records} records in {seconds} s, expected {RECORDS} records")))
        }
        None => Err(unexpected("no line `processed N records in S s`".into())),
    }
}

/// N and S of a line that begins with `processed N records in S s`.
fn parse_processed(line: &str) -> Option<(u64, f64)> {
    let mut words = line.strip_prefix("processed ")?.split_whitespace();
    let records = words.next()?.parse().ok()?;
    let ["records", "in", seconds, unit] = [words.next()?, words.next()?, words.next()?, words.next()?]
    else {
        return None;
    };
    (unit.trim_end_matches([',', ';', '.', ':']) == "s").then_some(())?;
    Some((records, seconds.parse().ok()?))
}

/// Writes the records of `from` to `to` as often as it takes, with one header in front.
fn repeat(from: &Path, to: &Path) -> Result<(), Error> {
    let mut text = Vec::new();
    let compressed = File::open(from).map_err(Error::file("open", from))?;
    MultiGzDecoder::new(compressed).read_to_end(&mut text).map_err(Error::file("decompress", from))?;
    let mut output = BufWriter::new(File::create(to).map_err(Error::file("create", to))?);
    let records = write_repeated(&text, REPEATS, &mut output).map_err(Error::file("write", to))?;
    output.flush().map_err(Error::file("write", to))?;
    if records == RECORDS {
        Ok(())
    } else {
        Err(Error::Content {
            path: from.to_owned(),
            detail: format!("expected {} records, found {}", RECORDS / REPEATS, records / REPEATS),
        })
    }
}

/// Returns how many records were written.
fn write_repeated(text: &[u8], times: u64, output: &mut impl Write) -> io::Result<u64> {
    let end_of_header = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1);
    let (header, records) = text.split_at(end_of_header);
    output.write_all(header)?;
    let mut lines = 0;
    for _ in 0..times {
        output.write_all(records)?;
        lines += records.iter().filter(|byte| **byte == b'\n').count() as u64;
        if !matches!(records.last(), None | Some(b'\n')) {
            output.write_all(b"\n")?;
            lines += 1;
        }
    }
    Ok(lines)
}

fn clear(place: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("empty", place)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_the_figures_is_found() {
        assert_eq!(parse_processed("processed 3000000 records in 2.500 s"), Some((3_000_000, 2.5)));
        assert_eq!(parse_processed("processed 7 records in 0.125 s, 56 records/s"), Some((7, 0.125)));
    }

    #[test]
    fn other_lines_are_passed_over() {
        for line in [
            "",
            "processed",
            "processed all records in 2 s",
            "processed 3 records in 2 min",
            "processed 3 records in two s",
            "has processed 3 records in 2 s",
            "processed -3 records in 2 s",
        ] {
            assert_eq!(parse_processed(line), None, "{line}");
        }
    }

    #[test]
    fn the_header_is_written_once() {
        let mut output = Vec::new();
        assert_eq!(write_repeated(b"h\na\nb\n", 2, &mut output).unwrap(), 4);
        assert_eq!(output, b"h\na\nb\na\nb\n");
    }

    #[test]
    fn a_missing_newline_at_the_end_joins_no_records() {
        let mut output = Vec::new();
        assert_eq!(write_repeated(b"h\na\nb", 2, &mut output).unwrap(), 4);
        assert_eq!(output, b"h\na\nb\na\nb\n");
        assert_eq!(write_repeated(b"h\n", 2, &mut Vec::new()).unwrap(), 0);
    }
}
