//! What a process finds when it begins, and what it does then.

use crate::prove::size;
use crate::prove::storage::scripted::adoption::{WAYS, prepared};
use crate::prove::storage::scripted::process::Errors;
use crate::prove::storage::scripted::{Journal, script, stubborn};
use std::sync::Arc;
use stillframe::fs::disk::Disk;
use stillframe::fs::simulation::{Coverage, SimDisk};
use stillframe::storage::StorageError;

type Life = fn(&Arc<dyn Disk>, Errors, &mut Journal) -> Vec<StorageError>;

/// One of the runs in which everything fails once.
pub(super) struct Scene {
    pub(super) name: String,
    pub(super) disk: SimDisk,
    pub(super) journal: Journal,
    pub(super) life: Life,
    /// Whether a listing of the register has a gap.
    pub(super) has_gaps: bool,
    /// Of what a loss of power may leave after each failure; `None` for the worst alone.
    pub(super) coverage: Option<Coverage>,
}

impl Scene {
    /// What may be left, with what survived.
    pub(super) fn after_power_loss(&self, disk: &SimDisk) -> Vec<(String, SimDisk)> {
        match &self.coverage {
            Some(coverage) => {
                let images = disk.after_power_loss(coverage);
                images.map(|(survived, image)| (survived.to_string(), image)).collect()
            }
            None => vec![("nothing unsynced survived".to_owned(), disk.worst_case())],
        }
    }

    fn new(name: impl Into<String>, (disk, journal): (SimDisk, Journal), life: Life) -> Self {
        let coverage = Coverage { every_subset_up_to: 2, pairs_up_to: 0, random: 2, seed: 1 };
        let coverage =
            size().pick(coverage, Coverage { every_subset_up_to: 6, pairs_up_to: 0, random: 16, seed: 1 });
        Self { name: name.into(), disk, journal, life, has_gaps: false, coverage: Some(coverage) }
    }
}

/// All of them.
pub(super) fn all() -> Vec<Scene> {
    let nothing = || (SimDisk::new(), Journal::default());
    let mut scenes = vec![
        Scene::new("a first process", nothing(), stubborn::begins),
        Scene {
            // Its images are large, too.
            coverage: None,
            ..Scene::new("large states", nothing(), stubborn::begins_with_large_states)
        },
        Scene {
            has_gaps: true,
            ..Scene::new("a register that is taken over", after(script::abandoned), stubborn::inherits)
        },
        Scene::new("disposal of a savepoint", after(script::two_savepoints), stubborn::disposes),
    ];
    let adoptions = WAYS.map(|(source, ownership)| {
        let name = format!("{source:?} {ownership:?}").to_lowercase();
        Scene::new(name, prepared(source, ownership), stubborn::adopts)
    });
    scenes.extend(adoptions);
    scenes
}

type Script = fn(&Arc<dyn Disk>, Errors, &mut Journal) -> Result<(), StorageError>;

/// What a script leaves, with which nothing comes between.
fn after(script: Script) -> (SimDisk, Journal) {
    let (disk, mut journal) = (SimDisk::new(), Journal::default());
    let reached: Arc<dyn Disk> = Arc::new(disk.clone());
    script(&reached, Errors::Meant, &mut journal).expect("nothing fails");
    assert!(journal.wrong.is_empty(), "nothing came between, and yet: {:?}", journal.wrong);
    (disk, journal)
}
