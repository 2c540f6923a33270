//! The dataflow:
//!
//! ```text
//! flights ──by origin──▶ totals ──by line──▶ alerts   (files, committed with the checkpoints)
//!  (N)                    (N)   ╲             (N)
//!                                ╲─at the end─▶ table (written when the last checkpoint is complete)
//!                                              (1)
//! ```

use crate::alerts::PREFIX;
use crate::args::{Mode, WorkerOptions};
use crate::departure::{Airport, Departure};
use crate::progress::Progress;
use crate::protocol::WorkerEvent;
use crate::source::FlightSource;
use crate::table::TableSink;
use crate::totals::Totals;
use crate::worker::in_one_line;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use stillframe::prelude::*;
use stillframe::runtime::sink::{FileTransactions, TwoPhaseCommitSink};
use stillframe::runtime::{JobEvent, JobReport};

/// What flows through the job.
#[derive(Clone, Debug)]
pub(crate) enum Flight {
    Departure(Departure),
    Alert(Box<str>),
    Totals(Airport, Totals),
}

/// Runs the job in this process, from its newest completed checkpoint if it has one.
pub(crate) fn run(
    options: &WorkerOptions,
    emit: impl Fn(WorkerEvent) + Send + Sync + 'static,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let progress = Arc::new(Progress::new(options.parallelism, Box::new(emit)));
    let mut job = stillframe::job(graph(options, &progress), &config(options)?)?.with_id(options.job);
    if let Some(pointer) = &options.resume {
        job = job.resume_from(Pointer::new(pointer.as_str()));
    }
    let observer = Arc::clone(&progress);
    let job = job.on_event(move |event| observe(&observer, event));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let report = runtime.block_on(report_while_running(job, &progress))?;
    if report.attempts == 0 {
        // An earlier worker finished the job and was killed before it could say so.
        progress.all_done_before(options.records);
    }
    progress.finished();
    Ok(())
}

async fn report_while_running(
    job: Job<Flight>,
    progress: &Progress,
) -> Result<JobReport, Box<dyn Error + Send + Sync>> {
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let running = job.run();
    tokio::pin!(running);
    loop {
        tokio::select! {
            ended = &mut running => return Ok(ended?),
            _ = ticks.tick() => progress.tick(),
        }
    }
}

fn config(options: &WorkerOptions) -> Result<CheckpointConfig, stillframe::Error> {
    let mut config = CheckpointConfig::default();
    config
        .set_checkpoint_interval(options.interval)?
        .set_checkpointing_mode(match options.mode {
            Mode::ExactlyOnce => CheckpointingMode::ExactlyOnce,
            Mode::AtLeastOnce => CheckpointingMode::AtLeastOnce,
        })
        .set_tolerable_checkpoint_failure_number(3)
        .set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::RetainOnCancellation)
        .set_checkpoint_storage(FileSystemCheckpointStorage::new(&options.checkpoint_dir)?);
    Ok(config)
}

fn graph(options: &WorkerOptions, progress: &Arc<Progress>) -> JobGraph<Flight> {
    let parallelism = options.parallelism;
    let mut graph = JobGraph::new();
    let (source_options, progress) = (options.clone(), Arc::clone(progress));
    let flights = graph.source("flights", parallelism, move |task| {
        FlightSource::new(task, &source_options, Arc::clone(&progress))
    });
    let by_origin = Exchange::hash(|flight: &Flight| match flight {
        Flight::Departure(departure) => departure.origin.key_hash(),
        Flight::Alert(_) | Flight::Totals(..) => 0,
    });
    let totals = graph.operator("totals", parallelism, [(flights, by_origin)], TotalsPerOrigin::new);
    let by_line = Exchange::hash(|flight: &Flight| match flight {
        Flight::Alert(line) => line.key_hash(),
        Flight::Departure(_) | Flight::Totals(..) => 0,
    });
    let alerts = by_line.only(|flight| matches!(flight, Flight::Alert(_)));
    let directory = options.alerts.clone();
    graph.operator("alerts", parallelism, [(totals, alerts)], move |task| {
        let prefix = PREFIX.trim_end_matches('-');
        TwoPhaseCommitSink::new(FileTransactions::new(task, &directory, prefix, write_alert))
    });
    let table = Exchange::single().only(|flight| matches!(flight, Flight::Totals(..)));
    let output = options.output.clone();
    graph.operator("table", 1, [(totals, table)], move |task| TableSink::new(task, &output));
    graph
}

