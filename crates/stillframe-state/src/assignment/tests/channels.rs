//! Records that were under way. The numbers are Flink's.

use super::super::{
    Begin, Direction, DistributionPattern, GateAssignment, SubtaskMapping, SubtaskStateMapper,
};
use super::*;
use Partitioner::{Broadcast, Custom, Forward, Global, KeyGroup, Rebalance, Rescale, Shuffle};

fn old_of(mapper: SubtaskStateMapper, old: u32, new: u32) -> Vec<Vec<u32>> {
    table(&mapper.mapping(old, new).unwrap(), new)
}

fn table(mapping: &SubtaskMapping, new: u32) -> Vec<Vec<u32>> {
    (0..new).map(|subtask| mapping.old_subtasks(subtask).to_vec()).collect()
}

#[test]
fn mappers_say_whom_each_new_subtask_reads() {
    for mapper in [SubtaskStateMapper::RoundRobin, SubtaskStateMapper::Arbitrary] {
        assert_eq!(old_of(mapper, 10, 4), [vec![0, 4, 8], vec![1, 5, 9], vec![2, 6], vec![3, 7]]);
        assert_eq!(old_of(mapper, 2, 4), [vec![0], vec![1], vec![], vec![]]);
    }
    assert_eq!(old_of(SubtaskStateMapper::First, 3, 2), [vec![0, 1, 2], vec![]]);
    assert_eq!(old_of(SubtaskStateMapper::Full, 3, 2), [[0, 1, 2], [0, 1, 2]]);
    assert_eq!(old_of(SubtaskStateMapper::Range, 3, 2), [[0, 1], [1, 2]]);
    assert_eq!(old_of(SubtaskStateMapper::Range, 5, 2), [[0, 1, 2], [2, 3, 4]]);
    assert_eq!(old_of(SubtaskStateMapper::Range, 3, 4), [vec![0], vec![0, 1], vec![1, 2], vec![2]]);
    let seven = [vec![0], vec![0], vec![0, 1], vec![1], vec![1, 2], vec![2], vec![2]];
    assert_eq!(old_of(SubtaskStateMapper::Range, 3, 7), seven);
    assert_eq!(SubtaskStateMapper::Unsupported.mapping(2, 3), None);
    assert_eq!(SubtaskStateMapper::Unsupported.mapping(2, 2), None);
}

