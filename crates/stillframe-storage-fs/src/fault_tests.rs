//! Every operation of a blob store fails in every way that the operating system knows, once and for ever.
//!
//! What must hold each time: what was published before is intact, nothing is there by half, what was reported
//! survives a loss of power, and the error names the file. A failure that means nothing, an interruption or a
//! short transfer, is not noticed.

mod meddled;

use crate::simulation::{Coverage, Failing, Fault, FaultKind, SimDisk, SimEntropy};
use crate::{FileSystemCheckpointStorage, LocalStores};
use bytes::Bytes;
use core::sync::atomic::{AtomicUsize, Ordering};
use futures_executor::block_on;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use stillframe_model::{CheckpointId, Durability, JobId, Name};
use stillframe_storage::{BlobPath, BlobStore, CheckpointStorage, ErrorKind, StateScope, StorageError};
use stillframe_storage_directory::BlobStores;

const OLD: &[u8] = b"what was there before";
const NEW: &[u8] = b"what is published now";

fn path(names: &[&str]) -> BlobPath {
    names.iter().fold(BlobPath::root(), |path, name| path.join(Name::new(*name).unwrap()))
}

fn store(disk: &SimDisk, entropy: &SimEntropy, durability: Durability) -> Arc<dyn BlobStore> {
    let stores = LocalStores::new().with_disk(Arc::new(disk.clone())).with_entropy(Arc::new(entropy.clone()));
    stores.with_write_buffer_size(16).with_durability(durability).at("/data").unwrap()
}

/// How far the work came, as somebody was told.
#[derive(Debug, Default)]
struct Told {
    /// The first ten bytes of the state are durable, as soon as its name is.
    synced: bool,
    published: bool,
    discarded: bool,
}

/// One of everything a blob store can do.
async fn work(store: &dyn BlobStore, told: &mut Told) -> Result<(), StorageError> {
    let job = path(&["job"]);
    let checkpoint = path(&["job", "chk-2"]);
    store.create_directory(&checkpoint).await?;
    let state = path(&["job", "chk-2", "state"]);
    let mut writer = store.create(&state).await?;
    writer.write(Bytes::from_static(&[1; 10])).await?;
    assert!(writer.sync().await?);
    told.synced = true;
    writer.write(Bytes::from_static(&[2; 40])).await?;
    writer.finish().await?;
    store.publish(&path(&["job", "chk-2", "_metadata"]), Bytes::from_static(NEW)).await?;
    told.published = true;
    let mut reader = store.open(&state).await?;
    assert_eq!(reader.len(), 50);
    assert_eq!(reader.read_at(5, 10).await?, [[1; 5], [2; 5]].concat());
    assert_eq!(store.read(&path(&["job", "chk-1", "_metadata"]), 100).await?, OLD);
    store.settle(&job).await?;
    let listed = store.list(&checkpoint).await?;
    // A temporary name may have stayed.
    assert_eq!(listed.iter().filter(|entry| !entry.name.starts_with('.')).count(), 2);
    store.create(&path(&["job", "chk-2", "draft"])).await?.abort().await?;

    let old = path(&["job", "chk-1"]);
    told.discarded = true;
    store.delete(&path(&["job", "chk-1", "_metadata"])).await?;
    store.delete_directory(&old).await
}

fn prepared(entropy: &SimEntropy) -> SimDisk {
    let disk = SimDisk::new();
    let store = store(&disk, entropy, Durability::Sync);
    block_on(store.create_directory(&path(&["job", "chk-1"]))).unwrap();
    block_on(store.publish(&path(&["job", "chk-1", "_metadata"]), Bytes::from_static(OLD))).unwrap();
    disk
}

/// What must be true of a disk after all that was told.
fn check(disk: &SimDisk, told: &Told, context: &str) {
    let content = |file: &str| disk.content(&Path::new("/data/job").join(file));
    match content("chk-1/_metadata") {
        Some(found) => assert_eq!(found, OLD, "{context}"),
        None => assert!(told.discarded, "{context}: the older one is gone"),
    }
    if let Some(state) = content("chk-2/state").filter(|_| told.synced) {
        assert_eq!(state.get(..10), Some(&[1; 10][..]), "{context}: what was synced is not there");
    }
    match content("chk-2/_metadata") {
        Some(found) => {
            assert_eq!(found, NEW, "{context}");
            let state = content("chk-2/state").unwrap_or_default();
            assert_eq!(state, [&[1; 10][..], &[2; 40]].concat(), "{context}: published without its state");
        }
        None => assert!(!told.published, "{context}: published, and not there"),
    }
}

