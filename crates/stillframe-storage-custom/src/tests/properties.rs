//! Whatever is done with a correct storage, it does the same behind the guard.

use super::storage::{Fault, Shelf, TOO_MUCH, UNSYNCABLE};
use super::{guarded, id, policy, views};
use crate::{Party, ReadBack, Violation};
use bytes::Bytes;
use futures_executor::block_on;
use proptest::prelude::*;
use std::sync::Arc;
use stillframe_model::LocationReference::Default;
use stillframe_model::{JobStatus, StateHandle};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, StateScope, StateStream, StorageError,
    SweepMode, WorkerStorage,
};

#[derive(Clone, Debug)]
enum Step {
    Claim,
    Begin(u64),
    BeginSavepoint(u64),
    Commit(u64, Vec<u64>),
    Publish(u64),
    Discard(u64),
    Remove(u64),
    Conclude(bool, Vec<u64>),
    Sweep,
    Fence,
    Create(u64, bool),
    CreateTaskOwned,
    Write(Bytes),
    Finish,
    Abort,
    Drop,
    Sync(u64),
    Read(u64),
    Delete,
}

fn step() -> impl Strategy<Value = Step> {
    let checkpoint = || 1..6_u64;
    let some = || prop::collection::vec(1..6_u64, 0..3);
    let bytes = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Bytes::from),
        1 => Just(Bytes::from_static(TOO_MUCH)),
        1 => Just(Bytes::from_static(UNSYNCABLE)),
    ];
    prop_oneof![
        2 => Just(Step::Claim),
        4 => checkpoint().prop_map(Step::Begin),
        1 => checkpoint().prop_map(Step::BeginSavepoint),
        4 => (checkpoint(), some()).prop_map(|(id, dropped)| Step::Commit(id, without(id, dropped))),
        1 => checkpoint().prop_map(Step::Publish),
        2 => checkpoint().prop_map(Step::Discard),
        2 => checkpoint().prop_map(Step::Remove),
        1 => (any::<bool>(), some()).prop_map(|(finished, dropped)| Step::Conclude(finished, dropped)),
        1 => Just(Step::Sweep),
        1 => Just(Step::Fence),
        4 => (checkpoint(), any::<bool>()).prop_map(|(id, shared)| Step::Create(id, shared)),
        1 => Just(Step::CreateTaskOwned),
        8 => bytes.prop_map(Step::Write),
        4 => Just(Step::Finish),
        1 => Just(Step::Abort),
        1 => Just(Step::Drop),
        2 => checkpoint().prop_map(Step::Sync),
        4 => checkpoint().prop_map(Step::Read),
        1 => Just(Step::Delete),
    ]
}

/// No checkpoint drops itself.
fn without(own: u64, mut dropped: Vec<u64>) -> Vec<u64> {
    dropped.retain(|id| *id != own);
    dropped
}

/// A storage in use, and what it gave so far.
struct User {
    shelf: Shelf,
    coordinator: Arc<dyn CoordinatorStorage>,
    worker: Arc<dyn WorkerStorage>,
    stream: Option<Box<dyn StateStream>>,
    handles: Vec<StateHandle>,
}

/// What came of a step: its value, or the error, as text.
#[derive(Debug, PartialEq)]
enum Came {
    Of(String),
    /// The guard refused what no caller may do; the storage would have done anything.
    Refused,
}

impl User {
    fn new(shelf: Shelf, storage: &dyn CheckpointStorage) -> Self {
        let (coordinator, worker) = views(storage);
        Self { shelf, coordinator, worker, stream: None, handles: Vec::new() }
    }

    fn take(&mut self, step: &Step) -> Came {
        match block_on(self.try_take(step)) {
            Ok(value) => Came::Of(value),
            Err(error) => match Violation::of(&error) {
                Some(violation) if violation.rule().party() == Party::Caller => Came::Refused,
                Some(violation) => panic!("{violation}"),
                None => Came::Of(format!("{error:?}")),
            },
        }
    }

