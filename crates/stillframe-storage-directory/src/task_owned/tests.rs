use super::*;
use crate::blocks::BLOCK;
use crate::map_store::Medium;
use futures_executor::block_on;
use stillframe_model::{Crc32c, JobId, SegmentHandle, StateFile};

const JOB: JobId = JobId::from_bytes([0x11; 16]);
const DIRECTORY: &str = "/c/11111111111111111111111111111111/taskowned";

fn owned(medium: &Medium) -> Arc<dyn TaskOwnedStorage> {
    let access = block_on(medium.storage("/c").with_inline_threshold(1000).open(JOB)).unwrap();
    access.worker().task_owned().unwrap()
}

async fn write(owned: &dyn TaskOwnedStorage, pieces: &[Bytes]) -> Result<Option<StateHandle>, StorageError> {
    let mut stream = owned.create().await?;
    for piece in pieces {
        stream.write(piece.clone()).await?;
    }
    stream.finish().await
}

fn read(owned: &dyn TaskOwnedStorage, handle: &StateHandle) -> Result<Vec<u8>, StorageError> {
    let mut reader = block_on(owned.open(handle))?;
    let mut all = Vec::new();
    while let Some(piece) = block_on(reader.next())? {
        all.extend_from_slice(&piece);
    }
    assert_eq!(reader.len(), all.len() as u64);
    Ok(all)
}

#[test]
fn it_is_durable_at_once_and_never_inline() {
    let medium = Medium::default();
    let owned = owned(&medium);
    for len in [1, BLOCK, 3 * BLOCK + 1] {
        let state = Bytes::from(vec![len as u8; len]);
        let handle =
            block_on(write(&*owned, &[state.slice(..len / 2), state.slice(len / 2..)])).unwrap().unwrap();
        let file = handle.file().unwrap();
        assert_eq!(file.directory, StateDirectory::TaskOwned);
        assert!(layout::is_task_owned_state(file.name.as_str()));
        assert_eq!(medium.take_settled(), [DIRECTORY], "its name is durable as well");
        assert_eq!(read(&*owned, &handle).unwrap(), state);
        // Another task, after a restart, finds it too.
        assert_eq!(read(&*self::owned(&medium), &handle).unwrap(), state);

        block_on(owned.delete(&handle)).unwrap();
        block_on(owned.delete(&handle)).unwrap();
        assert_eq!(read(&*owned, &handle).unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(medium.count("create_directory"), 1);
}

#[test]
fn nothing_written_leaves_nothing() {
    let medium = Medium::default();
    let owned = owned(&medium);
    assert_eq!(block_on(write(&*owned, &[Bytes::new()])).unwrap(), None);
    let mut stream = block_on(owned.create()).unwrap();
    block_on(stream.write(Bytes::from_static(b"state"))).unwrap();
    assert_eq!(stream.position(), 5);
    block_on(stream.abort()).unwrap();
    assert_eq!(medium.files(), [""; 0]);
}

#[test]
fn state_of_checkpoints_is_refused() {
    let medium = Medium::default();
    let owned = owned(&medium);
    let handle = |directory, name| {
        let file = StateFile { directory, name };
        StateHandle::File(FileHandle { file, len: 1, crc: Crc32c::of(b"x") })
    };
    let own = layout::task_owned_state(7);
    let file = StateFile { directory: StateDirectory::TaskOwned, name: own.clone() };
    for strange in [
        StateHandle::Inline(Bytes::from_static(b"x")),
        StateHandle::Segment(SegmentHandle { file, offset: 0, len: 1, crc: Crc32c::of(b"x") }),
        handle(StateDirectory::Exclusive, own.clone()),
        handle(StateDirectory::Shared, own.clone()),
        handle(StateDirectory::Foreign("/c".into()), own),
        handle(StateDirectory::TaskOwned, layout::state(7)),
    ] {
        let before = medium.operations();
        assert_eq!(read(&*owned, &strange).unwrap_err().kind(), ErrorKind::InvalidPointer, "{strange:?}");
        assert_eq!(block_on(owned.delete(&strange)).unwrap_err().kind(), ErrorKind::InvalidPointer);
        assert_eq!(medium.operations(), before);
    }
}

/// Whichever operation fails: there is an error and no file, or a handle and what was written.
#[test]
fn no_operation_can_fail_without_an_error() {
    let state = Bytes::from(vec![3; 2 * BLOCK]);
    let pieces = [state.clone()];
    let all = Medium::default();
    let before = all.operations();
    block_on(write(&*owned(&all), &pieces)).unwrap();
    // The first one is that of opening the job.
    for number in 0..all.operations() - before - 1 {
        let medium = Medium::default();
        let owned = owned(&medium);
        medium.fail_at(number);
        let error = block_on(write(&*owned, &pieces)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(medium.files(), [""; 0], "after operation {number} failed");
        let handle = block_on(write(&*owned, &pieces)).unwrap().unwrap();
        assert_eq!(read(&*owned, &handle).unwrap(), state);
    }
}