fn names(error: &(dyn Error + 'static), path: &Path) -> bool {
    let here = error.to_string().contains(&format!("{}:", path.display()));
    here || error.source().is_some_and(|cause| names(cause, path))
}

fn works_in_spite_of(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Interrupted | FaultKind::ShortRead | FaultKind::ShortWrite)
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of failures is what this test is worth")]
fn whatever_fails_and_however_nothing_is_lost() {
    let entropy = SimEntropy::new();
    let disk = prepared(&entropy);
    let run = |disk: &SimDisk| {
        let mut told = Told::default();
        (block_on(work(&*store(disk, &entropy, Durability::Sync), &mut told)), told)
    };
    let (mut failures, mut states) = (0, 0);
    for (kind, is_sticky) in FaultKind::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        for Failing { failed, disk, outcome: (outcome, told) } in disk.fail_everywhere(kind, is_sticky, run) {
            let context = format!("{kind:?}, sticky {is_sticky}, {failed:?}");
            match outcome {
                // Two things fail without a word: the removal of a temporary name, and the sync of a directory
                // above the root that we may not even look into.
                Ok(()) => {}
                Err(error) => {
                    let is_harmless = works_in_spite_of(kind) && !is_sticky;
                    assert!(!is_harmless, "{context}: {error:?}");
                    // With a sticky one it may be about a later operation.
                    let is_named = is_sticky || names(&error, &failed.path);
                    assert!(is_named, "{context}: {error:?} does not name it");
                    assert!(io_error(&error).is_some(), "{context}: {error:?} has no cause");
                    if matches!(kind, FaultKind::NoSpace | FaultKind::Quota) {
                        let expected = [ErrorKind::NoSpace, ErrorKind::OutcomeUnknown];
                        assert!(expected.contains(&error.kind()), "{context}: {error:?}");
                    }
                }
            }
            check(&disk, &told, &context);
            for (survived, image) in disk.after_power_loss(&Coverage::default()) {
                check(&image, &told, &format!("{context}, {survived}"));
                states += 1;
            }
            // When the disk is well again, the same process goes on with the next checkpoint, and so does another.
            disk.mend();
            check_usable(&disk, &entropy, &context);
            failures += 1;
        }
    }
    println!("io faults: {failures} failures, {states} states");
}

fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    error.downcast_ref().or_else(|| error.source().and_then(io_error))
}

fn check_usable(disk: &SimDisk, entropy: &SimEntropy, context: &str) {
    let store = store(disk, entropy, Durability::Sync);
    let next = path(&["job", "chk-3"]);
    let marker = next.join(Name::new("_metadata").unwrap());
    let published = block_on(store.create_directory(&next))
        .and_then(|()| block_on(store.publish(&marker, Bytes::from_static(NEW))));
    published.unwrap_or_else(|error| panic!("{context}: {error:?}"));
    assert_eq!(disk.worst_case().content(Path::new("/data/job/chk-3/_metadata")).unwrap(), NEW, "{context}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of states is what this test is worth")]
