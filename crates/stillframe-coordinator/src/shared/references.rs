//! To which shared files one checkpoint refers, and whether it may.

use super::Refusal;
use super::refusal::{Part, Why};
use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use stillframe_model::{
    CheckpointKind, Crc32c, KeyedState, PartOrigin, StateDirectory, StateFile, StateHandle, TaskSnapshot,
};

/// What there is to know about a file that a checkpoint wants to refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// A retained checkpoint refers to it, or one that was retained when the checkpoint was begun.
    Confirmed,
    /// It exists, but only for others.
    Unconfirmed,
    /// Nobody refers to it.
    Nowhere,
}

/// The references of one checkpoint in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct References {
    kind: CheckpointKind,
    /// Written for an earlier checkpoint.
    reused: BTreeSet<StateFile>,
    /// Written for this one: the parts of each file by their offsets.
    written: BTreeMap<StateFile, BTreeMap<u64, Extent>>,
}

/// From an offset in a file up to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Extent {
    /// What comes behind it; `None` for a file that holds nothing else.
    end: Option<u64>,
    len: u64,
    crc: Crc32c,
}

impl References {
    pub(crate) fn new(kind: CheckpointKind) -> Self {
        Self { kind, reused: BTreeSet::new(), written: BTreeMap::new() }
    }

    /// Leaves no references behind.
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::new(self.kind))
    }

    pub(crate) fn may_build_on_earlier(&self) -> bool {
        self.kind.may_build_on_earlier()
    }

    pub(crate) fn contains(&self, file: &StateFile) -> bool {
        self.reused.contains(file) || self.written.contains_key(file)
    }

    pub(crate) fn into_files(self) -> BTreeSet<StateFile> {
        self.reused.into_iter().chain(self.written.into_keys()).collect()
    }

    /// Adds the references of one task's part. After a refusal the checkpoint must be given up.
    pub(crate) fn admit(
        &mut self,
        snapshot: &TaskSnapshot,
        known: impl Fn(&StateFile) -> Known,
    ) -> Result<(), Refusal> {
        for (part, handle, origin) in parts(snapshot) {
            let admitted = match origin {
                PartOrigin::Placeholder => self.reuse(handle, &known),
                PartOrigin::Written => self.write(handle, &known),
            };
            admitted.map_err(|why| Refusal::new(part, handle, why))?;
        }
        Ok(())
    }

    fn reuse(&mut self, handle: &StateHandle, known: impl Fn(&StateFile) -> Known) -> Result<(), Why> {
        if !self.kind.may_build_on_earlier() {
            return Err(Why::MustStandAlone(self.kind));
        }
        // Bytes in the metadata are there again, and what tasks look after themselves is their own affair.
        let Some(file) = handle.file() else { return Ok(()) };
        match file.directory {
            StateDirectory::TaskOwned => Ok(()),
            StateDirectory::Exclusive => Err(Why::NotShared),
            StateDirectory::Shared | StateDirectory::Foreign(_) => match known(file) {
                Known::Confirmed => {
                    self.reused.insert(file.clone());
                    Ok(())
                }
                Known::Unconfirmed | Known::Nowhere => Err(Why::NotConfirmed),
            },
        }
    }

    fn write(&mut self, handle: &StateHandle, known: impl Fn(&StateFile) -> Known) -> Result<(), Why> {
        let (file, offset, extent) = match handle {
            StateHandle::Inline(_) => return Ok(()),
            StateHandle::File(file) => (&file.file, 0, Extent { end: None, len: file.len, crc: file.crc }),
            StateHandle::Segment(segment) => {
                let end = segment.offset.checked_add(segment.len).ok_or(Why::TooLong)?;
                let extent = Extent { end: Some(end), len: segment.len, crc: segment.crc };
                (&segment.file, segment.offset, extent)
            }
        };
        match file.directory {
            StateDirectory::Exclusive | StateDirectory::TaskOwned => return Ok(()),
            StateDirectory::Foreign(_) => return Err(Why::NotOurs),
            StateDirectory::Shared if self.kind.is_savepoint() => return Err(Why::MustStandAlone(self.kind)),
            StateDirectory::Shared => {}
        }
        if known(file) != Known::Nowhere {
            return Err(Why::NameTaken);
        }
        let extents = self.written.entry(file.clone()).or_default();
        // Two tasks may say the same of the same bytes, but not two things of one byte.
        if extents.get(&offset) == Some(&extent) {
            return Ok(());
        }
        let overlaps_next =
            extents.range(offset..).next().is_some_and(|(next, _)| extent.end.is_none_or(|end| *next < end));
        let overlaps_previous = extents
            .range(..=offset)
            .next_back()
            .is_some_and(|(at, previous)| *at == offset || previous.end.is_none_or(|end| offset < end));
        if overlaps_next || overlaps_previous {
            return Err(Why::Clash);
        }
        extents.insert(offset, extent);
        Ok(())
    }
}

/// Everything that a task's part consists of.
fn parts(snapshot: &TaskSnapshot) -> impl Iterator<Item = (Part<'_>, &StateHandle, PartOrigin)> {
    let (full, incremental) = match snapshot.keyed.as_ref().map(|keyed| &keyed.state) {
        None => (None, &[][..]),
        Some(KeyedState::Full(handle)) => (Some(handle), &[][..]),
        Some(KeyedState::Incremental(incremental)) => (None, &incremental.parts[..]),
    };
    let full = full.into_iter().map(|handle| (Part::Keyed, handle, PartOrigin::Written));
    let incremental = incremental.iter().map(|part| (Part::Increment(&part.name), &part.handle, part.origin));
    let operator = snapshot
        .operator
        .iter()
        .map(|operator| (Part::Operator(&operator.name), &operator.handle, PartOrigin::Written));
    let channels = snapshot.input_channels.iter().chain(&snapshot.output_channels);
    let channels = channels.map(|channel| (Part::Channel, &channel.handle, PartOrigin::Written));
    full.chain(incremental).chain(operator).chain(channels)
}
