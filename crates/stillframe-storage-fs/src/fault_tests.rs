//! Every operation of a blob store fails in every way that the operating system knows, once and for ever.
//!
//! What must hold each time: what was published before is intact, nothing is there by half, what was reported
//! survives a loss of power, and the error names the file. A failure that means nothing, an interruption or a
//! short transfer, is not noticed.

use crate::disk::{Disk, DiskFile, DiskReader, Entry};
use crate::simulation::{Coverage, Failing, Fault, FaultKind, SimDisk, SimEntropy};
use crate::{FileSystemCheckpointStorage, LocalStores};
use bytes::Bytes;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use futures_executor::block_on;
use rustix::io::Errno;
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

/// How a link is made.
type Link = Arc<dyn Fn(&SimDisk, &Path, &Path) -> io::Result<()> + Send + Sync>;

/// A disk on which something comes between when a link is made.
#[derive(Clone)]
struct Meddled {
    disk: SimDisk,
    link: Link,
}

impl fmt::Debug for Meddled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.fmt(f)
    }
}

impl Disk for Meddled {
    fn beneath(&self, _root: &Path) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.link)(&self.disk, from, to)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create_new(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskReader>> {
        self.disk.open(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(path)
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.disk.identity(path)
    }
}

/// A store on such a disk, with a directory to publish into.
fn meddled(
    link: impl Fn(&SimDisk, &Path, &Path) -> io::Result<()> + Send + Sync + 'static,
) -> (SimDisk, Arc<dyn BlobStore>) {
    let disk = SimDisk::new();
    let below = Meddled { disk: disk.clone(), link: Arc::new(link) };
    let store = LocalStores::new().with_disk(Arc::new(below)).at("/data").unwrap();
    block_on(store.create_directory(&path(&["job"]))).unwrap();
    (disk, store)
}

#[test]
fn a_link_whose_answer_was_lost_is_known_again() {
    // A server that makes the link, and is asked a second time.
    let (disk, store) =
        meddled(|disk, from, to| disk.hard_link(from, to).and_then(|()| disk.hard_link(from, to)));
    let marker = path(&["job", "_metadata"]);
    block_on(store.publish(&marker, Bytes::from_static(NEW))).unwrap();
    let error = block_on(store.publish(&marker, Bytes::from_static(OLD))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(disk.files(Path::new("/")), [Path::new("/data/job/_metadata")]);
    assert_eq!(disk.content(Path::new("/data/job/_metadata")).unwrap(), NEW);
}

#[test]
fn a_file_that_was_cleared_away_before_it_got_its_name_is_written_again() {
    let (disk, store) = meddled(|disk, from, to| {
        if disk.create_dir(Path::new("/was-here")).is_ok() {
            disk.remove_file(from)?;
        }
        disk.hard_link(from, to)
    });
    block_on(store.publish(&path(&["job", "_metadata"]), Bytes::from_static(NEW))).unwrap();
    assert_eq!(disk.worst_case().content(Path::new("/data/job/_metadata")).unwrap(), NEW);
    assert_eq!(disk.files(Path::new("/")), [Path::new("/data/job/_metadata")]);
}

#[test]
fn a_file_that_is_cleared_away_again_and_again_is_given_up_with_the_reason() {
    // As often as there are coordinators that begin.
    let attempts = AtomicUsize::new(0);
    let (disk, store) = meddled(move |disk, from, to| {
        if attempts.fetch_add(1, Ordering::Relaxed) < 15 {
            disk.remove_file(from)?;
        }
        disk.hard_link(from, to)
    });
    block_on(store.publish(&path(&["job", "_metadata"]), Bytes::from_static(NEW))).unwrap();
    assert_eq!(disk.worst_case().content(Path::new("/data/job/_metadata")).unwrap(), NEW);

    // For ever.
    let (disk, store) =
        meddled(|disk, from, to| disk.remove_file(from).and_then(|()| disk.hard_link(from, to)));
    let error = block_on(store.publish(&path(&["job", "_metadata"]), Bytes::from_static(NEW))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("16 times somebody removed the file"), "{error}");
    assert!(disk.files(Path::new("/")).is_empty());

    // With its directory.
    let (_, store) = meddled(|disk, from, to| {
        disk.remove_file(from)?;
        disk.remove_dir(Path::new("/data/job"))?;
        disk.hard_link(from, to)
    });
    let error = block_on(store.publish(&path(&["job", "_metadata"]), Bytes::from_static(NEW))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn a_file_system_without_hard_links_is_told_from_one_without_permission() {
    for errno in [Errno::PERM, Errno::OPNOTSUPP, Errno::ACCESS] {
        let (disk, store) = meddled(move |_, _, _| Err(errno.into()));
        let error =
            block_on(store.publish(&path(&["job", "_metadata"]), Bytes::from_static(NEW))).unwrap_err();
        let (kind, words) = match errno {
            Errno::ACCESS => (ErrorKind::PermissionDenied, "correct the owner or the mode"),
            _ => (ErrorKind::Unsupported, "refuses hard links"),
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains(words) && names(&error, Path::new("/data/job/_metadata")),
            "{error}"
        );
        assert!(disk.files(Path::new("/")).is_empty());
    }
}

fn failed_link() -> io::Result<()> {
    Err(Errno::IO.into())
}

#[test]
fn a_link_without_a_clear_answer_is_looked_for() {
    let marker = path(&["job", "_metadata"]);
    let file = Path::new("/data/job/_metadata");
    // It was made.
    let (disk, store) = meddled(|disk, from, to| disk.hard_link(from, to).and_then(|()| failed_link()));
    block_on(store.publish(&marker, Bytes::from_static(NEW))).unwrap();
    assert_eq!(disk.worst_case().content(file).unwrap(), NEW);
    assert_eq!(disk.files(Path::new("/")), [file]);

    // It was not made, and cannot be made any more: the name under which the file was known is gone.
    let (disk, store) = meddled(|_, _, _| failed_link());
    let error = block_on(store.publish(&marker, Bytes::from_static(NEW))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(disk.files(Path::new("/")).is_empty());

    // Somebody else made his.
    let (disk, store) = meddled(|disk, _, to| {
        disk.create_new(to)?;
        failed_link()
    });
    let error = block_on(store.publish(&marker, Bytes::from_static(NEW))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(disk.files(Path::new("/")), [file]);

    // Nobody can tell, as nothing answers any more.
    for is_made in [true, false] {
        let (disk, store) = meddled(move |disk, from, to| {
            if is_made {
                disk.hard_link(from, to)?;
            }
            disk.inject(Fault::sticky(FaultKind::Io, 1));
            failed_link()
        });
        let error = block_on(store.publish(&marker, Bytes::from_static(NEW))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
        assert!(names(&error, file) && io_error(&error).is_some(), "{error:?}");
        assert_eq!(disk.content(file).is_some(), is_made);
    }
}

#[test]
fn a_name_that_is_taken_perhaps_by_ourselves_is_durable() {
    // The link is made, asked for again, and whose it is cannot be seen: whoever now reads what is there may find his own words.
    let (disk, store) = meddled(|disk, from, to| {
        disk.hard_link(from, to)?;
        disk.inject(Fault::once(FaultKind::Io, 1));
        Err(io::ErrorKind::AlreadyExists.into())
    });
    let error = block_on(store.publish(&path(&["job", "_metadata"]), Bytes::from_static(NEW))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(disk.worst_case().content(Path::new("/data/job/_metadata")).unwrap(), NEW);
}

const JOB: JobId = JobId::from_bytes([0x44; 16]);

#[test]
fn what_may_be_complete_is_not_given_up() {
    let open = |disk: Arc<dyn Disk>| {
        let storage =
            FileSystemCheckpointStorage::new("/c").unwrap().with_min_file_size_threshold(0).unwrap();
        block_on(storage.with_disk(disk).open(JOB)).unwrap()
    };
    let (mut lost, mut is_whole) = (0, false);
    while !is_whole {
        lost += 1;
        let disk = SimDisk::new();
        let links = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&links);
        // Behind a network: the link is made, its answer is lost, and nothing else goes wrong.
        let link = move |disk: &SimDisk, from: &Path, to: &Path| {
            disk.hard_link(from, to)?;
            if counted.fetch_add(1, Ordering::Relaxed) + 1 == lost { failed_link() } else { Ok(()) }
        };
        let access = open(Arc::new(Meddled { disk: disk.clone(), link: Arc::new(link) }));
        let mut reported = None;
        let mut checkpoint = async |number: u64| -> Result<(), StorageError> {
            let id = CheckpointId::new(number);
            let location = access.coordinator().begin_checkpoint(id).await?;
            let mut stream = access.worker().create(id, &location, StateScope::Exclusive).await?;
            stream.write(Bytes::from(vec![7; 100])).await?;
            let handle = stream.finish().await?.unwrap();
            access.worker().sync(id, &location).await?;
            let metadata = Bytes::from(format!("metadata of {id}"));
            let dropped = reported.as_ref().map(|(before, _)| *before);
            match access.coordinator().commit(id, &location, metadata, dropped.as_slice()).await {
                Ok(_) => reported = Some((id, handle)),
                // What a coordinator does whose checkpoint has failed.
                Err(error) if !matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Fenced) => {
                    access.coordinator().discard(id, &location).await?;
                }
                Err(error) => return Err(error),
            }
            Ok(())
        };
        let ran = block_on(async {
            access.coordinator().claim().await?;
            for number in 1..=3 {
                checkpoint(number).await?;
            }
            Ok::<_, StorageError>(())
        });
        is_whole = links.load(Ordering::Relaxed) < lost;
        assert!(ran.is_ok() || !is_whole, "{ran:?}");
        let next = open(Arc::new(disk)).coordinator();
        let retained = block_on(next.claim()).unwrap().retained;
        let context = format!("the answer of link {lost} was lost: {ran:?}, {reported:?}, {retained:?}");
        assert!(retained.last().copied() >= reported.as_ref().map(|(id, _)| *id), "{context}");
        for id in retained {
            let found =
                block_on(next.open_checkpoint(id)).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(block_on(found.metadata()).unwrap(), format!("metadata of {id}"), "{context}");
            if let Some((_, handle)) = reported.as_ref().filter(|(reported, _)| *reported == id) {
                assert_eq!(block_on(found.read(handle)).unwrap(), vec![7; 100], "{context}");
            }
        }
    }
    assert!(lost > 8, "a claim has two links, and a checkpoint has two");
}
