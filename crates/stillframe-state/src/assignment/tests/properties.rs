//! What holds for every state and every parallelism.

use super::super::{SubtaskAssignment, SubtaskStateMapper};
use super::*;
use crate::key_group;
use Redistribution::{Broadcast, Split, Union};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeSet;

const LISTS: [(&str, Redistribution); 5] =
    [("a", Split), ("b", Union), ("c", Split), ("d", Broadcast), ("e", Split)];

/// How many elements each subtask has of each list; `None` if it does not report it.
fn reports() -> impl Strategy<Value = Vec<Vec<Option<u32>>>> {
    let elements = proptest::option::weighted(0.8, 0_u32..6);
    proptest::collection::vec(proptest::collection::vec(elements, LISTS.len()), 1..12)
}

fn snapshots(reports: &[Vec<Option<u32>>]) -> Vec<TaskSnapshot> {
    let of =
        |counts: &Vec<Option<u32>>| {
            lists(LISTS.iter().zip(counts).filter_map(|((list, redistribution), count)| {
                count.map(|count| (*list, *redistribution, count))
            }))
        };
    reports.iter().map(of).collect()
}

/// The elements of a list that a subtask gets, each as its old subtask and its place there.
fn elements(subtask: &SubtaskAssignment, list: &str) -> Vec<(u32, u32)> {
    let runs = subtask.lists.iter().filter(|one| one.name.as_str() == list).flat_map(|one| one.runs.iter());
    runs.flat_map(|run| run.elements.clone().map(|element| (run.subtask, element))).collect()
}

/// All elements of a list in their old order.
fn all(reports: &[Vec<Option<u32>>], list: usize) -> Vec<(u32, u32)> {
    let subtasks = (0..).zip(reports);
    subtasks
        .flat_map(|(subtask, counts)| (0..counts[list].unwrap_or(0)).map(move |one| (subtask, one)))
        .collect()
}

/// What Flink does, in as many steps as it takes: elements are dealt one by one.
fn dealt_one_by_one(
    reports: &[Vec<Option<u32>>],
    new: usize,
) -> BTreeMap<&'static str, Vec<Vec<(u32, u32)>>> {
    let mut start = 0;
    let mut dealt = BTreeMap::new();
    for (index, (list, redistribution)) in LISTS.iter().enumerate() {
        if *redistribution != Split {
            continue;
        }
        let mut rest: std::collections::VecDeque<_> = all(reports, index).into();
        let (each, mut odd) = (rest.len() / new, rest.len() % new);
        let mut of_list = vec![Vec::new(); new];
        let (mut next, mut is_over) = (start, false);
        for turn in 0..new {
            let subtask = (start + turn) % new;
            let mut wanted = each;
            if odd > 0 {
                wanted += 1;
                odd -= 1;
            } else if !is_over {
                next = subtask;
                is_over = true;
            }
            of_list[subtask].extend(rest.drain(..wanted));
        }
        start = next;
        dealt.insert(*list, of_list);
    }
    dealt
}

