//! Recorded calls, made on our config.

use super::argument::{self, Trouble};
use super::conversion;
use super::difference::Difference;
use super::getter;
use super::option_keys as keys;
use serde_json::Value;
use stillframe::config::{CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention};
use stillframe::model::CheckpointId;

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It changed something, and Flink's returns the object itself or nothing.
    Done,
    /// It asked for something.
    Value(Value),
    /// It read settings, among which these keys are nobody's.
    Unknown(Vec<String>),
}

/// Makes a call. The config is unchanged if that fails.
pub(crate) fn make(
    config: &mut CheckpointConfig,
    name: &str,
    arguments: &[Value],
) -> Result<Answer, Trouble> {
    // What stands for several of our calls must not be left half-way; each single one has to see to that itself.
    match name {
        "env.enable_checkpointing" => enable_checkpointing(config, arguments),
        "env.configure" | "configure" | "java.configure" => configure(config, arguments),
        _ => {
            let method = conversion::method(name.strip_prefix("env.").unwrap_or(name));
            if let Some(answer) = getter::ask(config, &method) {
                argument::none(arguments)?;
                return Ok(Answer::Value(answer.value));
            }
            set(config, &method, arguments)?;
            Ok(Answer::Done)
        }
    }
}

fn enable_checkpointing(config: &mut CheckpointConfig, arguments: &[Value]) -> Result<Answer, Trouble> {
    let (interval, mode) = match arguments {
        [interval] => (interval, None),
        [interval, mode] => (interval, Some(argument::constant::<CheckpointingMode>(mode)?)),
        _ => return argument::only(arguments).map(|_| Answer::Done),
    };
    config.set_checkpoint_interval(argument::millis(interval)?)?;
    if let Some(mode) = mode {
        config.set_checkpointing_mode(mode);
    }
    Ok(Answer::Done)
}

fn configure(config: &mut CheckpointConfig, arguments: &[Value]) -> Result<Answer, Trouble> {
    let options = configuration(argument::only(arguments)?)?;
    let report = config.configure(&options)?;
    Ok(Answer::Unknown(report.unknown.iter().map(|unknown| unknown.key().to_owned()).collect()))
}

fn configuration(argument: &Value) -> Result<stillframe::config::Options, Trouble> {
    match argument {
        Value::Null => Err(Trouble::Inexpressible(Difference::NullIsNone)),
        other => keys::options(&other["configuration"]).map_err(Trouble::NotUnderstood),
    }
}

/// Without an argument, Flink's switches are switched on.
fn switch(arguments: &[Value]) -> Result<bool, Trouble> {
    if arguments.is_empty() { Ok(true) } else { argument::only(arguments).and_then(argument::truth) }
}

fn set(config: &mut CheckpointConfig, method: &str, arguments: &[Value]) -> Result<(), Trouble> {
    let only = || argument::only(arguments);
    match method {
        "set_checkpoint_interval" => {
            config.set_checkpoint_interval(argument::millis(only()?)?)?;
        }
        "set_checkpoint_interval_during_backlog" => {
            config.set_checkpoint_interval_during_backlog(argument::millis(only()?)?)?;
        }
        "disable_checkpointing" => {
            argument::none(arguments)?;
            config.disable_checkpointing();
        }
        "set_checkpointing_mode" | "set_checkpointing_consistency_mode" => {
            config.set_checkpointing_mode(argument::constant(only()?)?);
        }
        "set_checkpoint_timeout" => {
            config.set_checkpoint_timeout(argument::millis(only()?)?)?;
        }
        "set_min_pause_between_checkpoints" => {
            config.set_min_pause_between_checkpoints(argument::millis(only()?)?);
        }
        "set_max_concurrent_checkpoints" => {
            let refusal = Trouble::Refused("the type begins at one".into());
            config.set_max_concurrent_checkpoints(argument::positive(only()?, refusal)?);
        }
        "set_tolerable_checkpoint_failure_number" => {
            config.set_tolerable_checkpoint_failure_number(argument::natural(only()?)?);
        }
        "set_fail_on_checkpointing_errors" => {
            config.set_fail_on_checkpointing_errors(argument::truth(only()?)?);
        }
        "enable_externalized_checkpoints" => {
            config.enable_externalized_checkpoints(argument::constant(only()?)?);
        }
        "set_externalized_checkpoint_cleanup" => {
            config.set_externalized_checkpoint_cleanup(argument::constant(only()?)?);
        }
        "set_externalized_checkpoint_retention" => {
            let retention = argument::constant::<ExternalizedCheckpointRetention>(only()?)?;
            config.set_externalized_checkpoint_retention(retention);
        }
        "set_force_checkpointing" => {
            config.set_force_checkpointing(switch(arguments)?);
        }
        "set_checkpoints_after_tasks_finish" => {
            config.set_checkpoints_after_tasks_finish(argument::truth(only()?)?);
        }
        "enable_approximate_local_recovery" => {
            config.set_approximate_local_recovery(switch(arguments)?);
        }
        "set_checkpoint_id_of_ignored_in_flight_data" => {
            let id = match argument::integer(only()?)? {
                -1 => None,
                _ => Some(CheckpointId::new(argument::natural(only()?)?)),
            };
            config.set_checkpoint_id_of_ignored_in_flight_data(id);
        }
        _ if set_barriers(config, method, arguments)? => {}
        _ if set_storage(config, method, arguments)? => {}
        _ => return Err(Trouble::NotUnderstood(format!("there is no method {method}"))),
    }
    Ok(())
}