#[test]
fn only_ambiguous_mappers_give_an_old_subtask_to_several() {
    use SubtaskStateMapper::{Arbitrary, First, Full, Range, RoundRobin};
    for mapper in [Arbitrary, RoundRobin, First, Full, Range] {
        let shares =
            (1..8).any(|old| (1..8).any(|new| !mapper.mapping(old, new).unwrap().ambiguous().is_empty()));
        assert_eq!(shares, mapper.is_ambiguous(), "{mapper:?}");
    }
    assert!(!SubtaskStateMapper::Unsupported.is_ambiguous());
    let three_to_two = Range.mapping(3, 2).unwrap();
    assert_eq!(three_to_two.ambiguous(), [1].into());
    assert_eq!(three_to_two.new_subtasks(1).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(three_to_two.new_subtasks(2).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_mapping_is_an_identity_if_nothing_moves() {
    assert!(SubtaskMapping::identity(3).is_identity());
    assert!(SubtaskStateMapper::RoundRobin.mapping(3, 5).unwrap().is_identity(), "the new ones have nothing");
    assert!(!SubtaskStateMapper::RoundRobin.mapping(3, 2).unwrap().is_identity());
    assert!(SubtaskStateMapper::Range.mapping(4, 4).unwrap().is_identity());
    assert!(!SubtaskStateMapper::First.mapping(2, 2).unwrap().is_identity());
    assert!(!SubtaskStateMapper::Full.mapping(1, 2).unwrap().is_identity());
}

#[test]
fn partitioners_imply_mappers() {
    use SubtaskStateMapper::{Arbitrary, First, Full, Range, RoundRobin, Unsupported};
    for (partitioner, upstream, downstream, pattern) in [
        (Rebalance, Arbitrary, RoundRobin, DistributionPattern::AllToAll),
        (Shuffle, Arbitrary, RoundRobin, DistributionPattern::AllToAll),
        (KeyGroup, Arbitrary, Range, DistributionPattern::AllToAll),
        (Global, Arbitrary, First, DistributionPattern::AllToAll),
        (Custom, Arbitrary, Full, DistributionPattern::AllToAll),
        (Broadcast, Unsupported, Unsupported, DistributionPattern::AllToAll),
        (Forward, Unsupported, Unsupported, DistributionPattern::Pointwise),
        (Rescale, Unsupported, Unsupported, DistributionPattern::Pointwise),
    ] {
        let found = (partitioner.upstream_mapper(), partitioner.downstream_mapper(), partitioner.pattern());
        assert_eq!(found, (upstream, downstream, pattern), "{partitioner:?}");
    }
}

/// `before` with an output to `one`, both with records in their channels.
fn in_flight(before: u32, one: u32) -> Checkpoint {
    let before = (0..before).map(|_| outputs([(0, 0)])).collect();
    let one = (0..one).map(|subtask| inputs([(0, subtask)])).collect();
    checkpoint([("before", before), ("one", one)])
}

fn pair(before: u32, partitioner: Partitioner, one: u32) -> [JobVertex; 2] {
    [vertex("before", before), behind(0, partitioner, vertex("one", one))]
}

/// What becomes of both ends of the only edge.
fn ends(assignment: &StateAssignment) -> [&GateAssignment; 2] {
    let [before, one] = &assignment.vertices[..] else { panic!("{assignment:?}") };
    let ([output], [input]) = (&before.outputs[..], &one.inputs[..]) else { panic!("{assignment:?}") };
    assert_eq!(output.peers[0].subtasks, input.subtasks);
    assert_eq!(input.peers[0].subtasks, output.subtasks);
    [output, input]
}

#[test]
fn at_the_same_parallelism_records_stay_where_they_were_on_every_edge() {
    for partitioner in [Rebalance, Shuffle, KeyGroup, Global, Custom, Broadcast, Forward, Rescale] {
        let assignment = assigned(&in_flight(3, 2), &pair(3, partitioner, 2));
        let [output, input] = ends(&assignment);
        assert_eq!((output.direction, input.direction), (Direction::Output, Direction::Input));
        assert_eq!(*output.subtasks, SubtaskMapping::identity(3));
        assert_eq!(*input.subtasks, SubtaskMapping::identity(2));
        assert!(!output.is_rescaled() && !input.is_rescaled(), "{partitioner:?}");
    }
}

#[test]
fn records_are_divided_as_the_partitioner_says() {
    for (partitioner, output, input, filtered) in [
        (Rebalance, vec![vec![0, 2], vec![1]], vec![vec![0, 2], vec![1]], vec![vec![], vec![]]),
        (KeyGroup, vec![vec![0, 2], vec![1]], vec![vec![0, 1], vec![1, 2]], vec![vec![1], vec![1]]),
        (Global, vec![vec![0, 2], vec![1]], vec![vec![0, 1, 2], vec![]], vec![vec![], vec![]]),
        (Custom, vec![vec![0, 2], vec![1]], vec![vec![0, 1, 2]; 2], vec![vec![0, 1, 2]; 2]),
    ] {
        let assignment = assigned(&in_flight(3, 3), &pair(2, partitioner, 2));
        let [found_output, found_input] = ends(&assignment);
        assert_eq!(table(&found_output.subtasks, 2), output, "{partitioner:?}");
        assert_eq!(table(&found_input.subtasks, 2), input, "{partitioner:?}");
        let found = [0, 1].map(|subtask| found_input.filtered(subtask));
        assert_eq!(found.to_vec(), filtered, "{partitioner:?}");
        assert!(found_input.is_rescaled() && found_output.is_rescaled());
    }
}

#[test]
fn channels_are_read_of_the_gate_they_were_in() {
    let old = vec![inputs([(0, 0), (1, 5)]), inputs([(1, 6)]), inputs([(0, 2), (0, 3)])];
    let checkpoint = checkpoint([("one", old)]);
    let job =
        [vertex("left", 4), vertex("right", 8), behind(1, Global, behind(0, KeyGroup, vertex("one", 2)))];
    let assignment = assigned(&checkpoint, &job);
    let read = |gate: usize, subtask| -> Vec<(u32, u32)> {
        let gate = &assignment.vertices[2].inputs[gate];
        gate.handles(subtask, &checkpoint[&name("one")]).map(|(old, handle)| (old, handle.channel)).collect()
    };
    assert_eq!(read(0, 0), [(0, 0)]);
    assert_eq!(read(0, 1), [(2, 2), (2, 3)]);
    assert_eq!(read(1, 0), [(0, 5), (1, 6)]);
    assert_eq!(read(1, 1), []);
}

#[test]
fn edges_that_cannot_be_divided_keep_their_parallelism_while_there_are_records_on_them() {
    for partitioner in [Broadcast, Forward, Rescale] {
        for (before, one, vertex, peer, direction, new) in
            [(2, 3, "one", "before", Direction::Input, 3), (3, 2, "before", "one", Direction::Output, 3)]
        {
            for checkpoint in [
                in_flight(2, 2),
                checkpoint([("before", vec![outputs([(0, 0)]); 2]), ("one", vec![something(); 2])]),
                checkpoint([("before", vec![something(); 2]), ("one", vec![inputs([(0, 0)]); 2])]),
            ] {
                let error = refused(&checkpoint, &pair(before, partitioner, one));
                let (vertex, peer) = (name(vertex), name(peer));
                let expected =
                    AssignmentError::FixedParallelism { vertex, peer, direction, gate: 0, old: 2, new };
                assert_eq!(error, expected, "{partitioner:?}");
            }
            let at_rest = checkpoint([("before", vec![something(); 2]), ("one", vec![something(); 2])]);
            let assignment = assigned(&at_rest, &pair(before, partitioner, one));
            assert!(assignment.vertices.iter().all(|v| v.inputs.is_empty() && v.outputs.is_empty()));
        }
    }
}

/// Where the user's partitioner sends a record may depend on how many send.
#[test]
fn records_of_a_custom_partitioner_are_divided_anew_when_the_senders_change() {
    let of = |before, partitioner| {
        let assignment = assigned(&in_flight(2, 2), &pair(before, partitioner, 2));
        table(&ends(&assignment)[1].subtasks, 2)
    };
    assert_eq!(of(2, Custom), [[0], [1]]);
    assert_eq!(of(3, Custom), [[0, 1], [0, 1]]);
    assert_eq!(of(3, Global), [[0], [1]]);
}

#[test]
fn whoever_has_no_state_hears_of_the_records_around_it() {
    let only_output = checkpoint([("before", vec![outputs([(0, 0)]); 2])]);
    let assignment = assigned(&only_output, &pair(3, KeyGroup, 2));
    assert_eq!(assignment.vertices[1].begin, Begin::Restored, "records are on their way to it");
    let [output, input] = ends(&assignment);
    assert_eq!(table(&output.subtasks, 3), [vec![0], vec![1], vec![]]);
    assert_eq!(*input.subtasks, SubtaskMapping::identity(2), "it had as many subtasks as it has");

    let only_input = checkpoint([("one", vec![inputs([(0, 0)]); 2])]);
    assert_eq!(assigned(&only_input, &pair(3, KeyGroup, 2)).vertices[0].begin, Begin::Restored);
    let neither = checkpoint([("one", vec![something()])]);
    assert_eq!(assigned(&neither, &pair(3, KeyGroup, 2)).vertices[0].begin, Begin::Fresh);
}

#[test]
fn records_belong_to_the_ends_of_a_vertex() {
    let job = || [vertex("before", 1), behind(0, KeyGroup, chain("one", 1, ["a", "b", "c"]))];
    let mut with_sink = job().to_vec();
    with_sink.push(behind(1, KeyGroup, vertex("sink", 1)));
    let ends = checkpoint([("a", vec![inputs([(0, 0)])]), ("c", vec![outputs([(0, 0)])])]);
    let assignment = assigned(&ends, &with_sink);
    assert_eq!((assignment.vertices[1].inputs.len(), assignment.vertices[1].outputs.len()), (1, 1));

    let inside = checkpoint([
        ("a", vec![outputs([(0, 0)])]),
        ("b", vec![inputs([(0, 0)])]),
        ("c", vec![inputs([(0, 0)])]),
    ]);
    let error = refused(&inside, &job());
    let (vertex, direction) = (name("one"), Direction::Input);
    let operators = vec![name("b"), name("c")];
    assert_eq!(error, AssignmentError::Chained { vertex, direction, operators });
    let output_inside = checkpoint([("a", vec![outputs([(0, 0)])])]);
    let (vertex, direction, operators) = (name("one"), Direction::Output, vec![name("a")]);
    assert_eq!(
        refused(&output_inside, &with_sink),
        AssignmentError::Chained { vertex, direction, operators }
    );
}

#[test]
fn records_of_an_exchange_that_there_is_not_are_refused() {
    for (snapshot, direction) in
        [(inputs([(1, 0)]), Direction::Input), (outputs([(0, 0)]), Direction::Output)]
    {
        for parallelism in [1, 2] {
            let checkpoint = checkpoint([("one", vec![snapshot.clone()])]);
            let error = refused(&checkpoint, &pair(1, KeyGroup, parallelism));
            let (operator, gates) = (name("one"), u32::from(direction == Direction::Input));
            let gate = gates;
            assert_eq!(error, AssignmentError::UnknownGate { operator, direction, gate, gates });
        }
    }
}

#[test]
fn several_readers_of_one_output_have_to_agree() {
    let reader = |text, upstream_mapper| {
        let mut reader = behind(0, KeyGroup, vertex(text, 1));
        reader.inputs[0].upstream_mapper = upstream_mapper;
        reader
    };
    let state = || checkpoint([("before", vec![outputs([(0, 0)]); 3])]);
    let job = |before, other| {
        [vertex("before", before), reader("a", SubtaskStateMapper::Arbitrary), reader("b", other)]
    };
    let assignment = assigned(&state(), &job(2, SubtaskStateMapper::RoundRobin));
    assert_eq!(assignment.vertices[0].outputs[0].peers.len(), 2, "it is one output");
    assigned(&state(), &job(3, SubtaskStateMapper::First));
    let error = refused(&state(), &job(2, SubtaskStateMapper::First));
    let (vertex, output, consumer, other) = (name("before"), 0, name("a"), name("b"));
    assert_eq!(
        error,
        AssignmentError::ConflictingMappings { vertex, output, consumer, other, old: 3, new: 2 }
    );
    // With an output for each there is nothing to agree on.
    let mut apart = job(2, SubtaskStateMapper::First);
    apart[2].inputs[0].output = 1;
    let assignment = assigned(&state(), &apart);
    assert_eq!(assignment.vertices[0].outputs.len(), 1, "the other one has no records");
}
