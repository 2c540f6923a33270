//! The keys of the options that a recorded field depends on, and what Flink does about each when it reads it.

use serde_json::{Map, Value};
use stillframe::config::{CheckpointConfig, ConfigOption, OPTIONS, Options};

pub(crate) const INTERVAL: &str = "execution.checkpointing.interval";
pub(crate) const BACKLOG: &str = "execution.checkpointing.interval-during-backlog";
pub(crate) const MODE: &str = "execution.checkpointing.mode";
pub(crate) const TIMEOUT: &str = "execution.checkpointing.timeout";
pub(crate) const MIN_PAUSE: &str = "execution.checkpointing.min-pause";
pub(crate) const MAX_CONCURRENT: &str = "execution.checkpointing.max-concurrent-checkpoints";
pub(crate) const TOLERABLE: &str = "execution.checkpointing.tolerable-failed-checkpoints";
pub(crate) const RETENTION: &str = "execution.checkpointing.externalized-checkpoint-retention";
pub(crate) const UNALIGNED: &str = "execution.checkpointing.unaligned.enabled";
pub(crate) const FORCE_UNALIGNED: &str = "execution.checkpointing.unaligned.forced";
pub(crate) const TIMERS: &str = "execution.checkpointing.unaligned.interruptible-timers.enabled";
pub(crate) const MAX_SUBTASKS: &str = "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file";
pub(crate) const ALIGNMENT: &str = "execution.checkpointing.aligned-checkpoint-timeout";
pub(crate) const IGNORED_DATA: &str = "execution.state-recovery.without-channel-state.checkpoint-id";
pub(crate) const AFTER_FINISH: &str = "execution.checkpointing.checkpoints-after-tasks-finish";
pub(crate) const FORCE: &str = "execution.checkpointing.force";
pub(crate) const APPROXIMATE: &str = "execution.state-recovery.approximate-local-recovery";
pub(crate) const DIR: &str = "execution.checkpointing.dir";
pub(crate) const SAVEPOINT_DIR: &str = "execution.checkpointing.savepoint-dir";
pub(crate) const STORAGE: &str = "execution.checkpointing.storage";
pub(crate) const INLINE: &str = "execution.checkpointing.data-inline-threshold";
pub(crate) const WRITE_BUFFER: &str = "execution.checkpointing.write-buffer-size";
const MERGED_SUBTASKS: &str = "execution.checkpointing.file-merging.max-subtasks-per-file";
const HISTORY: &str = "web.checkpoints.history";

/// The storage that a program sets, which has no key of its own in Flink.
pub(crate) const SET_BY_PROGRAM: &str = "the storage set by program";

/// What begins the keys that are ours alone, under which a storage that was set by value is written.
pub(crate) const OURS: &str = "stillframe.";

/// What a storage is made of.
pub(crate) const OF_STORAGE: [&str; 6] = [SET_BY_PROGRAM, STORAGE, DIR, SAVEPOINT_DIR, INLINE, WRITE_BUFFER];

/// The options that `CheckpointConfig.configure` hands to the setters. All others stay as they were typed until somebody
/// asks for them.
const APPLIED: [&str; 16] = [
    INTERVAL,
    BACKLOG,
    MODE,
    TIMEOUT,
    MIN_PAUSE,
    MAX_CONCURRENT,
    TOLERABLE,
    RETENTION,
    UNALIGNED,
    FORCE_UNALIGNED,
    TIMERS,
    MAX_SUBTASKS,
    ALIGNMENT,
    IGNORED_DATA,
    DIR,
    STORAGE,
];

pub(crate) fn is_applied(key: &str) -> bool {
    APPLIED.contains(&key)
}

/// Where Flink has any number and we one that is at least one.
pub(crate) fn is_at_least_one(key: &str) -> bool {
    matches!(key, MAX_SUBTASKS | MERGED_SUBTASKS)
}

/// Where Flink has any number and we none below zero.
pub(crate) fn is_unsigned(key: &str) -> bool {
    matches!(key, IGNORED_DATA | HISTORY)
}

/// The option that is written under this key.
pub(crate) fn option(key: &str) -> Option<&'static ConfigOption> {
    OPTIONS.iter().find(|option| option.key() == key)
}

/// The options that are read under this key.
pub(crate) fn read_under(key: &str) -> impl Iterator<Item = &'static ConfigOption> + '_ {
    OPTIONS.iter().filter(move |option| names(option).any(|name| name == key))
}

/// The option's key and its old ones, in the order in which they are looked for. Today's key of another option is none of
/// them, although Flink looks there as well: what stands there is that option's.
pub(crate) fn names(option: &'static ConfigOption) -> impl Iterator<Item = &'static str> {
    let old = option.old_keys().iter().copied().filter(|old| self::option(old).is_none());
    std::iter::once(option.key()).chain(old)
}

/// The name and the text that an option has in a configuration. Today's key of another option hides the names after it.
pub(crate) fn found<'a>(
    option: &'static ConfigOption,
    options: &'a Options,
) -> Option<(&'static str, &'a str)> {
    let all = std::iter::once(option.key()).chain(option.old_keys().iter().copied());
    let (name, text) = all.into_iter().find_map(|name| Some((name, options.get(name)?)))?;
    names(option).any(|own| own == name).then_some((name, text))
}

/// A configuration as far as it can be read, and the options that cannot.
pub(crate) fn readable(mut options: Options) -> Result<(CheckpointConfig, Vec<&'static str>), String> {
    let mut refused = Vec::new();
    loop {
        let errors = match CheckpointConfig::from_options(&options) {
            Ok((config, _)) => return Ok((config, refused)),
            Err(errors) => errors,
        };
        for error in errors.iter() {
            let option = option(error.option()).ok_or_else(|| format!("{error}: no key of the table"))?;
            options = without(&options, option).ok_or_else(|| format!("{error}: it is not set"))?;
            refused.push(option.key());
        }
    }
}

/// The same without the text that the option has there. `None` if it has none.
pub(crate) fn without(options: &Options, option: &'static ConfigOption) -> Option<Options> {
    let (name, _) = found(option, options)?;
    Some(options.iter().filter(|(key, _)| *key != name).collect())
}

/// A recorded configuration. All its values are text.
pub(crate) fn options(recorded: &Value) -> Result<Options, String> {
    let entries = recorded.as_object().ok_or_else(|| format!("no configuration: {recorded}"))?;
    let text = |(key, value): (&String, &Value)| match value {
        Value::String(text) => Ok((key.clone(), text.clone())),
        other => Err(format!("the value of {key} is no text: {other}")),
    };
    entries.iter().map(text).collect()
}

/// As we would write this text, if we can read it.
pub(crate) fn as_we_write_it(key: &str, text: &str) -> Option<String> {
    let (config, _) = CheckpointConfig::from_options(&[(key, text)].into_iter().collect()).ok()?;
    config.to_options().get(key).map(str::to_owned)
}

/// The fields of an object that nobody has taken.
pub(crate) fn unknown_fields(object: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    object
        .keys()
        .filter(|field| !known.contains(&field.as_str()))
        .map(|field| format!("the field `{field}` is not understood"))
        .collect()
}
