//! What the job finally gets: the coordinator's configuration, the tasks', and the storage.

use super::config_case::{Replay, message};
use super::conversion;
use super::difference::Difference;
use super::getter;
use super::option_keys as keys;
use super::storage_case;
use serde_json::{Map, Value, json};
use std::time::Duration;
use stillframe::config::{
    CheckpointConfig, CheckpointingMode, EffectiveConfig, GraphDescription, Violation, Violations,
};
use stillframe::model::{JobManagerDescriptor, StorageDescriptor};

/// What Flink's coordinator takes as the longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(365 * 86_400);

const FIELDS: [&str; 5] = ["coordinator", "task", "application_storage", "resolved_storage", "raises"];

pub(crate) fn compare(replay: &mut Replay, recorded: &Value, case: &Map<String, Value>) {
    if let Some(fields) = recorded.as_object() {
        replay.findings.extend(keys::unknown_fields(fields, &FIELDS));
    }
    let graph = match graph(case.get("graph")) {
        Ok(graph) => graph,
        Err(error) => return replay.findings.push(error),
    };
    let resolved = replay.config.resolve(&graph).map(|resolved| resolved.effective);
    if let Some(refusal) = recorded.get("raises") {
        if let Ok(effective) = resolved {
            accepted(replay, refusal, &effective, &rules_broken_in_flink(case.get("config"), &graph));
        }
        return;
    }
    let application = &recorded["application_storage"];
    let ours = json!(replay.config.checkpoint_storage().map(conversion::storage));
    replay.compare("application_storage", application, &ours, &[keys::SET_BY_PROGRAM]);
    // Flink completes a storage set by program from the options of the cluster, which has none here.
    let nothing = CheckpointConfig::default();
    let resolved_storage = |replay: &mut Replay, ours: Result<&StorageDescriptor, &str>| {
        storage_case::resolved(
            replay,
            &recorded["resolved_storage"],
            application.is_object(),
            &nothing,
            ours,
        );
    };
    let effective = match resolved {
        Ok(effective) => {
            resolved_storage(replay, Ok(&effective.storage));
            effective
        }
        Err(violations) => {
            resolved_storage(replay, Err(&violations.to_string()));
            // Flink finds out about a storage later than about all else, so all else is looked at without it.
            match without_storage(replay, &graph) {
                Ok(effective) => effective,
                Err(violations) => {
                    return violations.iter().for_each(|violation| {
                        let finding = || format!("Flink accepted it, ours refused: {violation}");
                        replay.differ(options_of(violation), finding);
                    });
                }
            }
        }
    };
    coordinator(replay, &recorded["coordinator"], &effective);
    task(replay, &recorded["task"], &effective);
}

fn graph(recorded: Option<&Value>) -> Result<GraphDescription, String> {
    let graph = GraphDescription::default();
    match recorded.map(Value::as_str) {
        None => Ok(graph),
        Some(Some("custom_partitioner")) => Ok(graph.with_custom_partitioner(true)),
        Some(Some("iterative")) => Ok(graph.with_iterative(true)),
        Some(Some("input_selectable")) => Ok(graph.with_input_selectable(true)),
        Some(Some("batch")) => Ok(graph.with_batch(true)),
        Some(_) => Err(format!("the graph is not understood: {recorded:?}")),
    }
}

/// The options that a rule is about.
const fn options_of(violation: &Violation) -> &'static [&'static str] {
    use keys::{
        APPROXIMATE, BACKLOG, FORCE, FORCE_UNALIGNED, INTERVAL, MAX_CONCURRENT, MODE, OF_STORAGE, UNALIGNED,
    };
    match violation {
        Violation::BacklogIntervalTooShort { .. } => &[BACKLOG, INTERVAL],
        Violation::UnalignedNotConcurrent { .. } => &[MAX_CONCURRENT, UNALIGNED, MODE, INTERVAL],
        Violation::Iterations => &[FORCE, INTERVAL],
        Violation::UnalignedIterations | Violation::UnalignedCustomPartitioner => {
            &[FORCE_UNALIGNED, UNALIGNED, INTERVAL]
        }
        Violation::InputSelectable => &[INTERVAL],
        Violation::UnalignedApproximateRecovery => &[APPROXIMATE, UNALIGNED],
        Violation::StorageWithoutDirectory | Violation::Storage(_) => &OF_STORAGE,
        _ => &[],
    }
}