    async fn try_take(&mut self, step: &Step) -> Result<String, StorageError> {
        let ids = |numbers: &[u64]| numbers.iter().map(|number| id(*number)).collect::<Vec<_>>();
        let metadata = |number: &u64| Bytes::from(format!("metadata of {number}"));
        let coordinator = &*self.coordinator;
        let Self { worker, stream, .. } = self;
        Ok(match step {
            Step::Claim => format!("{:?}", coordinator.claim().await?),
            Step::Begin(number) => format!("{:?}", coordinator.begin_checkpoint(id(*number)).await?),
            Step::BeginSavepoint(number) => {
                format!("{:?}", coordinator.begin_savepoint(id(*number), None).await?)
            }
            Step::Commit(number, dropped) => {
                let dropped = ids(dropped);
                format!("{:?}", coordinator.commit(id(*number), &Default, metadata(number), &dropped).await?)
            }
            Step::Publish(number) => {
                format!("{:?}", coordinator.publish_savepoint(id(*number), &Default, metadata(number)).await?)
            }
            Step::Discard(number) => format!("{:?}", coordinator.discard(id(*number), &Default).await?),
            Step::Remove(number) => format!("{:?}", coordinator.remove(id(*number), &[]).await?),
            Step::Conclude(is_finished, dropped) => {
                let status = if *is_finished { JobStatus::Finished } else { JobStatus::Failed };
                format!("{:?}", coordinator.conclude(status, &ids(dropped)).await?)
            }
            Step::Sweep => format!("{:?}", coordinator.sweep(SweepMode::DryRun).await?),
            Step::Fence => {
                self.shelf.fence();
                String::new()
            }
            Step::Create(number, is_shared) => {
                let scope = if *is_shared { StateScope::Shared } else { StateScope::Exclusive };
                *stream = Some(worker.create(id(*number), &Default, scope).await?);
                String::new()
            }
            Step::CreateTaskOwned => {
                *stream = Some(worker.task_owned().unwrap().create().await?);
                String::new()
            }
            Step::Write(bytes) => match stream {
                Some(stream) => {
                    stream.write(bytes.clone()).await?;
                    stream.position().to_string()
                }
                None => String::new(),
            },
            Step::Finish => match stream.take() {
                Some(stream) => {
                    let handle = stream.finish().await?;
                    self.handles.extend(handle.clone());
                    format!("{handle:?}")
                }
                None => String::new(),
            },
            Step::Abort => match stream.take() {
                Some(stream) => format!("{:?}", stream.abort().await?),
                None => String::new(),
            },
            Step::Drop => {
                *stream = None;
                String::new()
            }
            Step::Sync(number) => format!("{:?}", worker.sync(id(*number), &Default).await?),
            Step::Read(number) => {
                let location = coordinator.open_checkpoint(id(*number)).await?;
                let mut shown = format!("{:?} {:?}", location.pointer(), location.metadata().await?);
                for handle in &self.handles {
                    shown += &read(&*location, handle).await?;
                }
                shown
            }
            Step::Delete => match self.handles.pop() {
                Some(handle) => format!("{:?}", worker.task_owned().unwrap().delete(&handle).await?),
                None => String::new(),
            },
        })
    }
}

async fn read(location: &dyn CompletedLocation, handle: &StateHandle) -> Result<String, StorageError> {
    let mut reader = location.open(handle).await?;
    let mut shown = format!("{}:", reader.len());
    while let Some(piece) = reader.next().await? {
        shown += &format!("{piece:?},");
    }
    Ok(shown + &format!("{:?}", location.read(handle).await?))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_correct_storage_does_the_same_behind_the_guard(steps in prop::collection::vec(step(), 1..60)) {
        let (plain, behind) = (Shelf::new(Fault::None), Shelf::new(Fault::None));
        let storage = guarded(&behind, policy().with_read_back(ReadBack::Always));
        let mut free = User::new(plain.clone(), &plain);
        let mut watched = User::new(behind, &storage);
        for step in &steps {
            let came = watched.take(step);
            if came == Came::Refused {
                // From here on the two have seen different things.
                break;
            }
            prop_assert_eq!(came, free.take(step), "{:?}", step);
        }
    }
}
