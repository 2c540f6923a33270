use crate::Verdict;
use crate::session::Session;
use bytes::Bytes;
use core::fmt;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use stillframe_model::{CheckpointId, CheckpointMetadata, JobId, Pointer, StateHandle, StorageDescriptor};
use stillframe_storage::{CheckpointStorage, StorageError};

/// How metadata is written.
pub(crate) type Encode = Arc<dyn Fn(&CheckpointMetadata) -> Bytes + Send + Sync>;

/// How metadata is read.
pub(crate) type Decode = Box<dyn Fn(&[u8]) -> CheckpointMetadata>;

type Rebuild = Box<dyn Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError>>;

type List = Box<dyn Fn() -> Vec<String>>;
type Put = Box<dyn Fn(JobId, CheckpointId) -> String>;
type Damage = Box<dyn Fn(&str)>;
type Outage = Box<dyn Fn(bool)>;
type Relocate = Box<dyn Fn(&Pointer) -> Pointer>;

/// What a storage may leave out. It then refuses what belongs to it, in the way that the traits say; and what there is nothing
/// of, such as a file that somebody could damage, does not apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// State outside of the metadata, in files or in whatever else it keeps. A storage without puts all state into the handles.
    StateInFiles,
    /// A medium that others can reach and change. A storage without is in memory and nowhere else.
    ReachableMedium,
    /// Savepoints, which belong to whoever asked for them.
    Savepoints,
    /// Removing a savepoint for whoever owns it.
    Disposal,
    /// Copying a snapshot elsewhere, whole.
    Export,
    /// State that tasks look after themselves.
    TaskOwnedState,
    /// Taking over a snapshot of another job, to remove it later.
    TakenSnapshots,
    /// Beginning with a snapshot of another job, to whose state checkpoints then refer.
    LeftSnapshots,
    /// Beginning with a snapshot of another job, to whose state no checkpoint refers.
    UnclaimedSnapshots,
}

/// The storage under test, empty and not used by anybody else, and what the cases may do to it behind its back.
pub struct Subject {
    storage: Arc<dyn CheckpointStorage>,
    rebuild: Rebuild,
    lacking: BTreeMap<Capability, String>,
    metadata: Encode,
    decode: Option<Decode>,
    residue: Option<List>,
    savepoint_target: Option<String>,
    foreign: Option<Put>,
    damage: Option<Damage>,
    outage: Option<Outage>,
    relocation: Option<Relocate>,
    kept: Vec<Box<dyn Any>>,
}

impl Subject {
    /// A storage, and how its descriptor is turned back into one: what will be registered for its kind.
    pub fn new(
        storage: Arc<dyn CheckpointStorage>,
        rebuild: impl Fn(&StorageDescriptor) -> Result<Arc<dyn CheckpointStorage>, StorageError> + 'static,
    ) -> Self {
        Self {
            storage,
            rebuild: Box::new(rebuild),
            lacking: BTreeMap::new(),
            metadata: Arc::new(|metadata| {
                Bytes::from(format!("metadata of {} of job {}", metadata.checkpoint, metadata.job))
            }),
            decode: None,
            residue: None,
            savepoint_target: None,
            foreign: None,
            damage: None,
            outage: None,
            relocation: None,
            kept: Vec::new(),
        }
    }

    /// Says what the storage does not do, and why. The cases then show that it refuses, or do not apply.
    #[must_use]
    pub fn lacking(mut self, capability: Capability, why: impl Into<String>) -> Self {
        self.lacking.insert(capability, why.into());
        self
    }

    /// How metadata is written, for a storage that looks into it, as one does to see which shared files are referred to, or
    /// whether what it is to remove is a savepoint. Without it the cases write a text that names the checkpoint.
    #[must_use]
    pub fn with_metadata(
        mut self,
        encode: impl Fn(&CheckpointMetadata) -> Bytes + Send + Sync + 'static,
    ) -> Self {
        self.metadata = Arc::new(encode);
        self
    }

    /// How metadata is read that the storage wrote itself, as it does when it exports a snapshot.
    #[must_use]
    pub fn with_decoding(mut self, decode: impl Fn(&[u8]) -> CheckpointMetadata + 'static) -> Self {
        self.decode = Some(Box::new(decode));
        self
    }

    /// How to see the state and metadata that the storage occupies right now, as the names of its files or of whatever it
    /// counts, without what it needs for its own administration. With it the cases can tell a leak, which the traits do not
    /// show.
    #[must_use]
    pub fn with_residue(mut self, residue: impl Fn() -> Vec<String> + 'static) -> Self {
        self.residue = Some(Box::new(residue));
        self
    }

