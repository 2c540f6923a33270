//! Savepoints that somebody made to have something else removed or copied.

use futures_executor::block_on;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use stillframe::fs::FileSystemCheckpointStorage;
use stillframe::metadata::frame::{self, RecordKind};
use stillframe::metadata::{decode, encode};
use stillframe::model::{
    CheckpointId, CheckpointKind, CheckpointMetadata, Crc32c, FileHandle, JobId, KeyGroupRange, KeyedHandle,
    KeyedState, Name, OperatorState, Pointer, StateDirectory, StateFile, StateHandle, TaskSnapshot,
    UnixMillis,
};
use stillframe::storage::{CheckpointStorage, ErrorKind, StorageError};
use tempfile::TempDir;

/// Up from the savepoint, past the directory in which it lies. No name that is written can be like this.
const OUT: &str = "../../victim";
/// Another of that length, which the grammar of names allows.
const NAME: &str = "in.in.victim";

/// The metadata of a savepoint whose only state is in this file.
fn metadata(directory: StateDirectory, name: &str) -> Vec<u8> {
    let file = StateFile { directory, name: Name::new(name.to_owned()).expect("a name") };
    let handle = StateHandle::File(FileHandle { file, len: 6, crc: Crc32c::of(b"secret") });
    let range = KeyGroupRange { start: 0, end: 0 };
    let keyed = Some(KeyedHandle { range, state: KeyedState::Full(handle) });
    let subtasks = vec![TaskSnapshot { keyed, ..TaskSnapshot::default() }];
    let operator = OperatorState { max_parallelism: 1, subtasks, coordinator: None };
    let metadata = CheckpointMetadata {
        job: JobId::from_bytes([1; 16]),
        checkpoint: CheckpointId::FIRST,
        kind: CheckpointKind::SAVEPOINT,
        triggered_at: UnixMillis(0),
        operators: BTreeMap::from([(Name::new("o").expect("a name"), operator)]),
        hooks: BTreeMap::new(),
    };
    encode(&metadata).expect("it can be written")
}

/// The same with the name that leads out, in a frame whose checksums fit.
fn forged() -> Vec<u8> {
    let honest = metadata(StateDirectory::Exclusive, NAME);
    let body = frame::open_body(RecordKind::CheckpointMetadata, &honest).expect("it was just written");
    let at = body.windows(NAME.len()).position(|bytes| bytes == NAME.as_bytes()).expect("the name is text");
    let body = [&body[..at], OUT.as_bytes(), &body[at + OUT.len()..]].concat();
    frame::seal_body(RecordKind::CheckpointMetadata, &body).expect("it is small")
}

/// A directory with a savepoint in it, and with what it may be after in every place that its handles can mean.
struct Scene {
    root: TempDir,
    storage: FileSystemCheckpointStorage,
}

impl Scene {
    fn new(metadata: &[u8]) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let storage = FileSystemCheckpointStorage::new(root.path().join("checkpoints")).expect("a path");
        let scene = Self { root, storage };
        for victim in scene.victims() {
            fs::create_dir_all(victim.parent().expect("a directory")).expect("it can be made");
            fs::write(victim, b"secret").expect("it can be written");
        }
        fs::create_dir(scene.savepoint()).expect("it can be made");
        fs::write(scene.savepoint().join("_metadata"), metadata).expect("it can be written");
        let link = scene.savepoint().join(format!("state-{:032x}", 7));
        symlink(scene.elsewhere().join("victim"), link).expect("links can be made");
        scene
    }

    fn savepoint(&self) -> PathBuf {
        self.root.path().join("all/savepoint-010101-00")
    }

    fn elsewhere(&self) -> PathBuf {
        self.root.path().join("elsewhere")
    }

    fn victims(&self) -> Vec<PathBuf> {
        let places =
            ["victim", "elsewhere/victim", "all/victim", "all/shared/victim", "all/taskowned/victim"];
        places.map(|place| self.root.path().join(place)).into()
    }

    fn pointer(&self) -> Pointer {
        Pointer::new(self.savepoint().display().to_string())
    }

    fn dispose(&self) -> Result<(), StorageError> {
        block_on(self.storage.dispose_savepoint(&self.pointer()))
    }

    fn export(&self) -> Result<Pointer, StorageError> {
        let target = self.root.path().join("copies").display().to_string();
        block_on(self.storage.export(&self.pointer(), &target))
    }

    /// What was outside is there, and no copy of it anywhere else.
    fn assert_untouched(&self) {
        let mut found = Vec::new();
        files(self.root.path(), &mut found);
        let secrets = found.into_iter().filter(|path| {
            fs::read(path).is_ok_and(|bytes| bytes.windows(6).any(|bytes| bytes == b"secret"))
        });
        let mut secrets: Vec<_> = secrets.collect();
        let mut victims = self.victims();
        secrets.sort_unstable();
        victims.sort_unstable();
        assert_eq!(secrets, victims);
    }
}

/// All files below a directory; links are not followed.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        match entry.file_type().expect("it has a type") {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

/// Flink's disposal deletes whatever the metadata of a savepoint names, with the rights of whoever asks for it.
#[test]
fn hardening_4_2_2_a_crafted_savepoint_has_nothing_outside_removed_or_copied() {
    let refusal = decode(&forged()).expect_err("the name leads out").to_string();
    assert!(refusal.contains(OUT), "{refusal}");

    let scene = Scene::new(&forged());
    assert_eq!(scene.export().expect_err("nothing is read of it").kind(), ErrorKind::Corrupt);
    assert_eq!(scene.dispose().expect_err("nothing is read of it").kind(), ErrorKind::Corrupt);
    assert!(scene.savepoint().join("_metadata").is_file(), "what cannot be read stays");
    scene.assert_untouched();

    // What the grammar allows leads to other places, each of which is somebody else's.
    let elsewhere = |scene: &Scene| StateDirectory::Foreign(scene.elsewhere().display().to_string().into());
    let places: [&dyn Fn(&Scene) -> StateDirectory; 3] =
        [&elsewhere, &|_| StateDirectory::Shared, &|_| StateDirectory::TaskOwned];
    for (place, expected) in
        places.into_iter().zip([ErrorKind::InvalidPointer, ErrorKind::Corrupt, ErrorKind::Corrupt])
    {
        let scene = Scene::new(&[]);
        let metadata = metadata(place(&scene), "victim");
        fs::write(scene.savepoint().join("_metadata"), metadata).expect("it can be written");
        let error = scene.export().expect_err("it is not its own");
        assert_eq!(error.kind(), expected, "{error}");
        scene.assert_untouched();
        scene.dispose().expect("what is its own can be removed");
        assert!(!scene.savepoint().exists(), "the link in it is gone as well");
        scene.assert_untouched();
    }
}
