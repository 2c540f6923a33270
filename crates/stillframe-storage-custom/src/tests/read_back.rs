use super::storage::{Fault, Shelf};
use super::{id, policy, script, views};
use crate::{
    CustomCheckpointStorage, CustomDescriptor, GuardPolicy, Plugin, ReadBack, ReadBackStorage, Rule,
    Violation,
};
use async_trait::async_trait;
use bytes::Bytes;
use core::num::NonZeroU32;
use futures_executor::block_on;
use std::sync::Arc;
use stillframe_model::LocationReference::Default;
use stillframe_model::{CheckpointId, JobId, LocationReference, StateHandle};
use stillframe_storage::{ErrorKind, StateReader, StateScope, StorageError};

#[async_trait]
impl ReadBackStorage for Shelf {
    async fn open(
        &self,
        _: JobId,
        _: CheckpointId,
        _: &LocationReference,
        handle: &StateHandle,
    ) -> Result<Box<dyn StateReader>, StorageError> {
        self.reader(handle)
    }
}

fn storage(fault: Fault, policy: GuardPolicy) -> CustomCheckpointStorage {
    let shelf = Arc::new(Shelf::new(fault));
    let plugin = Plugin::new(Arc::<Shelf>::clone(&shelf)).with_read_back(shelf);
    CustomCheckpointStorage::new(CustomDescriptor::new("shelf").unwrap(), plugin, policy)
}

fn always() -> GuardPolicy {
    policy().with_read_back(ReadBack::Always)
}

/// Writes so many states and syncs them.
fn sync(storage: &CustomCheckpointStorage, states: u32) -> Result<(), StorageError> {
    let (_, worker) = views(storage);
    for _ in 0..states {
        let stream = block_on(worker.create(id(1), &Default, StateScope::Exclusive)).unwrap();
        block_on(script::write(stream, &[b"more than what is inline"])).unwrap().unwrap();
    }
    let result = block_on(worker.sync(id(1), &Default));
    // What was found once is not forgotten.
    assert_eq!(block_on(worker.sync(id(1), &Default)).is_err(), result.is_err());
    result
}

#[test]
fn state_that_is_not_what_was_written_fails_its_sync() {
    sync(&storage(Fault::None, always()), 3).unwrap();
    sync(&storage(Fault::OtherBytes, policy()), 3).unwrap();
    for fault in [Fault::OtherBytes, Fault::ReaderTooShort, Fault::ReaderTooLong, Fault::EmptyPiece] {
        let error = sync(&storage(fault, always()), 1).unwrap_err();
        assert_eq!(Violation::of(&error).unwrap().rule(), Rule::ReadsWhatWasWritten, "{fault:?}");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_sample_is_one_in_so_many() {
    let sampled = || policy().with_read_back(ReadBack::Sampled(NonZeroU32::new(3).unwrap()));
    let wrong = storage(Fault::OtherBytes, sampled());
    sync(&wrong, 1).unwrap_err();
    let (_, worker) = views(&wrong);
    for expected in [true, true, false] {
        let stream = block_on(worker.create(id(2), &Default, StateScope::Exclusive)).unwrap();
        block_on(script::write(stream, &[b"more than what is inline"])).unwrap();
        assert_eq!(block_on(worker.sync(id(2), &Default)).is_ok(), expected);
    }
}

#[test]
fn metadata_that_is_not_what_was_committed_leaves_the_outcome_unknown() {
    for fault in [Fault::OtherMetadata, Fault::LosesMetadata] {
        let (coordinator, _) = views(&storage(fault, always()));
        block_on(coordinator.begin_checkpoint(id(1))).unwrap();
        let error = block_on(coordinator.commit(id(1), &Default, Bytes::from_static(b"m"), &[])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(Violation::of(&error).unwrap().rule(), Rule::ReadsWhatWasWritten);
        let refused = block_on(coordinator.discard(id(1), &Default)).unwrap_err();
        assert_eq!(Violation::of(&refused).unwrap().rule(), Rule::CompletedIsKept);
    }
}

#[test]
fn task_owned_state_is_read_back_when_it_is_finished() {
    for (fault, is_found) in [(Fault::None, false), (Fault::OtherBytes, true)] {
        let (_, worker) = views(&storage(fault, always()));
        let stream = block_on(worker.task_owned().unwrap().create()).unwrap();
        assert_eq!(block_on(script::write(stream, &[b"own"])).is_err(), is_found);
    }
}

#[test]
fn hardening_4_4_4_a_good_storage_passes_with_everything_read_back() {
    let shelf = Shelf::new(Fault::None);
    let plugin = Plugin::new(Arc::new(shelf.clone())).with_read_back(Arc::new(shelf.clone()));
    let storage = CustomCheckpointStorage::new(CustomDescriptor::new("shelf").unwrap(), plugin, always());
    block_on(script::everything(&storage, &shelf)).unwrap();
    assert_eq!(storage.report().violations, 0);
}
