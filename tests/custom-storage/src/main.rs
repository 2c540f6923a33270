//! A storage of one's own in thirty lines, and a small job that keeps its checkpoints there.
//!
//! The medium is in `medium.rs`: here a map in memory, in real life the client of a database. All that is said about it is how
//! to make, read, list and delete objects; `stillframe::storage_directory` turns that into checkpoints.

mod medium;

use medium::Medium;
use std::sync::Arc;
use stillframe::model::{OptionValue, StorageDescriptor};
use stillframe::prelude::*;
use stillframe::storage::{CompletedLocation, StorageAccess, StorageError, async_trait};
use stillframe::storage_directory::DirectoryStorage;
use stillframe_storage_custom::{CustomDescriptor, CustomKind, CustomOptions, Plugin};

/// The storage: which room of the medium, and nothing else.
#[derive(Debug)]
struct Attic {
    room: String,
    rooms: DirectoryStorage,
}

impl Attic {
    fn plugin(options: &CustomOptions) -> Result<Plugin, StorageError> {
        let room = options.text("room")?.to_owned();
        let medium = Arc::new(Medium::default());
        let rooms = DirectoryStorage::new(Arc::<Medium>::clone(&medium), medium, room.clone());
        Ok(Plugin::new(Arc::new(Self { room, rooms })))
    }
}

#[async_trait]
impl CheckpointStorage for Attic {
    fn descriptor(&self) -> StorageDescriptor {
        StorageDescriptor::new("attic").with("room", OptionValue::Text(self.room.clone()))
    }

    async fn open(&self, job: JobId) -> Result<Arc<dyn StorageAccess>, StorageError> {
        self.rooms.open(job).await
    }

    async fn resolve(&self, pointer: &Pointer) -> Result<Arc<dyn CompletedLocation>, StorageError> {
        self.rooms.resolve(pointer).await
    }
    // `dispose_savepoint` and `export` are passed on likewise, if people are to have them.
}

#[tokio::main]
async fn main() -> Result<(), stillframe::Error> {
    // On every process: which kinds there are.
    let mut storages = stillframe::builtin_storages();
    CustomKind::new("attic", 1..=1, Attic::plugin).register(&mut storages)?;

    // In the job: which one it wants, as any configuration could say it.
    let mut config = CheckpointConfig::default();
    config.set_checkpoint_interval(Duration::from_millis(20))?;
    let attic = CustomDescriptor::new("attic")?.with("room", OptionValue::Text("/north".to_owned()))?;
    config.set_checkpoint_storage(attic);

    let mut graph = JobGraph::new();
    let words = graph.source("words", 2, |task| Replay::new(task, vec![("tick".to_owned(), 1); 1_000]));
    let by_word = [(words, Exchange::by_key())];
    let counts = graph.operator("counts", 2, by_word, |task| Reduce::new(task, |sum, n: u64| *sum += n));
    graph.operator("print", 1, [(counts, Exchange::single())], |_| {
        ForEach::new(|(word, n)| println!("{word}: {n}"))
    });

    let storage = storages.build(&config.resolve(&graph.description())?.effective.storage)?;
    let report = Job::new(graph, &config, storage)?.run().await?;
    println!("checkpoints: {}", report.completed);
    assert!(report.completed > 0, "a job that ends takes a last checkpoint");
    Ok(())
}
