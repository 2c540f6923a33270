//! What the supervisor shows: how the run goes while it runs, and what came of it at the end.

use crate::args::Args;
use crate::expected::Expected;
use crate::tally::Tally;
use crate::verify::Verdict;
use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use stillframe::model::JobId;

/// The view of a run while it goes on: one line that is written over on a terminal, a log elsewhere.
///
/// Nobody may be looking any more: that something cannot be shown is no reason to stop the run.
#[derive(Debug)]
pub(crate) struct Live<W> {
    out: W,
    terminal: bool,
    records: u64,
    shown: Option<Instant>,
}

impl<W: Write> Live<W> {
    /// A view of a run over so many records.
    pub(crate) fn new(out: W, terminal: bool, records: u64) -> Self {
        Self { out, terminal, records, shown: None }
    }

    /// Says what is run, on a terminal too.
    pub(crate) fn headline(&mut self, text: fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "{text}");
    }

    /// Says something that happened. A terminal shows it by its effect on the progress line.
    pub(crate) fn note(&mut self, text: fmt::Arguments<'_>) {
        if !self.terminal {
            let _ = writeln!(self.out, "{text}");
        }
    }

    /// Shows how far the run is, unless it was shown a moment ago.
    pub(crate) fn progress(&mut self, now: Instant, tally: &Tally) {
        let pause = if self.terminal { Duration::from_millis(50) } else { Duration::from_secs(1) };
        if self.shown.is_some_and(|shown| now.duration_since(shown) < pause) {
            return;
        }
        self.shown = Some(now);
        let (begin, end) = if self.terminal { ("\r\x1b[2K", "") } else { ("", "\n") };
        let _ = write!(
            self.out,
            "{begin}progress: {} of {} records, checkpoints {}, kills {}{end}",
            tally.position(),
            self.records,
            tally.completed(),
            tally.kills()
        );
        let _ = self.out.flush();
    }

    /// Takes the progress line away.
    pub(crate) fn end(&mut self) {
        if self.terminal {
            let _ = write!(self.out, "\r\x1b[2K");
            let _ = self.out.flush();
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) args: &'a Args,
    pub(crate) job: JobId,
    pub(crate) expected: &'a Expected,
    pub(crate) tally: &'a Tally,
    /// From the start of the first worker until the last one had finished.
    pub(crate) duration: Duration,
    pub(crate) verdict: &'a Verdict,
}

impl Report<'_> {
    /// Writes it. The verdict is the last line.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { args, job, expected, tally, duration, verdict } = self;
        writeln!(out, "checkpoints: {} completed, {}", tally.completed(), Aborted(tally))?;
        match tally.typical_checkpoint() {
            Some((millis, bytes)) => writeln!(out, "typical checkpoint: {millis} ms, {}", Bytes(bytes))?,
            None => writeln!(out, "typical checkpoint: none")?,
        }
        writeln!(out, "kills: {}, restarts within a worker: {}", tally.kills(), tally.restarts())?;
        writeln!(out, "restored checkpoints: {}", List(tally.restored()))?;
        writeln!(out, "records replayed: {}", tally.replayed())?;
        // The table is the job's own if it equals the expected one, and it is not worth showing if it does not.
        if **verdict == Verdict::Yes {
            writeln!(out, "busiest airports:")?;
            writeln!(out, "  origin  departures   delayed  delay minutes  distance miles")?;
            for (origin, totals) in expected.busiest(10) {
                writeln!(
                    out,
                    "  {origin:<6}  {:>10}  {:>8}  {:>13}  {:>14}",
                    totals.departures, totals.delayed, totals.delay_minutes, totals.distance_miles
                )?;
            }
        }
        let (records, seconds) = (expected.records, duration.as_secs_f64());
        let rate = records as f64 / seconds.max(0.001);
        writeln!(out, "processed {records} records in {seconds:.3} s ({rate:.0} records/s)")?;
        writeln!(out, "output: {}", args.output.display())?;
        writeln!(out, "alerts: {}", args.alerts.display())?;
        writeln!(out, "checkpoints of job {job}: {}", args.checkpoint_dir.display())?;
        writeln!(out, "{verdict}")?;
        out.flush()
    }
}

struct Aborted<'a>(&'a Tally);

impl fmt::Display for Aborted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.0.aborted();
        write!(f, "{} aborted", reasons.values().sum::<u64>())?;
        let mut separator = " (";
        for (reason, number) in reasons {
            write!(f, "{separator}{number}: {reason}")?;
            separator = "; ";
        }
        if reasons.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

struct List<'a>(&'a [u64]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let mut separator = "";
        for id in self.0 {
            write!(f, "{separator}{id}")?;
            separator = ", ";
        }
        Ok(())
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..1024 => write!(f, "{bytes} bytes"),
            bytes @ 1024..0x10_0000 => write!(f, "{:.1} KiB", bytes as f64 / 1024.0),
            bytes => write!(f, "{:.1} MiB", bytes as f64 / f64::from(0x10_0000)),
        }
    }
}

#[cfg(test)]
mod tests;
