//! What this crate promises beyond the conformance cases: the layout, pointers, savepoints and foreign files.

use crate::map_store::Medium;
use async_trait::async_trait;
use bytes::Bytes;
use futures_executor::block_on;
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, JobId, JobStatus, LocationReference, Pointer, StateHandle, StorageDescriptor,
};
use stillframe_storage::{
    CheckpointStorage, CompletedLocation, CoordinatorStorage, ErrorKind, StorageAccess, StorageError,
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
}

fn fresh() -> Subject {
    let medium = Medium::default();
    let same = medium.clone();
    Subject::new(Arc::new(Mapped(medium.clone())), move |_| Ok(Arc::new(Mapped(same.clone()))))
        .with_residue(move || medium.files())
}

mod conformance {
    super::conformance_tests!(super::fresh);
}

fn coordinator(medium: &Medium) -> Arc<dyn CoordinatorStorage> {
    block_on(medium.storage("/c").open(JOB)).unwrap().coordinator()
}

fn complete_one(medium: &Medium) -> Pointer {
    let coordinator = coordinator(medium);
    let location = block_on(coordinator.begin_checkpoint(ONE)).unwrap();
    block_on(coordinator.publish(ONE, &location, Bytes::from_static(b"meta"))).unwrap()
}

#[test]
fn a_pointer_may_be_the_directory_or_its_metadata() {
    let medium = Medium::default();
    let pointer = complete_one(&medium);
    assert_eq!(pointer.as_str(), format!("{JOB_DIRECTORY}/chk-1"));
    for text in [pointer.to_string(), format!("{pointer}/"), format!("{pointer}/_metadata")] {
        let location = block_on(medium.storage("/elsewhere").resolve(&Pointer::new(text))).unwrap();
        assert_eq!(location.pointer(), &pointer);
        assert_eq!(block_on(location.metadata()).unwrap(), "meta");
    }
}

#[test]
fn pointers_are_refused_with_the_reason() {
    let medium = Medium::default();
    complete_one(&medium);
    block_on(coordinator(&medium).begin_checkpoint(CheckpointId::new(2))).unwrap();
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
    for (target, directory) in [(Some("/sp"), "/sp"), (None, "/default")] {
        let location = block_on(coordinator.begin_savepoint(ONE, target)).unwrap();
        let mut stream = block_on(access.worker().create(ONE, &location)).unwrap();
        block_on(stream.write(Bytes::from_static(b"state"))).unwrap();
        let handle = block_on(stream.finish()).unwrap().unwrap();
        let pointer = block_on(coordinator.publish(ONE, &location, Bytes::from_static(b"meta"))).unwrap();
        assert!(pointer.as_str().starts_with(&format!("{directory}/savepoint-111111-")), "{pointer}");
        let found = block_on(medium.storage("/c").resolve(&pointer)).unwrap();
        assert_eq!(block_on(found.read(&handle)).unwrap(), "state");

        block_on(coordinator.discard(ONE, &location)).unwrap();
        let error = block_on(medium.storage("/c").resolve(&pointer)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert_eq!(medium.files(), [""; 0]);
}

#[test]
fn a_savepoint_without_a_place_is_refused() {
    let error = block_on(coordinator(&Medium::default()).begin_savepoint(ONE, None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn discarding_spares_and_names_what_is_not_ours() {
    let medium = Medium::default();
    complete_one(&medium);
    let state = format!("{JOB_DIRECTORY}/chk-1/state-{:032x}", 0xabc);
    let notes = format!("{JOB_DIRECTORY}/chk-1/notes.txt");
    medium.put(&state, b"ours");
    medium.put(&notes, b"somebody's");
    let error = block_on(coordinator(&medium).discard(ONE, &LocationReference::Default)).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert_eq!(medium.files(), [notes]);
    let survey = block_on(coordinator(&medium).survey()).unwrap();
    assert_eq!((survey.completed, survey.incomplete), (vec![], vec![ONE]));
}

#[test]
fn a_survey_ignores_foreign_names() {
    let medium = Medium::default();
    complete_one(&medium);
    for name in ["chk-01/_metadata", "chk-2", "chk-x/_metadata", "README"] {
        medium.put(&format!("{JOB_DIRECTORY}/{name}"), b"");
    }
    let survey = block_on(coordinator(&medium).survey()).unwrap();
    assert_eq!((survey.completed, survey.incomplete), (vec![ONE], vec![]));
}

/// What is only visible may be the work of somebody who died before making it durable.
#[test]
fn what_is_found_is_settled_before_it_is_reported() {
    let medium = Medium::default();
    complete_one(&medium);
    block_on(coordinator(&medium).begin_checkpoint(CheckpointId::new(2))).unwrap();
    medium.take_settled();
    block_on(coordinator(&medium).survey()).unwrap();
    assert_eq!(medium.take_settled(), [format!("{JOB_DIRECTORY}/chk-1"), JOB_DIRECTORY.to_owned()]);

    block_on(coordinator(&medium).conclude(JobStatus::Finished)).unwrap();
    assert_eq!(medium.take_settled(), [""; 0]);
    block_on(coordinator(&medium).conclude(JobStatus::Finished)).unwrap();
    assert_eq!(medium.take_settled(), [JOB_DIRECTORY]);
}

#[test]
fn an_unreadable_end_is_not_taken_for_no_end() {
    let medium = Medium::default();
    complete_one(&medium);
    medium.put(&format!("{JOB_DIRECTORY}/_ended"), b"perhaps\n");
    let error = block_on(coordinator(&medium).survey()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("perhaps"), "{error}");
}

#[test]
fn state_up_to_the_threshold_is_inline() {
    let medium = Medium::default();
    let access = block_on(medium.storage("/c").with_inline_threshold(8).open(JOB)).unwrap();
    let location = block_on(access.coordinator().begin_checkpoint(ONE)).unwrap();
    for (pieces, inline) in
        [(&["1234", "5678"][..], true), (&["12345678", "9"], false), (&["123456789"], false)]
    {
        let mut stream = block_on(access.worker().create(ONE, &location)).unwrap();
        for piece in pieces {
            block_on(stream.write(Bytes::from_static(piece.as_bytes()))).unwrap();
        }
        let handle = block_on(stream.finish()).unwrap().unwrap();
        assert_eq!(matches!(handle, StateHandle::Inline(_)), inline, "{pieces:?}");
    }
}
