mod progress;
mod writer;

pub(crate) use progress::ProgressReport;
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
    /// In parts, of which this checkpoint writes only what the given one does not have. Later ones may build on them if they
    /// are shared.
    Parts { base: Option<Arc<KeyedBase>>, scope: StateScope },
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
        let keyed = keyed.map(|keyed| Encoded::new(&*keyed, form, writer.barrier.checkpoint)).transpose()?;
        let list = if elements.is_empty() { None } else { Some(List::new(&elements)?) };
        writer.begin(
            keyed.as_ref().map_or(0, Encoded::len) + list.as_ref().map_or(0, |list| list.bytes.len() as u64),
        );
        match keyed {
            None => {}
            Some(Encoded::Whole { range, bytes }) => {
                let handle = writer.store(StateScope::Exclusive, &[bytes]).await?;
                snapshot.keyed = handle.map(|handle| KeyedHandle { range, state: KeyedState::Full(handle) });
            }
            Some(Encoded::Parts { increment, scope }) => {
                let handle = match increment.pieces() {
                    [] => None,
                    pieces => writer.store(scope, pieces).await?,
                };
                let (handle, later) = increment.finish(handle).map_err(|error| chain(&error))?;
                snapshot.keyed = Some(handle);
                // A savepoint may be gone tomorrow, so nothing is built on it.
                base = Some(later).filter(|_| scope == StateScope::Shared);
            }
        }
        if let Some(List { name, count, bytes }) = list {
            let handle = writer.store(StateScope::Exclusive, &[bytes]).await?;
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

/// Keyed state as bytes.
enum Encoded {
    Whole { range: KeyGroupRange, bytes: Bytes },
    Parts { increment: KeyedIncrement, scope: StateScope },
}

impl Encoded {
    fn new(keyed: &dyn Keyed, form: KeyedForm, checkpoint: CheckpointId) -> Result<Self, String> {
        let encoded = match form {
            KeyedForm::Whole => {
                keyed.encode().map(|bytes| Self::Whole { range: keyed.range(), bytes: bytes.into() })
            }
            KeyedForm::Parts { base, scope } => {
                keyed.increment(checkpoint, base.as_deref()).map(|increment| Self::Parts { increment, scope })
            }
        };
        encoded.map_err(|error| chain(&error))
    }

    fn len(&self) -> u64 {
        match self {
            Self::Whole { bytes, .. } => bytes.len() as u64,
            Self::Parts { increment, .. } => increment.pieces().iter().map(|piece| piece.len() as u64).sum(),
        }
    }
}

/// Elements of operator state as bytes.
struct List {
    name: Name,
    count: u32,
    bytes: Bytes,
}

impl List {
    fn new(elements: &[Bytes]) -> Result<Self, String> {
        let count =
            u32::try_from(elements.len()).map_err(|_| "too many elements of operator state".to_owned())?;
        let bytes = elements::encode(elements).map_err(|error| chain(&error))?.into();
        let name = Name::new(ELEMENTS).map_err(|error| error.to_string())?;
        Ok(Self { name, count, bytes })
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
