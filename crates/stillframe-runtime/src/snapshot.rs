use crate::TaskResult;
use crate::error::chain;
use bytes::Bytes;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stillframe_model::{
    Barrier, KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorHandle, Redistribution, StateHandle,
    TaskSnapshot,
};
use stillframe_state::{KeyedSnapshot, elements};
use stillframe_storage::{StateScope, StorageError, WorkerStorage};

/// What a task captured, and what is still to be done until it is durable. Made between two records, finished beside
/// the stream.
#[derive(Default)]
pub struct Snapshot {
    preparations: Vec<Box<dyn FnOnce() -> TaskResult<()> + Send>>,
    keyed: Option<(KeyGroupRange, Encode)>,
    elements: Vec<Bytes>,
}

/// Under which name an operator's elements stand in the metadata.
const ELEMENTS: &str = "elements";

type Encode = Box<dyn FnOnce() -> TaskResult<Vec<u8>> + Send>;

impl Snapshot {
    /// No state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With keyed state. It is encoded later, beside the stream.
    #[must_use]
    pub fn with_keyed<K, V>(mut self, state: KeyedSnapshot<K, V>) -> Self
    where
        K: Serialize + Send + Sync + 'static,
        V: Serialize + Send + Sync + 'static,
    {
        self.keyed = Some((state.range(), Box::new(move || Ok(state.encode()?))));
        self
    }

    /// With one more element of operator state.
    ///
    /// # Errors
    /// If the value has no encoding.
    pub fn with_element<E: Serialize>(mut self, element: &E) -> TaskResult<Self> {
        self.elements.push(elements::encode_value(element)?);
        Ok(self)
    }

    /// With something that has to be done, beside the stream and before the task acknowledges: what a sink must make
    /// durable so that it can commit it later. Preparations of one task run in the order of their checkpoints. One that
    /// fails fails the attempt: later checkpoints would rely on it as well.
    #[must_use]
    pub fn with_preparation(mut self, prepare: impl FnOnce() -> TaskResult<()> + Send + 'static) -> Self {
        self.preparations.push(Box::new(prepare));
        self
    }

    /// What has to be done first.
    pub(crate) fn take_preparations(&mut self) -> Vec<Box<dyn FnOnce() -> TaskResult<()> + Send>> {
        std::mem::take(&mut self.preparations)
    }

    /// Writes the state and makes it durable.
    pub(crate) async fn write(
        self,
        storage: Arc<dyn WorkerStorage>,
        barrier: Barrier,
        finished: bool,
        cancelled: Arc<AtomicBool>,
    ) -> Result<TaskSnapshot, String> {
        let Self { preparations: _, keyed, elements } = self;
        let mut snapshot = TaskSnapshot { finished, ..TaskSnapshot::default() };
        // Nobody waits for the state of an aborted checkpoint any more.
        let wanted = || if cancelled.load(Ordering::Relaxed) { Err("cancelled".to_owned()) } else { Ok(()) };
        let write = async |bytes: Vec<u8>| -> Result<Option<StateHandle>, String> {
            wanted()?;
            store(&*storage, &barrier, bytes.into()).await.map_err(|error| chain(&error))
        };
        wanted()?;
        if let Some((range, encode)) = keyed {
            let bytes = encode().map_err(|error| error.to_string())?;
            let keyed = |handle| KeyedHandle { range, state: KeyedState::Full(handle) };
            snapshot.keyed = write(bytes).await?.map(keyed);
        }
        if !elements.is_empty() {
            let count = u32::try_from(elements.len())
                .map_err(|_| "too many elements of operator state".to_owned())?;
            let bytes = elements::encode(&elements).map_err(|error| chain(&error))?;
            let name = Name::new(ELEMENTS).map_err(|error| error.to_string())?;
            snapshot.operator.extend(write(bytes).await?.map(|handle| OperatorHandle {
                name,
                redistribution: Redistribution::Split,
                elements: count,
                handle,
            }));
        }
        wanted()?;
        // Only what survives the loss of power may be acknowledged.
        if snapshot.handles().any(|handle| handle.file().is_some()) {
            storage.sync(barrier.checkpoint, &barrier.location).await.map_err(|error| chain(&error))?;
        }
        Ok(snapshot)
    }
}

async fn store(
    storage: &dyn WorkerStorage,
    barrier: &Barrier,
    bytes: Bytes,
) -> Result<Option<StateHandle>, StorageError> {
    let mut stream = storage.create(barrier.checkpoint, &barrier.location, StateScope::Exclusive).await?;
    match stream.write(bytes).await {
        Ok(()) => stream.finish().await,
        Err(error) => {
            // The first error says what went wrong; what could not be removed goes with the checkpoint.
            let _ = stream.abort().await;
            Err(error)
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("preparations", &self.preparations.len())
            .field("keyed", &self.keyed.as_ref().map(|(range, _)| range))
            .field("elements", &self.elements.len())
            .finish()
    }
}
