//! The recording is believed, so these tests look whether a lie in it would be noticed.

use super::super::oracle::Oracle;
use super::super::tally::Verdict;
use super::super::text;
use super::{Patience, played};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// What a lie needs: it never comes true.
const SHORT: Patience = Patience { answers: Duration::from_secs(5), folder: Duration::from_millis(50) };

/// One case for each sequence of operations on each setting.
fn representatives() -> Vec<Value> {
    let cases = Oracle::ours().cases("golden_behaviour.json").expect("our copy can be read");
    let mut seen = BTreeSet::new();
    let mut is_new = |case: &Value| {
        let fields: Vec<_> = case.as_object().expect("a job").keys().cloned().collect();
        let ops: Vec<_> = steps(case).iter().map(|step| text(step, "op").to_owned()).collect();
        seen.insert((fields, ops, case["restore_mode"] == "CLAIM"))
    };
    cases.expect("our copy has all files").into_iter().filter(|case| is_new(case)).collect()
}

fn steps(case: &Value) -> &[Value] {
    case["steps"].as_array().expect("a list")
}

/// Another value that a recording might have.
fn doctored(field: &str, value: &Value) -> Option<Value> {
    Some(match (field, value) {
        ("checkpoint_id", Value::Number(id)) => json!(id.as_u64()? + 1),
        ("job_status", Value::String(status)) => {
            json!(if status == "FAILED" { "CANCELED" } else { "FAILED" })
        }
        ("job_status_after", Value::String(status)) if status == "FAILED" => json!("RUNNING"),
        ("op", Value::String(op)) => json!(op.replace("pending", "waiting") + "x"),
        ("savepoint_under", _) => json!("elsewhere"),
        _ => return None,
    })
}

/// The case with a step changed in this way.
fn with_step(case: &Value, at: usize, change: impl FnOnce(&mut Map<String, Value>)) -> Value {
    let mut lie = case.clone();
    change(lie["steps"][at].as_object_mut().expect("a step"));
    lie
}

/// Everything about the steps of a case that could have been recorded otherwise, and what is changed.
fn lies(case: &Value) -> Vec<(String, Value)> {
    let mut lies = Vec::new();
    for (at, step) in steps(case).iter().enumerate() {
        for (field, value) in step.as_object().expect("a step") {
            if let Some(other) = doctored(field, value) {
                let lie = with_step(case, at, |step| drop(step.insert(field.clone(), other)));
                lies.push((format!("/{at}/{field}"), lie));
            }
        }
        lies.push((
            format!("/{at} with nonsense"),
            with_step(case, at, |step| drop(step.insert("nonsense".into(), json!(1)))),
        ));
        if let Some(tree) = step.get("tree").and_then(Value::as_object) {
            // What is compared there comes last: a checkpoint, or a savepoint, or their absence.
            let looked_at = |path: &&String| path.contains("/chk-") || path.contains("savepoint-");
            for path in tree.keys().filter(looked_at) {
                let files = tree[path].as_u64().expect("a number");
                let set =
                    |step: &mut Map<String, Value>| step["tree"][path.as_str()] = json!(1 - files.min(1));
                lies.push((format!("/{at}/tree/{path}"), with_step(case, at, set)));
                let remove = |step: &mut Map<String, Value>| {
                    drop(step["tree"].as_object_mut().expect("a tree").remove(path));
                };
                lies.push((format!("/{at}/tree without {path}"), with_step(case, at, remove)));
            }
            let more = |step: &mut Map<String, Value>| step["tree"]["cp/JOB/chk-99"] = json!(1);
            lies.push((format!("/{at}/tree with more"), with_step(case, at, more)));
        }
        let Some(raises) = step.get("raises").and_then(Value::as_array) else { continue };
        lies.push((format!("/{at} succeeds"), with_step(case, at, |step| drop(step.remove("raises")))));
        for (cause, raised) in raises.iter().enumerate() {
            let message = text(raised, "message");
            // A message that nobody knows, and one that would be another reason or another checkpoint.
            let others = [
                "unheard of".to_owned(),
                message.replace("Task has failed.", "Checkpoint was declined."),
                message.replace("Checkpoint expired before completing.", "Checkpoint was declined."),
                message.replace("Checkpoint Coordinator is suspending.", "CheckpointCoordinator shutdown."),
                message.replace("checkpoint 2 for", "checkpoint 3 for"),
                message.replace("snapshot 2 for", "snapshot 1 for"),
            ];
            for other in others.into_iter().filter(|other| other != message) {
                let name = format!("/{at}/raises/{cause}: {other}");
                let tell = |step: &mut Map<String, Value>| step["raises"][cause]["message"] = json!(other);
                lies.push((name, with_step(case, at, tell)));
            }
        }
    }
    lies
}

