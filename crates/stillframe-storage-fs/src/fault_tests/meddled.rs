//! What somebody else does to a directory, or a file system answers, at the moment when it counts.

use super::*;
use crate::directories::Directories;
use crate::disk::{Disk, DiskFile, DiskReader, Entry};
use crate::doubts::Doubts;
use crate::volume::Volume;
use core::fmt;
use rustix::io::Errno;

/// How a link is made.
type Link = Arc<dyn Fn(&SimDisk, &Path, &Path) -> io::Result<()> + Send + Sync>;

/// Who watches directories being made.
type Watch = Arc<dyn Fn(&Path) + Send + Sync>;

/// A disk on which something comes between when a link or a directory is made.
#[derive(Clone)]
struct Meddled {
    disk: SimDisk,
    link: Link,
    made: Watch,
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
        (self.made)(path);
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
    let below = Meddled { disk: disk.clone(), link: Arc::new(link), made: Arc::new(|_| ()) };
    let store = LocalStores::new().with_disk(Arc::new(below)).at("/data").unwrap();
    block_on(store.create_directory(&path(&["job"]))).unwrap();
    (disk, store)
}

/// What was made before an fsync failed may be lost, and the next fsync says that it is not. So nothing is made where
/// somebody is about to find out.
#[test]
fn a_directory_is_made_where_nobody_else_makes_one() {
    let (disk, doubts) = (SimDisk::new(), Arc::new(Doubts::default()));
    let (known, made) = (Arc::clone(&doubts), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&made);
    let watch = move |path: &Path| {
        assert!(known.is_taken(path.parent().unwrap()), "{}", path.display());
        count.fetch_add(1, Ordering::Relaxed);
    };
    let link = |disk: &SimDisk, from: &Path, to: &Path| disk.hard_link(from, to);
    let disk = Meddled { disk, link: Arc::new(link), made: Arc::new(watch) };
    let directories = Directories::new(Volume::new(Arc::new(disk), Durability::Sync), doubts);
    directories.create(Path::new("/data/job")).unwrap();
    assert_eq!(made.load(Ordering::Relaxed), 3, "once in vain, as the one above it is missing");
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
        let access =
            open(Arc::new(Meddled { disk: disk.clone(), link: Arc::new(link), made: Arc::new(|_| ()) }));
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
