mod writer;

pub(crate) use writer::Writer;

use crate::TaskResult;
use crate::error::chain;
use bytes::Bytes;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use stillframe_model::{
    CheckpointId, KeyGroupRange, KeyedHandle, KeyedState, Name, OperatorHandle, Redistribution, TaskSnapshot,
};
use stillframe_state::{KeyedBase, KeyedIncrement, KeyedSnapshot, StateError, elements};
use stillframe_storage::StateScope;

/// What a task captured, and what is still to be done until it is durable. Made between two records, finished beside
/// the stream.
#[derive(Default)]
pub struct Snapshot {
    preparations: Vec<Box<dyn FnOnce() -> TaskResult<()> + Send>>,
    keyed: Option<Box<dyn Keyed>>,
    elements: Vec<Bytes>,
}

/// Under which name an operator's elements stand in the metadata.
const ELEMENTS: &str = "elements";

/// Keyed state, whatever its keys and values are.
trait Keyed: Send {
    fn range(&self) -> KeyGroupRange;
    fn encode(&self) -> Result<Vec<u8>, StateError>;
    fn increment(
        &self,
        checkpoint: CheckpointId,
        base: Option<&KeyedBase>,
    ) -> Result<KeyedIncrement, StateError>;
}

impl<K, V> Keyed for KeyedSnapshot<K, V>
where
    K: Serialize + Send + Sync + 'static,
    V: Serialize + Send + Sync + 'static,
{
    fn range(&self) -> KeyGroupRange {
        self.range()
    }

    fn encode(&self) -> Result<Vec<u8>, StateError> {
        self.encode()
    }

    fn increment(
        &self,
        checkpoint: CheckpointId,
        base: Option<&KeyedBase>,
    ) -> Result<KeyedIncrement, StateError> {
        self.increment(checkpoint, base)
    }
}

/// How keyed state is written.
#[derive(Clone, Debug)]
pub(crate) enum KeyedForm {
    /// In one piece, which belongs to the checkpoint alone.
    Whole,
    /// In parts, of which this checkpoint writes only what the given one does not have.
    Parts { base: Option<Arc<KeyedBase>> },
}

/// State that was written for a checkpoint.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) snapshot: TaskSnapshot,
    /// On what later checkpoints may build once this one is complete.
    pub(crate) base: Option<KeyedBase>,
}

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
        self.keyed = Some(Box::new(state));
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
    pub(crate) async fn write(self, form: KeyedForm, mut writer: Writer) -> Result<Written, String> {
        let Self { preparations: _, keyed, elements } = self;
        let mut snapshot = TaskSnapshot { finished: writer.finished, ..TaskSnapshot::default() };
        let mut base = None;
        writer.wanted()?;
        if let Some(keyed) = keyed {
            match form {
                KeyedForm::Whole => {
                    let bytes = keyed.encode().map_err(|error| chain(&error))?;
                    let handle = writer.store(StateScope::Exclusive, &[bytes.into()]).await?;
                    let whole =
                        |handle| KeyedHandle { range: keyed.range(), state: KeyedState::Full(handle) };
                    snapshot.keyed = handle.map(whole);
                }
                KeyedForm::Parts { base: earlier } => {
                    let increment = keyed.increment(writer.barrier.checkpoint, earlier.as_deref());
                    let increment = increment.map_err(|error| chain(&error))?;
                    let handle = match increment.pieces() {
                        [] => None,
                        pieces => writer.store(StateScope::Shared, pieces).await?,
                    };
                    let (handle, later) = increment.finish(handle).map_err(|error| chain(&error))?;
                    snapshot.keyed = Some(handle);
                    base = Some(later);
                }
            }
        }
        if !elements.is_empty() {
            let count = u32::try_from(elements.len())
                .map_err(|_| "too many elements of operator state".to_owned())?;
            let bytes = elements::encode(&elements).map_err(|error| chain(&error))?;
            let name = Name::new(ELEMENTS).map_err(|error| error.to_string())?;
            let handle = writer.store(StateScope::Exclusive, &[bytes.into()]).await?;
            snapshot.operator.extend(handle.map(|handle| OperatorHandle {
                name,
                redistribution: Redistribution::Split,
                elements: count,
                handle,
            }));
        }
        writer.sync().await?;
        Ok(Written { snapshot, base })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("preparations", &self.preparations.len())
            .field("keyed", &self.keyed.as_ref().map(|keyed| keyed.range()))
            .field("elements", &self.elements.len())
            .finish()
    }
}
