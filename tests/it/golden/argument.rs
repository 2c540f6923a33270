//! Arguments of recorded calls as values of our types.

use super::difference::Difference;
use serde_json::{Map, Value};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;
use stillframe::config::{ConfigError, ConfigErrors};
use stillframe::model::{
    DescriptorError, FileSystemDescriptor, JobManagerDescriptor, OptionValue, StorageDescriptor, StoragePath,
};

/// Why a recorded call did not take place with us.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// We refused it, and said this.
    Refused(String),
    /// We refused settings that were read, and said this.
    RefusedSettings(ConfigErrors),
    /// There is no way to write such a call with our types.
    Inexpressible(Difference),
    /// The recording says something that this program does not know.
    NotUnderstood(String),
}

impl From<ConfigError> for Trouble {
    fn from(error: ConfigError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<ConfigErrors> for Trouble {
    fn from(errors: ConfigErrors) -> Self {
        Self::RefusedSettings(errors)
    }
}

impl From<DescriptorError> for Trouble {
    fn from(error: DescriptorError) -> Self {
        Self::Refused(error.to_string())
    }
}

fn not_understood<T>(what: &str, argument: &Value) -> Result<T, Trouble> {
    Err(Trouble::NotUnderstood(format!("expected {what} as an argument, found {argument}")))
}

/// The only argument, or the only one of all that are left.
pub(crate) fn only(arguments: &[Value]) -> Result<&Value, Trouble> {
    match arguments {
        [argument] => Ok(argument),
        _ => Err(Trouble::NotUnderstood(format!("expected one argument, found {}", arguments.len()))),
    }
}

pub(crate) fn none(arguments: &[Value]) -> Result<(), Trouble> {
    match arguments {
        [] => Ok(()),
        _ => Err(Trouble::NotUnderstood(format!("expected no argument, found {}", arguments.len()))),
    }
}

pub(crate) fn truth(argument: &Value) -> Result<bool, Trouble> {
    match argument {
        Value::Bool(truth) => Ok(*truth),
        Value::Null => Err(Trouble::Inexpressible(Difference::NullIsNone)),
        other => not_understood("true or false", other),
    }
}

pub(crate) fn integer(argument: &Value) -> Result<i64, Trouble> {
    match argument {
        Value::Number(number) => match number.as_i64() {
            Some(number) => Ok(number),
            None => not_understood("a number of 64 bits", argument),
        },
        Value::Null => Err(Trouble::Inexpressible(Difference::NullIsNone)),
        other => not_understood("a number", other),
    }
}

/// A number where ours begin at zero.
pub(crate) fn natural<T: TryFrom<i64>>(argument: &Value) -> Result<T, Trouble> {
    match integer(argument)? {
        ..0 => Err(Trouble::Inexpressible(Difference::UnsignedTypes)),
        number => T::try_from(number)
            .map_err(|_| Trouble::NotUnderstood(format!("{number} does not fit into Flink's type either"))),
    }
}

/// A number where ours begin at one; `refusal` is what there is to say about any other.
pub(crate) fn positive(argument: &Value, refusal: Trouble) -> Result<NonZeroU32, Trouble> {
    match integer(argument)? {
        ..1 => Err(refusal),
        _ => natural::<u32>(argument).and_then(|number| NonZeroU32::new(number).ok_or(refusal)),
    }
}

/// A number of milliseconds.
pub(crate) fn millis(argument: &Value) -> Result<Duration, Trouble> {
    natural::<u64>(argument).map(Duration::from_millis)
}

/// A `Duration`, as the sum of what it was made of.
pub(crate) fn duration(argument: &Value) -> Result<Duration, Trouble> {
    if argument.is_null() {
        return Err(Trouble::Inexpressible(Difference::NullIsNone));
    }
    let Some(parts) = argument.get("duration").and_then(Value::as_object) else {
        return not_understood("a duration", argument);
    };
    let mut nanos = 0_i128;
    for (part, number) in parts {
        let each: i128 = match part.as_str() {
            "of_days" => 86_400_000_000_000,
            "of_hours" => 3_600_000_000_000,
            "of_minutes" => 60_000_000_000,
            "of_seconds" => 1_000_000_000,
            "of_millis" => 1_000_000,
            "of_nanos" => 1,
            _ => return not_understood("a duration", argument),
        };
        nanos += i128::from(integer(number)?) * each;
    }
    let Ok(nanos) = u128::try_from(nanos) else {
        return Err(Trouble::Inexpressible(Difference::UnsignedTypes));
    };
    let refused = || Trouble::Refused(format!("{nanos} ns are longer than any duration"));
    // Java's durations end where the seconds no longer fit into a signed number.
    let seconds = i64::try_from(nanos / 1_000_000_000).map_err(|_| refused())?;
    let rest = u32::try_from(nanos % 1_000_000_000).map_err(|_| refused())?;
    Ok(Duration::new(seconds.unsigned_abs(), rest))
}

/// A constant of an enumeration, `{"enum": "Class.NAME"}` or `{"java_enum": "Class.NAME"}`, as ours of the same name.
pub(crate) fn constant<T: FromStr>(argument: &Value) -> Result<T, Trouble> {
    if argument.is_null() {
        return Err(Trouble::Inexpressible(Difference::NullIsNone));
    }
    let named = argument.get("enum").or_else(|| argument.get("java_enum")).and_then(Value::as_str);
    let Some((_, name)) = named.and_then(|name| name.rsplit_once('.')) else {
        return not_understood("a constant", argument);
    };
    name.parse().map_err(|_| Trouble::Refused(format!("there is no constant {name}")))
}

pub(crate) fn text(argument: &Value) -> Result<&str, Trouble> {
    match argument {
        Value::String(text) => Ok(text),
        Value::Null => Err(Trouble::Inexpressible(Difference::NullIsNone)),
        other => not_understood("a text", other),
    }
}

/// A storage that was constructed, `{"storage": {"class": .., "args": {..}}}`.
pub(crate) fn storage(argument: &Value) -> Result<StorageDescriptor, Trouble> {
    if argument.is_null() {
        return Err(Trouble::Inexpressible(Difference::NullIsNone));
    }
    let storage = &argument["storage"];
    match (storage["class"].as_str(), storage["args"].as_object()) {
        (Some(class), Some(arguments)) => constructed(class, arguments),
        _ => not_understood("a storage", argument),
    }
}

/// Gives the file storage inside a custom one the directory that it has according to what was `told` afterwards. The
/// recorder chose it, so that no argument says which it is.
pub(crate) fn complete(argument: &mut Value, told: Option<&str>) {
    if argument["storage"]["class"] != "CustomAroundFileSystem" {
        return;
    }
    if let Some(arguments) = argument.pointer_mut("/storage/args").and_then(Value::as_object_mut) {
        // If nobody tells, nobody sees it either.
        let dir = told.unwrap_or("file:///nowhere");
        arguments.entry("checkpoint_path").or_insert_with(|| dir.into());
    }
}

/// A custom storage as its constructor leaves it, which looks at nothing. Unwrapping is done by the getter of the config.
pub(crate) fn custom(class: &str, arguments: &Map<String, Value>) -> StorageDescriptor {
    let texts = arguments.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    texts.fold(StorageDescriptor::new(class.to_owned()), |storage, (name, text)| {
        storage.with(name, OptionValue::Text(text))
    })
}

/// What a config has of a storage that the constructor of this class made of these arguments.
pub(crate) fn constructed(class: &str, arguments: &Map<String, Value>) -> Result<StorageDescriptor, Trouble> {
    match class {
        // PyFlink unwraps what is custom around one of the two that it knows.
        "JobManagerCheckpointStorage" | "CustomAroundJobManager" => job_manager(arguments).map(Into::into),
        "FileSystemCheckpointStorage" | "CustomAroundFileSystem" => file_system(arguments).map(Into::into),
        "CustomAroundNone" => Err(Trouble::Inexpressible(Difference::NullIsNone)),
        "CustomAroundString" => Err(Trouble::Refused("a text is no storage".into())),
        custom => {
            arguments.iter().try_fold(StorageDescriptor::new(custom.to_owned()), |storage, (name, value)| {
                Ok(storage.with(name.clone(), OptionValue::Text(text(value)?.to_owned())))
            })
        }
    }
}

fn job_manager(arguments: &Map<String, Value>) -> Result<JobManagerDescriptor, Trouble> {
    let mut storage = JobManagerDescriptor::new();
    for (name, value) in arguments.iter().filter(|(_, value)| !value.is_null()) {
        storage = match name.as_str() {
            "checkpoint_path" => storage.with_checkpoint_path(StoragePath::parse(text(value)?)?),
            "max_state_size" => storage.with_max_state_size(natural(value)?)?,
            other => return not_understood("checkpoint_path or max_state_size", &other.into()),
        };
    }
    Ok(storage)
}

fn file_system(arguments: &Map<String, Value>) -> Result<FileSystemDescriptor, Trouble> {
    let path = StoragePath::parse(text(arguments.get("checkpoint_path").unwrap_or(&Value::Null))?)?;
    let mut storage = FileSystemDescriptor::new(path);
    // Flink's -1 leaves a size to the configuration, as leaving it out does.
    let is_set = |value: &Value| !value.is_null() && value.as_i64() != Some(-1);
    for (name, value) in arguments.iter().filter(|(_, value)| is_set(value)) {
        storage = match name.as_str() {
            "checkpoint_path" => storage,
            "file_state_size_threshold" => storage.with_min_file_size_threshold(natural(value)?)?,
            "write_buffer_size" => storage.with_write_buffer_size(natural(value)?),
            other => return not_understood("an argument of FileSystemCheckpointStorage", &other.into()),
        };
    }
    Ok(storage)
}

#[test]
fn durations_are_summed_and_bounded_as_in_java() {
    let read = |text: &str| duration(&serde_json::from_str(text).unwrap());
    assert_eq!(read(r#"{"duration":{"of_hours":36}}"#), Ok(Duration::from_secs(129_600)));
    assert_eq!(read(r#"{"duration":{"of_seconds":1,"of_nanos":-1}}"#), Ok(Duration::from_nanos(999_999_999)));
    assert_eq!(
        read(r#"{"duration":{"of_nanos":-1}}"#),
        Err(Trouble::Inexpressible(Difference::UnsignedTypes))
    );
    assert!(read(r#"{"duration":{"of_seconds":9223372036854775807}}"#).is_ok());
    assert!(matches!(read(r#"{"duration":{"of_days":9223372036854775807}}"#), Err(Trouble::Refused(_))));
    assert!(matches!(read(r#"{"duration":{"of_weeks":1}}"#), Err(Trouble::NotUnderstood(_))));
}