fn a_recovery_that_loses_power_itself_loses_nothing() {
    let entropy = SimEntropy::new();
    let disk = prepared(&entropy);
    let run = |disk: &SimDisk| {
        let mut told = Told::default();
        (block_on(work(&*store(disk, &entropy, Durability::Sync), &mut told)), told)
    };
    // It clears up the unfinished checkpoint.
    let recover = |disk: &SimDisk| {
        let store = store(disk, &entropy, Durability::Sync);
        let (checkpoint, job) = (path(&["job", "chk-2"]), path(&["job"]));
        block_on(async {
            let found = store.list(&checkpoint).await?;
            if found.iter().all(|entry| entry.name != "_metadata") {
                for entry in found {
                    if let Ok(name) = Name::new(entry.name) {
                        store.delete(&checkpoint.join(name)).await?;
                    }
                }
                store.delete_directory(&checkpoint).await?;
            }
            store.settle(&job).await
        })
    };
    let coverage = Coverage { every_subset_up_to: 6, pairs_up_to: 0, random: 4, seed: 1 };
    let (mut images, mut states, mut distinct) = (0, 0, std::collections::BTreeSet::new());
    for cut in disk.cut_everywhere(run) {
        let (result, told) = &cut.outcome;
        assert_eq!(result.is_ok(), cut.is_whole);
        for (survived, image) in cut.disk.after_power_loss(&coverage) {
            let context = format!("power lost after operation {}, {survived}", cut.after);
            check(&image, told, &context);
            images += 1;
            for again in image.cut_everywhere(recover) {
                assert_eq!(again.outcome.is_ok(), again.is_whole, "{context}: {:?}", again.outcome);
                for (survived, image) in again.disk.after_power_loss(&coverage) {
                    let context = format!("{context}, again after operation {}, {survived}", again.after);
                    check(&image, told, &context);
                    distinct.insert(image.digest());
                    states += 1;
                }
            }
        }
    }
    println!("power loss in recovery: {images} images, {states} states, {} of them distinct", distinct.len());
}

#[test]
fn what_a_dead_process_published_is_durable_once_it_is_settled() {
    let entropy = SimEntropy::new();
    let disk = SimDisk::new();
    block_on(store(&disk, &entropy, Durability::Sync).create_directory(&path(&["job"]))).unwrap();
    let marker = path(&["job", "_metadata"]);
    let publish = |disk: &SimDisk| {
        block_on(store(disk, &entropy, Durability::Sync).publish(&marker, Bytes::from_static(NEW)))
    };
    let mut settled = 0;
    for cut in disk.cut_everywhere(publish) {
        if cut.disk.content(Path::new("/data/job/_metadata")).is_some() {
            block_on(store(&cut.disk, &entropy, Durability::Sync).settle(&path(&["job"]))).unwrap();
            assert_eq!(cut.disk.worst_case().content(Path::new("/data/job/_metadata")).unwrap(), NEW);
            settled += 1;
        }
    }
    assert!(settled > 1, "no process died between the link and its sync");
}

#[test]
fn a_publisher_who_was_taken_for_dead_begins_again() {
    let entropy = SimEntropy::new();
    let disk = SimDisk::new();
    let job = path(&["job"]);
    let name = "00000000000000000001";
    block_on(store(&disk, &entropy, Durability::Sync).create_directory(&job)).unwrap();
    // It comes to a halt anywhere, and somebody else clears up meanwhile.
    let publish = |disk: &SimDisk| {
        let store = store(disk, &entropy, Durability::Sync);
        block_on(store.publish(&path(&["job", name]), Bytes::from_static(NEW)))
    };
    let mut cleared = 0;
    for cut in disk.cut_everywhere(publish) {
        let before = cut.disk.files(Path::new("/"));
        let other = store(&cut.disk, &entropy, Durability::Sync);
        let error = block_on(other.create_directory(&job)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let after = cut.disk.files(Path::new("/"));
        assert!(after.iter().all(|file| file.ends_with(name)), "{after:?}");
        cleared += usize::from(before.len() > after.len());
        let _ = block_on(other.publish(&path(&["job", name]), Bytes::from_static(NEW)));
        assert_eq!(cut.disk.worst_case().content(Path::new("/data/job").join(name).as_path()).unwrap(), NEW);
    }
    assert!(cleared > 2, "no publisher died with a file under way");
    let error = publish(&disk).and_then(|()| publish(&disk)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn without_durability_nothing_is_synced_and_everything_is_there() {
    let entropy = SimEntropy::new();
    let disk = SimDisk::new();
    let store = store(&disk, &entropy, Durability::None);
    block_on(store.create_directory(&path(&["job", "chk-1"]))).unwrap();
    block_on(store.publish(&path(&["job", "chk-1", "_metadata"]), Bytes::from_static(OLD))).unwrap();
    let mut told = Told::default();
    block_on(work(&*store, &mut told)).unwrap();
    check(&disk, &told, "no power was lost");
    assert_eq!(disk.files(Path::new("/")).len(), 2);
    assert!(disk.worst_case().files(Path::new("/")).is_empty(), "something was synced");
}
