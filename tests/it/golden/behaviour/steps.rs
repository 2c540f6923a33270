//! The operations of the recording.

use super::super::option_keys::unknown_fields;
use super::super::text;
use super::causes::{self, compare_failure, compare_refusal};
use super::stage::{Answer, Pending, Stage, Step};
use serde_json::Value;
use std::sync::Arc;
use stillframe::model::{CheckpointId, JobStatus, SavepointFormat};
use stillframe::runtime::{JobError, JobReport};

/// What every step may hold.
const FIELDS: [&str; 2] = ["op", "tree"];

/// What a person can ask for.
#[derive(Clone, Debug)]
enum Request {
    Checkpoint,
    Savepoint(Option<String>, SavepointFormat),
}

impl Stage<'_> {
    /// Does one step, and compares what is recorded of it.
    pub(super) async fn step(&mut self, step: &Value, next: Option<&Value>) -> Step {
        let fields = step.as_object().ok_or_else(|| vec!["expected an object".to_owned()])?;
        let op = text(step, "op");
        let own: &[&str] = match op {
            "start" | "restored" => &[],
            "pending_result" => &["raises", "checkpoint_id"],
            "cancel" | "fail" | "finish" => &["job_status"],
            "stop_with_savepoint" => &["job_status", "savepoint_under"],
            "job_result" => &["job_status", "raises"],
            _ => &["checkpoint_id", "raises", "job_status_after"],
        };
        let unknown = unknown_fields(fields, &[&FIELDS[..], own].concat());
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if !matches!(op, "restored" | "job_result") && self.ended.is_none() {
            self.start(None).await?;
        }
        match (op, op.split(' ').collect::<Vec<_>>().as_slice()) {
            ("start", _) => {}
            ("restored", _) => self.restored().await?,
            ("trigger_checkpoint", _) => self.ask(Request::Checkpoint, step).await?,
            ("trigger_savepoint_without_directory", _) => {
                self.ask(Request::Savepoint(None, SavepointFormat::Canonical), step).await?;
            }
            (_, ["trigger_savepoint", format @ ..]) => {
                let format = match format {
                    [] | ["CANONICAL"] => SavepointFormat::Canonical,
                    ["NATIVE"] => SavepointFormat::Native,
                    _ => return Err(vec!["the format is not understood".into()]),
                };
                let target = self.target(self.case.savepoints);
                self.ask(Request::Savepoint(Some(target), format), step).await?;
            }
            (_, ["checkpoint", number, "pending"]) => self.hold(number).await?,
            // It is known when the job has been ended, which is the next step.
            ("pending_result", _) => {
                if self.pending.is_none() || next.is_none_or(|next| next.get("job_status").is_none()) {
                    return Err(vec![
                        "a result without a checkpoint or an end of the job is not understood".into(),
                    ]);
                }
                self.awaited = Some(step.clone());
            }
            ("cancel" | "fail" | "finish" | "stop_with_savepoint", _) => self.end_by(op, step).await?,
            ("job_result", _) => self.compare_result(step).await?,
            _ => return Err(vec!["the operation is not understood".into()]),
        }
        if let Some(status) = step.get("job_status_after") {
            self.compare_status(status.as_str().unwrap_or("?")).await?;
        }
        match step.get("tree") {
            Some(tree) => self.compare_folder(tree).await,
            None => Ok(()),
        }
    }

    async fn restored(&mut self) -> Step {
        if self.job.is_some() {
            return Err(vec!["the job that it goes on from still runs".into()]);
        }
        let origin = self.origin()?;
        self.ended = None;
        self.start(Some(origin.pointer)).await?;
        let ours = self.running()?.last().restored;
        let differs = ours != Some(origin.checkpoint);
        if differs {
            Err(vec![format!("expected {} restored, ours {ours:?}", origin.checkpoint)])
        } else {
            Ok(())
        }
    }

    /// Asks for a checkpoint or savepoint. The recorded refusal says what the user's code did, which is done here as well.
    async fn ask(&mut self, request: Request, step: &Value) -> Step {
        let job = self.running()?;
        if let Some(raises) = step.get("raises") {
            let causes = causes::read(raises).map_err(|error| vec![error])?;
            if let Some(message) = causes::of_user(&causes) {
                job.switch.fail_snapshot(message);
            }
        }
        let hold = self.case.is_too_slow.then(|| job.switch.hold());
        let handle = job.handle();
        let is_savepoint = matches!(request, Request::Savepoint(..));
        let asked = async {
            match request {
                Request::Checkpoint => handle.trigger_checkpoint().await,
                Request::Savepoint(target, format) => handle.trigger_savepoint(target, format).await,
            }
        };
        let answer = self.patiently("an answer", asked).await;
        drop((hold, handle));
        let answer = answer?;
        self.compare_answer(step, &answer)?;
        if let Ok(outcome) = answer {
            if is_savepoint {
                self.compare_found(&outcome.pointer).await?;
                self.savepoint = Some(outcome);
            } else {
                self.checkpoint = Some(outcome);
            }
        }
        Ok(())
    }

    fn compare_answer(&self, step: &Value, answer: &Answer) -> Step {
        let findings = match (answer, step.get("raises")) {
            (Ok(outcome), None) => {
                let ours = outcome.checkpoint.get();
                let recorded = step.get("checkpoint_id").unwrap_or(&Value::Null);
                // Of savepoints the recording only has the place.
                let differs = !recorded.is_null() && *recorded != ours;
                differs.then(|| format!("expected the id {recorded}, ours {ours}")).into_iter().collect()
            }
            (Err(refusal), Some(raises)) => {
                let causes = causes::read(raises).map_err(|error| vec![error])?;
                let aborted = match &self.job {
                    Some(job) => job.last().aborted,
                    None => self.ended.as_ref().and_then(|(_, aborted)| *aborted),
                };
                compare_refusal(&causes, refusal, aborted)
            }
            (Ok(outcome), Some(raises)) => vec![format!("expected the refusal {raises}, ours {outcome:?}")],
            (Err(refusal), None) => vec![format!("ours refused: {refusal}")],
        };
        if findings.is_empty() { Ok(()) } else { Err(findings) }
    }

    /// Begins a checkpoint that does not end.
    async fn hold(&mut self, number: &str) -> Step {
        if self.pending.is_some() {
            return Err(vec!["a second one in progress is not understood".into()]);
        }
        let job = self.running()?;
        let steering = Arc::clone(&job.steering);
        // A savepoint may be asked for meanwhile, which would wait for what the checkpoint prepares, and not for its state.
        let (held, hold) = (steering.finishing.stopped.get(), steering.finishing.hold_next());
        let handle = job.handle();
        let answer = tokio::spawn(async move { handle.trigger_checkpoint().await });
        self.pending = Some(Pending { hold, answer });
        self.patiently("state that is held", steering.finishing.stopped.reach(held + 1)).await?;
        let ours = self.running()?.last().triggered.map(CheckpointId::get);
        let differs = number.parse().ok() != ours;
        if differs { Err(vec![format!("expected the id {number}, ours {ours:?}")]) } else { Ok(()) }
    }

    async fn end_by(&mut self, op: &str, step: &Value) -> Step {
        let job = self.running()?;
        let mut stop = None;
        match op {
            "cancel" => job.handle().cancel(),
            "fail" => job.switch.fail(),
            "finish" => job.switch.end(),
            _ => {
                let under = step.get("savepoint_under").map(|under| under.as_str().ok_or(under));
                let under = under.transpose().map_err(|under| vec![format!("{under} is not understood")])?;
                let (handle, target) = (job.handle(), Some(self.target(under)));
                // Beside what is pending: it answers when the tasks have ended, which they cannot while state is held.
                stop = Some(tokio::spawn(async move {
                    handle.stop_with_savepoint(target, SavepointFormat::Canonical, false).await
                }));
            }
        }
        self.settle(op).await?;
        if let Some(stop) = stop {
            let stopped = self.patiently("a savepoint", stop).await?;
            match stopped.map_err(|error| vec![error.to_string()])? {
                Ok(outcome) => self.compare_found(&outcome.pointer).await?,
                Err(refusal) => return Err(vec![format!("ours was not stopped: {refusal}")]),
            }
        }
        self.compare_end(step).await
    }

    /// Compares what became of the checkpoint in progress when the job was ended in this way, and holds it no more.
    async fn settle(&mut self, op: &str) -> Step {
        let Some(Pending { hold, answer }) = self.pending.take() else { return Ok(()) };
        // A job that ends by itself waits for what it has begun. Every other end gives it up, while it is still held.
        let hold = (op != "finish").then_some(hold);
        let answer = self.patiently("an answer", answer).await?;
        drop(hold);
        let answer = answer.map_err(|error| vec![error.to_string()])?;
        match self.awaited.take() {
            Some(step) => self.compare_answer(&step, &answer),
            None => Ok(()),
        }
    }

    /// Compares how the job has ended.
    async fn compare_end(&mut self, step: &Value) -> Step {
        let ours = match self.end().await? {
            Ok(JobReport { status: JobStatus::Finished, .. }) => "FINISHED",
            Ok(JobReport { status: JobStatus::Canceled, .. }) => "CANCELED",
            Ok(JobReport { status: JobStatus::Suspended, .. }) => "SUSPENDED",
            Err(JobError::Failed { .. }) => "FAILED",
            other => return Err(vec![format!("expected {}, ours {other:?}", step["job_status"])]),
        };
        if step["job_status"] == ours {
            return Ok(());
        }
        Err(vec![format!("expected a job that is {}, ours is {ours}: {:?}", step["job_status"], self.ended)])
    }

    /// Compares the end of a job that was not ended by this step.
    async fn compare_result(&mut self, step: &Value) -> Step {
        if self.runs {
            return Err(vec!["a job that ran after the last step is not understood to end".into()]);
        }
        self.compare_end(step).await?;
        match (&self.ended, step.get("raises")) {
            (Some((Err(error), aborted)), Some(raises)) => {
                let causes = causes::read(raises).map_err(|error| vec![error])?;
                let findings = compare_failure(&causes, error, *aborted);
                if findings.is_empty() { Ok(()) } else { Err(findings) }
            }
            (Some((Ok(_), _)), None) => Ok(()),
            (ours, raises) => Err(vec![format!("expected {raises:?}, ours {ours:?}")]),
        }
    }
}
