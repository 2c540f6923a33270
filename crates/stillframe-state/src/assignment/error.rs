use super::{Direction, DistributionPattern, FinishedState};
use stillframe_model::{KeyGroupRange, Name};

/// A checkpoint does not fit a job, or the job is not described as one can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignmentError {
    /// There is state that no operator of the job claims.
    #[error(
        "it holds state of operators that this job does not have: {}; give them their names back, or drop their state \
         with execution.state-recovery.ignore-unclaimed-state",
        listed(operators)
    )]
    Unclaimed {
        /// All operators with such state.
        operators: Vec<Name>,
    },
    /// Two operators of the job claim the same state.
    #[error("the state of operator {operator} is claimed twice, by vertex {vertex} and by vertex {other}")]
    ClaimedTwice {
        /// Under which name the checkpoint has it.
        operator: Name,
        /// The vertex that claimed it first.
        vertex: Name,
        /// The other one, which may be the same.
        other: Name,
    },
    /// The job sets another max parallelism than that of the state, which cannot change.
    #[error(
        "operator {operator} was written with max parallelism {stored}, and the job sets {set}; set {stored}, or leave \
         it unset so that it is taken from the state"
    )]
    MaxParallelism {
        /// Whose state.
        operator: Name,
        /// That of the state.
        stored: u16,
        /// That which the job sets.
        set: u16,
    },
    /// There are more subtasks than the state has key groups.
    #[error(
        "operator {operator} was written with max parallelism {stored}, and now has parallelism {parallelism}; restore \
         it with at most {stored} subtasks"
    )]
    ParallelismAboveMax {
        /// Whose state.
        operator: Name,
        /// The max parallelism of the state.
        stored: u16,
        /// The parallelism now.
        parallelism: u32,
    },
    /// Operators that are in one vertex now were written with different max parallelisms.
    #[error(
        "operator {operator} was written with max parallelism {stored} and operator {other} with {other_stored}; both \
         are in vertex {vertex}, which has one: put them into different vertices"
    )]
    MaxParallelismsDiffer {
        /// The vertex.
        vertex: Name,
        /// One of its operators.
        operator: Name,
        /// The max parallelism of that one's state.
        stored: u16,
        /// Another one.
        other: Name,
        /// The max parallelism of the other one's state.
        other_stored: u16,
    },
    /// The state of a subtask claims key groups that there are not.
    #[error(
        "operator {operator}, subtask {subtask}, holds key groups {range}, and with max parallelism {max_parallelism} \
         there are only those below that"
    )]
    KeyGroups {
        /// Whose state.
        operator: Name,
        /// Which of the old subtasks.
        subtask: u32,
        /// The key groups.
        range: KeyGroupRange,
        /// That of the state.
        max_parallelism: u16,
    },
    /// Some operators of a vertex had finished and others had not.
    #[error(
        "operator {operator} of vertex {vertex} was {state} and operator {other} was {other_state}; operators of one \
         vertex finish together, so restore them as they were connected before"
    )]
    MixedFinished {
        /// The vertex.
        vertex: Name,
        /// One of its operators.
        operator: Name,
        /// How far it was.
        state: FinishedState,
        /// Another one.
        other: Name,
        /// How far the other was.
        other_state: FinishedState,
    },
    /// A vertex had finished further than one before it, which would send it records that it takes no more.
    #[error(
        "vertex {vertex} was {state}, and {predecessor}, which is connected to it {pattern}, was {predecessor_state}; \
         restore the job with the vertices before {vertex} as they were"
    )]
    FinishedBeforePredecessor {
        /// The vertex.
        vertex: Name,
        /// How far it was.
        state: FinishedState,
        /// The vertex before it.
        predecessor: Name,
        /// How far that one was.
        predecessor_state: FinishedState,
        /// How they are connected.
        pattern: DistributionPattern,
    },
    /// Some subtasks had finished and left state, which subtasks that have not finished would finish once more.
    #[error(
        "operator {operator} was finished in {finished} of {old} subtasks, which cannot be divided among {new}; restore \
         it with parallelism {old}"
    )]
    PartlyFinished {
        /// Whose state.
        operator: Name,
        /// How many had finished.
        finished: u32,
        /// The parallelism then.
        old: u32,
        /// The parallelism now.
        new: u32,
    },
    /// There are records of an exchange where there is no exchange any more.
    #[error(
        "the checkpoint holds records on their {direction} of {}, which are now in the middle of vertex {vertex}; \
         restore from a savepoint, or keep them in vertices of their own",
        listed(operators)
    )]
    Chained {
        /// The vertex.
        vertex: Name,
        /// Whether they were under way to the operators or from them.
        direction: Direction,
        /// All operators with such records.
        operators: Vec<Name>,
    },
    /// There are records of an exchange that the vertex does not have.
    #[error(
        "operator {operator} has records in {direction} {gate}, and now has {gates} of them, numbered from 0"
    )]
    UnknownGate {
        /// Whose state.
        operator: Name,
        /// Whether they were under way to it or from it.
        direction: Direction,
        /// Which input gate or output.
        gate: u32,
        /// How many there are now.
        gates: u32,
    },
    /// Records that were under way on an edge cannot be divided among another number of subtasks.
    #[error(
        "vertex {vertex} had parallelism {old} and now has {new}, and the records in its {direction} {gate} ({peer}) \
         cannot be divided otherwise than they were; restore it with parallelism {old}, or from a savepoint"
    )]
    FixedParallelism {
        /// The vertex whose parallelism changed.
        vertex: Name,
        /// The one at the other end of the edge.
        peer: Name,
        /// On which side of the vertex.
        direction: Direction,
        /// Which input gate or output.
        gate: u32,
        /// The parallelism then.
        old: u32,
        /// The parallelism now.
        new: u32,
    },
    /// Several vertices read the same output, and want its records divided differently.
    #[error(
        "vertex {vertex} had parallelism {old} and now has {new}, and {consumer} and {other} want the records in its \
         output {output} divided differently; restore it with parallelism {old}, or from a savepoint"
    )]
    ConflictingMappings {
        /// The vertex whose parallelism changed.
        vertex: Name,
        /// Which of its outputs.
        output: u32,
        /// One that reads from it.
        consumer: Name,
        /// Another one.
        other: Name,
        /// The parallelism then.
        old: u32,
        /// The parallelism now.
        new: u32,
    },
    /// A vertex cannot have these numbers.
    #[error(
        "vertex {vertex} has parallelism {parallelism} and max parallelism {max_parallelism}; the first must be at least \
         1 and at most the second, and the second at most 32768"
    )]
    Parallelism {
        /// The vertex.
        vertex: Name,
        /// Its parallelism.
        parallelism: u32,
        /// Its max parallelism.
        max_parallelism: u16,
    },
    /// A vertex has nothing in it.
    #[error("vertex {vertex} has no operators")]
    NoOperators {
        /// The vertex.
        vertex: Name,
    },
    /// A vertex reads from one that the job does not have.
    #[error(
        "input gate {gate} of vertex {vertex} is connected to vertex {upstream}, which the job does not have"
    )]
    UnknownUpstream {
        /// The vertex.
        vertex: Name,
        /// Which of its input gates.
        gate: u32,
        /// The number of the vertex before it.
        upstream: u32,
    },
}

fn listed(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