proptest! {
    #[test]
    fn every_element_of_a_split_list_goes_to_one_subtask(reports in reports(), new in 1_u32..15) {
        let old = snapshots(&reports);
        let is_rescaled = old.len() != new as usize;
        let subtasks = rescaled(old, new);
        prop_assert_eq!(subtasks.len(), new as usize);
        for (index, (list, _)) in LISTS.iter().enumerate().filter(|(_, (_, how))| *how == Split) {
            let dealt: Vec<_> = subtasks.iter().map(|subtask| elements(subtask, list)).collect();
            let mut sorted = dealt.concat();
            sorted.sort_unstable();
            let all = all(&reports, index);
            prop_assert_eq!(&sorted, &all, "each exactly once");
            for run in &dealt {
                let first = run.first().map(|first| all.iter().position(|one| one == first).unwrap());
                let expected = first.map_or(&[][..], |first| &all[first..first + run.len()]);
                prop_assert_eq!(&run[..], expected, "contiguous");
            }
            if is_rescaled {
                let sizes = dealt.iter().map(Vec::len);
                prop_assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
            } else {
                for (subtask, run) in (0..).zip(&dealt) {
                    prop_assert!(run.iter().all(|(owner, _)| *owner == subtask), "everybody keeps its own");
                }
            }
        }
        if is_rescaled {
            for (list, expected) in dealt_one_by_one(&reports, new as usize) {
                let dealt: Vec<_> = subtasks.iter().map(|subtask| elements(subtask, list)).collect();
                prop_assert_eq!(dealt, expected, "list {}", list);
            }
            let split = |subtask: &SubtaskAssignment| -> usize {
                ["a", "c", "e"].iter().map(|list| elements(subtask, list).len()).sum()
            };
            let sizes = subtasks.iter().map(split);
            prop_assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "over all lists together");
        }
    }

    #[test]
    fn a_union_list_goes_to_everybody_whole(reports in reports(), new in 1_u32..15) {
        for subtask in rescaled(snapshots(&reports), new) {
            prop_assert_eq!(elements(&subtask, "b"), all(&reports, 1));
        }
    }

    #[test]
    fn of_a_broadcast_list_everybody_gets_the_copy_of_its_number_among_those_who_reported(
        reports in reports(), new in 1_u32..15,
    ) {
        let copies: Vec<Vec<(u32, u32)>> = (0..)
            .zip(&reports)
            .filter_map(|(subtask, counts)| counts[3].map(|count| (0..count).map(|one| (subtask, one)).collect()))
            .collect();
        for (number, subtask) in rescaled(snapshots(&reports), new).iter().enumerate() {
            let expected = if copies.is_empty() { &[][..] } else { &copies[number % copies.len()][..] };
            prop_assert_eq!(&elements(subtask, "d")[..], expected);
        }
    }

    /// The order in which a subtask names its lists is chance.
    #[test]
    fn the_order_of_reports_does_not_matter(reports in reports(), new in 1_u32..15, turn: Index) {
        let old = snapshots(&reports);
        let mut turned = old.clone();
        for snapshot in &mut turned {
            let len = snapshot.operator.len();
            if len > 0 {
                snapshot.operator.rotate_left(turn.index(len));
            }
        }
        prop_assert_eq!(rescaled(old, new), rescaled(turned, new));
    }

    #[test]
    fn every_key_group_goes_to_its_owner_and_to_nobody_else(
        max in 1_u16..300, old: Index, new: Index, without in proptest::collection::btree_set(0_u32..300, 0..3),
    ) {
        let count = |index: Index| u32::try_from(index.index(usize::from(max))).unwrap() + 1;
        let (old, new) = (count(old), count(new));
        let snapshot = |subtask| {
            let range = key_group::range_of(subtask, old, max);
            if without.contains(&subtask) { nothing() } else { keyed(range.start, range.end) }
        };
        let state = OperatorState { max_parallelism: max, subtasks: (0..old).map(snapshot).collect(), coordinator: None };
        let job = [JobVertex::new(name("one"), new, MaxParallelism::Explicit(max))];
        let assignment = assigned(&[(name("one"), state)].into(), &job);
        let mut seen = BTreeSet::new();
        for (subtask, assigned) in (0..).zip(&assignment.vertices[0].operators[0].subtasks) {
            let runs = &assigned.keyed;
            prop_assert!(runs.windows(2).all(|two| two[0].subtask < two[1].subtask), "in the order of the old ones");
            for run in runs {
                prop_assert!(run.groups.start <= run.groups.end);
                for group in run.groups.start..=run.groups.end {
                    prop_assert_eq!(key_group::subtask_of(group, new, max), subtask);
                    prop_assert_eq!(key_group::subtask_of(group, old, max), run.subtask);
                    prop_assert!(seen.insert(group), "group {} goes to two", group);
                }
            }
        }
        let kept = (0..max).filter(|group| !without.contains(&key_group::subtask_of(*group, old, max)));
        // An operator without any state is not restored at all.
        prop_assert_eq!(seen, kept.collect());
    }

    #[test]
    fn every_old_subtask_is_read_and_the_owner_of_a_key_reads_its_old_owner(old in 1_u32..40, new in 1_u32..40) {
        use SubtaskStateMapper::{Arbitrary, First, Full, Range, RoundRobin};
        for mapper in [Arbitrary, RoundRobin, First, Full, Range] {
            let mapping = mapper.mapping(old, new).unwrap();
            for subtask in 0..old {
                let readers: Vec<_> = mapping.new_subtasks(subtask).collect();
                prop_assert!(!readers.is_empty(), "{:?}", mapper);
                prop_assert_eq!(readers.len() > 1, mapping.ambiguous().contains(&subtask));
                for reader in readers {
                    prop_assert!(mapping.old_subtasks(reader).contains(&subtask));
                }
            }
        }
        let range = Range.mapping(old, new).unwrap();
        for group in 0..128 {
            let owner = |parallelism| key_group::subtask_of(group, parallelism, 128);
            prop_assert!(range.old_subtasks(owner(new)).contains(&owner(old)), "of 128 groups as of any number");
        }
    }
}
