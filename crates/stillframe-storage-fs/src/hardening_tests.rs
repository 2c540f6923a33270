//! One test for each line of section 4.2 of the project's list of what an attacker, or an accident, may do to
//! the paths and files of a storage. Each is run with `openat2` and without.
//!
//! Line 4 asks for a driver of our own, which this crate is; line 2 is that of the handle's parser, and only
//! what would get past it is tried here.

use crate::LocalStores;
use crate::disk::{Disk, RealDisk};
use bytes::Bytes;
use futures_executor::block_on;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use stillframe_model::Name;
use stillframe_storage::{BlobPath, BlobStore, ErrorKind, StorageError};
use stillframe_storage_directory::BlobStores;
use tempfile::TempDir;

fn disks() -> [RealDisk; 2] {
    [RealDisk::new(), RealDisk::without_openat2()]
}

fn store(disk: RealDisk, root: &Path) -> Arc<dyn BlobStore> {
    LocalStores::new().with_disk(Arc::new(disk)).at(root.to_str().unwrap()).unwrap()
}

fn path(names: &[&str]) -> BlobPath {
    names.iter().fold(BlobPath::root(), |path, name| path.join(Name::new(*name).unwrap()))
}

async fn write(store: &dyn BlobStore, path: &BlobPath) -> Result<(), StorageError> {
    let mut writer = store.create(path).await?;
    writer.write(Bytes::from_static(b"state")).await?;
    writer.finish().await
}

/// A storage's directory, and one beside it that is none of its business.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("root/job")).unwrap();
        fs::create_dir_all(directory.path().join("outside/directory")).unwrap();
        fs::write(directory.path().join("outside/file"), b"secret").unwrap();
        Self { directory }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    /// All that is outside, with its content and whatever a change of it would change.
    fn look_outside(&self) -> BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)> {
        let mut found = BTreeMap::new();
        for path in [self.outside(), self.outside().join("file"), self.outside().join("directory")] {
            let metadata = fs::metadata(&path).unwrap();
            let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            let names = if metadata.is_dir() { fs::read_dir(&path).unwrap().count() as i64 } else { 0 };
            found.insert(path, (metadata.mode(), metadata.nlink(), names, content));
        }
        found
    }
}

/// Every call of a blob store, on what is in this directory.
fn everything(store: &dyn BlobStore, directory: &[&str]) -> Vec<(&'static str, Result<(), StorageError>)> {
    let at = |name: &str| path(&[directory, &[name]].concat());
    let bytes = Bytes::from_static(b"published");
    block_on(async {
        vec![
            ("create directory", store.create_directory(&at("new")).await),
            ("create", write(store, &at("created")).await),
            ("publish", store.publish(&at("published"), bytes).await),
            ("settle", store.settle(&path(directory)).await),
            ("read", store.read(&at("file"), 100).await.map(drop)),
            ("open", store.open(&at("file")).await.map(drop)),
            ("list", store.list(&path(directory)).await.map(drop)),
            ("delete", store.delete(&at("file")).await),
            ("delete directory", store.delete_directory(&at("directory")).await),
        ]
    })
}

#[test]
fn hardening_4_2_1_files_are_named_by_the_grammar_of_names() {
    for disk in disks() {
        let scene = Scene::new();
        let store = store(disk, &scene.root());
        block_on(write(&*store, &path(&["job", "state-0"]))).unwrap();
        block_on(store.publish(&path(&["job", "_metadata"]), Bytes::from_static(b"x"))).unwrap();
        for entry in block_on(store.list(&path(&["job"]))).unwrap() {
            assert!(Name::new(entry.name).is_ok());
        }
        assert!(Name::new("a/b").is_err() && Name::new("..").is_err() && Name::new(".hidden").is_err());
    }
}

#[test]
fn hardening_4_2_2_a_path_that_leads_out_is_refused_even_below_the_parser() {
    for disk in disks() {
        let scene = Scene::new();
        let confined = disk.beneath(&scene.root());
        for escape in ["../outside/file", "job/../../outside/file", "job/..", ".."] {
            let escape = scene.root().join(escape);
            for refused in [
                confined.open(&escape).map(drop),
                confined.create_new(&escape).map(drop),
                confined.remove_file(&escape),
                confined.create_dir(&escape),
                confined.remove_dir(&escape),
                confined.identity(&escape).map(drop),
                confined.list(&escape).map(drop),
                confined.sync_dir(&escape),
            ] {
                assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{}", escape.display());
            }
        }
    }
}

