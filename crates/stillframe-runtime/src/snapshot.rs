mod progress;
mod writer;

pub(crate) use progress::ProgressReport;
pub(crate) use writer::Writer;

use crate::error::chain;
use crate::{TaskError, TaskResult};
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
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
    lists: BTreeMap<Name, List>,
}

/// A list of operator state.
#[derive(Debug, Default)]
struct List {
    redistribution: Redistribution,
    elements: Vec<Bytes>,
}

/// The name of the list that needs none.
pub(crate) const ELEMENTS: &str = "elements";

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

    /// With one more element of operator state. At another parallelism each element goes to one subtask.
    ///
    /// # Errors
    /// If the value has no encoding.
    pub fn with_element<E: Serialize>(self, element: &E) -> TaskResult<Self> {
        self.with_list(ELEMENTS, Redistribution::Split, [element])
    }

    /// With elements of a list of operator state, which [`Restored::list`](crate::Restored::list) gives back under its name.
    /// What each subtask gets of the elements of all subtasks is up to the list:
    ///
    /// - [`Split`](Redistribution::Split): each element goes to one subtask. At the same parallelism everybody keeps its own.
    /// - [`Union`](Redistribution::Union): all elements go to everybody, also at the same parallelism. An operator that
    ///   captures all that it got would have more of them after each restart.
    /// - [`Broadcast`](Redistribution::Broadcast): everybody gets the elements that one subtask had, so all have to have the
    ///   same.
    ///
    /// # Errors
    /// If there cannot be a list with this name, the list is dealt in another way already, or a value has no encoding.
    pub fn with_list<'a, E: Serialize + 'a>(
        mut self,
        name: &str,
        redistribution: Redistribution,
        elements: impl IntoIterator<Item = &'a E>,
    ) -> TaskResult<Self> {
        let list =
            self.lists.entry(Name::new(name)?).or_insert_with(|| List { redistribution, ..List::default() });
        if list.redistribution != redistribution {
            let already = list.redistribution;
            let message =
                format!("list {name} of operator state is {already:?} and cannot be {redistribution:?}, too");
            return Err(TaskError::message(message));
        }
        for element in elements {
            list.elements.push(elements::encode_value(element)?);
        }
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
        let Self { preparations: _, keyed, lists } = self;
        let mut snapshot = TaskSnapshot { finished: writer.finished, ..TaskSnapshot::default() };
        let mut base = None;
        writer.wanted()?;
        writer.encodes();
        let keyed = keyed.map(|keyed| Encoded::new(&*keyed, form, writer.barrier.checkpoint)).transpose()?;
        let lists = lists.into_iter().filter(|(_, list)| !list.elements.is_empty());
        let lists = lists.map(|(name, list)| EncodedList::new(name, &list)).collect::<Result<Vec<_>, _>>()?;
        let of_lists: u64 = lists.iter().map(|list| list.bytes.len() as u64).sum();
        writer.begin(keyed.as_ref().map_or(0, Encoded::len) + of_lists);
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
        for EncodedList { name, redistribution, count, bytes } in lists {
            let handle = writer.store(StateScope::Exclusive, &[bytes]).await?;
            snapshot.operator.extend(handle.map(|handle| OperatorHandle {
                name,
                redistribution,
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

/// A list of operator state as bytes.
struct EncodedList {
    name: Name,
    redistribution: Redistribution,
    count: u32,
    bytes: Bytes,
}

impl EncodedList {
    fn new(name: Name, List { redistribution, elements }: &List) -> Result<Self, String> {
        let count = u32::try_from(elements.len())
            .map_err(|_| format!("too many elements of operator state {name}"))?;
        let bytes = elements::encode(elements).map_err(|error| chain(&error))?.into();
        Ok(Self { name, redistribution: *redistribution, count, bytes })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("preparations", &self.preparations.len())
            .field("keyed", &self.keyed.as_ref().map(|keyed| keyed.range()))
            .field("lists", &self.lists.keys())
            .finish()
    }
}