    /// An address below which savepoints can go.
    #[must_use]
    pub fn with_savepoint_target(mut self, address: impl Into<String>) -> Self {
        self.savepoint_target = Some(address.into());
        self
    }

    /// How to put something that is not the storage's into the place of one checkpoint. It returns the name by which
    /// the [residue](Self::with_residue) shows it.
    #[must_use]
    pub fn with_foreign(mut self, put: impl Fn(JobId, CheckpointId) -> String + 'static) -> Self {
        self.foreign = Some(Box::new(put));
        self
    }

    /// How to change one bit in the middle of what the [residue](Self::with_residue) shows under a name.
    #[must_use]
    pub fn with_damage(mut self, damage: impl Fn(&str) + 'static) -> Self {
        self.damage = Some(Box::new(damage));
        self
    }

    /// How to let everything that the storage writes fail from now on (`true`), and succeed again (`false`).
    #[must_use]
    pub fn with_outage(mut self, outage: impl Fn(bool) + 'static) -> Self {
        self.outage = Some(Box::new(outage));
        self
    }

    /// How to move a savepoint elsewhere, as a person would with the tools of the medium. It returns the new address.
    #[must_use]
    pub fn with_relocation(mut self, relocate: impl Fn(&Pointer) -> Pointer + 'static) -> Self {
        self.relocation = Some(Box::new(relocate));
        self
    }

    /// Keeps something alive as long as the storage is tested, such as its temporary directory.
    #[must_use]
    pub fn keeping(mut self, kept: impl Any) -> Self {
        self.kept.push(Box::new(kept));
        self
    }

    pub(crate) fn storage(&self) -> &dyn CheckpointStorage {
        &*self.storage
    }

    pub(crate) fn rebuild(&self, descriptor: &StorageDescriptor) -> Arc<dyn CheckpointStorage> {
        (self.rebuild)(descriptor).expect("a storage's own descriptor builds it again")
    }

    /// Whether it says that it does not do this.
    pub(crate) fn lacks(&self, capability: Capability) -> bool {
        self.lacking.contains_key(&capability)
    }

    /// That a case is about what the storage says that it lacks, if it says so.
    pub(crate) fn without(&self, capability: Capability) -> Option<Verdict> {
        self.lacking.get(&capability).map(|why| Verdict::DoesNotApply(why.clone()))
    }

    /// Asserts that state is not where the storage says that none is.
    pub(crate) fn assert_place(&self, handle: &StateHandle) {
        let is_honest = handle.file().is_none() || !self.lacks(Capability::StateInFiles);
        assert!(is_honest, "it is said to have no state in files: {handle:?}");
    }

    /// What is occupied now; always nothing for a storage that cannot tell.
    pub(crate) fn residue(&self) -> Vec<String> {
        let mut residue = self.residue.as_ref().map(|list| list()).unwrap_or_default();
        residue.sort();
        residue
    }

    /// What is occupied now and was not before.
    pub(crate) fn new_since(&self, before: &[String]) -> Vec<String> {
        let mut residue = self.residue();
        residue.retain(|name| !before.contains(name));
        residue
    }

    /// How metadata is written that this storage can read.
    pub(crate) fn encoding(&self) -> Encode {
        Arc::clone(&self.metadata)
    }

    /// What stands in metadata, if somebody said how it is read.
    pub(crate) fn decode(&self, metadata: &[u8]) -> Option<CheckpointMetadata> {
        self.decode.as_ref().map(|decode| decode(metadata))
    }

    pub(crate) fn savepoint_target(&self) -> Option<&str> {
        self.savepoint_target.as_deref()
    }

    pub(crate) fn foreign(&self) -> Option<&dyn Fn(JobId, CheckpointId) -> String> {
        self.foreign.as_deref()
    }

    pub(crate) fn damage(&self) -> Option<&dyn Fn(&str)> {
        self.damage.as_deref()
    }

    pub(crate) fn outage(&self) -> Option<&dyn Fn(bool)> {
        self.outage.as_deref()
    }

    pub(crate) fn relocation(&self) -> Option<&dyn Fn(&Pointer) -> Pointer> {
        self.relocation.as_deref()
    }

    /// A new run of a job: the storage is opened, and the job claimed.
    pub(crate) async fn run(&self, job: JobId) -> Session {
        self.run_on(&*self.storage, job).await
    }

    /// The same on another storage of its kind.
    pub(crate) async fn run_on(&self, storage: &dyn CheckpointStorage, job: JobId) -> Session {
        Session::begin(storage, job, Arc::clone(&self.metadata)).await
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lacking = self.lacking.keys();
        let lacking = lacking.collect::<Vec<_>>();
        f.debug_struct("Subject")
            .field("storage", &self.storage)
            .field("lacking", &lacking)
            .finish_non_exhaustive()
    }
}