#[test]
fn hardening_4_2_3_no_symlink_is_followed_below_the_root() {
    for disk in disks() {
        let scene = Scene::new();
        let before = scene.look_outside();
        symlink(scene.outside(), scene.inside("absolute")).unwrap();
        symlink("../../outside", scene.inside("job/relative")).unwrap();
        symlink("/proc/self/cwd", scene.inside("magic")).unwrap();
        let store = store(disk, &scene.root());
        for directory in [&["absolute"][..], &["job", "relative"], &["magic"]] {
            for (call, refused) in everything(&*store, directory) {
                let error = refused.expect_err(call);
                assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{call} {directory:?}: {error}");
                assert!(error.to_string().contains("symbolic link"), "{call} {directory:?}: {error}");
            }
        }
        assert_eq!(scene.look_outside(), before);
    }
}

#[test]
fn hardening_4_2_3_a_symlink_in_the_place_of_an_object_is_not_followed() {
    for disk in disks() {
        let scene = Scene::new();
        let before = scene.look_outside();
        let store = store(disk, &scene.root());
        for (name, target) in
            [("file", "file"), ("created", "new"), ("published", "new"), ("directory", "directory")]
        {
            symlink(scene.outside().join(target), scene.inside("job").join(name)).unwrap();
        }
        let results = everything(&*store, &["job"]).into_iter().collect::<BTreeMap<_, _>>();
        let kind = |call: &str| results[call].as_ref().err().map(StorageError::kind);
        assert_eq!(kind("create"), Some(ErrorKind::AlreadyExists));
        assert_eq!(kind("publish"), Some(ErrorKind::AlreadyExists));
        assert_eq!(kind("read"), Some(ErrorKind::InvalidPointer));
        assert_eq!(kind("open"), Some(ErrorKind::InvalidPointer));
        // A link is a name, and goes; what it leads to stays.
        assert_eq!(kind("delete"), None);
        assert!(!scene.inside("job/file").is_symlink());
        assert_eq!(kind("delete directory"), Some(ErrorKind::InvalidPointer));
        assert_eq!(scene.look_outside(), before);
    }
}

#[test]
fn hardening_4_2_3_the_root_itself_may_be_a_symlink() {
    for disk in disks() {
        let scene = Scene::new();
        let link = scene.directory.path().join("link");
        symlink(scene.root(), &link).unwrap();
        block_on(write(&*store(disk, &link), &path(&["job", "state"]))).unwrap();
        assert_eq!(fs::read(scene.inside("job/state")).unwrap(), b"state");
    }
}

#[test]
fn hardening_4_2_3_a_root_that_was_exchanged_is_noticed() {
    for disk in disks() {
        let scene = Scene::new();
        let store = store(disk, &scene.root());
        block_on(write(&*store, &path(&["job", "state"]))).unwrap();
        renameat_with(CWD, scene.root(), CWD, scene.outside(), RenameFlags::EXCHANGE).unwrap();
        let error = block_on(store.list(&path(&["job"]))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("moved, replaced"), "{error}");
        block_on(store.delete(&path(&["file"]))).unwrap_err();
        assert_eq!(fs::read(scene.root().join("file")).unwrap(), b"secret");
    }
}