/// The options of the rules that are broken by what Flink holds, among which may be what it kept of a refused call.
fn rules_broken_in_flink(held: Option<&Value>, graph: &GraphDescription) -> Vec<&'static str> {
    let held = held.and_then(|held| keys::options(held).ok()).and_then(|held| keys::readable(held).ok());
    let Some((config, refused)) = held else { return Vec::new() };
    let violations = config.resolve(graph).err();
    let violations = violations.iter().flat_map(Violations::iter).flat_map(options_of).copied();
    refused.into_iter().filter(|key| keys::is_applied(key)).chain(violations).collect()
}

/// Flink refuses the job and we do not. It may, if it is because of one of the options `broken`, and that stands apart.
fn accepted(replay: &mut Replay, refusal: &Value, effective: &EffectiveConfig, broken: &[&str]) {
    let overflows = i64::try_from(effective.barriers.alignment_timeout.as_millis()).is_err();
    if refusal["java_class"] == "java.lang.ArithmeticException" && overflows {
        replay.differences.insert(Difference::EveryValueCanBeWritten);
    } else if message(refusal).contains("not serializable")
        && conversion::storage(&effective.storage)["type"] == "CustomCheckpointStorage"
    {
        replay.differences.insert(Difference::StorageIsData);
    } else {
        replay.differ(broken, || format!("Flink refused the job ({}), ours accepted", message(refusal)));
    }
}

fn without_storage(replay: &Replay, graph: &GraphDescription) -> Result<EffectiveConfig, Violations> {
    let mut config = replay.config.clone();
    config.set_checkpoint_storage(JobManagerDescriptor::new());
    config.resolve(graph).map(|resolved| resolved.effective)
}

/// Compares all fields of a recorded object with ours, which say on which options they depend.
fn fields(replay: &mut Replay, what: &str, recorded: &Value, ours: &[(&str, Value, &[&str])]) {
    let Some(recorded) = recorded.as_object() else {
        return replay.findings.push(format!("{what} is missing"));
    };
    for (field, recorded) in recorded {
        match ours.iter().find(|(ours, ..)| ours == field) {
            Some((_, ours, about)) => replay.compare(&format!("{what}.{field}"), recorded, ours, about),
            None => replay.findings.push(format!("{what}.{field} is not understood")),
        }
    }
}

/// Puts what we have to say in the place of what Flink has to say, where that is a difference. Both are worked out from
/// the options, so that neither is taken on trust.
fn adjust(
    replay: &mut Replay,
    recorded: &mut Map<String, Value>,
    field: &str,
    [flinks, adjusted]: [Value; 2],
    why: Difference,
    about: &[&str],
) {
    if let Some(value) = recorded.get_mut(field)
        && flinks != adjusted
    {
        replay.compare(&format!("{field} in Flink"), value, &flinks, about);
        *value = adjusted;
        replay.differences.insert(why);
    }
}

/// Without periodic checkpoints, Flink says at least once, whatever was asked for. Our barriers follow the mode.
fn follow_the_mode(replay: &mut Replay, recorded: &mut Map<String, Value>) {
    if replay.config.is_checkpointing_enabled() {
        return;
    }
    let mode = replay.config.checkpointing_mode();
    let (why, about) = (Difference::ModeWhileDisabled, [keys::INTERVAL, keys::MODE]);
    for field in ["is_exactly_once", "exactly_once"] {
        let ours = mode == CheckpointingMode::ExactlyOnce;
        adjust(replay, recorded, field, [json!(false), json!(ours)], why, &about);
    }
    let flinks = CheckpointingMode::AtLeastOnce.name();
    adjust(replay, recorded, "checkpoint_mode", [json!(flinks), json!(mode.name())], why, &about);
}

