//! What this crate promises beyond the conformance cases: the layout, pointers, the register and foreign files.

mod adoption;
mod beside;
mod register;

use crate::map_store::Medium;
use async_trait::async_trait;
use bytes::Bytes;
use futures_executor::block_on;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, JobId, LocationReference, Pointer, StateHandle,
    StorageDescriptor, UnixMillis,
};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, StateScope, StorageAccess,
    StorageError,
};
use stillframe_storage_conformance::{Subject, conformance_tests};

const JOB: JobId = JobId::from_bytes([0x11; 16]);
const JOB_DIRECTORY: &str = "/c/11111111111111111111111111111111";
const ONE: CheckpointId = CheckpointId::new(1);

#[derive(Debug)]
struct Mapped(Medium);

#[async_trait]
impl CheckpointStorage for Mapped {
    fn descriptor(&self) -> StorageDescriptor {
        StorageDescriptor::new("map")
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        self.0.storage("/c").with_inline_threshold(1024).open(job).await
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.0.storage("/c").resolve(pointer).await
    }

    async fn dispose_savepoint(&self, savepoint: &Pointer) -> Result<(), StorageError> {
        self.0.storage("/c").with_inline_threshold(1024).dispose_savepoint(savepoint).await
    }

    async fn export(&self, snapshot: &Pointer, target: &str) -> Result<Pointer, StorageError> {
        self.0.storage("/c").with_inline_threshold(1024).export(snapshot, target).await
    }
}

fn fresh() -> Subject {
    subject(Medium::default())
}

fn fresh_of_whole_objects() -> Subject {
    subject(Medium::default().showing_whole_objects_only())
}

fn subject(medium: Medium) -> Subject {
    let [same, residue, foreign, damaged, moved, failing] = [(); 6].map(|()| medium.clone());
    let put = move |job, checkpoint| {
        let name = format!("/c/{job}/chk-{checkpoint}/notes.txt");
        foreign.put(&name, b"somebody's");
        name
    };
    let damage = move |name: &str| {
        let mut bytes = damaged.content(name).expect("it is there").to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        damaged.replace(name, bytes);
    };
    let relocate = move |pointer: &Pointer| {
        for from in moved.files() {
            if let Some(name) = from.strip_prefix(pointer.as_str()) {
                moved.replace(&format!("/moved{name}"), moved.content(&from).expect("it is there"));
                moved.remove(&from);
            }
        }
        Pointer::new("/moved")
    };
    Subject::new(Arc::new(Mapped(medium)), move |_| Ok(Arc::new(Mapped(same.clone()))))
        .with_residue(move || residue.files().into_iter().filter(|name| !name.contains("/_ctl/")).collect())
        .with_metadata(|metadata| stillframe_metadata::encode(metadata).expect("it is small").into())
        .with_decoding(|bytes| stillframe_metadata::decode(bytes).expect("it was encoded"))
        .with_savepoint_target("/asked/for")
        .with_foreign(put)
        .with_damage(damage)
        .with_relocation(relocate)
        .with_outage(move |begins| failing.outage(begins))
}

mod conformance {
    super::conformance_tests!(super::fresh);
}

mod conformance_of_whole_objects {
    super::conformance_tests!(super::fresh_of_whole_objects);
}

/// A coordinator that holds the job.
fn coordinator(medium: &Medium) -> Arc<dyn CoordinatorStorage> {
    let coordinator = block_on(medium.storage("/c").open(JOB)).unwrap().coordinator();
    block_on(coordinator.claim()).unwrap();
    coordinator
}

fn metadata(checkpoint: CheckpointId) -> Bytes {
    let metadata = CheckpointMetadata {
        job: JOB,
        checkpoint,
        kind: CheckpointKind::Checkpoint,
        triggered_at: UnixMillis(0),
        operators: BTreeMap::new(),
        hooks: BTreeMap::new(),
    };
    stillframe_metadata::encode(&metadata).unwrap().into()
}

fn complete(coordinator: &dyn CoordinatorStorage, id: CheckpointId, dropped: &[CheckpointId]) -> Pointer {
    let location = block_on(coordinator.begin_checkpoint(id)).unwrap();
    block_on(coordinator.commit(id, &location, metadata(id), dropped)).unwrap()
}

fn complete_one(medium: &Medium) -> Pointer {
    complete(&*coordinator(medium), ONE, &[])
}

#[test]
fn a_pointer_may_be_the_directory_or_its_metadata() {
    let medium = Medium::default();
    let pointer = complete_one(&medium);
    assert_eq!(pointer.as_str(), format!("{JOB_DIRECTORY}/chk-1"));
    for text in [pointer.to_string(), format!("{pointer}/"), format!("{pointer}/_metadata")] {
        let location = block_on(medium.storage("/elsewhere").resolve(&Pointer::new(text))).unwrap();
        assert_eq!(location.pointer(), &pointer);
        assert_eq!(block_on(location.metadata()).unwrap(), metadata(ONE));
    }
}

