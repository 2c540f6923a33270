//! Requests and chances to begin, played to the queue that the coordinator itself uses.

use super::conversion;
use super::option_keys::unknown_fields;
use super::tally::Outcome;
use serde_json::{Map, Value, json};
use std::num::NonZeroUsize;
use std::time::Duration;
use stillframe::coordinator::requests::{Decision, Facts, Rejected, Request, Requests, Submitted};
use stillframe::model::Timestamp;

const KIND: &str = "decider";

/// What every step asks.
const ASKED: [&str; 6] = ["op", "now", "last_completion", "is_triggering", "pending", "cleaning"];

/// What a step answers.
pub(crate) const ANSWERS: [&str; 4] = ["chosen", "rejected", "rescheduled", "queued"];

/// One script. After the first step that differs, the queues are not the same any more, so it is the only one reported.
pub(crate) fn replay(case: &Value) -> Outcome {
    let name = format!("seed {}", case["seed"]);
    Outcome::found(KIND, name, play(case).err().into_iter().collect())
}

fn play(case: &Value) -> Result<(), String> {
    let script = case.as_object().ok_or_else(|| format!("expected a script, found {case}"))?;
    understood(script, &["seed", "max_concurrent", "min_pause", "max_queued", "steps"])?;
    let limit = usize::try_from(number(script, "max_queued")?).ok().and_then(NonZeroUsize::new);
    let mut stage = Stage {
        requests: Requests::new(limit.ok_or("a queue has room for one at least")?),
        max_concurrent: number(script, "max_concurrent")?,
        min_pause: number(script, "min_pause")?,
    };
    let steps = script.get("steps").and_then(Value::as_array).ok_or("there is no list of steps")?;
    for (at, step) in steps.iter().enumerate() {
        let ours = stage.answer(step).map_err(|trouble| format!("step {at}: {trouble}"))?;
        for answer in ANSWERS {
            let expected =
                step.get(answer).ok_or_else(|| format!("step {at} does not say what is `{answer}`"))?;
            if *expected != ours[answer] {
                return Err(format!(
                    "step {at}: expected {answer} {expected}, ours {}: {step}",
                    ours[answer]
                ));
            }
        }
    }
    Ok(())
}

fn understood(object: &Map<String, Value>, fields: &[&str]) -> Result<(), String> {
    unknown_fields(object, fields).into_iter().next().map_or(Ok(()), Err)
}

fn number(object: &Map<String, Value>, field: &str) -> Result<u64, String> {
    let value = object.get(field);
    value.and_then(Value::as_u64).ok_or_else(|| format!("`{field}` is no number: {value:?}"))
}

/// The time that a number of milliseconds on the manual clock stands for.
fn time(millis: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(millis))
}

/// A request as its kind has it. An unclaimed snapshot is a savepoint that nobody forces.
fn request(kind: &str, payload: u64) -> Result<Request<u64>, String> {
    let (is_savepoint, is_forced, is_periodic) = match kind {
        "periodic" => (false, false, true),
        "manual" => (false, false, false),
        "savepoint" | "unclaimed" => (true, false, false),
        "forced_savepoint" => (true, true, false),
        _ => return Err(format!("the kind `{kind}` is not understood")),
    };
    Ok(Request { is_savepoint, is_forced, is_periodic, payload })
}

/// The queue, and what stays the same for a whole script.
struct Stage {
    requests: Requests<u64>,
    max_concurrent: u64,
    min_pause: u64,
}

impl Stage {
    /// Takes one step, and gives what was recorded of it as ours.
    fn answer(&mut self, step: &Value) -> Result<Value, String> {
        let step = step.as_object().ok_or_else(|| format!("expected an object, found {step}"))?;
        let facts = self.facts(step)?;
        let mut rejected = Vec::new();
        let decision = match step.get("op").and_then(Value::as_str) {
            Some("request") => {
                understood(step, &[&ASKED[..], &ANSWERS, &["id", "kind"]].concat())?;
                let kind = step.get("kind").and_then(Value::as_str).unwrap_or_default();
                match self.requests.submit(request(kind, number(step, "id")?)?) {
                    Submitted::Waits => self.requests.next(facts),
                    Submitted::Evicted(other) => {
                        rejected.push(other);
                        self.requests.next(facts)
                    }
                    // Nobody looks for the next one then, though there may be one in a script, whose facts are made up.
                    Submitted::Refused(this) => {
                        rejected.push(this);
                        Decision::Wait
                    }
                }
            }
            Some("poll") => {
                understood(step, &[&ASKED[..], &ANSWERS].concat())?;
                self.requests.next(facts)
            }
            other => return Err(format!("the step {other:?} is not understood")),
        };
        let (mut chosen, mut rescheduled) = (None, Vec::new());
        match decision {
            Decision::Wait => {}
            Decision::Run(id) => chosen = Some(id),
            Decision::Postpone { rejected: early, until } => {
                rejected.push(early);
                let millis = |duration: Duration| json!(conversion::millis(duration));
                let (now, delay) = (millis(facts.now.since_origin()), millis(until.since(facts.now)));
                rescheduled.push(json!({ "now": now, "delay": delay }));
            }
        }
        // The recording has them by their ids, whoever was first to hear.
        rejected.sort_by_key(|rejected| rejected.payload);
        let rejected = rejected.into_iter().map(
            |Rejected { payload, reason }| json!({ "id": payload, "reason": conversion::reason(reason) }),
        );
        Ok(json!({
            "chosen": chosen,
            "rejected": rejected.collect::<Vec<_>>(),
            "rescheduled": rescheduled,
            "queued": self.requests.waiting().count(),
        }))
    }

    fn facts(&self, step: &Map<String, Value>) -> Result<Facts, String> {
        let count = |number: u64| usize::try_from(number).map_err(|error| error.to_string());
        Ok(Facts {
            now: time(number(step, "now")?),
            is_triggering: step
                .get("is_triggering")
                .and_then(Value::as_bool)
                .ok_or("`is_triggering` is neither true nor false")?,
            pending: count(number(step, "pending")?)?,
            cleaning: count(number(step, "cleaning")?)?,
            last_completion: Some(time(number(step, "last_completion")?)),
            max_concurrent: count(self.max_concurrent)?,
            min_pause: Duration::from_millis(self.min_pause),
        })
    }
}
