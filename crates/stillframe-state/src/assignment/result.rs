//! What is assigned to whom.

use super::SubtaskMapping;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use stillframe_model::{ChannelHandle, KeyGroupRange, Name, OperatorState, Redistribution, VertexId};

/// Where all state of a checkpoint goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateAssignment {
    /// One for each vertex, in their order.
    pub vertices: Vec<VertexAssignment>,
    /// The operators whose state nobody claims, in the order of their names.
    pub left_out: Vec<Name>,
}

/// What a vertex goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VertexAssignment {
    /// Into how many key groups its keys are divided from now on: that of its state, if it has any.
    pub max_parallelism: u16,
    /// How it begins.
    pub begin: Begin,
    /// One for each operator, in their order.
    pub operators: Vec<OperatorAssignment>,
    /// The input gates with records in them, or in the output at the other end. The records are state of the first
    /// operator.
    pub inputs: Vec<GateAssignment>,
    /// The outputs with records in them, or in an input gate at the other end. The records are state of the last operator.
    pub outputs: Vec<GateAssignment>,
}

/// How the subtasks of a vertex begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// As in a new job: the checkpoint holds nothing of it, and nothing on its way to or from it.
    Fresh,
    /// From the checkpoint.
    Restored,
    /// At their end, which all of them had reached before the checkpoint.
    Finished,
}

/// What an operator goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAssignment {
    /// The name under which the checkpoint has its state. `None` if it has none; then nothing is assigned.
    pub state: Option<Name>,
    /// One for each subtask, in their order.
    pub subtasks: Vec<SubtaskAssignment>,
}

/// What one subtask of an operator goes on from, besides channel state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubtaskAssignment {
    /// Its keyed state, in the order of the old subtasks.
    pub keyed: Vec<KeyGroupRun>,
    /// Its operator state, in the order of the names. Lists of which nothing falls to it are not there.
    pub lists: Vec<ListAssignment>,
    /// Whether it had finished before the checkpoint.
    pub finished: bool,
}

/// Key groups of one old subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyGroupRun {
    /// The old subtask.
    pub subtask: u32,
    /// Those of its key groups that are read.
    pub groups: KeyGroupRange,
}

/// What a subtask reads of one list of operator state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListAssignment {
    /// Which list.
    pub name: Name,
    /// How it is dealt.
    pub redistribution: Redistribution,
    /// Its elements, in their order.
    pub runs: Arc<[ElementRun]>,
}

/// Elements of one list of one old subtask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElementRun {
    /// The old subtask.
    pub subtask: u32,
    /// Which elements of its list, from 0.
    pub elements: Range<u32>,
}

/// On which side of a vertex records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// On their way to it.
    Input,
    /// On their way from it.
    Output,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}

/// What becomes of the records in an input gate or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateAssignment {
    /// Which side of the vertex it is on.
    pub direction: Direction,
    /// Which input gate or output of the vertex.
    pub gate: u32,
    /// Whose records each subtask reads.
    pub subtasks: Arc<SubtaskMapping>,
    /// The other end, which tells what became of the channels: one for an input gate, one for each reader of an output.
    pub peers: Vec<Peer>,
}

/// The other end of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The vertex.
    pub vertex: VertexId,
    /// Which of its outputs or input gates.
    pub gate: u32,
    /// Whose records each of its subtasks reads. A channel to or from an old subtask is now one to those that read it.
    pub subtasks: Arc<SubtaskMapping>,
}

impl GateAssignment {
    /// The channel state that a new subtask reads, with the old subtask that had it. `state` is that of the first operator
    /// of the vertex for an input gate, and of the last one for an output.
    pub fn handles<'a>(
        &'a self,
        subtask: u32,
        state: &'a OperatorState,
    ) -> impl Iterator<Item = (u32, &'a ChannelHandle)> {
        self.subtasks.old_subtasks(subtask).iter().flat_map(move |old| {
            let snapshot = usize::try_from(*old).ok().and_then(|old| state.subtasks.get(old));
            let handles = snapshot.map_or(&[][..], |snapshot| match self.direction {
                Direction::Input => &snapshot.input_channels,
                Direction::Output => &snapshot.output_channels,
            });
            handles.iter().filter(|handle| handle.gate == self.gate).map(|handle| (*old, handle))
        })
    }

    /// The old subtasks whose records others read as well, so that the subtask has to leave out those that are not its own.
    #[must_use]
    pub fn filtered(&self, subtask: u32) -> Vec<u32> {
        let ambiguous = self.subtasks.ambiguous();
        let old = self.subtasks.old_subtasks(subtask).iter();
        old.filter(|old| ambiguous.contains(old)).copied().collect()
    }

    /// Whether records are anywhere else than they were, at this end or the other. Otherwise they only have to be put back.
    #[must_use]
    pub fn is_rescaled(&self) -> bool {
        !self.subtasks.is_identity() || self.peers.iter().any(|peer| !peer.subtasks.is_identity())
    }
}