#[test]
fn no_recorded_value_of_a_job_goes_unnoticed() {
    let all: Vec<_> = representatives()
        .iter()
        .inspect(|case| assert_eq!(played(case, Patience::default()).verdict, Verdict::Passed, "{case}"))
        .flat_map(|case| lies(case).into_iter().map(|(what, lie)| (format!("{}{what}", case["name"]), lie)))
        .collect();
    assert!(all.len() > 200, "only {} lies are told", all.len());
    let (unnoticed, next) = (Mutex::new(Vec::new()), Mutex::new(all.iter()));
    // Most of them wait for a disk.
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let lie = next.lock().expect("nothing panics while it holds this").next();
                    let Some((what, lie)) = lie else { break };
                    // Only what is no longer in a folder takes time to be missed; elsewhere being late proves nothing.
                    let folder =
                        if what.contains("/tree") { SHORT.folder } else { Patience::default().folder };
                    let patience = Patience { folder, ..SHORT };
                    if !matches!(played(lie, patience).verdict, Verdict::Failed(_)) {
                        unnoticed.lock().expect("nothing panics while it holds this").push(what);
                    }
                }
            });
        }
    });
    assert_eq!(*unnoticed.lock().expect("nobody holds it any more"), [""; 0]);
}

/// A checkpoint is in progress when the job comes to its end, in each way in which it can. As in Flink, which stops its
/// checkpoints when a job is stopped, cancelled or fails, and lets a job that finishes have its last one.
#[test]
fn a_checkpoint_in_progress_does_not_keep_a_job_from_ending() {
    let class = "org.apache.flink.runtime.checkpoint.CheckpointException";
    let suspended = json!([{ "java_class": class, "message": "Checkpoint Coordinator is suspending." }]);
    let given_up = json!({ "op": "pending_result", "raises": suspended });
    let completed = json!({ "op": "pending_result", "checkpoint_id": 2 });
    let savepoint = json!({ "op": "trigger_savepoint CANONICAL" });
    let stop = json!({ "op": "stop_with_savepoint", "job_status": "FINISHED" });
    let by = |op: &str, status: &str| json!({ "op": op, "job_status": status });
    let case = |steps: &[&Value]| {
        let begin = [
            json!({ "op": "trigger_checkpoint", "checkpoint_id": 1 }),
            json!({ "op": "checkpoint 2 pending" }),
        ];
        json!({ "name": "pending", "steps": begin.iter().chain(steps.iter().copied()).collect::<Vec<_>>() })
    };
    for (steps, other) in [
        (case(&[&given_up, &by("cancel", "CANCELED")]), case(&[&completed, &by("cancel", "CANCELED")])),
        (case(&[&given_up, &by("fail", "FAILED")]), case(&[&completed, &by("fail", "FAILED")])),
        (case(&[&given_up, &stop]), case(&[&completed, &stop])),
        (case(&[&completed, &by("finish", "FINISHED")]), case(&[&given_up, &by("finish", "FINISHED")])),
        (
            case(&[&savepoint, &given_up, &by("cancel", "CANCELED")]),
            case(&[&savepoint, &given_up, &stop, &stop]),
        ),
        // What became of it need not be recorded.
        (case(&[&stop]), case(&[&by("stop_with_savepoint", "CANCELED")])),
    ] {
        assert_eq!(played(&steps, Patience::default()).verdict, Verdict::Passed, "{steps}");
        assert!(matches!(played(&other, Patience::default()).verdict, Verdict::Failed(_)), "{other}");
    }
    let mut wrong = case(&[&completed, &by("finish", "FINISHED")]);
    wrong["steps"][2]["checkpoint_id"] = json!(3);
    assert!(matches!(played(&wrong, Patience::default()).verdict, Verdict::Failed(_)), "{wrong}");
}

#[test]
fn a_job_that_is_not_understood_fails() {
    let steps = json!([{ "op": "trigger_checkpoint", "checkpoint_id": 1 }]);
    let honest = json!({ "name": "honest", "steps": steps });
    assert_eq!(played(&honest, Patience::default()).verdict, Verdict::Passed);
    for (field, lie) in [
        ("num_retained", json!("many")),
        ("tolerable", json!(-1)),
        ("timeout_ms", json!({})),
        ("timeout_ms", json!(0)),
        ("snapshot_ms", json!("long")),
        ("retention", json!(1)),
        ("retention", json!("RETAIN")),
        ("restore_from", json!("checkpoint")),
        ("restore_mode", json!("CLAIM")),
        ("nonsense", json!(1)),
        ("steps", json!({})),
        ("steps", json!([])),
        ("steps", json!([1])),
        ("steps", json!([{ "op": "restored" }])),
        ("steps", json!([{ "op": "job_result", "job_status": "FINISHED" }])),
        ("steps", json!([{ "op": "start", "tree": { "cp": "full" } }])),
        ("steps", json!([{ "op": "checkpoint one pending" }])),
        ("steps", json!([{ "op": "trigger_savepoint AVRO" }])),
        ("steps", json!([{ "op": "trigger_checkpoint", "raises": [] }])),
        ("steps", json!([{ "op": "pending_result" }, { "op": "cancel", "job_status": "CANCELED" }])),
    ] {
        let mut case = honest.clone();
        case[field] = lie;
        assert!(matches!(played(&case, SHORT).verdict, Verdict::Failed(_)), "{case}");
    }
    let mut restored = honest;
    restored["restore_from"] = json!("savepoint_avro");
    restored["restore_mode"] = json!("CLAIM");
    assert!(matches!(played(&restored, SHORT).verdict, Verdict::Failed(_)), "{restored}");
}
