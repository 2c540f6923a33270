//! What the conformance cases are shown: this storage on a real disk, on a simulated one, and there behind the guard of
//! custom storages.

use crate::FileSystemCheckpointStorage;
use crate::disk::Disk;
use crate::simulation::{Fault, FaultKind, SimDisk};
use rustix::fs::CWD;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use stillframe_model::{CheckpointId, JobId, Pointer, StorageDescriptor};
use stillframe_storage::{CheckpointStorage, StorageError};
use stillframe_storage_conformance::{ALL, Capability, Subject};
use stillframe_storage_custom::{CustomDescriptor, CustomKind, GuardPolicy, Plugin, ReadBack};

mod conformance {
    stillframe_storage_conformance::conformance_tests!(super::fresh);
}

mod conformance_on_a_simulated_disk {
    stillframe_storage_conformance::conformance_tests!(super::fresh_on_a_simulated_disk);
}

mod conformance_behind_the_guard_of_custom_storages {
    stillframe_storage_conformance::conformance_tests!(super::fresh_behind_the_guard);
}

fn fresh() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    let storage = FileSystemCheckpointStorage::new(root.join("c")).unwrap();
    let foreign = root.clone();
    let put = move |job: JobId, checkpoint: CheckpointId| {
        let path = foreign.join(format!("c/{job}/chk-{checkpoint}/notes.txt"));
        fs::write(&path, b"somebody's").unwrap();
        path.display().to_string()
    };
    let damage = |name: &str| {
        let mut bytes = fs::read(name).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(name, bytes).unwrap();
    };
    let elsewhere = root.join("moved");
    let relocate = move |pointer: &Pointer| {
        rustix::fs::renameat(CWD, pointer.as_str(), CWD, &elsewhere).unwrap();
        Pointer::new(elsewhere.to_str().unwrap())
    };
    Subject::new(Arc::new(storage), |descriptor| {
        Ok(Arc::new(FileSystemCheckpointStorage::from_descriptor(descriptor)?))
    })
    .with_metadata(|metadata| stillframe_metadata::encode(metadata).unwrap().into())
    .with_decoding(|bytes| stillframe_metadata::decode(bytes).unwrap())
    .with_savepoint_target(root.join("asked/for").to_str().unwrap())
    .with_residue(move || residue(files(&root)))
    .with_foreign(put)
    .with_damage(damage)
    .with_relocation(relocate)
    .keeping(directory)
}

fn fresh_on_a_simulated_disk() -> Subject {
    let disk = SimDisk::new();
    let storage = simulated(&disk, FileSystemCheckpointStorage::new("/c").unwrap());
    let rebuilt = disk.clone();
    on_a_simulated_disk(disk, storage, move |descriptor| {
        Ok(simulated(&rebuilt, FileSystemCheckpointStorage::from_descriptor(descriptor)?))
    })
}

/// The same as a custom storage, with everything read back that can be.
fn fresh_behind_the_guard() -> Subject {
    let disk = SimDisk::new();
    let medium = disk.clone();
    let kind = CustomKind::new("simulated", 1..=1, move |_| {
        Ok(Plugin::new(simulated(&medium, FileSystemCheckpointStorage::new("/c")?)))
    });
    let kind = kind.with_policy(GuardPolicy::default().with_read_back(ReadBack::Always));
    let build = move |descriptor: &StorageDescriptor| {
        let storage = kind.build(&CustomDescriptor::try_from(descriptor.clone())?)?;
        Ok(Arc::new(storage) as Arc<dyn CheckpointStorage>)
    };
    let storage = build(&StorageDescriptor::new("simulated")).unwrap();
    on_a_simulated_disk(disk, storage, build)
}

fn simulated(disk: &SimDisk, storage: FileSystemCheckpointStorage) -> Arc<dyn CheckpointStorage> {
    Arc::new(storage.with_disk(Arc::new(disk.clone())))
}

fn on_a_simulated_disk(
    disk: SimDisk,
    storage: Arc<dyn CheckpointStorage>,
    rebuild: impl Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> + 'static,
) -> Subject {
    let [seen, foreign, damaged, moved] = [(); 4].map(|()| disk.clone());
    let put = move |job: JobId, checkpoint: CheckpointId| {
        let path = format!("/c/{job}/chk-{checkpoint}/notes.txt");
        foreign.create_new(Path::new(&path)).and_then(|mut file| file.write(b"somebody's")).unwrap();
        path
    };
    let damage = move |name: &str| {
        let mut bytes = damaged.content(Path::new(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        damaged.damage(Path::new(name), bytes).unwrap();
    };
    let relocate = move |pointer: &Pointer| {
        let (from, to) = (Path::new(pointer.as_str()), Path::new("/moved"));
        moved.create_dir(to).unwrap();
        for entry in moved.list(from).unwrap() {
            moved.hard_link(&from.join(&entry.name), &to.join(&entry.name)).unwrap();
            moved.remove_file(&from.join(&entry.name)).unwrap();
        }
        moved.remove_dir(from).unwrap();
        Pointer::new("/moved")
    };
    Subject::new(storage, rebuild)
        .with_metadata(|metadata| stillframe_metadata::encode(metadata).unwrap().into())
        .with_decoding(|bytes| stillframe_metadata::decode(bytes).unwrap())
        .with_savepoint_target("/asked/for")
        .with_residue(move || {
            let files = seen.files(Path::new("/"));
            residue(files.into_iter().map(|path| path.display().to_string()).collect())
        })
        .with_foreign(put)
        .with_damage(damage)
        .with_relocation(relocate)
        .with_outage(
            move |begins| {
                if begins { disk.inject(Fault::sticky(FaultKind::NoSpace, 1)) } else { disk.mend() }
            },
        )
}

/// All files but those of the register.
pub(super) fn residue(mut files: Vec<String>) -> Vec<String> {
    files.retain(|file| !file.contains("/_ctl/"));
    files
}

pub(super) fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found.sort();
    found
}

#[test]
#[should_panic(expected = "it is said to have no state in files")]
fn who_says_falsely_that_a_case_does_not_apply_is_found_out() {
    let fresh = || fresh_on_a_simulated_disk().lacking(Capability::StateInFiles, "it says so");
    let case = ALL.iter().find(|case| case.name.replace(' ', "") == "readers::a_missing_file_is_not_found");
    let _ = (case.unwrap().run)(&fresh);
}
