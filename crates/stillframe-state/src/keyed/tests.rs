use super::*;
use crate::key_group::range_of;

type Counts = KeyedState<String, u64>;

const ALL: KeyGroupRange = KeyGroupRange { start: 0, end: 127 };

fn counts(keys: u64) -> Counts {
    let mut state = Counts::new(ALL, 128);
    for key in 0..keys {
        state.insert(format!("key {key}"), key);
    }
    state
}

#[test]
fn what_happens_after_the_capture_is_not_in_it() {
    let mut state = counts(500);
    let before: BTreeMap<_, _> = state.iter().map(|(key, value)| (key.clone(), *value)).collect();
    let snapshot = state.snapshot();
    for key in 0..500 {
        *state.get_or_default(format!("key {key}")) += 1;
    }
    state.remove(&"key 7".into());
    state.insert("new".into(), 1);
    let restored = Counts::restore(ALL, 128, [snapshot.encode().unwrap().as_slice()]).unwrap();
    let after: BTreeMap<_, _> = restored.iter().map(|(key, value)| (key.clone(), *value)).collect();
    assert_eq!(after, before);
}

#[test]
fn two_subtasks_become_three_and_no_key_is_lost_or_doubled() {
    let whole = counts(500).snapshot().encode().unwrap();
    let divide = |parts: &[Vec<u8>], parallelism| -> Vec<Counts> {
        let part = |subtask| range_of(subtask, parallelism, 128);
        (0..parallelism)
            .map(|subtask| Counts::restore(part(subtask), 128, parts.iter().map(Vec::as_slice)).unwrap())
            .collect()
    };
    let two = divide(&[whole], 2);
    let three = divide(&two.iter().map(|state| state.snapshot().encode().unwrap()).collect::<Vec<_>>(), 3);
    let mut keys: Vec<_> = three.iter().flat_map(|state| state.iter().map(|(_, value)| *value)).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..500).collect::<Vec<_>>());
    assert!(three.iter().all(|state| state.iter().count() > 100));
}

#[test]
fn foreign_state_is_refused() {
    let bytes = counts(3).snapshot().encode().unwrap();
    let found = |result: Result<Counts, StateError>| result.unwrap_err().to_string();
    let other = KeyGroupRange { start: 0, end: 63 };
    assert!(found(Counts::restore(other, 64, [bytes.as_slice()])).contains("max parallelism 128"));
    let misplaced = snapshot::misplaced();
    assert!(found(Counts::restore(ALL, 128, [misplaced.as_slice()])).contains("stands in group 0"));
    assert!(Counts::restore(ALL, 128, [&bytes[1..]]).is_err());
}

#[test]
#[should_panic(expected = "is the input exchanged by this key?")]
fn a_key_of_another_subtask_is_a_bug_of_the_job() {
    let mut state = Counts::new(KeyGroupRange { start: 0, end: 0 }, 128);
    (0..9).for_each(|key| *state.get_or_default(format!("key {key}")) += 1);
}
