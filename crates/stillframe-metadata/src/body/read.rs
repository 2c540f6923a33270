use super::input::{Input, Problem, unknown};
use super::tag::{self, directory, follows, handle, has};
use super::{invalid, packed, sections};
use crate::{FormatError, limits};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use stillframe_model::{
    ChannelHandle, CheckpointId, CheckpointMetadata, Crc32c, FileHandle, IncrementalHandle, IncrementalPart,
    JobId, KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorHandle, OperatorState, Redacted,
    Redistribution, SegmentHandle, StateDirectory, StateFile, StateHandle, TaskSnapshot, UnixMillis,
};

/// The fewest bytes that each of these takes, so that a count is known to be wrong before room is made for it.
mod min {
    pub(super) const NAME: usize = 3;
    pub(super) const HANDLE: usize = 2;
    pub(super) const ROOT: usize = 2;
    pub(super) const SUBTASK: usize = 1;
    pub(super) const OPERATOR: usize = NAME + 2 + SUBTASK;
    pub(super) const PART: usize = NAME + 1 + HANDLE;
    pub(super) const OPERATOR_STATE: usize = NAME + 2 + HANDLE;
    pub(super) const CHANNEL: usize = 3 + HANDLE;
}

pub(super) fn metadata(body: &[u8]) -> Result<CheckpointMetadata, FormatError> {
    let mut input = Input::new(body);
    let of_metadata = |problem| invalid("metadata", problem);
    let job = JobId::from_bytes(input.array("job id").map_err(of_metadata)?);
    let checkpoint = CheckpointId::new(input.number("checkpoint id", u64::MAX).map_err(of_metadata)?);
    let (kind, flags) = sections::read_kind(&mut input).map_err(of_metadata)?;
    let triggered_at = UnixMillis(input.number("trigger time", u64::MAX).map_err(of_metadata)?);
    let roots = roots(&mut input).map_err(of_metadata)?;
    let count = input.count("number of operators", min::OPERATOR, limits::OPERATORS).map_err(of_metadata)?;

    let mut reader = Reader { input, roots, segments: Vec::new(), known: BTreeSet::new(), subtasks: 0 };
    let mut operators = BTreeMap::new();
    for _ in 0..count {
        let (name, state) = reader.operator(operators.last_key_value().map(|(name, _)| name))?;
        operators.insert(name, state);
    }
    if let Some(root) = reader.roots.iter().find(|root| !root.used) {
        return Err(invalid(
            format!("directory {:?}", Redacted::new(&root.address)),
            "is listed, but no handle refers to it",
        ));
    }
    if flags & follows::COORDINATORS != 0 {
        sections::read_coordinators(&mut reader.input, &mut operators)?;
    }
    let hooks =
        if flags & follows::HOOKS != 0 { sections::read_hooks(&mut reader.input)? } else { BTreeMap::new() };
    match reader.input.remaining() {
        0 => Ok(CheckpointMetadata { job, checkpoint, kind, triggered_at, operators, hooks }),
        found => Err(invalid("metadata", format!("goes on for {found} bytes after its end"))),
    }
}

/// The directory of another job.
struct Root {
    address: Arc<str>,
    used: bool,
}

fn roots(input: &mut Input<'_>) -> Result<Vec<Root>, Problem> {
    let count = input.count("number of directories", min::ROOT, limits::ROOTS)?;
    let mut roots: Vec<Root> = Vec::with_capacity(count);
    for _ in 0..count {
        let address = input.text("directory", limits::ROOT_LEN)?;
        if roots.last().is_some_and(|last| &*last.address >= address) {
            return Err(format!("directory {:?}: {}", Redacted::new(address), misplaced(false)));
        }
        roots.push(Root { address: Arc::from(address), used: false });
    }
    Ok(roots)
}

pub(super) const fn misplaced(twice: bool) -> &'static str {
    if twice { "stands there twice" } else { "is not in its place; the order is ascending" }
}

