//! Channel state.

use super::claims::{Claimed, Stored, old_parallelism};
use super::job::at;
use super::{AssignmentError, Direction, GateAssignment, JobEdge, Peer, SubtaskMapping, SubtaskStateMapper};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stillframe_model::{ChannelHandle, Name, TaskSnapshot, VertexId};

/// What becomes of the records around one vertex.
#[derive(Default)]
pub(super) struct Gates {
    pub(super) inputs: Vec<GateAssignment>,
    pub(super) outputs: Vec<GateAssignment>,
    /// Whether a neighbour has records in its channels, which may be on their way to it or from it.
    pub(super) concern_it: bool,
}

/// For each vertex, what becomes of the records around it.
pub(super) fn assign(claimed: &[Claimed<'_>]) -> Result<Vec<Gates>, AssignmentError> {
    let exchanges = Exchanges::new(claimed)?;
    let mut all = Vec::new();
    for (id, vertex) in (0..).map(VertexId::new).zip(claimed) {
        let mut gates = Gates::default();
        for (edge, gate) in vertex.vertex.inputs.iter().zip(0..) {
            gates.concern_it |= exchanges.has_any(Direction::Output, edge.upstream);
            if exchanges.is_in_use(edge.upstream, edge.output) {
                let subtasks = exchanges.input(vertex, gate, edge)?;
                let upstream = exchanges.output(edge.upstream, edge.output)?;
                let peer = Peer { vertex: edge.upstream, gate: edge.output, subtasks: upstream };
                let direction = Direction::Input;
                gates.inputs.push(GateAssignment { direction, gate, subtasks, peers: vec![peer] });
            }
        }
        for (output, readers) in exchanges.outputs_of(id) {
            gates.concern_it |=
                readers.iter().any(|reader| exchanges.has_any(Direction::Input, reader.vertex));
            if !exchanges.is_in_use(id, output) {
                continue;
            }
            let mut peers = Vec::new();
            for Reader { vertex, gate, edge } in readers {
                let Some(consumer) = at(claimed, *vertex) else { continue };
                let subtasks = exchanges.input(consumer, *gate, edge)?;
                peers.push(Peer { vertex: *vertex, gate: *gate, subtasks });
            }
            let subtasks = exchanges.output(id, output)?;
            gates.outputs.push(GateAssignment {
                direction: Direction::Output,
                gate: output,
                subtasks,
                peers,
            });
        }
        all.push(gates);
    }
    Ok(all)
}

/// An input gate that reads from an output.
struct Reader<'a> {
    vertex: VertexId,
    gate: u32,
    edge: &'a JobEdge,
}

/// The edges of the job, and which of them had records on them.
struct Exchanges<'a> {
    claimed: &'a [Claimed<'a>],
    /// By the output that they read.
    readers: BTreeMap<(VertexId, u32), Vec<Reader<'a>>>,
    /// The input gates with records in them.
    inputs: BTreeSet<(VertexId, u32)>,
    /// The outputs with records in them.
    outputs: BTreeSet<(VertexId, u32)>,
}

