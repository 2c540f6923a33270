//! Code that may block, on threads where that is allowed: a bounded number at a time, and nobody waits for ever.

mod call;
mod deadlines;
mod threads;

pub(crate) use call::Call;
pub(crate) use deadlines::Deadlines;

use crate::LeftBehind;
use crate::cancel::Cancelled;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stillframe_storage::{ErrorKind, StorageError};
use threads::Threads;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Runs what may block. Clones share the bound, and all lanes that come from one share the account of what is under way.
#[derive(Clone)]
pub(crate) struct Offload {
    account: Arc<Account>,
    permits: Arc<Semaphore>,
    /// What is run without a name.
    name: Arc<str>,
}

/// The operation panicked, or the runtime is going down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;

/// Why there is no answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It panicked.
    Lost,
    /// It was not begun.
    NotBegun,
    /// It goes on, and nobody waits for it any longer.
    GivenUp { after: Duration },
    /// Nobody wants it any more. It may go on for a while.
    Cancelled,
}

/// What came of an operation for which not everybody waits to the end.
enum Ran<R> {
    Answered(Result<R, Unanswered>),
    /// It was not begun in time.
    TooLate,
    /// Nobody waits any longer, and it goes on under this number.
    GoesOn(u64),
}

/// What goes on in a thread.
#[derive(Clone, Debug)]
pub(crate) struct UnderWay {
    pub(crate) call: Call,
    /// Whether it has taken too long, so that nobody waits for it any longer.
    pub(crate) is_given_up: bool,
}

#[derive(Default)]
struct Account {
    threads: Arc<Threads>,
    entries: Mutex<Entries>,
    /// Changes with every operation that ends or is given up.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Entries {
    next: u64,
    under_way: BTreeMap<u64, Entry>,
}

struct Entry {
    call: Call,
    is_given_up: bool,
    /// Its place on the lane, until somebody else may have that.
    permit: Option<OwnedSemaphorePermit>,
}

/// Enough to keep a disk busy, few enough not to exhaust file descriptors.
pub(crate) const CONCURRENT: usize = 16;

/// So many threads may hang before nothing new is begun.
const MOST_GIVEN_UP: usize = 64;

impl Offload {
    pub(crate) fn new() -> Self {
        Self {
            account: Arc::default(),
            permits: Arc::new(Semaphore::new(CONCURRENT)),
            name: "storage".into(),
        }
    }

    /// A lane of its own, on which so many run at once: whoever hangs there holds up nobody else.
    pub(crate) fn lane(&self, concurrent: usize, name: &str) -> Self {
        Self {
            account: Arc::clone(&self.account),
            permits: Arc::new(Semaphore::new(concurrent)),
            name: name.into(),
        }
    }

