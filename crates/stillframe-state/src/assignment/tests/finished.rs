//! Where a job can go on when some of it had finished.

use super::super::{Begin, DistributionPattern, FinishedState};
use super::*;
use FinishedState::{Fully, Partly, Running};

/// Two subtasks that were so far.
fn so_far(state: FinishedState) -> Vec<TaskSnapshot> {
    match state {
        Running => vec![something(), something()],
        Partly => vec![at_its_end(something()), something()],
        Fully => vec![at_its_end(something()), at_its_end(something())],
    }
}

fn ends(assignment: &StateAssignment) -> Vec<Vec<bool>> {
    let of = |vertex: &super::super::VertexAssignment| {
        vertex.operators[0].subtasks.iter().map(|subtask| subtask.finished).collect()
    };
    assignment.vertices.iter().map(of).collect()
}

#[test]
fn what_had_finished_is_finished_again_with_its_state() {
    let of =
        |state, parallelism| assigned(&checkpoint([("one", so_far(state))]), &[vertex("one", parallelism)]);
    assert_eq!(of(Fully, 2).vertices[0].begin, Begin::Finished);
    assert_eq!(of(Fully, 3).vertices[0].begin, Begin::Finished);
    assert_eq!(of(Partly, 2).vertices[0].begin, Begin::Restored);
    assert_eq!(ends(&of(Fully, 2)), [[true, true]]);
    assert_eq!(ends(&of(Fully, 3)), [[true, true, true]]);
    assert_eq!(ends(&of(Fully, 1)), [[true]]);
    assert_eq!(ends(&of(Partly, 2)), [[true, false]]);
    assert_eq!(ends(&of(Running, 2)), [[false, false]]);
    let lists = |assignment: StateAssignment| {
        let subtasks =
            assignment.vertices.into_iter().flat_map(|vertex| vertex.operators[0].subtasks.clone());
        subtasks.map(|subtask| subtask.lists.len()).sum::<usize>()
    };
    assert_eq!((lists(of(Fully, 2)), lists(of(Fully, 1))), (2, 1));
    let without_state = checkpoint([("one", vec![at_its_end(nothing())])]);
    assert_eq!(assigned(&without_state, &[vertex("one", 4)]).vertices[0].begin, Begin::Finished);
}

#[test]
fn a_source_of_which_a_part_had_finished_is_divided_anew_and_an_operator_is_not() {
    let source = [vertex("one", 3)];
    assert_eq!(ends(&assigned(&checkpoint([("one", so_far(Partly))]), &source)), [[false, false, false]]);

    let job = [vertex("source", 1), behind(0, Partitioner::KeyGroup, vertex("one", 3))];
    let before = || ("source", vec![at_its_end(something())]);
    let error = refused(&checkpoint([before(), ("one", so_far(Partly))]), &job);
    let operator = name("one");
    assert_eq!(error, AssignmentError::PartlyFinished { operator, finished: 1, old: 2, new: 3 });
    // Nothing is finished twice where there is nothing to finish.
    let stateless = vec![at_its_end(nothing()), something()];
    let assignment = assigned(&checkpoint([before(), ("one", stateless)]), &job);
    assert_eq!(ends(&assignment), [vec![true], vec![false, false, false]]);
}

#[test]
fn nothing_finished_before_what_comes_before_it() {
    for before in [Running, Partly, Fully] {
        for state in [Running, Partly, Fully] {
            for partitioner in [Partitioner::Rebalance, Partitioner::Rescale] {
                let pattern = partitioner.pattern();
                let fits = match (state, pattern) {
                    (Running, _) => true,
                    (Partly, DistributionPattern::Pointwise) => before != Running,
                    (Partly, DistributionPattern::AllToAll) | (Fully, _) => before == Fully,
                };
                let checkpoint = checkpoint([("before", so_far(before)), ("one", so_far(state))]);
                let job = [vertex("before", 2), behind(0, partitioner, vertex("one", 2))];
                let result = assign(&checkpoint, &job, AssignmentOptions::default());
                assert_eq!(result.is_ok(), fits, "{state} behind {before}, {pattern}");
                let Err(error) = result else { continue };
                let lenient = AssignmentOptions { may_finish_early: true, ..AssignmentOptions::default() };
                let assignment = assign(&checkpoint, &job, lenient).unwrap();
                let ended = |subtask: &TaskSnapshot| subtask.finished;
                assert_eq!(ends(&assignment)[1], so_far(state).iter().map(ended).collect::<Vec<_>>());
                assert_eq!(
                    error,
                    AssignmentError::FinishedBeforePredecessor {
                        vertex: name("one"),
                        state,
                        predecessor: name("before"),
                        predecessor_state: before,
                        pattern,
                    }
                );
            }
        }
    }
}

#[test]
fn of_several_edges_from_one_vertex_the_strictest_counts() {
    let checkpoint = checkpoint([("before", so_far(Partly)), ("one", so_far(Partly))]);
    let pointwise = behind(0, Partitioner::Forward, vertex("one", 2));
    let job = |vertex_behind: JobVertex| [vertex("before", 2), vertex_behind];
    assigned(&checkpoint, &job(pointwise.clone()));
    for both in [
        behind(0, Partitioner::Rebalance, pointwise),
        behind(0, Partitioner::Forward, behind(0, Partitioner::Rebalance, vertex("one", 2))),
    ] {
        refused(&checkpoint, &job(both));
    }
}

#[test]
fn a_new_vertex_before_a_finished_one_is_refused() {
    let job = [vertex("new", 1), behind(0, Partitioner::KeyGroup, vertex("one", 2))];
    let error = refused(&checkpoint([("one", so_far(Fully))]), &job);
    assert!(
        matches!(&error, AssignmentError::FinishedBeforePredecessor { predecessor_state: Running, .. }),
        "{error:?}"
    );
}

#[test]
fn operators_of_one_vertex_finish_together() {
    for (one, other) in [(Fully, Running), (Fully, Partly), (Running, Partly)] {
        let checkpoint = checkpoint([("a", so_far(one)), ("b", so_far(other))]);
        let error = refused(&checkpoint, &[chain("one", 2, ["a", "b"])]);
        let (vertex, operator, state, other, other_state) = (name("one"), name("a"), one, name("b"), other);
        assert_eq!(error, AssignmentError::MixedFinished { vertex, operator, state, other, other_state });
    }
    // An operator that is new in the vertex has not finished.
    let checkpoint = checkpoint([("a", so_far(Fully))]);
    let error = refused(&checkpoint, &[chain("one", 2, ["a", "new"])]);
    assert!(matches!(error, AssignmentError::MixedFinished { other_state: Running, .. }), "{error:?}");
}
