//! The bytes of one part of incremental keyed state: the key groups that changed, and where to find those that did not.
//!
//! ```text
//!   length of the index   8 bytes
//!   index                 a record of its own, in a frame with checksums
//!   groups                for each, a record of keyed state that holds this group alone
//! ```
//!
//! The index of the newest part says of all of the state which group stands in which part. So a reader follows what was
//! written down when the snapshot was taken, and never has to find out which of two parts is the newer.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use stillframe_metadata::frame::{self, RecordKind};
use stillframe_model::Name;

/// What a part begins with.
#[derive(Serialize, Deserialize)]
struct Index {
    max_parallelism: u16,
    /// The groups that follow, in this order, with the lengths of their records in bytes.
    records: Vec<(u16, u64)>,
    /// The parts of the state, this one included, each with the groups for which it counts.
    current: Vec<(String, Vec<u16>)>,
}

/// The groups for which each part counts.
pub(crate) type Table = BTreeMap<Name, BTreeSet<u16>>;

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) max_parallelism: u16,
    pub(crate) records: BTreeMap<u16, Bytes>,
    pub(crate) current: Table,
}

/// Why a part cannot be read, or written.
pub(crate) type Problem = String;

const PREFIX: usize = 8;

impl Part {
    /// The part in pieces, to be written one after the other.
    pub(crate) fn into_pieces(self) -> Result<Vec<Bytes>, Problem> {
        let Self { max_parallelism, records, current } = self;
        let index = Index {
            max_parallelism,
            records: records.iter().map(|(group, record)| (*group, record.len() as u64)).collect(),
            current: current
                .into_iter()
                .map(|(part, groups)| (part.as_str().to_owned(), groups.into_iter().collect()))
                .collect(),
        };
        let index = frame::seal(RecordKind::KeyedIncrement, &index)
            .map_err(|error| format!("cannot have its index written: {error}"))?;
        let mut first = Vec::with_capacity(PREFIX + index.len());
        first.extend_from_slice(&(index.len() as u64).to_le_bytes());
        first.extend_from_slice(&index);
        Ok([Bytes::from(first)].into_iter().chain(records.into_values()).collect())
    }

    /// The part in these bytes.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Problem> {
        let short = || format!("ends after {} bytes, within its index", bytes.len());
        let (prefix, _) = bytes.split_first_chunk::<PREFIX>().ok_or_else(short)?;
        let len = usize::try_from(u64::from_le_bytes(*prefix)).map_err(|_| short())?;
        let mut position = PREFIX.checked_add(len).filter(|end| *end <= bytes.len()).ok_or_else(short)?;
        let index = bytes.get(PREFIX..position).unwrap_or_default();
        let Index { max_parallelism, records, current } = frame::open(RecordKind::KeyedIncrement, index)
            .map_err(|error| format!("has an index that {error}"))?;
        let mut found = BTreeMap::new();
        for (group, len) in records {
            let end = usize::try_from(len).ok().and_then(|len| position.checked_add(len));
            let end = end.filter(|end| *end <= bytes.len());
            let end = end.ok_or_else(|| {
                format!("ends after {} bytes, within the {len} of key group {group}", bytes.len())
            })?;
            if found.insert(group, bytes.slice(position..end)).is_some() {
                return Err(format!("holds key group {group} twice"));
            }
            position = end;
        }
        if position != bytes.len() {
            return Err(format!("has {} bytes after its end at byte {position}", bytes.len() - position));
        }
        let mut table = Table::new();
        for (part, groups) in current {
            let part =
                Name::new(part).map_err(|error| format!("refers to a part by a name that is {error}"))?;
            if table.insert(part.clone(), groups.into_iter().collect()).is_some() {
                return Err(format!("lists part {part} twice"));
            }
        }
        Ok(Self { max_parallelism, records: found, current: table })
    }
}
