//! The outputs of a task: which record goes where, in batches.

use crate::Record;
use crate::gate::Element;
use std::fmt;
use std::sync::Arc;
use stillframe_state::assignment::Partitioner;
use stillframe_state::{KeyHash, key_group};
use tokio::sync::mpsc;

/// How records get from the subtasks of one vertex to those of the next.
pub struct Exchange<T> {
    partition: Partition<T>,
    accepts: Option<Predicate<T>>,
}

type Predicate<T> = Arc<dyn Fn(&T) -> bool + Send + Sync>;

enum Partition<T> {
    Hash(Arc<dyn Fn(&T) -> i32 + Send + Sync>),
    Single,
    Rebalance,
}

impl<T> Exchange<T> {
    /// Records with the same key go to the same subtask: the one that owns the key group of this hash, which is best
    /// computed with [`KeyHash`]. Keyed state needs this.
    pub fn hash(key_hash: impl Fn(&T) -> i32 + Send + Sync + 'static) -> Self {
        Self { partition: Partition::Hash(Arc::new(key_hash)), accepts: None }
    }

    /// Every record goes to the first subtask.
    #[must_use]
    pub fn single() -> Self {
        Self { partition: Partition::Single, accepts: None }
    }

    /// Records go to the subtasks in turn.
    #[must_use]
    pub fn rebalance() -> Self {
        Self { partition: Partition::Rebalance, accepts: None }
    }

    /// What it is called where state is assigned.
    pub(crate) fn partitioner(&self) -> Partitioner {
        match self.partition {
            Partition::Hash(_) => Partitioner::KeyGroup,
            Partition::Single => Partitioner::Global,
            Partition::Rebalance => Partitioner::Rebalance,
        }
    }

    /// The same, for only those records that `accepts` approves; the others do not take this way.
    #[must_use]
    pub fn only(mut self, accepts: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.accepts = Some(Arc::new(accepts));
        self
    }
}

impl<K: KeyHash + 'static, V: 'static> Exchange<(K, V)> {
    /// Pairs with the same key go to the same subtask.
    #[must_use]
    pub fn by_key() -> Self {
        Self::hash(|(key, _): &(K, V)| key.key_hash())
    }
}

impl<T> Clone for Exchange<T> {
    fn clone(&self) -> Self {
        Self { partition: self.partition.clone(), accepts: self.accepts.clone() }
    }
}

impl<T> Clone for Partition<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Hash(key_hash) => Self::Hash(Arc::clone(key_hash)),
            Self::Single => Self::Single,
            Self::Rebalance => Self::Rebalance,
        }
    }
}

impl<T> fmt::Debug for Exchange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.partition {
            Partition::Hash(_) => "hash",
            Partition::Single => "single",
            Partition::Rebalance => "rebalance",
        })
    }
}

/// Where a source or operator puts its records.
#[derive(Debug)]
pub struct Output<T> {
    edges: Vec<Edge<T>>,
    full: bool,
}

/// The way to the subtasks of one vertex.
pub(crate) struct Edge<T> {
    exchange: Exchange<T>,
    max_parallelism: u16,
    channels: Vec<Channel<T>>,
    turn: usize,
}

struct Channel<T> {
    sender: mpsc::Sender<Element<T>>,
    batch: Vec<T>,
}

/// The other side is gone: the attempt is over, for a reason that somebody else reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disconnected;

/// How many records travel together. Large enough that the cost of a channel does not show.
const BATCH: usize = 256;

impl<T> Edge<T> {
    pub(crate) fn new(
        exchange: Exchange<T>,
        max_parallelism: u16,
        senders: Vec<mpsc::Sender<Element<T>>>,
    ) -> Self {
        let channels = senders.into_iter().map(|sender| Channel { sender, batch: Vec::new() }).collect();
        Self { exchange, max_parallelism, channels, turn: 0 }
    }

    fn accepts(&self, record: &T) -> bool {
        self.exchange.accepts.as_ref().is_none_or(|accepts| accepts(record))
    }

    /// Whether the batch is now full.
    fn push(&mut self, record: T) -> bool {
        let parallelism = self.channels.len();
        let subtask = match &self.exchange.partition {
            Partition::Hash(_) if parallelism == 1 => 0,
            Partition::Hash(key_hash) => {
                let group = key_group::key_group(key_hash(&record), self.max_parallelism);
                let parallelism = u32::try_from(parallelism).unwrap_or(u32::MAX);
                key_group::subtask_of(group, parallelism, self.max_parallelism) as usize
            }
            Partition::Single => 0,
            Partition::Rebalance => {
                self.turn = (self.turn + 1) % parallelism;
                self.turn
            }
        };
        let Some(channel) = self.channels.get_mut(subtask) else { return false };
        channel.batch.push(record);
        channel.batch.len() >= BATCH
    }
}

impl<T> fmt::Debug for Edge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {}", self.exchange, self.channels.len())
    }
}

impl<T: Record> Output<T> {
    pub(crate) fn new(edges: Vec<Edge<T>>) -> Self {
        Self { edges, full: false }
    }

    /// Sends a record on, along every way that accepts it.
    pub fn emit(&mut self, record: T) {
        let Some((last, others)) = self.edges.split_last_mut() else { return };
        for edge in others {
            if edge.accepts(&record) {
                self.full |= edge.push(record.clone());
            }
        }
        if last.accepts(&record) {
            self.full |= last.push(record);
        }
    }

    /// Whether a batch is full and wants to be [flushed](Self::flush).
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Sends every batch on its way, waiting where the receiver is behind.
    pub(crate) async fn flush(&mut self) -> Result<(), Disconnected> {
        self.full = false;
        for channel in self.edges.iter_mut().flat_map(|edge| &mut edge.channels) {
            if !channel.batch.is_empty() {
                let batch = std::mem::replace(&mut channel.batch, Vec::with_capacity(BATCH));
                channel.sender.send(Element::Records(batch)).await.map_err(|_| Disconnected)?;
            }
        }
        Ok(())
    }

    /// Sends a control element to everybody who is still there, behind all records that were emitted before.
    pub(crate) async fn broadcast(&mut self, element: impl Fn() -> Element<T>) -> Result<(), Disconnected> {
        self.flush().await?;
        let mut result = Ok(());
        for channel in self.edges.iter().flat_map(|edge| &edge.channels) {
            if channel.sender.send(element()).await.is_err() {
                result = Err(Disconnected);
            }
        }
        result
    }
}
