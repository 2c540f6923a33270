use super::*;
use crate::map_store::Medium;
use futures_executor::block_on;
use stillframe_model::{Crc32c, FileHandle, JobId};

const JOB: JobId = JobId::from_bytes([0x11; 16]);
const JOB_ADDRESS: &str = "/c/11111111111111111111111111111111";

/// The same checkpoint as its job finds it and as somebody finds it who was given its address.
fn both(medium: &Medium, roots: &[&str]) -> [DirectoryLocation; 2] {
    let directory = layout::checkpoint(JOB, stillframe_model::CheckpointId::new(7));
    let of_job = Place { blobs: medium.at("/c").unwrap(), directory };
    let by_address =
        Place { blobs: medium.at(&format!("{JOB_ADDRESS}/chk-7")).unwrap(), directory: BlobPath::root() };
    let roots = roots.iter().map(|root| Arc::from(*root)).collect::<Arc<[_]>>();
    [of_job, by_address].map(|place| {
        DirectoryLocation::new(place, Arc::new(medium.clone()), Roots::Known(Arc::clone(&roots)))
    })
}

fn put(medium: &Medium, address: &str) {
    medium.replace(address, [&crate::mark::mark(&Name::new("x").unwrap())[..], b"ok"].concat());
}

fn file(directory: StateDirectory) -> StateFile {
    StateFile { directory, name: Name::new("x").unwrap() }
}

fn read(location: &DirectoryLocation, directory: StateDirectory) -> Result<Bytes, StorageError> {
    let handle = FileHandle { file: file(directory), len: 2, crc: Crc32c::of(b"ok") };
    block_on(location.read(&StateHandle::File(handle)))
}

#[test]
fn each_directory_is_found_from_the_checkpoint() {
    let medium = Medium::default();
    for (directory, address) in [
        (StateDirectory::Exclusive, format!("{JOB_ADDRESS}/chk-7/x")),
        (StateDirectory::Shared, format!("{JOB_ADDRESS}/shared/x")),
        (StateDirectory::TaskOwned, format!("{JOB_ADDRESS}/taskowned/x")),
        (StateDirectory::Foreign("/other/chk-3".into()), "/other/chk-3/x".to_owned()),
    ] {
        for location in both(&medium, &["/another", "/other/chk-3"]) {
            assert_eq!(read(&location, directory.clone()).unwrap_err().kind(), ErrorKind::NotFound);
            put(&medium, &address);
            assert_eq!(read(&location, directory.clone()).unwrap(), "ok");
            medium.remove(&address);
        }
    }
}

#[test]
fn a_place_that_the_job_was_not_told_of_is_refused_by_name() {
    let medium = Medium::default();
    put(&medium, "/other/chk-3/x");
    for roots in [&[][..], &["/other/chk-30"], &["/other"], &["/other/chk-3/"]] {
        for location in both(&medium, roots) {
            let error = read(&location, StateDirectory::Foreign("/other/chk-3".into())).unwrap_err();
            assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidPointer, "/other/chk-3/x"));
        }
    }
    assert_eq!(medium.operations(), 0, "the medium was not even asked");
}

/// What one checkpoint calls a file of another is what the other's reader is then told to allow.
#[test]
fn a_checkpoint_elsewhere_is_told_the_address() {
    let medium = Medium::default();
    put(&medium, &format!("{JOB_ADDRESS}/chk-7/x"));
    put(&medium, &format!("{JOB_ADDRESS}/shared/x"));
    for location in both(&medium, &[]) {
        for (own, address) in [
            (StateDirectory::Exclusive, format!("{JOB_ADDRESS}/chk-7")),
            (StateDirectory::Shared, format!("{JOB_ADDRESS}/shared")),
        ] {
            let foreign = location.foreign(&file(own)).unwrap();
            assert_eq!(foreign, file(StateDirectory::Foreign(address.as_str().into())));
            for reader in both(&medium, &[&address]) {
                assert_eq!(read(&reader, foreign.directory.clone()).unwrap(), "ok");
            }
        }
        assert_eq!(location.foreign(&file(StateDirectory::Foreign("/other/chk-3".into()))), None);
        assert_eq!(location.foreign(&file(StateDirectory::TaskOwned)), None);
    }
}

#[test]
fn a_file_of_a_third_job_keeps_its_name_if_it_may_be_read() {
    let elsewhere = file(StateDirectory::Foreign("/other/chk-3".into()));
    for location in both(&Medium::default(), &["/other/chk-3"]) {
        assert_eq!(location.foreign(&elsewhere), Some(elsewhere.clone()));
    }
}

#[test]
fn state_in_the_metadata_needs_no_medium() {
    let medium = Medium::default();
    for location in both(&medium, &[]) {
        for bytes in [&b""[..], b"state"] {
            let handle = StateHandle::Inline(Bytes::from_static(bytes));
            assert_eq!(block_on(location.read(&handle)).unwrap(), bytes);
        }
    }
    assert_eq!(medium.operations(), 0);
}

#[test]
fn the_directory_above_is_found_by_address() {
    for (address, above) in [
        ("/c/job/chk-1", Some("/c/job")),
        ("/c/job/chk-1/", Some("/c/job")),
        ("/chk-1", Some("/")),
        ("/", None),
        ("chk-1", None),
        ("s3://bucket/chk-1", Some("s3://bucket")),
        ("s3://bucket", None),
    ] {
        assert_eq!(parent(address), above, "{address}");
    }
}
