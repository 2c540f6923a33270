//! Effects in as few words as they need.

use super::super::*;
use alloc::collections::BTreeMap;
use alloc::format;

/// One effect: to whom, its name if there are several of the kind, and what.
type Line = (&'static str, Option<String>, String);

/// A line for each effect. What is said to several, one after the other, is one line. The operations that await an answer
/// are written down under what was said.
pub(super) fn lines(plan: &JobPlan, effects: &[Effect], operations: &mut BTreeMap<String, OpId>) -> String {
    let mut lines: Vec<(&str, Vec<String>, String)> = vec![];
    for effect in effects {
        let (whom, name, what) = line(plan, effect);
        let key = match (effect, &name) {
            (Effect::Publish { metadata, .. }, _) => format!("publish {}", metadata.checkpoint),
            (Effect::Remove { checkpoint, .. }, _) => format!("remove {checkpoint}"),
            (Effect::Conclude { .. }, _) => "conclude".to_string(),
            (_, Some(name)) => format!("ask {name} {}", what.rsplit(' ').next().unwrap_or_default()),
            (_, None) => what.clone(),
        };
        if let Some(op) = operation(effect) {
            operations.insert(key, op);
        }
        match (lines.last_mut(), name) {
            (Some((last, names, said)), Some(name)) if *last == whom && *said == what => names.push(name),
            (_, name) => lines.push((whom, name.into_iter().collect(), what)),
        }
    }
    let lines = lines.into_iter().map(|(whom, names, what)| match names.join(" ") {
        none if none.is_empty() => format!("{whom:<8} {what}\n"),
        names => format!("{whom:<8} {names}: {what}\n"),
    });
    lines.collect()
}

fn operation(effect: &Effect) -> Option<OpId> {
    match effect {
        Effect::SnapshotCoordinator { op, .. }
        | Effect::TriggerHook { op, .. }
        | Effect::Locate { op, .. }
        | Effect::Publish { op, .. }
        | Effect::Discard { op, .. }
        | Effect::Remove { op, .. }
        | Effect::Conclude { op, .. } => Some(*op),
        _ => None,
    }
}

fn line(plan: &JobPlan, effect: &Effect) -> Line {
    let vertex = |vertex: VertexId| {
        let plan = plan.vertices.get(vertex.get() as usize);
        plan.map_or_else(|| "stranger".to_string(), |vertex| vertex.name.to_string())
    };
    let task = |task: TaskId| format!("{}.{}", vertex(task.vertex), task.subtask);
    let to_task = |to: TaskId, what: String| ("task", Some(task(to)), what);
    let to_operator = |to: VertexId, what: String| ("operator", Some(vertex(to)), what);
    match effect {
        Effect::SnapshotCoordinator { vertex, checkpoint, .. } => {
            to_operator(*vertex, format!("give your state for {checkpoint}"))
        }
        Effect::TriggerHook { hook, checkpoint, .. } => {
            ("hook", Some(hook.to_string()), format!("here begins {checkpoint}"))
        }
        Effect::Trigger { task, barrier } => {
            to_task(*task, format!("take {} {}", barrier.kind, barrier.checkpoint))
        }
        Effect::NotifyComplete { task, checkpoint } => to_task(*task, format!("{checkpoint} is complete")),
        Effect::NotifySubsumed { task, checkpoint } => to_task(*task, format!("{checkpoint} is replaced")),
        Effect::NotifyAborted { task, checkpoint, latest_complete } => {
            let newest = latest_complete.map_or_else(|| "none".to_string(), |latest| latest.to_string());
            to_task(*task, format!("{checkpoint} is aborted, the newest is {newest}"))
        }
        Effect::NotifyCoordinatorComplete { vertex, checkpoint } => {
            to_operator(*vertex, format!("{checkpoint} is complete"))
        }
        Effect::NotifyCoordinatorAborted { vertex, checkpoint } => {
            to_operator(*vertex, format!("{checkpoint} is aborted"))
        }
        Effect::Close { task } => to_task(*task, "end".to_string()),
        Effect::Locate { checkpoint, .. } => ("storage", None, format!("locate {checkpoint}")),
        Effect::Publish { metadata, dropped, .. } => {
            let coordinators =
                metadata.operators.values().filter(|state| state.coordinator.is_some()).count();
            let mut what = format!("publish {}{}", metadata.checkpoint, dropping(dropped));
            if coordinators + metadata.hooks.len() > 0 {
                what += &format!(", with {coordinators} coordinators and {} hooks", metadata.hooks.len());
            }
            ("storage", None, what)
        }
        Effect::Discard { checkpoint, .. } => ("storage", None, format!("discard {checkpoint}")),
        Effect::Remove { checkpoint, shared, .. } => {
            let files: Vec<_> = shared.iter().map(named).collect();
            let with = if files.is_empty() { String::new() } else { format!(" with {}", files.join(" ")) };
            ("storage", None, format!("remove {checkpoint}{with}"))
        }
        Effect::Conclude { status, dropped, .. } => {
            ("storage", None, format!("conclude: {status}{}", dropping(dropped)))
        }
        Effect::FailJob { reason, task: by, message } => {
            let by = by.map_or_else(String::new, |by| format!(" by {}", task(by)));
            ("job", None, format!("fail{by}, {reason}: {message}"))
        }
        Effect::Resolve { request, outcome: Ok(outcome) } => {
            ("person", Some(request.to_string()), format!("{} is at {}", outcome.checkpoint, outcome.pointer))
        }
        Effect::Resolve { request, outcome: Err(refused) } => {
            ("person", Some(request.to_string()), format!("no: {refused}"))
        }
        Effect::Report(report) => ("report", None, reported(&task, report)),
        Effect::Ignored(why) => (
            "ignored",
            None,
            match why {
                Ignored::Stopped => "it has stopped".to_string(),
                Ignored::NotPending(checkpoint) => format!("{checkpoint} is not in progress"),
                Ignored::Expired(checkpoint) => format!("{checkpoint} took too long"),
                Ignored::Duplicate(checkpoint) => format!("said before about {checkpoint}"),
                Ignored::OtherAttempt => "from before the restart".to_string(),
                Ignored::UnknownTask(of) => format!("{} does not take part", task(*of)),
                Ignored::UnknownOperation(_) => "nobody waits for this answer".to_string(),
            },
        ),
    }
}

fn reported(task: &impl Fn(TaskId) -> String, report: &Report) -> String {
    match report {
        Report::Triggered { checkpoint, kind, request, finished } => {
            let whose = request.map_or_else(String::new, |request| format!(" for person {request}"));
            let finished: Vec<_> = finished.iter().map(|finished| task(*finished)).collect();
            let without =
                if finished.is_empty() { String::new() } else { format!(", without {}", finished.join(" ")) };
            format!("{kind} {checkpoint} begins{whose}{without}")
        }
        Report::Captured { checkpoint } => format!("{checkpoint} is captured"),
        Report::Durable { checkpoint } => format!("{checkpoint} is durable"),
        Report::Completed(completed) => {
            format!("{} is published, after {:?}", completed.checkpoint, completed.duration)
        }
        Report::Committed { checkpoint } => format!("{checkpoint} is committed"),
        Report::Aborted(aborted) => {
            let by = aborted.by.map_or_else(String::new, |by| format!(" by {}", task(by)));
            let cause = aborted.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{} is aborted{by}, {}{cause}", aborted.checkpoint, aborted.reason)
        }
        Report::Subsumed { checkpoint } => format!("{checkpoint} is not retained any more"),
        Report::Skipped { reason } => format!("a periodic one is skipped, {reason}"),
        Report::Refused { reason, .. } => format!("a checkpoint does not begin, {reason}"),
    }
}

fn named(file: &StateFile) -> String {
    match &file.directory {
        StateDirectory::Foreign(place) => format!("{place}/{}", file.name),
        _ => file.name.to_string(),
    }
}

fn dropping(dropped: &[CheckpointId]) -> String {
    let dropped: Vec<_> = dropped.iter().map(ToString::to_string).collect();
    if dropped.is_empty() { String::new() } else { format!(", dropping {}", dropped.join(" ")) }
}
