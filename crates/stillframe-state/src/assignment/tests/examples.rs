//! Keyed and operator state, in numbers that can be followed by hand.

use super::super::SubtaskAssignment;
use super::*;
use Redistribution::{Broadcast, Split, Union};

/// What each subtask reads of a list: old subtask, first element, and the one behind the last.
fn runs(subtasks: &[SubtaskAssignment], list: &str) -> Vec<Vec<(u32, u32, u32)>> {
    let of = |subtask: &SubtaskAssignment| {
        let runs =
            subtask.lists.iter().filter(|one| one.name.as_str() == list).flat_map(|one| one.runs.iter());
        runs.map(|run| (run.subtask, run.elements.start, run.elements.end)).collect()
    };
    subtasks.iter().map(of).collect()
}

/// What each subtask reads of the keyed state: old subtask, first group, last group.
fn groups(subtasks: &[SubtaskAssignment]) -> Vec<Vec<(u32, u16, u16)>> {
    let of = |subtask: &SubtaskAssignment| {
        subtask.keyed.iter().map(|run| (run.subtask, run.groups.start, run.groups.end)).collect()
    };
    subtasks.iter().map(of).collect()
}

#[test]
fn key_groups_go_to_their_new_owners() {
    let three = || vec![keyed(0, 42), keyed(43, 85), keyed(86, 127)];
    assert_eq!(
        groups(&rescaled(three(), 2)),
        [vec![(0, 0, 42), (1, 43, 63)], vec![(1, 64, 85), (2, 86, 127)]]
    );
    assert_eq!(groups(&rescaled(three(), 1)), [vec![(0, 0, 42), (1, 43, 85), (2, 86, 127)]]);
    assert_eq!(
        groups(&rescaled(three(), 4)),
        [
            vec![(0, 0, 31)],
            vec![(0, 32, 42), (1, 43, 63)],
            vec![(1, 64, 85), (2, 86, 95)],
            vec![(2, 96, 127)]
        ]
    );
    let with_a_gap = vec![keyed(0, 42), nothing(), keyed(86, 127)];
    assert_eq!(groups(&rescaled(with_a_gap, 2)), [vec![(0, 0, 42)], vec![(2, 86, 127)]]);
}

/// Flink hands the handles on without a look at their ranges.
#[test]
fn at_the_same_parallelism_everybody_keeps_its_key_groups_whatever_they_are() {
    let odd = vec![keyed(0, 100), keyed(101, 127)];
    assert_eq!(groups(&rescaled(odd, 2)), [[(0, 0, 100)], [(1, 101, 127)]]);
}

#[test]
fn a_split_list_is_dealt_in_contiguous_runs_the_longer_ones_first() {
    let old = || vec![lists([("list", Split, 3)]), lists([("list", Split, 2)])];
    assert_eq!(
        runs(&rescaled(old(), 3), "list"),
        [vec![(0, 0, 2)], vec![(0, 2, 3), (1, 0, 1)], vec![(1, 1, 2)]]
    );
    assert_eq!(runs(&rescaled(old(), 1), "list"), [[(0, 0, 3), (1, 0, 2)]]);
    assert_eq!(
        runs(&rescaled(old(), 7), "list"),
        [vec![(0, 0, 1)], vec![(0, 1, 2)], vec![(0, 2, 3)], vec![(1, 0, 1)], vec![(1, 1, 2)], vec![], vec![]]
    );
    let uneven = vec![lists([("list", Split, 1)]), lists([("list", Split, 4)])];
    assert_eq!(
        runs(&rescaled(uneven, 2), "list"),
        [[(0, 0, 1)], [(1, 0, 4)]],
        "the same parallelism keeps everything in place"
    );
}

/// Otherwise the first subtasks would get one more of every list.
#[test]
fn the_next_list_starts_behind_the_last_longer_run() {
    let old = || {
        let subtask = |a, b, c| lists([("c", Split, c), ("a", Split, a), ("b", Split, b)]);
        vec![subtask(3, 1, 1), subtask(2, 3, 1)]
    };
    let new = rescaled(old(), 3);
    // Five elements: two, two, one.
    assert_eq!(runs(&new, "a"), [vec![(0, 0, 2)], vec![(0, 2, 3), (1, 0, 1)], vec![(1, 1, 2)]]);
    // Four, from subtask 2 on: two, one, one. The run that comes first is that of subtask 2.
    assert_eq!(runs(&new, "b"), [vec![(1, 1, 2)], vec![(1, 2, 3)], vec![(0, 0, 1), (1, 0, 1)]]);
    // Two, from subtask 0 on, because 2 + 1 is 0 of 3.
    assert_eq!(runs(&new, "c"), [vec![(0, 0, 1)], vec![(1, 0, 1)], vec![]]);
    // Evenly dealt lists do not move the start.
    let even = vec![lists([("a", Split, 4), ("b", Split, 1)])];
    assert_eq!(runs(&rescaled(even, 2), "b"), [vec![(0, 0, 1)], vec![]]);
}

#[test]
fn a_union_list_goes_to_everybody_also_at_the_same_parallelism() {
    let old = || vec![lists([("list", Union, 2)]), nothing(), lists([("list", Union, 1)])];
    for parallelism in [1, 2, 3, 5] {
        for runs in runs(&rescaled(old(), parallelism), "list") {
            assert_eq!(runs, [(0, 0, 2), (2, 0, 1)], "at parallelism {parallelism}");
        }
    }
}

#[test]
fn of_a_broadcast_list_everybody_gets_the_copy_of_one_who_reported_it() {
    let old = || vec![lists([("list", Broadcast, 4)]), nothing(), lists([("list", Broadcast, 4)])];
    let copies = |parallelism| -> Vec<u32> {
        runs(&rescaled(old(), parallelism), "list")
            .into_iter()
            .map(|runs| match runs[..] {
                [(subtask, 0, 4)] => subtask,
                _ => panic!("{runs:?}"),
            })
            .collect()
    };
    assert_eq!(copies(1), [0]);
    assert_eq!(copies(5), [0, 2, 0, 2, 0]);
    assert_eq!(copies(3), [0, 2, 0], "one that had not reported it gets one, too");
    let all = vec![lists([("list", Broadcast, 4)]); 3];
    assert_eq!(runs(&rescaled(all, 3), "list"), [[(0, 0, 4)], [(1, 0, 4)], [(2, 0, 4)]]);
}

#[test]
fn a_name_that_is_dealt_in_two_ways_is_two_lists() {
    let old = vec![lists([("list", Split, 1)]), lists([("list", Union, 1)])];
    let new = rescaled(old, 1);
    let found: Vec<_> = new[0].lists.iter().map(|list| (list.redistribution, list.runs[0].subtask)).collect();
    assert_eq!(found, [(Split, 0), (Union, 1)]);
}

#[test]
fn lists_of_nothing_are_assigned_to_nobody() {
    let old = vec![lists([("a", Split, 0), ("b", Union, 0), ("c", Broadcast, 0)]); 2];
    for parallelism in [2, 3] {
        assert!(rescaled(old.clone(), parallelism).iter().all(|subtask| subtask.lists.is_empty()));
    }
}