/// `false` if the method is about something else.
fn set_barriers(config: &mut CheckpointConfig, method: &str, arguments: &[Value]) -> Result<bool, Trouble> {
    let only = || argument::only(arguments);
    match method {
        "enable_unaligned_checkpoints" if switch(arguments)? => {
            config.enable_unaligned_checkpoints();
        }
        "enable_unaligned_checkpoints" => {
            config.disable_unaligned_checkpoints();
        }
        "disable_unaligned_checkpoints" => {
            argument::none(arguments)?;
            config.disable_unaligned_checkpoints();
        }
        "set_alignment_timeout" | "set_aligned_checkpoint_timeout" => {
            config.set_alignment_timeout(argument::duration(only()?)?);
        }
        "set_force_unaligned_checkpoints" => {
            config.set_force_unaligned_checkpoints(switch(arguments)?);
        }
        "enable_unaligned_checkpoints_interruptible_timers"
        | "set_unaligned_checkpoints_interruptible_timers_enabled" => {
            config.set_unaligned_checkpoints_interruptible_timers(switch(arguments)?);
        }
        "set_max_subtasks_per_channel_state_file" => {
            let refusal = Trouble::Inexpressible(Difference::AtLeastOne);
            config.set_max_subtasks_per_channel_state_file(argument::positive(only()?, refusal)?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `false` if the method is about something else.
fn set_storage(config: &mut CheckpointConfig, method: &str, arguments: &[Value]) -> Result<bool, Trouble> {
    match (method, argument::only(arguments)?) {
        // Java has setters of one name for a storage and for a directory.
        ("set_checkpoint_storage_dir", dir) | ("set_checkpoint_storage", dir @ Value::String(_)) => {
            config.set_checkpoint_storage_dir(argument::text(dir)?)?;
        }
        ("set_checkpoint_storage", storage) => {
            config.set_checkpoint_storage(argument::storage(storage)?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The options that a call is about. The first of the pair says whether their values follow from this call alone.
pub(crate) fn about(name: &str, arguments: &[Value]) -> (bool, Vec<&'static str>) {
    if name.ends_with("configure") {
        let options = arguments.first().and_then(|argument| argument["configuration"].as_object());
        let read = options.into_iter().flatten().flat_map(|(key, _)| keys::read_under(key));
        let mut about: Vec<_> = read.map(|option| option.key()).collect();
        if about.contains(&keys::DIR) || about.contains(&keys::STORAGE) {
            about.push(keys::SET_BY_PROGRAM);
        }
        return (true, about);
    }
    let about: &[&'static str] = match conversion::method(name.strip_prefix("env.").unwrap_or(name)).as_str()
    {
        "enable_checkpointing" if arguments.len() == 1 => &[keys::INTERVAL],
        "enable_checkpointing" => &[keys::INTERVAL, keys::MODE],
        "set_checkpoint_interval" | "disable_checkpointing" => &[keys::INTERVAL],
        "set_checkpoint_interval_during_backlog" => &[keys::BACKLOG],
        "set_checkpointing_mode" | "set_checkpointing_consistency_mode" => &[keys::MODE],
        "set_checkpoint_timeout" => &[keys::TIMEOUT],
        "set_min_pause_between_checkpoints" => &[keys::MIN_PAUSE],
        "set_max_concurrent_checkpoints" => &[keys::MAX_CONCURRENT],
        "set_tolerable_checkpoint_failure_number" => &[keys::TOLERABLE],
        // What it does depends on what was set before.
        "set_fail_on_checkpointing_errors" => return (false, vec![keys::TOLERABLE]),
        "enable_externalized_checkpoints"
        | "set_externalized_checkpoint_cleanup"
        | "set_externalized_checkpoint_retention" => &[keys::RETENTION],
        "set_force_checkpointing" => &[keys::FORCE],
        "set_checkpoints_after_tasks_finish" => &[keys::AFTER_FINISH],
        "enable_approximate_local_recovery" => &[keys::APPROXIMATE],
        "set_checkpoint_id_of_ignored_in_flight_data" => &[keys::IGNORED_DATA],
        "enable_unaligned_checkpoints" | "disable_unaligned_checkpoints" => &[keys::UNALIGNED],
        "set_alignment_timeout" | "set_aligned_checkpoint_timeout" => &[keys::ALIGNMENT],
        "set_force_unaligned_checkpoints" => &[keys::FORCE_UNALIGNED],
        "enable_unaligned_checkpoints_interruptible_timers"
        | "set_unaligned_checkpoints_interruptible_timers_enabled" => &[keys::TIMERS],
        "set_max_subtasks_per_channel_state_file" => &[keys::MAX_SUBTASKS],
        "set_checkpoint_storage_dir" => &[keys::DIR, keys::SET_BY_PROGRAM],
        "set_checkpoint_storage" => match arguments {
            [argument] if argument.is_string() || argument["storage"]["class"] == "CustomAroundString" => {
                &[keys::DIR, keys::SET_BY_PROGRAM]
            }
            _ => &[keys::SET_BY_PROGRAM],
        },
        _ => &[],
    };
    (true, about.to_vec())
}

/// The options of which Flink keeps a part of a call that it refuses. Its other setters look before they write.
pub(crate) fn kept_by_flink(name: &str, arguments: &[Value]) -> Vec<&'static str> {
    let (_, about) = about(name, arguments);
    let writes_first: fn(&&str) -> bool = match arguments {
        _ if name.ends_with("configure") => |key| *key != keys::SET_BY_PROGRAM,
        // The mode comes before the interval, which is the one to be refused.
        [_, _] if name == "env.enable_checkpointing" => |key| *key == keys::MODE,
        [argument] if !argument.is_null() && about.contains(&keys::SET_BY_PROGRAM) => |key| *key == keys::DIR,
        _ => |_| false,
    };
    about.into_iter().filter(writes_first).collect()
}
