//! Where the sink writes: a ledger that outlives attempts and jobs, as a file system would.

use super::brake::{Brake, Gauge};
use super::sums::Item;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use stillframe::prelude::*;
use stillframe::runtime::TaskError;
use stillframe::runtime::sink::{Preparation, Transactions};

/// The name of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Entry {
    writer: String,
    number: u64,
}

/// All transactions of all writers.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    /// How many transactions were prepared.
    pub(crate) prepared: Gauge,
    /// Holds preparations.
    pub(crate) preparing: Arc<Brake>,
    /// So many preparations fail.
    faults: AtomicU32,
}

#[derive(Debug, Default)]
struct Books {
    prepared: BTreeMap<Entry, Vec<Item>>,
    committed: BTreeMap<Entry, Vec<Item>>,
}

impl Ledger {
    /// Lets the next preparations fail, as on a full disk.
    pub(crate) fn fail_preparations(&self, times: u32) {
        self.faults.store(times, Ordering::SeqCst);
    }

    /// Everything that was committed, sorted.
    pub(crate) fn committed(&self) -> Vec<Item> {
        let mut items: Vec<_> = self.books().committed.values().flatten().cloned().collect();
        items.sort();
        items
    }

    /// How many transactions are prepared and not committed.
    pub(crate) fn pending(&self) -> usize {
        self.books().prepared.len()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nothing panics while it holds this")
    }
}

/// One subtask's part in the ledger.
#[derive(Debug)]
pub(crate) struct Writing {
    ledger: Arc<Ledger>,
    writer: Entry,
    current: Vec<Item>,
}

impl Writing {
    pub(crate) fn new(task: &TaskContext, ledger: &Arc<Ledger>) -> Self {
        let writer = Entry { writer: format!("{}-{}", task.job, task.subtask), number: 0 };
        Self { ledger: Arc::clone(ledger), writer, current: Vec::new() }
    }
}

impl Transactions<Item> for Writing {
    type Transaction = Entry;
    type Writer = Entry;

    /// The name and the number of the next transaction.
    fn writer(&self) -> Entry {
        self.writer.clone()
    }

    fn write(&mut self, item: Item) -> TaskResult<()> {
        self.current.push(item);
        Ok(())
    }

    fn prepare(&mut self) -> TaskResult<Option<(Entry, Preparation)>> {
        if self.current.is_empty() {
            return Ok(None);
        }
        let (items, entry, ledger) =
            (std::mem::take(&mut self.current), self.writer.clone(), Arc::clone(&self.ledger));
        self.writer.number += 1;
        let transaction = entry.clone();
        let preparation = move || {
            ledger.preparing.pass();
            let failing = |left: u32| left.checked_sub(1);
            if ledger.faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing).is_ok() {
                return Err(TaskError::message("no space left in the ledger"));
            }
            ledger.books().prepared.insert(entry, items);
            ledger.prepared.add(1);
            Ok(())
        };
        Ok(Some((transaction, Box::new(preparation))))
    }

    fn commit(&mut self, transaction: &Entry) -> TaskResult<()> {
        let mut books = self.ledger.books();
        match books.prepared.remove(transaction) {
            Some(items) => {
                books.committed.insert(transaction.clone(), items);
                Ok(())
            }
            None if books.committed.contains_key(transaction) => Ok(()),
            None => Err(TaskError::message(format!("{transaction:?} was never prepared"))),
        }
    }

    fn recover(&mut self, writers: Option<Vec<Entry>>) -> TaskResult<()> {
        let mut books = self.ledger.books();
        for Entry { writer, number } in writers.into_iter().flatten() {
            let is_later = |entry: &&Entry| entry.writer == writer && entry.number >= number;
            if let Some(entry) = books.committed.keys().find(is_later) {
                return Err(TaskError::message(format!(
                    "{entry:?} is newer than the checkpoint that is restored"
                )));
            }
            books.prepared.retain(|entry, _| entry.writer != writer);
            if writer == self.writer.writer {
                self.writer.number = number;
            }
        }
        let mine = &self.writer.writer;
        books.prepared.retain(|entry, _| entry.writer != *mine);
        Ok(())
    }
}
