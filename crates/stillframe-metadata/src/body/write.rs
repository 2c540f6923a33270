use super::tag::{self, directory, handle, has};
use super::{invalid, packed, sections};
use crate::FormatError;
use crate::frame::codec::write_number;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::vec::Vec;
use stillframe_model::{
    ChannelHandle, CheckpointMetadata, FileHandle, IncrementalPart, KeyedHandle, KeyedState, OperatorHandle,
    OperatorState, SegmentHandle, StateDirectory, StateFile, StateHandle, TaskSnapshot,
};

/// Appends the body. The roots are those of all handles, each with its place among them.
pub(super) fn metadata(
    bytes: &mut Vec<u8>,
    metadata: &CheckpointMetadata,
    roots: &BTreeMap<&str, u64>,
) -> Result<(), FormatError> {
    let CheckpointMetadata { job, checkpoint, kind: _, triggered_at, operators, hooks: _ } = metadata;
    bytes.extend_from_slice(job.as_bytes());
    write_number(bytes, checkpoint.get())?;
    bytes.push(sections::kind(metadata));
    write_number(bytes, triggered_at.0)?;
    write_number(bytes, roots.len() as u64)?;
    for root in roots.keys() {
        packed::write_text(bytes, root)?;
    }
    write_number(bytes, operators.len() as u64)?;
    let mut writer = Writer { bytes, roots, segments: BTreeMap::new() };
    for (name, OperatorState { max_parallelism, subtasks, coordinator: _ }) in operators {
        packed::write(writer.bytes, name)?;
        writer.number(u64::from(*max_parallelism))?;
        writer.number(subtasks.len() as u64)?;
        for subtask in subtasks {
            writer.subtask(subtask)?;
        }
    }
    sections::write(writer.bytes, metadata)
}

struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    roots: &'a BTreeMap<&'a str, u64>,
    /// The segment files so far, in the order in which they were first named.
    segments: BTreeMap<&'a StateFile, u64>,
}

impl<'a> Writer<'a> {
    #[inline]
    fn number(&mut self, number: u64) -> Result<(), FormatError> {
        write_number(self.bytes, number)
    }

    fn subtask(&mut self, snapshot: &'a TaskSnapshot) -> Result<(), FormatError> {
        let TaskSnapshot { keyed, operator, input_channels, output_channels, finished } = snapshot;
        let keyed_flag = match keyed {
            None => 0,
            Some(KeyedHandle { state: KeyedState::Full(_), .. }) => has::FULL_KEYED_STATE,
            Some(KeyedHandle { state: KeyedState::Incremental(_), .. }) => has::INCREMENTAL_KEYED_STATE,
        };
        let flag = |given: bool, flag: u8| if given { flag } else { 0 };
        self.bytes.push(
            keyed_flag
                | flag(!operator.is_empty(), has::OPERATOR_STATE)
                | flag(!input_channels.is_empty(), has::INPUT_CHANNELS)
                | flag(!output_channels.is_empty(), has::OUTPUT_CHANNELS)
                | flag(*finished, has::FINISHED),
        );
        if let Some(keyed) = keyed {
            self.keyed(keyed)?;
        }
        if !operator.is_empty() {
            self.operator_states(operator)?;
        }
        for channels in [input_channels, output_channels] {
            if !channels.is_empty() {
                self.channels(channels)?;
            }
        }
        Ok(())
    }

    fn keyed(&mut self, KeyedHandle { range, state }: &'a KeyedHandle) -> Result<(), FormatError> {
        self.number(u64::from(range.start))?;
        self.number(u64::from(range.end))?;
        match state {
            KeyedState::Full(handle) => self.handle(handle),
            KeyedState::Incremental(incremental) => {
                self.number(incremental.parts.len() as u64)?;
                for IncrementalPart { name, handle, origin } in &incremental.parts {
                    packed::write(self.bytes, name)?;
                    self.bytes.push(tag::of_origin(*origin));
                    self.handle(handle)?;
                }
                Ok(())
            }
        }
    }

    fn operator_states(&mut self, states: &'a [OperatorHandle]) -> Result<(), FormatError> {
        self.number(states.len() as u64)?;
        for OperatorHandle { name, redistribution, elements, handle } in states {
            packed::write(self.bytes, name)?;
            self.bytes.push(tag::of_redistribution(*redistribution));
            self.number(u64::from(*elements))?;
            self.handle(handle)?;
        }
        Ok(())
    }

    fn channels(&mut self, channels: &'a [ChannelHandle]) -> Result<(), FormatError> {
        self.number(channels.len() as u64)?;
        for ChannelHandle { gate, channel, buffers, handle } in channels {
            self.number(u64::from(*gate))?;
            self.number(u64::from(*channel))?;
            self.number(u64::from(*buffers))?;
            self.handle(handle)?;
        }
        Ok(())
    }

    fn handle(&mut self, handle: &'a StateHandle) -> Result<(), FormatError> {
        match handle {
            StateHandle::Inline(bytes) => {
                self.bytes.push(handle::INLINE);
                self.number(bytes.len() as u64)?;
                self.bytes.extend_from_slice(bytes);
            }
            StateHandle::File(FileHandle { file, len, crc }) => {
                self.bytes.push(handle::FILE);
                self.file(file)?;
                self.number(*len)?;
                self.bytes.extend_from_slice(&crc.0.to_le_bytes());
            }
            StateHandle::Segment(SegmentHandle { file, offset, len, crc }) => {
                self.bytes.push(handle::SEGMENT);
                self.segment(file)?;
                self.number(*offset)?;
                self.number(*len)?;
                self.bytes.extend_from_slice(&crc.0.to_le_bytes());
            }
        }
        Ok(())
    }

    /// A number that is used for the first time is followed by the file that it stands for from then on.
    fn segment(&mut self, file: &'a StateFile) -> Result<(), FormatError> {
        let next = self.segments.len() as u64;
        match self.segments.entry(file) {
            Entry::Occupied(known) => write_number(self.bytes, *known.get()),
            Entry::Vacant(place) => {
                place.insert(next);
                self.number(next)?;
                self.file(file)
            }
        }
    }

    fn file(&mut self, StateFile { directory, name }: &StateFile) -> Result<(), FormatError> {
        let directory = match directory {
            StateDirectory::Exclusive => directory::EXCLUSIVE,
            StateDirectory::Shared => directory::SHARED,
            StateDirectory::TaskOwned => directory::TASK_OWNED,
            StateDirectory::Foreign(root) => match self.roots.get(&**root) {
                Some(place) => directory::FOREIGN + place,
                None => {
                    return Err(invalid("state file", format!("has a root that was not listed: {root:?}")));
                }
            },
        };
        self.number(directory)?;
        packed::write(self.bytes, name)
    }
}
