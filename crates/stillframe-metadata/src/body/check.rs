//! The rules that metadata has to fit, as a value: on the way out, so that what is written can be read, and on the way in.

use super::input::Problem;
use super::invalid;
use crate::{FormatError, limits};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use stillframe_model::{
    ChannelHandle, CheckpointMetadata, KeyedHandle, KeyedState, Name, OperatorState, StateDirectory,
    StateFile, StateHandle, TaskSnapshot,
};

/// What was found on the way.
pub(super) struct Survey<'a> {
    /// The directories of other jobs, in order, each with its place.
    pub(super) roots: BTreeMap<&'a str, u64>,
    /// About how many bytes the body takes.
    pub(super) size: usize,
}

/// What an operator or a handle takes without its name, and a bit more; it need not be exact.
const ROOM: usize = 40;
/// What is left of a subtask without its handles.
const SUBTASK_ROOM: usize = 4;

pub(super) fn metadata(metadata: &CheckpointMetadata) -> Result<Survey<'_>, FormatError> {
    let CheckpointMetadata { job: _, checkpoint, kind: _, triggered_at: _, operators, hooks } = metadata;
    if checkpoint.get() == 0 {
        return Err(invalid("checkpoint id", "is 0; ids begin with 1"));
    }
    let at_most = |limit: usize, found: usize| format!("are {found}; the limit is {limit}");
    if operators.len() > limits::OPERATORS {
        return Err(invalid("operators", at_most(limits::OPERATORS, operators.len())));
    }
    if hooks.len() > limits::HOOKS {
        return Err(invalid("hooks", at_most(limits::HOOKS, hooks.len())));
    }
    let subtasks = operators.values().fold(0, |sum: usize, one| sum.saturating_add(one.subtasks.len()));
    if subtasks > limits::SUBTASKS_IN_ALL {
        return Err(invalid("subtasks of all operators", at_most(limits::SUBTASKS_IN_ALL, subtasks)));
    }
    let of_hooks: usize = hooks.iter().map(|(name, state)| ROOM + name.as_str().len() + state.len()).sum();
    let mut survey = Survey { roots: BTreeMap::new(), size: ROOM + of_hooks };
    for (name, operator) in operators {
        let of_operator = |problem| invalid(format!("operator {name}"), problem);
        parallelism(operator).map_err(of_operator)?;
        let of_coordinator = operator.coordinator.as_ref().map_or(0, |state| ROOM + state.len());
        survey.size += ROOM + name.as_str().len() + of_coordinator;
        let mut free = 0;
        let mut in_order = true;
        for (index, subtask) in operator.subtasks.iter().enumerate() {
            if let Some(KeyedHandle { range, .. }) = subtask.keyed {
                in_order &= free <= u32::from(range.start);
                free = u32::from(range.end) + 1;
            }
            survey
                .subtask(operator.max_parallelism, subtask)
                .map_err(|problem| invalid(format!("operator {name}, subtask {index}"), problem))?;
        }
        // As a rule, the subtasks are in the order of their ranges, and then nothing has to be sorted.
        if !in_order {
            key_groups_of_one(operator).map_err(of_operator)?;
        }
    }
    if survey.roots.len() > limits::ROOTS {
        return Err(invalid("directories of other jobs", at_most(limits::ROOTS, survey.roots.len())));
    }
    for (place, number) in survey.roots.values_mut().zip(0..) {
        *place = number;
    }
    Ok(survey)
}

fn parallelism(
    OperatorState { max_parallelism, subtasks, coordinator: _ }: &OperatorState,
) -> Result<(), Problem> {
    let limit = limits::SUBTASKS;
    match usize::from(*max_parallelism) {
        max if max == 0 || max > limit => Err(format!("has max parallelism {max}; allowed are 1 to {limit}")),
        max if subtasks.is_empty() || subtasks.len() > max => {
            Err(format!("has {} subtasks; allowed are 1 to its max parallelism {max}", subtasks.len()))
        }
        _ => Ok(()),
    }
}

/// A key group has one owner.
fn key_groups_of_one(operator: &OperatorState) -> Result<(), Problem> {
    let mut ranges: Vec<_> = operator
        .subtasks
        .iter()
        .filter_map(|subtask| subtask.keyed.as_ref())
        .map(|keyed| keyed.range)
        .collect();
    ranges.sort_unstable();
    match ranges.array_windows().find(|[one, next]| next.start <= one.end) {
        Some([_, range]) => Err(format!("key groups {range} are in part those of another subtask, too")),
        None => Ok(()),
    }
}