    /// The same lane, under another name.
    pub(crate) fn named(&self, name: &str) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// Runs the future to its end, even if the caller is cancelled after it began.
    pub(crate) async fn run<F>(&self, future: F) -> Result<F::Output, Lost>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Lost)?;
        let call = Call::new("write for", &*self.name);
        let (entry, answer) = self.begin(&call, permit, future);
        let answer = answer.await.map_err(|_| Lost);
        self.account.close(entry);
        answer
    }

    /// The same, as long as somebody wants it. It gives its place away then and goes on, until it finds out. No thread more is
    /// begun when too many hang.
    pub(crate) async fn run_while_wanted<F>(
        &self,
        cancelled: &Cancelled,
        future: F,
    ) -> Result<F::Output, Unanswered>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let call = Call::new("write for", &*self.name);
        match self.run_until(&call, cancelled.wait(), cancelled.wait(), future).await {
            Ran::Answered(answer) => answer,
            Ran::TooLate => Err(Unanswered::Cancelled),
            Ran::GoesOn(entry) => {
                // At the end of an attempt it still has its time to find out, so it is not given up.
                self.account.vacate(entry);
                Err(Unanswered::Cancelled)
            }
        }
    }

    /// The same with deadlines. Behind them the operation goes on, and nobody waits for it.
    pub(crate) async fn run_within<F>(
        &self,
        call: &Call,
        deadlines: &Deadlines,
        future: F,
    ) -> Result<F::Output, Unanswered>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // Behind the end nothing is begun, free place or not: it would only be given up at once, and be named. Everybody on this
        // lane has a deadline, and gives the place away behind it.
        match self.run_until(call, deadlines.ended(), deadlines.passed(call), future).await {
            Ran::Answered(answer) => answer,
            Ran::TooLate => Err(Unanswered::NotBegun),
            Ran::GoesOn(entry) => {
                self.account.give_up(entry);
                Err(Unanswered::GivenUp { after: call.since().elapsed() })
            }
        }
    }

    /// Waits for a place until it is `late`, and then for the answer until it is `over`.
    async fn run_until<F>(
        &self,
        call: &Call,
        late: impl Future<Output = ()>,
        over: impl Future<Output = ()>,
        future: F,
    ) -> Ran<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let not_begun = Ran::Answered(Err(Unanswered::NotBegun));
        if self.account.without_place() >= MOST_GIVEN_UP {
            return not_begun;
        }
        let permit = tokio::select! {
            biased;
            () = late => return Ran::TooLate,
            permit = Arc::clone(&self.permits).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { return not_begun };
        let (entry, answer) = self.begin(call, permit, future);
        tokio::select! {
            biased;
            answer = answer => {
                // The thread may not have come to it yet, and what has answered is not under way.
                self.account.close(entry);
                Ran::Answered(answer.map_err(|_| Unanswered::Lost))
            }
            () = over => Ran::GoesOn(entry),
        }
    }

    /// Waits until nothing runs any more, but not for what was given up, and not for ever.
    pub(crate) async fn idle_within(&self, deadlines: &Deadlines) {
        let mut changed = self.account.changed.subscribe();
        let ended = deadlines.ended();
        tokio::pin!(ended);
        loop {
            changed.mark_unchanged();
            if self.under_way().iter().all(|under_way| under_way.is_given_up) {
                return;
            }
            tokio::select! {
                biased;
                _ = changed.changed() => {}
                () = &mut ended => return,
            }
        }
    }

    /// What is going on at this moment, oldest first.
    pub(crate) fn under_way(&self) -> Vec<UnderWay> {
        let entries = self.account.entries();
        let under_way = entries.under_way.values();
        under_way.map(|entry| UnderWay { call: entry.call.clone(), is_given_up: entry.is_given_up }).collect()
    }

    /// What would have to end before anything else may rely on it.
    pub(crate) fn left_behind(&self) -> Vec<LeftBehind> {
        let left =
            |call: Call| LeftBehind::Call { operation: call.to_string(), waited: call.since().elapsed() };
        self.under_way().into_iter().map(|under_way| left(under_way.call)).collect()
    }

    fn begin<F>(
        &self,
        call: &Call,
        permit: OwnedSemaphorePermit,
        future: F,
    ) -> (u64, oneshot::Receiver<F::Output>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        call.begin();
        let end = self.account.open(call.clone(), permit);
        let (number, runtime) = (end.number, Handle::current());
        self.account.threads.begin(move || {
            // Closed last, so that who finds the account empty finds the answer as well.
            let _end = end;
            let _ = sender.send(runtime.block_on(future));
        });
        (number, answer)
    }
}

impl Unanswered {
    /// What an error says about it. `kind` is that of an operation which may still have its effect.
    pub(crate) fn error(self, call: &Call, kind: ErrorKind) -> StorageError {
        match self {
            Self::Lost => call.error(kind, "it panicked".into()),
            Self::NotBegun => call.error(
                ErrorKind::Unavailable,
                "not begun, because no time was left for it or earlier operations have not answered".into(),
            ),
            Self::GivenUp { after } => call.error(kind, format!("no answer for {after:.1?}")),
            Self::Cancelled => call.error(kind, "cancelled".into()),
        }
    }
}

impl Account {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>, call: Call, permit: OwnedSemaphorePermit) -> End {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        entries.under_way.insert(number, Entry { call, is_given_up: false, permit: Some(permit) });
        End { account: Arc::clone(self), number }
    }

    fn close(&self, number: u64) {
        let entry = self.entries().under_way.remove(&number);
        drop(entry);
        self.changed.send_replace(());
    }

    /// Nobody waits any longer.
    fn give_up(&self, number: u64) {
        if let Some(entry) = self.entries().under_way.get_mut(&number) {
            entry.is_given_up = true;
        }
        self.vacate(number);
    }

    /// Somebody else may have its place on the lane.
    fn vacate(&self, number: u64) {
        let permit = self.entries().under_way.get_mut(&number).and_then(|entry| entry.permit.take());
        drop(permit);
        self.changed.send_replace(());
    }

    /// How many go on without anybody who waits to use the answer.
    fn without_place(&self) -> usize {
        self.entries().under_way.values().filter(|entry| entry.permit.is_none()).count()
    }
}

/// Closes an entry of the account when the operation ends, however it ends.
struct End {
    account: Arc<Account>,
    number: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        self.account.close(self.number);
    }
}

impl fmt::Debug for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offload").field("name", &self.name).field("under_way", &self.under_way()).finish()
    }
}
