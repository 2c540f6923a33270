//! The rules that metadata has to fit, as a value: on the way out, so that what is written can be read, and on the way in.

use super::input::Problem;
use super::{Roots, invalid};
use crate::{FormatError, limits};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;
use stillframe_model::{
    ChannelHandle, CheckpointMetadata, KeyedHandle, KeyedState, Name, OperatorState, Redacted,
    StateDirectory, StateFile, StateHandle, TaskSnapshot,
};

/// Who is shown everything right after it was checked, while it is still at hand.
pub(super) trait Visitor<'a> {
    fn operator(&mut self, name: &'a Name, state: &'a OperatorState);
    /// One of that operator.
    fn subtask(&mut self, snapshot: &'a TaskSnapshot);
}

impl<'a> Visitor<'a> for () {
    fn operator(&mut self, _: &'a Name, _: &'a OperatorState) {}
    fn subtask(&mut self, _: &'a TaskSnapshot) {}
}

/// What an operator, or a subtask with one handle, takes in the body, and a bit more.
const ROOM: usize = 48;

/// About how many bytes the body takes. It need not be exact.
pub(super) fn room(CheckpointMetadata { operators, hooks, .. }: &CheckpointMetadata) -> usize {
    let subtasks = operators.values().map(|operator| operator.subtasks.len());
    let parts = subtasks.chain([operators.len(), hooks.len(), 1]).fold(0, usize::saturating_add);
    let coordinators = operators.values().filter_map(|operator| operator.coordinator.as_ref());
    let states = coordinators.chain(hooks.values()).map(Bytes::len).fold(0, usize::saturating_add);
    parts.saturating_mul(ROOM).saturating_add(states)
}

/// Checks everything, and gives the directories of other jobs that were found on the way.
pub(super) fn metadata<'a>(
    metadata: &'a CheckpointMetadata,
    visitor: &mut impl Visitor<'a>,
) -> Result<Roots<'a>, FormatError> {
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
    let mut survey = Survey { roots: Roots::new() };
    for (name, operator) in operators {
        let of_operator = |problem| invalid(format!("operator {name}"), problem);
        parallelism(operator).map_err(of_operator)?;
        visitor.operator(name, operator);
        let mut free = 0;
        let mut in_order = true;
        for (index, subtask) in operator.subtasks.iter().enumerate() {
            if let Some(KeyedHandle { range, .. }) = subtask.keyed {
                in_order &= free <= u32::from(range.start);
                free = u32::from(range.end).saturating_add(1);
            }
            survey
                .subtask(operator.max_parallelism, subtask)
                .map_err(|problem| invalid(format!("operator {name}, subtask {index}"), problem))?;
            visitor.subtask(subtask);
        }
        // As a rule, the subtasks are in the order of their ranges, and then nothing has to be sorted.
        if !in_order {
            key_groups_of_one(operator).map_err(of_operator)?;
        }
    }
    let mut roots = survey.roots;
    if roots.len() > limits::ROOTS {
        return Err(invalid("directories of other jobs", at_most(limits::ROOTS, roots.len())));
    }
    for (place, number) in roots.values_mut().zip(0..) {
        *place = number;
    }
    Ok(roots)
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

/// What was found on the way.
struct Survey<'a> {
    roots: Roots<'a>,
}

impl<'a> Survey<'a> {
    #[inline]
    fn subtask(&mut self, max_parallelism: u16, snapshot: &'a TaskSnapshot) -> Result<(), Problem> {
        let TaskSnapshot { keyed, operator, input_channels, output_channels, finished: _ } = snapshot;
        let keyed = keyed.as_ref().map_or(Ok(0), |keyed| self.keyed(max_parallelism, keyed))?;
        let counts = [keyed, operator.len(), input_channels.len(), output_channels.len()];
        let handles = counts.into_iter().fold(0, usize::saturating_add);
        if handles > limits::HANDLES {
            return Err(format!("has {handles} handles; the limit is {}", limits::HANDLES));
        }
        once("operator state", operator.len(), operator.iter().map(|state| &state.name))?;
        for state in operator {
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
                    self.handle(&part.handle).map_err(|problem| format!("part {}: {problem}", part.name))?;
                }
                Ok(parts.len())
            }
        }
    }

    #[inline]
    fn channels(&mut self, what: &str, channels: &'a [ChannelHandle]) -> Result<(), Problem> {
        if channels.is_empty() { Ok(()) } else { self.some_channels(what, channels) }
    }

    fn some_channels(&mut self, what: &str, channels: &'a [ChannelHandle]) -> Result<(), Problem> {
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
        let (file, offset, len) = match handle {
            StateHandle::Inline(_) => return Ok(()),
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
            return Err(format!("directory {:?}: its address has control characters", Redacted::new(root)));
        }
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
