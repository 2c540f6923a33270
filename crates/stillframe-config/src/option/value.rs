//! The types that a setting can have, and their texts.

use crate::error::Refusal;
use crate::text::{duration, number, size};
use alloc::string::{String, ToString};
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;
use stillframe_model::{CheckpointId, Redacted, StoragePath};

/// What the value of an option looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionType {
    /// `true` or `false`, in any case.
    Boolean,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Float,
    /// A time such as `10 s`.
    Duration,
    /// A number of bytes such as `20 kb`.
    MemorySize,
    /// One of a few words, in any case.
    Enum,
    /// Any text.
    Text,
}

impl fmt::Display for OptionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "Boolean",
            Self::Integer => "Integer",
            Self::Float => "Float",
            Self::Duration => "Duration",
            Self::MemorySize => "MemorySize",
            Self::Enum => "Enum",
            Self::Text => "String",
        })
    }
}

/// A type that can be read from, and written to, the text of a configuration. What is written reads back as the same.
pub(crate) trait Value: Sized {
    const TYPE: OptionType;
    /// What [`read`](Self::read) reads, for error messages.
    const ALLOWED: &'static str;

    fn read(text: &str) -> Option<Self>;
    fn write(&self) -> String;

    /// Why a text that was not read was not.
    fn refusal(text: &str) -> Refusal {
        Refusal::of(text, Self::ALLOWED)
    }
}

/// A duration in whole milliseconds, as many as Flink's integers count. Anything below a millisecond is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Millis(u64);

impl Millis {
    pub(crate) const MAX: Self = Self(i64::MAX.unsigned_abs());

    pub(crate) const fn new(millis: u64) -> Self {
        if millis < Self::MAX.0 { Self(millis) } else { Self::MAX }
    }

    pub(crate) const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Duration> for Millis {
    /// At most [`Millis::MAX`], which is some three hundred million years.
    fn from(duration: Duration) -> Self {
        u64::try_from(duration.as_millis()).map_or(Self::MAX, Self::new)
    }
}

impl Value for Millis {
    const TYPE: OptionType = OptionType::Duration;
    const ALLOWED: &'static str = duration::ALLOWED;

    fn read(text: &str) -> Option<Self> {
        let millis = i64::try_from(duration::read(text)?.as_millis()).ok()?;
        Some(Self::new(millis.unsigned_abs()))
    }

    fn write(&self) -> String {
        duration::write(self.duration())
    }
}

impl Value for Duration {
    const TYPE: OptionType = OptionType::Duration;
    const ALLOWED: &'static str = duration::ALLOWED;

    fn read(text: &str) -> Option<Self> {
        duration::read(text)
    }

    fn write(&self) -> String {
        duration::write(*self)
    }
}

impl Value for bool {
    const TYPE: OptionType = OptionType::Boolean;
    const ALLOWED: &'static str = "true or false";

    fn read(text: &str) -> Option<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// Any whole number of Flink's, for settings that Flink puts right only where it uses them.
impl Value for i32 {
    const TYPE: OptionType = OptionType::Integer;
    const ALLOWED: &'static str = "a whole number between -2147483648 and 2147483647";

