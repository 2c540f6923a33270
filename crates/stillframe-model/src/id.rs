//! Identities. Each is `Copy`, ordered and printable; none can be mistaken for another.

use core::fmt;
use core::str::FromStr;

/// One job: the unit that is checkpointed and restored as a whole. Printed as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId([u8; 16]);

impl JobId {
    /// A job id from 16 bytes, which the caller draws at random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job id is 32 lower-case hexadecimal digits")]
pub struct ParseJobIdError;

impl FromStr for JobId {
    type Err = ParseJobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fn digit(ascii: u8) -> Option<u8> {
            match ascii {
                b'0'..=b'9' => Some(ascii - b'0'),
                b'a'..=b'f' => Some(ascii - b'a' + 10),
                _ => None,
            }
        }
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(ParseJobIdError) };
        let mut bytes = [0; 16];
        if pairs.len() != bytes.len() {
            return Err(ParseJobIdError);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return Err(ParseJobIdError) };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $repr:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($repr);

        impl $name {
            /// Wraps the number.
            #[must_use]
            pub const fn new(number: $repr) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> $repr {
                self.0
            }

            /// The one after this. The last number, which only a forged name can bring about, is followed by itself;
            /// whatever is made under it again is refused as already existing.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// One checkpoint or savepoint of a job. Ids only grow while a process runs the job, and a new process goes on behind
    /// every id that it finds in the storage.
    CheckpointId, u64
}

impl CheckpointId {
    /// What a job that was never checkpointed begins with, as in Flink.
    pub const FIRST: Self = Self(1);
}

number! {
    /// A node of the job graph, by its place in the graph.
    VertexId, u32
}

number! {
    /// One execution attempt of a job within a process: 0, then one more for every restart.
    Attempt, u32
}

number! {
    /// A storage operation that a machine asked for, to match the answer with the question.
    OpId, u64
}

number! {
    /// A person's request for a checkpoint or savepoint, to match the outcome with the request.
    RequestId, u64
}

/// One parallel instance of a vertex: the thing that is triggered, acknowledges and is notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The vertex it is an instance of.
    pub vertex: VertexId,
    /// Which instance, from 0 up to the vertex's parallelism.
    pub subtask: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vertex, self.subtask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn job_id_prints_and_parses() {
        let id = JobId::from_bytes([
            0xa8, 0xff, 0x7a, 0xab, 0xce, 0x14, 0x6f, 0x82, 7, 0xf3, 0x4b, 0x72, 0x6a, 0xef, 0x7c, 0x25,
        ]);
        assert_eq!(id.to_string(), "a8ff7aabce146f8207f34b726aef7c25");
        assert_eq!("a8ff7aabce146f8207f34b726aef7c25".parse(), Ok(id));
    }

    #[test]
    fn job_id_refuses_what_is_not_hex() {
        for text in [
            "",
            "a8",
            "A8FF7AABCE146F8207F34B726AEF7C25",
            "../f7aabce146f8207f34b726aef7c25",
            "a8ff7aabce146f8207f34b726aef7c2",
        ] {
            assert_eq!(text.parse::<JobId>(), Err(ParseJobIdError), "{text}");
        }
    }
}