fn coordinator(replay: &mut Replay, recorded: &Value, effective: &EffectiveConfig) {
    use keys::{
        AFTER_FINISH, ALIGNMENT, APPROXIMATE, BACKLOG, IGNORED_DATA, INTERVAL, MAX_CONCURRENT, MIN_PAUSE,
        MODE, RETENTION, TIMEOUT, TOLERABLE, UNALIGNED,
    };
    let mut recorded = recorded.clone();
    if let Some(recorded) = recorded.as_object_mut() {
        raise(replay, recorded);
        follow_the_mode(replay, recorded);
    }
    let EffectiveConfig { schedule, barriers, tolerance, retention, recovery, .. } = effective;
    let interval = conversion::interval_or_disabled(schedule.interval);
    let backlog = conversion::interval_or_disabled(schedule.interval_during_backlog);
    let ignored = recovery.ignored_in_flight_data.map_or(json!(-1), |id| json!(id.get()));
    let exactly_once = conversion::mode_of(barriers.policy) == CheckpointingMode::ExactlyOnce;
    let ours: [(&str, Value, &[&str]); 13] = [
        ("checkpoint_interval", json!(interval), &[INTERVAL, MIN_PAUSE]),
        ("checkpoint_interval_during_backlog", json!(backlog), &[BACKLOG, INTERVAL, MIN_PAUSE]),
        ("is_checkpointing_enabled", json!(interval < conversion::DISABLED_INTERVAL), &[INTERVAL]),
        ("checkpoint_timeout", json!(conversion::millis(schedule.timeout)), &[TIMEOUT]),
        ("min_pause_between_checkpoints", json!(conversion::millis(schedule.min_pause)), &[MIN_PAUSE]),
        ("max_concurrent_checkpoints", json!(schedule.max_concurrent.get()), &[MAX_CONCURRENT]),
        ("retention_policy", json!(conversion::retention_policy(retention.on_end)), &[RETENTION]),
        ("is_exactly_once", json!(exactly_once), &[MODE, INTERVAL]),
        ("tolerable_checkpoint_failure_number", json!(conversion::tolerable(*tolerance)), &[TOLERABLE]),
        (
            "is_unaligned_checkpoints_enabled",
            json!(barriers.unaligned.is_some()),
            &[UNALIGNED, MODE, INTERVAL, APPROXIMATE],
        ),
        ("aligned_checkpoint_timeout", json!(conversion::millis(barriers.alignment_timeout)), &[ALIGNMENT]),
        ("checkpoint_id_of_ignored_in_flight_data", ignored, &[IGNORED_DATA]),
        ("enable_checkpoints_after_tasks_finish", json!(schedule.after_tasks_finish), &[AFTER_FINISH]),
    ];
    fields(replay, "coordinator", &recorded, &ours);
}

/// What the coordinator of Flink does only later, in its constructor: the pause is capped, and no interval is shorter.
fn raise(replay: &mut Replay, recorded: &mut Map<String, Value>) {
    let asked = conversion::millis(replay.config.min_pause_between_checkpoints());
    let pause = asked.min(conversion::millis(LONGEST_PAUSE));
    let (why, about) = (Difference::IntervalRaisedInConfig, [keys::MIN_PAUSE, keys::INTERVAL, keys::BACKLOG]);
    adjust(replay, recorded, "min_pause_between_checkpoints", [json!(asked), json!(pause)], why, &about);
    let backlog = getter::ask(&replay.config, "checkpoint_interval_during_backlog");
    let intervals = [
        ("checkpoint_interval", Some(conversion::interval_or_disabled(replay.config.checkpoint_interval()))),
        ("checkpoint_interval_during_backlog", backlog.and_then(|asked| asked.value.as_i64())),
    ];
    for (field, asked) in intervals {
        if let Some(asked) = asked {
            adjust(replay, recorded, field, [json!(asked), json!(asked.max(pause))], why, &about);
        }
    }
}

fn task(replay: &mut Replay, recorded: &Value, effective: &EffectiveConfig) {
    use keys::{ALIGNMENT, APPROXIMATE, INTERVAL, MAX_CONCURRENT, MODE, UNALIGNED};
    let mut recorded = recorded.clone();
    if let Some(recorded) = recorded.as_object_mut() {
        follow_the_mode(replay, recorded);
    }
    let barriers = &effective.barriers;
    let mode = conversion::mode_of(barriers.policy);
    let exactly_once = mode == CheckpointingMode::ExactlyOnce;
    let timeout = conversion::millis(barriers.alignment_timeout);
    let ours: [(&str, Value, &[&str]); 6] = [
        ("checkpointing_enabled", json!(replay.config.is_checkpointing_enabled()), &[INTERVAL]),
        ("checkpoint_mode", conversion::mode(mode), &[MODE, INTERVAL]),
        ("exactly_once", json!(exactly_once), &[MODE, INTERVAL]),
        ("unaligned", json!(barriers.unaligned.is_some()), &[UNALIGNED, MODE, INTERVAL, APPROXIMATE]),
        ("aligned_timeout_ms", json!(timeout), &[ALIGNMENT]),
        ("max_concurrent", json!(effective.schedule.max_concurrent.get()), &[MAX_CONCURRENT]),
    ];
    fields(replay, "task", &recorded, &ours);
}
