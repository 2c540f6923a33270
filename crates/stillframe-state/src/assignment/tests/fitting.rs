//! Whether a checkpoint fits a job: names, key groups, and descriptions of jobs that cannot be.

use super::super::Begin;
use super::*;

fn with_max(max_parallelism: u16, subtasks: Vec<TaskSnapshot>) -> Checkpoint {
    [(name("one"), OperatorState { max_parallelism, subtasks, coordinator: None })].into()
}

#[test]
fn state_is_found_by_its_name_and_by_the_earlier_name_otherwise() {
    let names = OperatorNames { name: name("given"), otherwise: Some(name("made-up")) };
    let job = [JobVertex { operators: vec![names], ..vertex("one", 1) }];
    let found = |checkpoint: &Checkpoint| {
        let assignment = assign(checkpoint, &job, LEAVING_OUT).unwrap();
        (assignment.vertices[0].operators[0].state.clone(), assignment.left_out)
    };
    let state = || vec![something()];
    assert_eq!(found(&checkpoint([("given", state())])), (Some(name("given")), vec![]));
    assert_eq!(found(&checkpoint([("made-up", state())])), (Some(name("made-up")), vec![]));
    let both = checkpoint([("given", state()), ("made-up", state())]);
    assert_eq!(found(&both), (Some(name("given")), vec![name("made-up")]));
}

#[test]
fn an_operator_without_state_begins_with_nothing_on_all_its_subtasks() {
    let assignment =
        assigned(&checkpoint([("one", vec![something(); 2])]), &[vertex("one", 2), vertex("new", 3)]);
    let [one, new] = &assignment.vertices[..] else { panic!("{assignment:?}") };
    assert_eq!((one.begin, new.begin), (Begin::Restored, Begin::Fresh));
    assert_eq!(new.operators[0].state, None);
    assert_eq!(new.operators[0].subtasks, vec![Default::default(); 3]);
    assert_eq!(new.max_parallelism, 128);
}

#[test]
fn all_state_that_nobody_claims_is_named() {
    let state = || vec![something()];
    let checkpoint = checkpoint([
        ("b", state()),
        ("one", state()),
        ("a", state()),
        ("empty", vec![nothing()]),
        ("finished", vec![at_its_end(nothing())]),
    ]);
    let error = refused(&checkpoint, &[vertex("one", 1)]);
    assert_eq!(error, AssignmentError::Unclaimed { operators: vec![name("a"), name("b")] });
    assert!(error.to_string().contains("does not have: a, b;"), "{error}");
    let assignment = assign(&checkpoint, &[vertex("one", 1)], LEAVING_OUT).unwrap();
    assert_eq!(assignment.left_out, [name("a"), name("b")]);
}

#[test]
fn state_is_claimed_once() {
    let one = || checkpoint([("one", vec![something()])]);
    let error = refused(&one(), &[vertex("one", 1), chain("two", 1, ["one"])]);
    let (operator, other) = (name("one"), name("two"));
    assert_eq!(error, AssignmentError::ClaimedTwice { operator: operator.clone(), vertex: operator, other });
}

#[test]
fn a_max_parallelism_that_nobody_set_gives_way_to_that_of_the_state() {
    let job = |max| [JobVertex { max_parallelism: max, ..vertex("one", 4) }];
    for stored in [4, 100, 128, 1000] {
        let assignment = assigned(&with_max(stored, vec![keyed(0, 3)]), &job(MaxParallelism::Derived(128)));
        assert_eq!(assignment.vertices[0].max_parallelism, stored);
        let assigned = assign(
            &with_max(stored, vec![keyed(0, 3)]),
            &job(MaxParallelism::Explicit(128)),
            AssignmentOptions::default(),
        );
        match assigned {
            Ok(assignment) => assert_eq!((stored, assignment.vertices[0].max_parallelism), (128, 128)),
            Err(error) => {
                let operator = name("one");
                assert_eq!(error, AssignmentError::MaxParallelism { operator, stored, set: 128 });
                assert!(error.to_string().contains("operator one was written"), "{error}");
            }
        }
    }
    // The key groups are dealt by the number that was adopted.
    let assignment = assigned(&with_max(8, vec![keyed(0, 7)]), &job(MaxParallelism::Derived(128)));
    let owned = assignment.vertices[0].operators[0].subtasks.iter().map(|subtask| subtask.keyed[0].groups);
    assert_eq!(owned.collect::<Vec<_>>(), [range(0, 1), range(2, 3), range(4, 5), range(6, 7)]);
}

#[test]
fn there_cannot_be_more_subtasks_than_key_groups() {
    for max in [MaxParallelism::Derived(128), MaxParallelism::Explicit(128)] {
        let job = [JobVertex { max_parallelism: max, ..vertex("one", 4) }];
        let error = refused(&with_max(3, vec![keyed(0, 2)]), &job);
        let operator = name("one");
        assert_eq!(error, AssignmentError::ParallelismAboveMax { operator, stored: 3, parallelism: 4 });
    }
}

/// An operator is in every checkpoint, with state or without.
#[test]
fn the_max_parallelism_of_no_state_does_not_matter() {
    let job = [JobVertex { max_parallelism: MaxParallelism::Explicit(200), ..vertex("one", 150) }];
    let assignment = assigned(&with_max(128, vec![nothing(); 3]), &job);
    assert_eq!((assignment.vertices[0].max_parallelism, assignment.vertices[0].begin), (200, Begin::Fresh));
}

#[test]
fn operators_of_one_vertex_have_one_max_parallelism() {
    let mut checkpoint = checkpoint([("a", vec![something()]), ("b", vec![something()])]);
    let job = [chain("one", 1, ["a", "b"])];
    assert_eq!(assigned(&checkpoint, &job).vertices[0].max_parallelism, 128);
    checkpoint.get_mut(&name("b")).unwrap().max_parallelism = 256;
    let error = refused(&checkpoint, &job);
    assert_eq!(
        error,
        AssignmentError::MaxParallelismsDiffer {
            vertex: name("one"),
            operator: name("a"),
            stored: 128,
            other: name("b"),
            other_stored: 256,
        }
    );
}

#[test]
fn key_groups_that_there_are_not_are_refused() {
    for groups in [(100, 128), (5, 4)] {
        for parallelism in [2, 3] {
            let checkpoint = with_max(128, vec![nothing(), keyed(groups.0, groups.1)]);
            let error = refused(&checkpoint, &[vertex("one", parallelism)]);
            let (operator, range) = (name("one"), range(groups.0, groups.1));
            let subtask = 1;
            assert_eq!(error, AssignmentError::KeyGroups { operator, subtask, range, max_parallelism: 128 });
        }
    }
}

#[test]
fn a_job_that_cannot_be_is_refused() {
    let none = Checkpoint::new();
    for (parallelism, max) in [(0, 128), (129, 128), (1, 0), (1, 32_769)] {
        let job = JobVertex { max_parallelism: MaxParallelism::Explicit(max), ..vertex("one", parallelism) };
        let (vertex, max_parallelism) = (name("one"), max);
        let expected = AssignmentError::Parallelism { vertex, parallelism, max_parallelism };
        assert_eq!(refused(&none, &[job]), expected);
    }
    let empty = chain("one", 1, []);
    assert_eq!(refused(&none, &[empty]), AssignmentError::NoOperators { vertex: name("one") });
    let loose = behind(7, Partitioner::Forward, vertex("one", 1));
    let (vertex, gate, upstream) = (name("one"), 0, 7);
    assert_eq!(refused(&none, &[loose]), AssignmentError::UnknownUpstream { vertex, gate, upstream });
}