impl<'a> Exchanges<'a> {
    fn new(claimed: &'a [Claimed<'a>]) -> Result<Self, AssignmentError> {
        let ids = || (0..).map(VertexId::new);
        let mut readers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (vertex, consumer) in ids().zip(claimed) {
            for (edge, gate) in consumer.vertex.inputs.iter().zip(0..) {
                let reader = Reader { vertex, gate, edge };
                readers.entry((edge.upstream, edge.output)).or_default().push(reader);
            }
        }
        let (mut inputs, mut outputs) = (BTreeSet::new(), BTreeSet::new());
        for (id, vertex) in ids().zip(claimed) {
            let gates = (0..).zip(&vertex.vertex.inputs).map(|(gate, _)| gate).collect();
            let used = in_use(vertex, Direction::Input, vertex.head(), &gates)?;
            inputs.extend(used.into_iter().map(|gate| (id, gate)));
            let gates = readers.range((id, 0)..=(id, u32::MAX)).map(|((_, output), _)| *output).collect();
            let used = in_use(vertex, Direction::Output, vertex.tail(), &gates)?;
            outputs.extend(used.into_iter().map(|output| (id, output)));
        }
        Ok(Self { claimed, readers, inputs, outputs })
    }

    /// The outputs of a vertex that somebody reads.
    fn outputs_of(&self, vertex: VertexId) -> impl Iterator<Item = (u32, &Vec<Reader<'a>>)> {
        let outputs = self.readers.range((vertex, 0)..=(vertex, u32::MAX));
        outputs.map(|((_, output), readers)| (*output, readers))
    }

    /// Whether a vertex has records in any of its input gates, or outputs.
    fn has_any(&self, direction: Direction, vertex: VertexId) -> bool {
        let used = match direction {
            Direction::Input => &self.inputs,
            Direction::Output => &self.outputs,
        };
        used.range((vertex, 0)..=(vertex, u32::MAX)).next().is_some()
    }

    /// Whether there are records on any edge from an output, at whichever end.
    fn is_in_use(&self, vertex: VertexId, output: u32) -> bool {
        let readers = self.readers.get(&(vertex, output));
        let is_read = |reader: &Reader<'_>| self.inputs.contains(&(reader.vertex, reader.gate));
        self.outputs.contains(&(vertex, output)) || readers.is_some_and(|all| all.iter().any(is_read))
    }

    fn input(
        &self,
        vertex: &Claimed<'_>,
        gate: u32,
        edge: &JobEdge,
    ) -> Result<Arc<SubtaskMapping>, AssignmentError> {
        let (old, new) = (parallelism_of(vertex, vertex.head()), vertex.vertex.parallelism);
        let upstream = at(self.claimed, edge.upstream);
        let upstream_is_rescaled = upstream
            .is_some_and(|upstream| parallelism_of(upstream, upstream.tail()) != upstream.vertex.parallelism);
        // Where a record goes may depend on how many subtasks send. Only the user's partitioner knows.
        let is_divided_anew = edge.downstream_mapper == SubtaskStateMapper::Full && upstream_is_rescaled;
        if old == new && !is_divided_anew {
            return Ok(Arc::new(SubtaskMapping::identity(new)));
        }
        let mapping = edge.downstream_mapper.mapping(old, new);
        mapping.map(Arc::new).ok_or_else(|| AssignmentError::FixedParallelism {
            vertex: vertex.vertex.name.clone(),
            peer: upstream.map_or(&vertex.vertex.name, |upstream| &upstream.vertex.name).clone(),
            direction: Direction::Input,
            gate,
            old,
            new,
        })
    }

    fn output(&self, id: VertexId, output: u32) -> Result<Arc<SubtaskMapping>, AssignmentError> {
        let Some(vertex) = at(self.claimed, id) else { return Ok(Arc::new(SubtaskMapping::identity(0))) };
        let (old, new) = (parallelism_of(vertex, vertex.tail()), vertex.vertex.parallelism);
        if old == new {
            return Ok(Arc::new(SubtaskMapping::identity(new)));
        }
        let name = |id| at(self.claimed, id).map_or(&vertex.vertex.name, |other| &other.vertex.name).clone();
        let mut wanted: Option<(VertexId, SubtaskMapping)> = None;
        for reader in self.readers.get(&(id, output)).into_iter().flatten() {
            let mapping = reader.edge.upstream_mapper.mapping(old, new);
            let mapping = mapping.ok_or_else(|| AssignmentError::FixedParallelism {
                vertex: vertex.vertex.name.clone(),
                peer: name(reader.vertex),
                direction: Direction::Output,
                gate: output,
                old,
                new,
            })?;
            match &wanted {
                Some((first, other)) if *other != mapping => {
                    return Err(AssignmentError::ConflictingMappings {
                        vertex: vertex.vertex.name.clone(),
                        output,
                        consumer: name(*first),
                        other: name(reader.vertex),
                        old,
                        new,
                    });
                }
                Some(_) => {}
                None => wanted = Some((reader.vertex, mapping)),
            }
        }
        Ok(Arc::new(wanted.map_or_else(|| SubtaskMapping::identity(new), |(_, mapping)| mapping)))
    }
}

/// How many subtasks there were.
fn parallelism_of(vertex: &Claimed<'_>, operator: Option<&Stored<'_>>) -> u32 {
    operator.map_or(vertex.vertex.parallelism, |stored| old_parallelism(stored.state))
}

/// The gates with records in them. They are state of the operator at that end, and of no other.
fn in_use(
    vertex: &Claimed<'_>,
    direction: Direction,
    at_the_end: Option<&Stored<'_>>,
    gates: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>, AssignmentError> {
    let handles = |stored: &Stored<'_>| -> BTreeSet<u32> {
        stored
            .state
            .subtasks
            .iter()
            .flat_map(|snapshot| channels(snapshot, direction))
            .map(|one| one.gate)
            .collect()
    };
    let end = at_the_end.map(|stored| stored.name);
    let inside = vertex.stored().filter(|stored| Some(stored.name) != end && !handles(stored).is_empty());
    let inside: Vec<Name> = inside.map(|stored| stored.name.clone()).collect();
    if !inside.is_empty() {
        let vertex = vertex.vertex.name.clone();
        return Err(AssignmentError::Chained { vertex, direction, operators: inside });
    }
    let Some(stored) = at_the_end else { return Ok(BTreeSet::new()) };
    let used = handles(stored);
    match used.iter().find(|gate| !gates.contains(gate)) {
        None => Ok(used),
        Some(gate) => Err(AssignmentError::UnknownGate {
            operator: stored.name.clone(),
            direction,
            gate: *gate,
            gates: u32::try_from(gates.len()).unwrap_or(u32::MAX),
        }),
    }
}

fn channels(snapshot: &TaskSnapshot, direction: Direction) -> &[ChannelHandle] {
    match direction {
        Direction::Input => &snapshot.input_channels,
        Direction::Output => &snapshot.output_channels,
    }
}
