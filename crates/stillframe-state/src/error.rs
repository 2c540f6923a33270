use stillframe_metadata::FormatError;
use stillframe_model::Name;

/// State could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes are not what was written, or the value has no encoding.
    #[error("{state}")]
    Format {
        /// What was being read or written.
        state: &'static str,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The keys were divided into another number of groups, which never changes during the life of the state.
    #[error(
        "keyed state with max parallelism {found} cannot go into an operator with max parallelism {expected}"
    )]
    MaxParallelism {
        /// That of the state.
        found: u16,
        /// That of the operator.
        expected: u16,
    },
    /// A key is in a group that it does not hash to: it was written with another hash function.
    #[error(
        "a key of group {expected} stands in group {found} of the keyed state; was it written with another key hash?"
    )]
    MisplacedKey {
        /// Where it is.
        found: u16,
        /// Where it belongs.
        expected: u16,
    },
    /// A list of operator state is not the one that its handle speaks of.
    #[error("list {list} of operator state has {found} elements, and should have {expected}")]
    Elements {
        /// Its name.
        list: Name,
        /// How many elements there are.
        found: usize,
        /// How many there should be.
        expected: u32,
    },
    /// A part of incremental state is not what was written, or not what the other parts say of it.
    #[error("part {part} of keyed state {problem}")]
    Part {
        /// Its name.
        part: Name,
        /// What is wrong with it.
        problem: String,
    },
}
