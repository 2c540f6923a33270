//! A stand-in that the dataflow on Stillframe's runner replaces: one thread, no checkpoints, every restart from the
//! beginning. With it the supervisor, the report and the verdict can be tried before there is a runner.

use crate::alerts::PREFIX;
use crate::args::WorkerOptions;
use crate::clock::now;
use crate::departure::{Airport, Departure};
use crate::input::FlightsReader;
use crate::output::write_output;
use crate::pace::Pace;
use crate::protocol::WorkerEvent;
use crate::split::split_of;
use crate::totals::{Totals, render_table};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn run(
    options: &WorkerOptions,
    emit: impl Fn(WorkerEvent) + Send + Sync + 'static,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let pace = Pace::new(0, options.records, options.pace);
    let begin = now();
    let mut reader = FlightsReader::open(&options.input)?;
    reader.skip_to(0)?;
    emit(WorkerEvent::Started { restored: None, position: 0 });
    let prepared = options.alerts.join(format!(".{PREFIX}stand-in"));
    let mut alerts = BufWriter::new(File::create(&prepared)?);
    let mut totals = BTreeMap::<Airport, Totals>::new();
    let mut records = 0;
    while let Some((line, text)) = reader.next_line()? {
        wait_until(begin, pace.release(line));
        let departure = match Departure::parse(text) {
            Ok(departure) => departure,
            Err(malformed) => return Err(reader.malformed(line, malformed).into()),
        };
        totals.entry(departure.origin).or_default().add(&departure);
        if let Some(alert) = departure.alert {
            writeln!(alerts, "{alert}")?;
        }
        records += 1;
        if split_of(line) != split_of(records) {
            emit(WorkerEvent::Progress { position: records, records, checkpoints: 0 });
        }
        if records == 1000 {
            let (line, offset) = (reader.line(), reader.offset());
            reader.resume_at(line, offset)?;
        }
    }
    wait_until(begin, pace.end());
    alerts.into_inner()?.sync_all()?;
    let committed = options.alerts.join(format!("{PREFIX}stand-in"));
    if !committed.exists() {
        fs::hard_link(&prepared, committed)?;
    }
    fs::remove_file(prepared)?;
    write_output(&options.output, &render_table(&totals))?;
    emit(WorkerEvent::Finished { position: records, records, checkpoints: 0 });
    Ok(())
}

fn wait_until(begin: Instant, elapsed: Duration) {
    while let Some(rest) = elapsed.checked_sub(now().duration_since(begin)).filter(|rest| !rest.is_zero()) {
        thread::park_timeout(rest);
    }
}
