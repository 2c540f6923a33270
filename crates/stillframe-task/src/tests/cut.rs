//! The cut: what a captured state may and must contain. Records and barriers come in any interleaving; the specification is
//! the position of the barrier in each input, nothing else.

use super::*;
use alloc::collections::BTreeMap;
use alloc::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Record,
    Barrier(u64),
    Cancel(u64),
}

/// One input: elements with barriers in ascending order, some checkpoints missing or cancelled upstream.
fn input() -> impl Strategy<Value = Vec<Element>> {
    proptest::collection::vec((0_u8..4, 0_u8..10), 0..8).prop_map(|checkpoints| {
        let mut elements = Vec::new();
        for (number, (records, kind)) in (1..).zip(checkpoints) {
            elements.extend(vec![Element::Record; usize::from(records)]);
            match kind {
                0 => {}
                1 => elements.push(Element::Cancel(number)),
                _ => elements.push(Element::Barrier(number)),
            }
        }
        elements.extend([Element::Record; 2]);
        elements
    })
}

/// How many records stand before the barrier, if it is there.
fn position(input: &[Element], checkpoint: u64) -> Option<usize> {
    let at = input.iter().position(|element| *element == Element::Barrier(checkpoint))?;
    Some(input.iter().take(at).filter(|element| **element == Element::Record).count())
}

struct Run {
    /// For each checkpoint that was taken, how many records of each input were processed before.
    captured: BTreeMap<u64, Vec<usize>>,
    /// Records processed in the end, per input.
    processed: Vec<usize>,
}

/// Reads the inputs as `choices` say, each only while its gate is open, until all are read or all are blocked.
fn run(policy: BarrierPolicy, inputs: &[Vec<Element>], choices: &[usize]) -> Run {
    let mut task = TaskMachine::new(inputs.len(), policy, None);
    let mut next = vec![0; inputs.len()];
    let mut run = Run { captured: BTreeMap::new(), processed: vec![0; inputs.len()] };
    let mut ended = vec![false; inputs.len()];
    let mut turn = 0;
    loop {
        let readable: Vec<_> = (0..inputs.len())
            .filter(|&channel| !ended[channel] && task.gate(channel) == Gate::Open)
            .collect();
        if readable.is_empty() {
            assert!(
                ended.iter().all(|ended| *ended),
                "every input is read to its end; a blocked one is unblocked"
            );
            return run;
        }
        let channel = readable[choices[turn % choices.len()] % readable.len()];
        turn += 1;
        let element = inputs[channel].get(next[channel]).copied();
        next[channel] += 1;
        let effects = match element {
            Some(Element::Record) => {
                run.processed[channel] += 1;
                continue;
            }
            Some(Element::Barrier(number)) => arrives(&mut task, channel, number),
            Some(Element::Cancel(number)) => {
                task.handle(Event::CancelMarker { channel, checkpoint: id(number) })
            }
            None => {
                ended[channel] = true;
                task.handle(Event::EndOfInput { channel })
            }
        };
        for effect in effects {
            if let Effect::Capture(barrier) = effect {
                let before = run.captured.insert(barrier.checkpoint.get(), run.processed.clone());
                assert_eq!(before, None, "a checkpoint is captured once");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_once_captures_the_records_before_the_barriers_and_no_others(
        inputs in proptest::collection::vec(input(), 1..5),
        choices in proptest::collection::vec(0_usize..60, 1..60),
    ) {
        let run = run(BarrierPolicy::Align, &inputs, &choices);
        for (checkpoint, captured) in run.captured {
            for (input, captured) in inputs.iter().zip(captured) {
                // An input without the barrier has ended, and belongs to the checkpoint as a whole.
                let all = input.iter().filter(|element| **element == Element::Record).count();
                prop_assert_eq!(captured, position(input, checkpoint).unwrap_or(all), "checkpoint {}", checkpoint);
            }
        }
        let total: usize = inputs.iter().flatten().filter(|element| **element == Element::Record).count();
        prop_assert_eq!(run.processed.iter().sum::<usize>(), total, "no record is lost in a blocked input");
    }

    #[test]
    fn at_least_once_captures_at_least_the_records_before_the_barriers(
        inputs in proptest::collection::vec(input(), 1..5),
        choices in proptest::collection::vec(0_usize..60, 1..60),
    ) {
        let run = run(BarrierPolicy::Track, &inputs, &choices);
        for (checkpoint, captured) in run.captured {
            for (input, captured) in inputs.iter().zip(captured) {
                prop_assert!(position(input, checkpoint).is_none_or(|position| captured >= position));
            }
        }
    }

    #[test]
    fn a_checkpoint_whose_barriers_all_come_undisturbed_is_taken(
        channels in 1_usize..5,
        records in 0_usize..4,
        choices in proptest::collection::vec(0_usize..60, 1..60),
    ) {
        let mut input = vec![Element::Record; records];
        input.extend([Element::Barrier(1), Element::Record, Element::Barrier(2)]);
        for policy in [BarrierPolicy::Align, BarrierPolicy::Track] {
            let run = run(policy, &vec![input.clone(); channels], &choices);
            prop_assert!(run.captured.contains_key(&2));
            prop_assert!(policy == BarrierPolicy::Track || run.captured.contains_key(&1));
        }
    }
}
