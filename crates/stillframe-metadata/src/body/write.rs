use super::check::Visitor;
use super::tag::{self, directory, handle, has};
use super::{Roots, packed, sections};
use crate::frame::codec::write_number;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use stillframe_model::{
    ChannelHandle, CheckpointMetadata, FileHandle, IncrementalPart, KeyedHandle, KeyedState, Name,
    OperatorHandle, OperatorState, SegmentHandle, StateDirectory, StateFile, StateHandle, TaskSnapshot,
};

/// Appends the body: first what is at its beginning, then operators and subtasks as they are shown.
pub(super) struct Writer<'a, 'w> {
    bytes: &'w mut Vec<u8>,
    roots: &'w Roots<'w>,
    /// The segment files so far, in the order in which they were first named.
    segments: BTreeMap<&'a StateFile, u64>,
}

impl<'w> Writer<'_, 'w> {
    pub(super) fn begin(bytes: &'w mut Vec<u8>, metadata: &CheckpointMetadata, roots: &'w Roots<'w>) -> Self {
        let CheckpointMetadata { job, checkpoint, kind: _, triggered_at, operators, hooks: _ } = metadata;
        bytes.extend_from_slice(job.as_bytes());
        write_number(bytes, checkpoint.get());
        bytes.push(sections::kind(metadata));
        write_number(bytes, triggered_at.0);
        write_number(bytes, roots.len() as u64);
        for root in roots.keys() {
            packed::write_text(bytes, root);
        }
        write_number(bytes, operators.len() as u64);
        Self { bytes, roots, segments: BTreeMap::new() }
    }
}

impl<'a> Visitor<'a> for Writer<'a, '_> {
    fn operator(&mut self, name: &'a Name, state: &'a OperatorState) {
        let OperatorState { max_parallelism, subtasks, coordinator: _ } = state;
        packed::write(self.bytes, name);
        self.number(u64::from(*max_parallelism));
        self.number(subtasks.len() as u64)
    }

    fn subtask(&mut self, snapshot: &'a TaskSnapshot) {
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
            self.keyed(keyed);
        }
        if !operator.is_empty() {
            self.operator_states(operator);
        }
        for channels in [input_channels, output_channels] {
            if !channels.is_empty() {
                self.channels(channels);
            }
        }
    }
}

impl<'a> Writer<'a, '_> {
    #[inline]
    fn number(&mut self, number: u64) {
        write_number(self.bytes, number)
    }

    fn keyed(&mut self, KeyedHandle { range, state }: &'a KeyedHandle) {
        self.number(u64::from(range.start));
        self.number(u64::from(range.end));
        match state {
            KeyedState::Full(handle) => self.handle(handle),
            KeyedState::Incremental(incremental) => {
                self.number(incremental.parts.len() as u64);
                for IncrementalPart { name, handle, origin } in &incremental.parts {
                    packed::write(self.bytes, name);
                    self.bytes.push(tag::of_origin(*origin));
                    self.handle(handle);
                }
            }
        }
    }

    fn operator_states(&mut self, states: &'a [OperatorHandle]) {
        self.number(states.len() as u64);
        for OperatorHandle { name, redistribution, elements, handle } in states {
            packed::write(self.bytes, name);
            self.bytes.push(tag::of_redistribution(*redistribution));
            self.number(u64::from(*elements));
            self.handle(handle);
        }
    }

    fn channels(&mut self, channels: &'a [ChannelHandle]) {
        self.number(channels.len() as u64);
        for ChannelHandle { gate, channel, buffers, handle } in channels {
            self.number(u64::from(*gate));
            self.number(u64::from(*channel));
            self.number(u64::from(*buffers));
            self.handle(handle);
        }
    }

    fn handle(&mut self, handle: &'a StateHandle) {
        match handle {
            StateHandle::Inline(bytes) => {
                self.bytes.push(handle::INLINE);
                self.number(bytes.len() as u64);
                self.bytes.extend_from_slice(bytes);
            }
            StateHandle::File(FileHandle { file, len, crc }) => {
                self.bytes.push(handle::FILE);
                self.file(file);
                self.number(*len);
                self.bytes.extend_from_slice(&crc.0.to_le_bytes());
            }
            StateHandle::Segment(SegmentHandle { file, offset, len, crc }) => {
                self.bytes.push(handle::SEGMENT);
                self.segment(file);
                self.number(*offset);
                self.number(*len);
                self.bytes.extend_from_slice(&crc.0.to_le_bytes());
            }
        }
    }

    /// A number that is used for the first time is followed by the file that it stands for from then on.
    fn segment(&mut self, file: &'a StateFile) {
        let next = self.segments.len() as u64;
        match self.segments.entry(file) {
            Entry::Occupied(known) => write_number(self.bytes, *known.get()),
            Entry::Vacant(place) => {
                place.insert(next);
                self.number(next);
                self.file(file)
            }
        }
    }

    fn file(&mut self, StateFile { directory, name }: &StateFile) {
        let directory = match directory {
            StateDirectory::Exclusive => directory::EXCLUSIVE,
            StateDirectory::Shared => directory::SHARED,
            StateDirectory::TaskOwned => directory::TASK_OWNED,
            // One that is not listed: this body will be written once more.
            StateDirectory::Foreign(root) => {
                let number = self.roots.get(&**root).copied().unwrap_or_default();
                directory::FOREIGN.saturating_add(number)
            }
        };
        self.number(directory);
        packed::write(self.bytes, name)
    }
}