impl<'a> Survey<'a> {
    #[inline]
    fn subtask(&mut self, max_parallelism: u16, snapshot: &'a TaskSnapshot) -> Result<(), Problem> {
        let TaskSnapshot { keyed, operator, input_channels, output_channels, finished: _ } = snapshot;
        self.size += SUBTASK_ROOM;
        let mut handles = operator.len() + input_channels.len() + output_channels.len();
        if let Some(keyed) = keyed {
            handles += self.keyed(max_parallelism, keyed)?;
        }
        if handles > limits::HANDLES {
            return Err(format!("has {handles} handles; the limit is {}", limits::HANDLES));
        }
        once("operator state", operator.len(), operator.iter().map(|state| &state.name))?;
        for state in operator {
            self.size += state.name.as_str().len();
            self.handle(&state.handle)
                .map_err(|problem| format!("operator state {}: {problem}", state.name))?;
        }
        self.channels("input channel", input_channels)?;
        self.channels("output channel", output_channels)
    }

    fn keyed(
        &mut self,
        max_parallelism: u16,
        KeyedHandle { range, state }: &'a KeyedHandle,
    ) -> Result<usize, Problem> {
        if range.start > range.end || range.end >= max_parallelism {
            return Err(format!("key groups {range} are not within 0..{max_parallelism}"));
        }
        match state {
            KeyedState::Full(handle) => self.handle(handle).map(|()| 1),
            KeyedState::Incremental(incremental) => {
                let parts = &incremental.parts;
                once("part", parts.len(), parts.iter().map(|part| &part.name))?;
                for part in parts {
                    self.size += part.name.as_str().len();
                    self.handle(&part.handle).map_err(|problem| format!("part {}: {problem}", part.name))?;
                }
                Ok(parts.len())
            }
        }
    }

    fn channels(&mut self, what: &str, channels: &'a [ChannelHandle]) -> Result<(), Problem> {
        let place = |one: &ChannelHandle| format!("{} of gate {}", one.channel, one.gate);
        if channels.len() > 1 {
            let mut seen = BTreeSet::new();
            if let Some(twice) = channels.iter().find(|one| !seen.insert((one.gate, one.channel))) {
                return Err(format!("{what} {}: stands there twice", place(twice)));
            }
        }
        for one in channels {
            self.handle(&one.handle).map_err(|problem| format!("{what} {}: {problem}", place(one)))?;
        }
        Ok(())
    }

    #[inline]
    fn handle(&mut self, handle: &'a StateHandle) -> Result<(), Problem> {
        self.size += ROOM;
        let (file, offset, len) = match handle {
            StateHandle::Inline(bytes) => {
                self.size += bytes.len();
                return Ok(());
            }
            StateHandle::File(file) => (&file.file, 0, file.len),
            StateHandle::Segment(segment) => (&segment.file, segment.offset, segment.len),
        };
        match offset.checked_add(len) {
            Some(end) if end <= limits::FILE_LEN => {}
            _ => {
                return Err(format!(
                    "state file {}: {len} bytes from {offset} on are beyond every file",
                    file.name
                ));
            }
        }
        self.root(file)
    }

    #[inline]
    fn root(&mut self, file: &'a StateFile) -> Result<(), Problem> {
        let StateDirectory::Foreign(root) = &file.directory else { return Ok(()) };
        if self.roots.contains_key(&**root) {
            return Ok(());
        }
        if root.is_empty() || root.len() > limits::ROOT_LEN {
            return Err(format!(
                "directory: its address has {} bytes; allowed are 1 to {}",
                root.len(),
                limits::ROOT_LEN
            ));
        }
        if root.chars().any(char::is_control) {
            return Err(format!("directory {root:?}: its address has control characters"));
        }
        self.size += root.len() + ROOM;
        self.roots.insert(root, 0);
        Ok(())
    }
}

fn once<'a>(what: &str, count: usize, names: impl Iterator<Item = &'a Name>) -> Result<(), Problem> {
    if count < 2 {
        return Ok(());
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("{what} {name}: stands there twice"));
        }
    }
    Ok(())
}