#[test]
fn pointers_are_refused_with_the_reason() {
    let medium = Medium::default();
    let coordinator = coordinator(&medium);
    complete(&*coordinator, ONE, &[]);
    block_on(coordinator.begin_checkpoint(CheckpointId::new(2))).unwrap();
    for (text, kind, words) in [
        ("", ErrorKind::InvalidPointer, "empty"),
        ("s3://bucket/chk-1", ErrorKind::InvalidPointer, "s3://bucket/chk-1"),
        (JOB_DIRECTORY, ErrorKind::NotFound, "has no _metadata"),
        (&format!("{JOB_DIRECTORY}/chk-2"), ErrorKind::NotFound, "has no _metadata"),
        (&format!("{JOB_DIRECTORY}/chk-2/_metadata"), ErrorKind::NotFound, "has no _metadata"),
        (&format!("{JOB_DIRECTORY}/chk-3"), ErrorKind::NotFound, "nothing is at /c/1111"),
        ("chk-2", ErrorKind::NotFound, "has no _metadata"),
        ("chk-3", ErrorKind::NotFound, &format!("nothing is at {JOB_DIRECTORY}/chk-3")),
    ] {
        let error = block_on(medium.storage("/c").resolve(&Pointer::new(text))).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_savepoint_goes_where_it_was_asked_for() {
    let medium = Medium::default();
    let access = block_on(medium.storage("/c").with_savepoint_directory("/default").open(JOB)).unwrap();
    let coordinator = access.coordinator();
    block_on(coordinator.claim()).unwrap();
    for (id, target, directory) in [(1, Some("/sp"), "/sp"), (2, None, "/default")] {
        let id = CheckpointId::new(id);
        let location = block_on(coordinator.begin_savepoint(id, target)).unwrap();
        let mut stream = block_on(access.worker().create(id, &location, StateScope::Exclusive)).unwrap();
        block_on(stream.write(Bytes::from_static(b"state"))).unwrap();
        let handle = block_on(stream.finish()).unwrap().unwrap();
        block_on(access.worker().sync(id, &location)).unwrap();
        let pointer = block_on(coordinator.publish_savepoint(id, &location, metadata(id))).unwrap();
        assert!(pointer.as_str().starts_with(&format!("{directory}/savepoint-111111-")), "{pointer}");
        let found = block_on(medium.storage("/c").resolve(&pointer)).unwrap();
        assert_eq!(block_on(found.read(&handle)).unwrap(), "state");

        block_on(coordinator.discard(id, &location)).unwrap();
        let error = block_on(medium.storage("/c").resolve(&pointer)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    let outside_of_the_register = |name: &String| !name.contains("/_ctl/");
    assert_eq!(medium.files().into_iter().filter(outside_of_the_register).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_savepoint_without_a_place_is_refused() {
    let error = block_on(coordinator(&Medium::default()).begin_savepoint(ONE, None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn discarding_spares_and_names_what_is_not_ours() {
    let medium = Medium::default();
    let coordinator = coordinator(&medium);
    block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    let state = format!("{JOB_DIRECTORY}/chk-1/state-{:032x}", 0xabc);
    let notes = format!("{JOB_DIRECTORY}/chk-1/notes.txt");
    medium.put(&state, b"ours");
    medium.put(&notes, b"somebody's");
    let error = block_on(coordinator.discard(ONE, &LocationReference::Default)).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert!(medium.content(&state).is_none());
    assert!(medium.content(&notes).is_some());
}

#[test]
fn state_up_to_the_threshold_is_inline() {
    let medium = Medium::default();
    let access = block_on(medium.storage("/c").with_inline_threshold(8).open(JOB)).unwrap();
    block_on(access.coordinator().claim()).unwrap();
    let location = block_on(access.coordinator().begin_checkpoint(ONE)).unwrap();
    for (pieces, inline) in
        [(&["1234", "5678"][..], true), (&["12345678", "9"], false), (&["123456789"], false)]
    {
        let mut stream = block_on(access.worker().create(ONE, &location, StateScope::Exclusive)).unwrap();
        for piece in pieces {
            block_on(stream.write(Bytes::from_static(piece.as_bytes()))).unwrap();
        }
        let handle = block_on(stream.finish()).unwrap().unwrap();
        assert_eq!(matches!(handle, StateHandle::Inline(_)), inline, "{pieces:?}");
    }
}
