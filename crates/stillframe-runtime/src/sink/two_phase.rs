use crate::{Operator, Output, Restored, Snapshot, Stateful, TaskResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use stillframe_model::CheckpointId;
use stillframe_state::elements;

/// Makes a transaction survive anything. Runs beside the stream, before the task acknowledges the checkpoint.
pub type Preparation = Box<dyn FnOnce() -> TaskResult<()> + Send>;

/// A place that takes records in transactions. One value serves one subtask.
pub trait Transactions<T>: Send + 'static {
    /// Names a prepared transaction, so that any later process can commit it.
    type Transaction: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync;

    /// What identifies the writer beyond one transaction; kept with every checkpoint.
    type Writer: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync;

    /// Who writes now. Asked at every checkpoint, after [`prepare`](Self::prepare).
    fn writer(&self) -> Self::Writer;

    /// Takes one record into the current transaction, which begins with the first.
    ///
    /// # Errors
    /// Fail the attempt.
    fn write(&mut self, record: T) -> TaskResult<()>;

    /// Ends the current transaction; `None` if nothing was written into it.
    ///
    /// # Errors
    /// Fail the attempt.
    fn prepare(&mut self) -> TaskResult<Option<(Self::Transaction, Preparation)>>;

    /// Makes a prepared transaction visible. Committing twice is committing once.
    ///
    /// # Errors
    /// If it is lost, or cannot be committed now. Never silently: it was promised.
    fn commit(&mut self, transaction: &Self::Transaction) -> TaskResult<()>;

    /// Called once before the first record, and after everything that the restored checkpoint promised is committed:
    /// undoes what these writers, and this subtask in an earlier attempt, had begun beyond that. `None` in a job that is
    /// not restored from anything.
    ///
    /// # Errors
    /// Fail the attempt.
    fn recover(&mut self, writers: Option<Vec<Self::Writer>>) -> TaskResult<()>;
}

/// A sink that commits with the checkpoints of the job. The rules are those of Flink's two-phase-commit sink function.
pub struct TwoPhaseCommitSink<T, B: Transactions<T>> {
    transactions: B,
    /// Prepared and not committed, in the order of their checkpoints.
    pending: Vec<(CheckpointId, B::Transaction)>,
}

/// What a checkpoint holds of a sink.
#[derive(Serialize, Deserialize)]
struct Element<W, X> {
    writer: W,
    pending: Vec<X>,
}

impl<T, B: Transactions<T>> TwoPhaseCommitSink<T, B> {
    /// A sink that writes into these transactions.
    #[must_use]
    pub fn new(transactions: B) -> Self {
        Self { transactions, pending: Vec::new() }
    }
}

impl<T: Send + 'static, B: Transactions<T>> Stateful for TwoPhaseCommitSink<T, B> {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let mut writers = Vec::new();
        for element in &restored.elements {
            let Element::<B::Writer, B::Transaction> { writer, pending } = elements::decode_value(element)?;
            for transaction in &pending {
                self.transactions.commit(transaction)?;
            }
            writers.push(writer);
        }
        self.transactions.recover(restored.checkpoint.map(|_| writers))
    }

    fn snapshot(&mut self, checkpoint: CheckpointId) -> TaskResult<Snapshot> {
        let mut snapshot = Snapshot::new();
        if let Some((transaction, preparation)) = self.transactions.prepare()? {
            self.pending.push((checkpoint, transaction));
            snapshot = snapshot.with_preparation(preparation);
        }
        let pending = self.pending.iter().map(|(_, transaction)| transaction.clone()).collect();
        snapshot.with_element(&Element { writer: self.transactions.writer(), pending })
    }

    /// Commits everything up to the checkpoint. An error does not keep the others from being committed; the first is
    /// returned, and the restore that follows tries again.
    fn notify_complete(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        let later = self.pending.partition_point(|(of, _)| *of <= checkpoint);
        let mut result = Ok(());
        for (_, transaction) in self.pending.drain(..later) {
            let committed = self.transactions.commit(&transaction);
            result = result.and(committed);
        }
        result
    }
}

impl<T: Send + 'static, B: Transactions<T>> Operator<T> for TwoPhaseCommitSink<T, B> {
    fn process(&mut self, record: T, _: &mut Output<T>) -> TaskResult<()> {
        self.transactions.write(record)
    }
}

impl<T, B: Transactions<T>> fmt::Debug for TwoPhaseCommitSink<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoPhaseCommitSink").field("pending", &self.pending).finish_non_exhaustive()
    }
}