    fn read(text: &str) -> Option<Self> {
        number::integer(text)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// A number from 0 to 2147483647.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Natural(u32);

impl Natural {
    pub(crate) const MAX: Self = Self(i32::MAX.unsigned_abs());

    /// At most [`Natural::MAX`].
    pub(crate) const fn new(number: u32) -> Self {
        if number < Self::MAX.0 { Self(number) } else { Self::MAX }
    }

    pub(crate) const fn get(self) -> u32 {
        self.0
    }
}

impl Value for Natural {
    const TYPE: OptionType = OptionType::Integer;
    const ALLOWED: &'static str = "a whole number between 0 and 2147483647";

    fn read(text: &str) -> Option<Self> {
        number::integer::<i32>(text).and_then(|number| u32::try_from(number).ok()).map(Self)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// A number from 1 to 2147483647.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Count(NonZeroU32);

impl Count {
    pub(crate) const ONE: Self = Self(NonZeroU32::MIN);
    const MAX: u32 = i32::MAX.unsigned_abs();

    /// At least one, at most 2147483647.
    pub(crate) const fn new(number: u32) -> Self {
        match NonZeroU32::new(if number < Self::MAX { number } else { Self::MAX }) {
            Some(number) => Self(number),
            None => Self::ONE,
        }
    }

    pub(crate) const fn get(self) -> NonZeroU32 {
        self.0
    }
}

impl Value for Count {
    const TYPE: OptionType = OptionType::Integer;
    const ALLOWED: &'static str = "a whole number between 1 and 2147483647";

    fn read(text: &str) -> Option<Self> {
        Natural::read(text).and_then(|number| NonZeroU32::new(number.get())).map(Self)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// A number of bytes below 2^63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemorySize(u64);

impl MemorySize {
    /// At most 2^63 - 1.
    pub(crate) const fn new(bytes: u64) -> Self {
        if bytes < i64::MAX.unsigned_abs() { Self(bytes) } else { Self(i64::MAX.unsigned_abs()) }
    }

    pub(crate) const fn bytes(self) -> u64 {
        self.0
    }
}

impl Value for MemorySize {
    const TYPE: OptionType = OptionType::MemorySize;
    const ALLOWED: &'static str = size::ALLOWED;

    fn read(text: &str) -> Option<Self> {
        size::read(text).map(Self)
    }

    fn write(&self) -> String {
        size::write(self.0)
    }
}

/// A finite number. Two are equal if they are the same bit for bit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finite(f32);

impl Finite {
    pub(crate) const TWO: Self = Self(2.0);

    pub(crate) const fn new(number: f32) -> Option<Self> {
        if number.is_finite() { Some(Self(number)) } else { None }
    }

    pub(crate) const fn get(self) -> f32 {
        self.0
    }
}

impl PartialEq for Finite {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Finite {}

impl core::hash::Hash for Finite {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl Value for Finite {
    const TYPE: OptionType = OptionType::Float;
    const ALLOWED: &'static str = "a number such as 2.0";

    fn read(text: &str) -> Option<Self> {
        number::decimal(text).and_then(Self::new)
    }

    fn write(&self) -> String {
        alloc::format!("{:?}", self.0)
    }
}

/// An address, or several, that nothing here looks into.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text(pub(crate) String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Redacted::new(&self.0), f)
    }
}

impl Value for Text {
    const TYPE: OptionType = OptionType::Text;
    const ALLOWED: &'static str = "any text";

    fn read(text: &str) -> Option<Self> {
        Some(Self(text.into()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }
}

/// A kind of storage: one that is known here, or one that the program registers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StorageKind(pub(crate) String);

impl Value for StorageKind {
    const TYPE: OptionType = OptionType::Text;
    const ALLOWED: &'static str = "jobmanager, filesystem, or a kind that the program has registered";

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }
}

/// A directory: the text that was given, and the address that it stands for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Directory {
    pub(crate) text: String,
    pub(crate) path: StoragePath,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Redacted::new(&self.text), f)
    }
}

impl Value for Directory {
    const TYPE: OptionType = OptionType::Text;
    const ALLOWED: &'static str = "a URI with a scheme and a path that is not the root, such as file:///var/checkpoints or s3://bucket/checkpoints";

    fn read(text: &str) -> Option<Self> {
        StoragePath::parse(text).ok().map(|path| Self { text: text.into(), path })
    }

    fn write(&self) -> String {
        self.text.clone()
    }

    fn refusal(text: &str) -> Refusal {
        match StoragePath::parse(text) {
            Ok(_) => Refusal::of(text, Self::ALLOWED),
            Err(error) => {
                Refusal { found: error.found().into(), allowed: String::from(error.allowed()).into() }
            }
        }
    }
}

/// A checkpoint id that fits Flink's integers, or none, which is -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MaybeCheckpoint(Option<CheckpointId>);

impl MaybeCheckpoint {
    pub(crate) const NONE: Self = Self(None);

    /// At most the id 2^63 - 1, which no job reaches.
    pub(crate) fn new(id: Option<CheckpointId>) -> Self {
        Self(id.map(|id| id.min(CheckpointId::new(i64::MAX.unsigned_abs()))))
    }

    pub(crate) const fn get(self) -> Option<CheckpointId> {
        self.0
    }
}

impl Value for MaybeCheckpoint {
    const TYPE: OptionType = OptionType::Integer;
    const ALLOWED: &'static str = "the number of a checkpoint, or -1 for none";

    fn read(text: &str) -> Option<Self> {
        match number::integer::<i64>(text)? {
            -1 => Some(Self(None)),
            id => u64::try_from(id).ok().map(|id| Self(Some(CheckpointId::new(id)))),
        }
    }

    fn write(&self) -> String {
        match self.0 {
            Some(id) => id.get().to_string(),
            None => "-1".into(),
        }
    }
}
