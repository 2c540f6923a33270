//! Operator state.

use super::{ElementRun, ListAssignment};
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_model::{Name, Redistribution, TaskSnapshot};

/// For each new subtask, what it reads of which list.
pub(super) fn assign(old: &[TaskSnapshot], parallelism: u32) -> Vec<Vec<ListAssignment>> {
    // In the order of their names, so that nothing depends on the order in which a task reports them.
    let mut states: BTreeMap<(&Name, Redistribution), Vec<ElementRun>> = BTreeMap::new();
    for (snapshot, subtask) in old.iter().zip(0..) {
        for list in &snapshot.operator {
            let reports = states.entry((&list.name, list.redistribution)).or_default();
            reports.push(ElementRun { subtask, elements: 0..list.elements });
        }
    }
    let mut new: Vec<Vec<ListAssignment>> = (0..parallelism).map(|_| Vec::new()).collect();
    let is_rescaled = new.len() != old.len();
    let mut start = 0;
    for ((name, redistribution), reports) in states {
        let runs: Vec<Arc<[ElementRun]>> = match redistribution {
            Redistribution::Split if is_rescaled => split(&reports, parallelism, &mut start),
            Redistribution::Split => kept(&reports, parallelism),
            Redistribution::Union => {
                let everything: Arc<[_]> =
                    reports.into_iter().filter(|run| !run.elements.is_empty()).collect();
                (0..parallelism).map(|_| Arc::clone(&everything)).collect()
            }
            Redistribution::Broadcast => {
                let copies = reports.into_iter().cycle();
                copies.take(new.len()).map(|copy| Arc::from([copy])).collect()
            }
        };
        for (lists, runs) in new.iter_mut().zip(runs) {
            if runs.iter().any(|run| !run.elements.is_empty()) {
                lists.push(ListAssignment { name: name.clone(), redistribution, runs });
            }
        }
    }
    new
}

/// Everybody what it had.
fn kept(reports: &[ElementRun], parallelism: u32) -> Vec<Arc<[ElementRun]>> {
    let own = |subtask| {
        let begin = reports.partition_point(|run| run.subtask < subtask);
        let own = reports.iter().skip(begin).take_while(|run| run.subtask == subtask);
        own.cloned().collect()
    };
    (0..parallelism).map(own).collect()
}

/// Deals all elements in their order to the subtasks from `start` on, in runs whose lengths differ by one at most. The
/// longer ones come first; with the subtask after the last of them the next list starts.
fn split(reports: &[ElementRun], parallelism: u32, start: &mut u32) -> Vec<Arc<[ElementRun]>> {
    let total: u64 = reports.iter().map(|run| u64::from(run.elements.end)).sum();
    let (each, longer) = (total / u64::from(parallelism), total % u64::from(parallelism));
    let mut rest = reports.iter().filter(|run| !run.elements.is_empty()).cloned().peekable();
    let mut dealt: Vec<Arc<[ElementRun]>> = (0..u64::from(parallelism))
        .map(|turn| {
            let mut wanted = each + u64::from(turn < longer);
            let mut runs = Vec::new();
            while wanted > 0
                && let Some(run) = rest.peek_mut()
            {
                let left = run.elements.end - run.elements.start;
                let taken = left.min(u32::try_from(wanted).unwrap_or(u32::MAX));
                let first = run.elements.start;
                runs.push(ElementRun { subtask: run.subtask, elements: first..first + taken });
                wanted -= u64::from(taken);
                run.elements.start += taken;
                rest.next_if(|run| run.elements.is_empty());
            }
            runs.into()
        })
        .collect();
    dealt.rotate_right(usize::try_from(*start).unwrap_or_default());
    let next = (u64::from(*start) + longer) % u64::from(parallelism);
    *start = u32::try_from(next).unwrap_or_default();
    dealt
}
