//! Checkpoints and jobs that are only described: no test here has a byte of state.

mod channels;
mod examples;
mod finished;
mod fitting;
mod properties;

use super::{
    AssignmentError, AssignmentOptions, JobEdge, JobVertex, MaxParallelism, OperatorNames, Partitioner,
    StateAssignment, UnclaimedState, assign,
};
use std::collections::BTreeMap;
use stillframe_model::{
    ChannelHandle, KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorHandle, OperatorState,
    Redistribution, StateHandle, TaskSnapshot, VertexId,
};

const LEAVING_OUT: AssignmentOptions =
    AssignmentOptions { unclaimed: UnclaimedState::LeaveOut, may_finish_early: false };

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn handle() -> StateHandle {
    StateHandle::Inline(bytes::Bytes::from_static(b"never read"))
}

fn range(start: u16, end: u16) -> KeyGroupRange {
    KeyGroupRange { start, end }
}

fn nothing() -> TaskSnapshot {
    TaskSnapshot::default()
}

/// A subtask with these lists.
fn lists<'a>(lists: impl IntoIterator<Item = (&'a str, Redistribution, u32)>) -> TaskSnapshot {
    let list = |(text, redistribution, elements)| OperatorHandle {
        name: name(text),
        redistribution,
        elements,
        handle: handle(),
    };
    TaskSnapshot { operator: lists.into_iter().map(list).collect(), ..nothing() }
}

/// A subtask with these key groups.
fn keyed(start: u16, end: u16) -> TaskSnapshot {
    let state = KeyedState::Full(handle());
    TaskSnapshot { keyed: Some(KeyedHandle { range: range(start, end), state }), ..nothing() }
}

/// A subtask with something in it, whatever it is.
fn something() -> TaskSnapshot {
    lists([("list", Redistribution::Split, 1)])
}

fn channel(gate: u32, channel: u32) -> ChannelHandle {
    ChannelHandle { gate, channel, buffers: 1, handle: handle() }
}

/// A subtask with records on their way to it.
fn inputs<const N: usize>(channels: [(u32, u32); N]) -> TaskSnapshot {
    TaskSnapshot { input_channels: channels.map(|(gate, number)| channel(gate, number)).into(), ..nothing() }
}

/// A subtask with records on their way from it.
fn outputs<const N: usize>(channels: [(u32, u32); N]) -> TaskSnapshot {
    TaskSnapshot { output_channels: channels.map(|(gate, number)| channel(gate, number)).into(), ..nothing() }
}

/// The same, when it had finished.
fn at_its_end(snapshot: TaskSnapshot) -> TaskSnapshot {
    TaskSnapshot { finished: true, ..snapshot }
}

type Checkpoint = BTreeMap<Name, OperatorState>;

/// With max parallelism 128.
fn checkpoint<const N: usize>(operators: [(&str, Vec<TaskSnapshot>); N]) -> Checkpoint {
    operators
        .into_iter()
        .map(|(text, subtasks)| {
            (name(text), OperatorState { max_parallelism: 128, subtasks, coordinator: None })
        })
        .collect()
}

/// A vertex with max parallelism 128, which nobody set.
fn vertex(text: &str, parallelism: u32) -> JobVertex {
    JobVertex::new(name(text), parallelism, MaxParallelism::Derived(128))
}

/// A vertex of several operators.
fn chain<const N: usize>(text: &str, parallelism: u32, operators: [&str; N]) -> JobVertex {
    let operators = operators.map(|text| OperatorNames { name: name(text), otherwise: None });
    JobVertex { operators: operators.into(), ..vertex(text, parallelism) }
}

/// The same vertex, behind another one.
fn behind(upstream: u32, partitioner: Partitioner, vertex: JobVertex) -> JobVertex {
    let mut vertex = vertex;
    vertex.inputs.push(JobEdge::new(VertexId::new(upstream), 0, partitioner));
    vertex
}

fn assigned(checkpoint: &Checkpoint, job: &[JobVertex]) -> StateAssignment {
    assign(checkpoint, job, AssignmentOptions::default()).unwrap()
}

fn refused(checkpoint: &Checkpoint, job: &[JobVertex]) -> AssignmentError {
    assign(checkpoint, job, AssignmentOptions::default()).unwrap_err()
}

/// The state of the only operator of the only vertex at another parallelism.
fn rescaled(subtasks: Vec<TaskSnapshot>, parallelism: u32) -> Vec<super::SubtaskAssignment> {
    let mut assignment = assigned(&checkpoint([("one", subtasks)]), &[vertex("one", parallelism)]);
    assignment.vertices.remove(0).operators.remove(0).subtasks
}