struct Reader<'a> {
    input: Input<'a>,
    roots: Vec<Root>,
    /// The segment files so far, by number, and as a set.
    segments: Vec<StateFile>,
    known: BTreeSet<StateFile>,
    /// Those of all operators so far.
    subtasks: usize,
}

impl Reader<'_> {
    fn operator(&mut self, last: Option<&Name>) -> Result<(Name, OperatorState), FormatError> {
        let name = packed::read(&mut self.input, "name").map_err(|problem| invalid("operator", problem))?;
        if let Some(last) = last.filter(|&last| *last >= name) {
            return Err(invalid(format!("operator {name}"), misplaced(*last == name)));
        }
        let of_operator = |problem| invalid(format!("operator {name}"), problem);
        let max_parallelism =
            self.input.number("max parallelism", limits::SUBTASKS as u64).map_err(of_operator)?;
        let max_parallelism = u16::try_from(max_parallelism).unwrap_or(u16::MAX);
        let limit = limits::SUBTASKS.min(limits::SUBTASKS_IN_ALL.saturating_sub(self.subtasks));
        let count = self.input.count("number of subtasks", min::SUBTASK, limit).map_err(of_operator)?;
        self.subtasks = self.subtasks.saturating_add(count);
        let mut subtasks = Vec::with_capacity(count);
        for index in 0..count {
            let subtask = self
                .subtask()
                .map_err(|problem| invalid(format!("operator {name}, subtask {index}"), problem))?;
            subtasks.push(subtask);
        }
        Ok((name, OperatorState { max_parallelism, subtasks, coordinator: None }))
    }

    #[inline]
    fn subtask(&mut self) -> Result<TaskSnapshot, Problem> {
        let flags = self.input.byte("contents")?;
        let both = has::FULL_KEYED_STATE | has::INCREMENTAL_KEYED_STATE;
        if flags & !has::KNOWN != 0 || flags & both == both {
            return Err(unknown("contents", flags));
        }
        let has = |flag| flags & flag != 0;
        Ok(TaskSnapshot {
            keyed: if flags & both == 0 { None } else { Some(self.keyed(has(has::FULL_KEYED_STATE))?) },
            operator: if has(has::OPERATOR_STATE) { self.operator_states()? } else { Vec::new() },
            input_channels: if has(has::INPUT_CHANNELS) {
                self.channels("input channel")?
            } else {
                Vec::new()
            },
            output_channels: if has(has::OUTPUT_CHANNELS) {
                self.channels("output channel")?
            } else {
                Vec::new()
            },
            finished: has(has::FINISHED),
        })
    }

    fn keyed(&mut self, full: bool) -> Result<KeyedHandle, Problem> {
        let range = KeyGroupRange { start: self.u16("first key group")?, end: self.u16("last key group")? };
        let state =
            if full { KeyedState::Full(self.handle()?) } else { KeyedState::Incremental(self.parts()?) };
        Ok(KeyedHandle { range, state })
    }

    fn parts(&mut self) -> Result<IncrementalHandle, Problem> {
        let count = self.input.count("number of parts", min::PART, limits::HANDLES)?;
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            let name = packed::read(&mut self.input, "part")?;
            let origin =
                self.input.choice("origin", &tag::ORIGINS).map_err(|problem| of("part", &name, &problem))?;
            let handle = self.handle().map_err(|problem| of("part", &name, &problem))?;
            parts.push(IncrementalPart { name, handle, origin });
        }
        Ok(IncrementalHandle { parts })
    }

    fn operator_states(&mut self) -> Result<Vec<OperatorHandle>, Problem> {
        let count = self.input.some("number of operator states", min::OPERATOR_STATE, limits::HANDLES)?;
        let mut states = Vec::with_capacity(count);
        for _ in 0..count {
            let name = packed::read(&mut self.input, "operator state")?;
            let content = self.elements().map_err(|problem| of("operator state", &name, &problem))?;
            let (redistribution, elements, handle) = content;
            states.push(OperatorHandle { name, redistribution, elements, handle });
        }
        Ok(states)
    }

    fn elements(&mut self) -> Result<(Redistribution, u32, StateHandle), Problem> {
        let redistribution = self.input.choice("redistribution", &tag::REDISTRIBUTIONS)?;
        Ok((redistribution, self.u32("number of elements")?, self.handle()?))
    }

    fn channels(&mut self, what: &'static str) -> Result<Vec<ChannelHandle>, Problem> {
        let count = self.input.some(what, min::CHANNEL, limits::HANDLES)?;
        let mut channels = Vec::with_capacity(count);
        for index in 0..count {
            let channel = self.channel().map_err(|problem| format!("{what} {index}: {problem}"))?;
            channels.push(channel);
        }
        Ok(channels)
    }

    fn channel(&mut self) -> Result<ChannelHandle, Problem> {
        Ok(ChannelHandle {
            gate: self.u32("gate")?,
            channel: self.u32("channel")?,
            buffers: self.u32("number of buffers")?,
            handle: self.handle()?,
        })
    }

    #[inline]
    fn handle(&mut self) -> Result<StateHandle, Problem> {
        match self.input.byte("handle")? {
            handle::INLINE => {
                let bytes = self.input.bytes("state in the metadata", usize::MAX)?;
                Ok(StateHandle::Inline(Bytes::copy_from_slice(bytes)))
            }
            handle::FILE => {
                let file = self.file()?;
                let len = self.input.number("length", u64::MAX)?;
                Ok(StateHandle::File(FileHandle { file, len, crc: self.crc()? }))
            }
            handle::SEGMENT => {
                let file = self.segment()?;
                let offset = self.input.number("offset", u64::MAX)?;
                let len = self.input.number("length", u64::MAX)?;
                Ok(StateHandle::Segment(SegmentHandle { file, offset, len, crc: self.crc()? }))
            }
            tag => Err(unknown("handle", tag)),
        }
    }

    fn segment(&mut self) -> Result<StateFile, Problem> {
        let number = self.input.number("number of the segment", self.segments.len() as u64)?;
        if let Some(file) = usize::try_from(number).ok().and_then(|number| self.segments.get(number)) {
            return Ok(file.clone());
        }
        let file = self.file()?;
        if !self.known.insert(file.clone()) {
            return Err(format!("segment {}: has two numbers", file.name));
        }
        self.segments.push(file.clone());
        Ok(file)
    }

    #[inline]
    fn file(&mut self) -> Result<StateFile, Problem> {
        let directory = match self.input.number("directory", u64::MAX)? {
            directory::EXCLUSIVE => StateDirectory::Exclusive,
            directory::SHARED => StateDirectory::Shared,
            directory::TASK_OWNED => StateDirectory::TaskOwned,
            number => self.root(number.saturating_sub(directory::FOREIGN))?,
        };
        Ok(StateFile { directory, name: packed::read(&mut self.input, "state file")? })
    }

    fn root(&mut self, number: u64) -> Result<StateDirectory, Problem> {
        let listed = self.roots.len();
        match usize::try_from(number).ok().and_then(|number| self.roots.get_mut(number)) {
            Some(root) => {
                root.used = true;
                Ok(StateDirectory::Foreign(Arc::clone(&root.address)))
            }
            None => Err(format!("directory: is number {number} of {listed} that are listed")),
        }
    }

    #[inline]
    fn crc(&mut self) -> Result<Crc32c, Problem> {
        Ok(Crc32c(u32::from_le_bytes(self.input.array("checksum")?)))
    }

    #[inline]
    fn u16(&mut self, what: &str) -> Result<u16, Problem> {
        Ok(u16::try_from(self.input.number(what, u64::from(u16::MAX))?).unwrap_or(u16::MAX))
    }

    #[inline]
    fn u32(&mut self, what: &str) -> Result<u32, Problem> {
        Ok(u32::try_from(self.input.number(what, u64::from(u32::MAX))?).unwrap_or(u32::MAX))
    }
}

#[cold]
fn of(what: &str, name: &Name, problem: &str) -> String {
    format!("{what} {name}: {problem}")
}