#[test]
fn hardening_4_2_3_only_regular_files_are_read_and_none_is_waited_for() {
    for disk in disks() {
        let scene = Scene::new();
        mknodat(CWD, scene.inside("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        fs::create_dir(scene.inside("directory")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(scene.inside("socket")).unwrap());
        let mut names = vec!["fifo", "directory", "socket"];
        // /dev/zero, which would never end; only root can make one.
        let device = rustix::fs::makedev(1, 5);
        if mknodat(CWD, scene.inside("device"), FileType::CharacterDevice, Mode::RUSR, device).is_ok() {
            assert!(fs::metadata(scene.inside("device")).unwrap().file_type().is_char_device());
            names.push("device");
        }
        let store = store(disk, &scene.root());
        for name in names {
            let path = path(&[name]);
            let read = block_on(store.read(&path, 100)).unwrap_err();
            let opened = block_on(store.open(&path)).unwrap_err();
            for error in [read, opened] {
                assert!(matches!(error.kind(), ErrorKind::InvalidPointer | ErrorKind::Other), "{error:?}");
                assert!(error.to_string().contains(name), "{error}");
            }
            let taken = block_on(store.create(&path)).unwrap_err();
            assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        }
    }
}

#[test]
fn hardening_4_2_3_a_file_that_somebody_linked_elsewhere_is_not_read() {
    for disk in disks() {
        let scene = Scene::new();
        let store = store(disk, &scene.root());
        block_on(write(&*store, &path(&["job", "state"]))).unwrap();
        fs::hard_link(scene.inside("job/state"), scene.inside("job/.second")).unwrap();
        block_on(store.read(&path(&["job", "state"]), 100)).unwrap();
        fs::hard_link(scene.inside("job/state"), scene.outside().join("third")).unwrap();
        let error = block_on(store.read(&path(&["job", "state"]), 100)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPointer);
        assert!(error.to_string().contains("3 names, expected at most 2"), "{error}");
    }
}

#[test]
fn hardening_4_2_3_a_larger_file_than_expected_costs_no_memory() {
    for disk in disks() {
        let scene = Scene::new();
        // A hole of a terabyte.
        fs::File::create(scene.inside("large")).unwrap().set_len(1 << 40).unwrap();
        let error = block_on(store(disk, &scene.root()).read(&path(&["large"]), 1 << 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}

/// Somebody exchanges a directory and a symbolic link all the time, while every call is made in it.
#[test]
fn hardening_4_2_3_a_directory_swapped_for_a_symlink_never_leads_outside() {
    const SWAPS: usize = 20_000;
    for disk in disks() {
        let scene = Scene::new();
        let before = scene.look_outside();
        let (victim, decoy) = (scene.inside("chk-1"), scene.inside("decoy"));
        fs::create_dir(&victim).unwrap();
        symlink(scene.outside(), &decoy).unwrap();
        let store = store(disk, &scene.root());
        let (swaps, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (mut done, mut refused) = (0, 0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &victim, CWD, &decoy, RenameFlags::EXCHANGE).unwrap();
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            // Both have to be seen, however the machine runs the two threads.
            while swaps.load(Ordering::Relaxed) < SWAPS || done == 0 || refused == 0 {
                for name in ["file", "directory"] {
                    let read = block_on(store.read(&path(&["chk-1", name]), 100));
                    assert!(read.is_err(), "read {name} of somebody else");
                }
                for (_, result) in everything(&*store, &["chk-1"]) {
                    match result {
                        Ok(()) => done += 1,
                        Err(error) if error.to_string().contains("symbolic link") => refused += 1,
                        Err(_) => {}
                    }
                }
                for name in ["created", "published"] {
                    let _ = block_on(store.delete(&path(&["chk-1", name])));
                }
                let _ = block_on(store.delete_directory(&path(&["chk-1", "new"])));
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(scene.look_outside(), before, "after {} swaps, {done} calls", swaps.into_inner());
    }
}

#[test]
fn hardening_4_2_5_a_file_is_deleted_by_its_name_and_a_directory_never_with_it() {
    for disk in disks() {
        let scene = Scene::new();
        let store = store(disk, &scene.root());
        fs::create_dir(scene.inside("job/directory")).unwrap();
        fs::write(scene.inside("job/directory/foreign"), b"somebody's").unwrap();
        block_on(store.delete(&path(&["job", "directory"]))).unwrap_err();
        let error = block_on(store.delete_directory(&path(&["job", "directory"]))).unwrap_err();
        assert!(error.to_string().contains("job/directory"), "{error}");
        assert_eq!(fs::read(scene.inside("job/directory/foreign")).unwrap(), b"somebody's");
        // The root is deleted no more than anything else that is not empty.
        block_on(store.delete_directory(&BlobPath::root())).unwrap_err();
        assert!(scene.root().is_dir());
    }
}

const CHILD: &str = "STILLFRAME_TEST_DIRECTORY";

/// Runs one of these tests in a process of its own, which begins with a command of the shell and finds its
/// directory in [`CHILD`]: masks and limits belong to a whole process.
fn in_its_own_process(test: &str, command: &str, directory: &Path) {
    let output = Command::new("sh")
        .args(["-c", &format!("{command} && exec \"$0\" --exact \"hardening_tests::{test}\"")])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, directory)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{command}: {text}");
}

#[test]
fn hardening_4_2_6_modes_do_not_depend_on_the_mask_of_the_process() {
    if let Some(directory) = std::env::var_os(CHILD) {
        for (disk, name) in disks().into_iter().zip(["first", "second"]) {
            let store = store(disk, &Path::new(&directory).join(name));
            block_on(store.create_directory(&path(&["job", "chk-1"]))).unwrap();
            block_on(write(&*store, &path(&["job", "chk-1", "state"]))).unwrap();
            block_on(store.publish(&path(&["job", "chk-1", "_metadata"]), Bytes::new())).unwrap();
        }
        return;
    }
    for mask in ["000", "022", "077", "277"] {
        let directory = tempfile::tempdir().unwrap();
        in_its_own_process(
            "hardening_4_2_6_modes_do_not_depend_on_the_mask_of_the_process",
            &format!("umask {mask}"),
            directory.path(),
        );
        for root in ["first", "second"].map(|name| directory.path().join(name)) {
            for (below, expected) in [
                ("", 0o700),
                ("job", 0o700),
                ("job/chk-1", 0o700),
                ("job/chk-1/state", 0o600),
                ("job/chk-1/_metadata", 0o600),
            ] {
                let mode = fs::metadata(root.join(below)).unwrap().permissions().mode() & 0o7777;
                assert_eq!(mode, expected, "mask {mask}: {below:?} has {mode:o}");
            }
        }
    }
}

#[test]
fn hardening_4_2_6_nothing_is_left_that_did_not_get_its_mode() {
    if let Some(directory) = std::env::var_os(CHILD) {
        for (disk, name) in disks().into_iter().zip(["first", "second"]) {
            // A directory is created without a handle, and one is needed to see to its mode.
            let root = Path::new(&directory).join(name);
            let store = store(disk, &root);
            let mut handles = Vec::new();
            while let Ok(handle) = fs::File::open("/dev/null") {
                handles.push(handle);
            }
            let error = block_on(store.create_directory(&BlobPath::root())).unwrap_err();
            drop(handles);
            assert!(error.to_string().contains("too many files are open"), "{error}");
            assert!(!root.exists(), "{error}");
            block_on(store.create_directory(&BlobPath::root())).unwrap();
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let test = "hardening_4_2_6_nothing_is_left_that_did_not_get_its_mode";
    in_its_own_process(test, "ulimit -n 40", directory.path());
}

#[test]
fn hardening_4_2_7_a_name_is_published_once_and_no_other_stays() {
    for disk in disks() {
        let scene = Scene::new();
        let store = store(disk, &scene.root());
        let marker = path(&["job", "_metadata"]);
        block_on(store.publish(&marker, Bytes::from_static(b"first"))).unwrap();
        let error = block_on(store.publish(&marker, Bytes::from_static(b"second"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(scene.inside("job")).unwrap().count(), 1);
        assert_eq!(fs::read(scene.inside("job/_metadata")).unwrap(), b"first");
        assert_eq!(fs::metadata(scene.inside("job/_metadata")).unwrap().nlink(), 1);
    }
}

#[test]
fn foreign_files_are_left_alone() {
    for disk in disks() {
        let scene = Scene::new();
        let store = store(disk, &scene.root());
        let foreign = ["Notes.txt", ".nfs0001", ".notes.tmp", "UPPER", "core dump"];
        for name in foreign {
            fs::write(scene.inside("job").join(name), b"somebody's").unwrap();
        }
        block_on(store.delete_directory(&path(&["job"]))).unwrap_err();
        for name in foreign {
            assert_eq!(fs::read(scene.inside("job").join(name)).unwrap(), b"somebody's");
        }
    }
}