fn write_alert(flight: &Flight, file: &mut dyn Write) -> std::io::Result<()> {
    match flight {
        Flight::Alert(line) => writeln!(file, "{line}"),
        Flight::Departure(_) | Flight::Totals(..) => Ok(()),
    }
}

fn observe(progress: &Progress, event: &JobEvent<'_>) {
    match event {
        JobEvent::Adjusted(adjustment) => warn(progress, adjustment.to_string()),
        JobEvent::StateLeftOut { operators } => {
            let names: Vec<_> = operators.iter().map(ToString::to_string).collect();
            warn(
                progress,
                format!("state of operators that this job does not have is left out: {}", names.join(", ")),
            );
        }
        JobEvent::Started { .. } => progress.starting(),
        JobEvent::Completed(completed) => progress.completed(
            completed.checkpoint.get(),
            u64::try_from(completed.duration.as_millis()).unwrap_or(u64::MAX),
            completed.state_size,
        ),
        JobEvent::Aborted(aborted) => progress
            .say(WorkerEvent::Aborted { id: aborted.checkpoint.get(), reason: aborted.reason.to_string() }),
        JobEvent::Failed { cause, restart_in: Some(_), .. } => {
            progress.say(WorkerEvent::Restarting { cause: in_one_line(*cause) });
        }
        JobEvent::CaptureFailed { checkpoint, message, .. } => {
            warn(progress, format!("the state of checkpoint {checkpoint} could not be written: {message}"));
        }
        JobEvent::DiscardFailed { checkpoint, message } => {
            warn(progress, format!("checkpoint {checkpoint} could not be removed: {message}"));
        }
        JobEvent::SweepFailed { message } => {
            warn(progress, format!("what earlier runs left behind could not all be removed: {message}"));
        }
        JobEvent::ConcludeFailed { message } => {
            warn(progress, format!("the end of the job could not be put on record: {message}"));
        }
        _ => {}
    }
}

fn warn(progress: &Progress, message: String) {
    progress.say(WorkerEvent::Warning { message });
}

/// Keeps the totals of its airports; passes alerts on as they come, and the totals at the end.
struct TotalsPerOrigin {
    task: TaskContext,
    totals: KeyedState<Airport, Totals>,
}

impl TotalsPerOrigin {
    fn new(task: &TaskContext) -> Self {
        Self { task: task.clone(), totals: KeyedState::new(task.key_groups(), task.max_parallelism) }
    }
}

impl Stateful for TotalsPerOrigin {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let parts = restored.keyed.iter().map(|part| &part[..]);
        self.totals = KeyedState::restore(self.task.key_groups(), self.task.max_parallelism, parts)?;
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> TaskResult<Snapshot> {
        Ok(Snapshot::new().with_keyed(self.totals.snapshot()))
    }
}

impl Operator<Flight> for TotalsPerOrigin {
    fn process(&mut self, flight: Flight, output: &mut Output<Flight>) -> TaskResult<()> {
        if let Flight::Departure(mut departure) = flight {
            self.totals.get_or_default(departure.origin).add(&departure);
            if let Some(line) = departure.alert.take() {
                output.emit(Flight::Alert(line));
            }
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut Output<Flight>) -> TaskResult<()> {
        for (origin, totals) in self.totals.iter() {
            output.emit(Flight::Totals(*origin, *totals));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use stillframe::model::{Attempt, Name};
    use stillframe::runtime::JobFailure;

    #[test]
    fn a_restart_is_told_with_its_causes() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let says = Arc::clone(&said);
        let say = move |event| says.lock().expect("one thread").push(event);
        let cause = JobFailure::Task {
            vertex: Name::new("table").expect("a name"),
            subtask: 0,
            source: "output.csv: no space left".into(),
        };
        let failed =
            JobEvent::Failed { attempt: Attempt::new(0), cause: &cause, restart_in: Some(Duration::ZERO) };
        observe(&Progress::new(1, Box::new(say)), &failed);
        let cause = "table, subtask 0: output.csv: no space left".into();
        assert_eq!(*said.lock().expect("one thread"), [WorkerEvent::Restarting { cause }]);
    }
}
