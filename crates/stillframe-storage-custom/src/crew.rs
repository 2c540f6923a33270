//! The threads on which a custom storage runs. A call that never returns keeps its thread and nothing else.

use crate::drive::{Panicked, contained, drive};
use crate::{GuardPolicy, LostCall};
use core::cell::Cell;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

thread_local! {
    static IS_CREW: Cell<bool> = const { Cell::new(false) };
}

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum Failed {
    Panicked(Panicked),
    TimedOut,
    /// It was not even begun; why.
    Refused(String),
}

type Free<'a> = &'a mut dyn FnMut();
type Work = Box<dyn FnOnce(Free<'_>) + Send>;

/// Work for a thread, with the way to reach it again. An idle thread is only known by that, so that it ends with its crew.
struct Errand {
    work: Work,
    again: Sender<Self>,
}

#[derive(Default)]
struct State {
    idle: Vec<Sender<Errand>>,
    threads: usize,
    lost: BTreeMap<u64, LostCall>,
    next_lost: u64,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Crew {
    shared: Arc<Shared>,
    policy: GuardPolicy,
}

/// What became of a call so far, between its thread and whoever waits for it.
enum Progress<T> {
    Running,
    Done(Result<T, Panicked>),
    Abandoned(u64),
}

impl Crew {
    pub(crate) fn new(policy: GuardPolicy) -> Self {
        Self { shared: Arc::default(), policy }
    }

    /// Runs the future on a thread of the crew, and waits for it as long as `limit`. `describe` is asked if it is lost.
    pub(crate) fn run<F>(
        &self,
        operation: &'static str,
        describe: &dyn Fn() -> String,
        limit: Duration,
        future: F,
    ) -> Result<F::Output, Failed>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // A storage that gets one of our own objects back, as in `adopt`, calls us from within a call. That call has a thread
        // and a deadline already; waiting for another thread could go round in a circle.
        if IS_CREW.get() {
            return drive(future).map_err(Failed::Panicked);
        }
        let progress = Arc::new(Mutex::new(Progress::Running));
        let (done, is_done) = mpsc::channel();
        let errand = self.errand(Arc::clone(&progress), done, future);
        self.send(errand)?;
        let is_over = self.policy.patience.wait(operation, limit, &is_done);
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        match core::mem::replace(&mut *progress, Progress::Running) {
            Progress::Done(result) => result.map_err(Failed::Panicked),
            _ if is_over => Err(Failed::Panicked(Panicked("what surrounds the call did not run it".into()))),
            _ => {
                let lost = LostCall { operation, object: describe() };
                let mut state = self.shared.lock();
                let number = state.next_lost;
                state.next_lost += 1;
                state.lost.insert(number, lost);
                *progress = Progress::Abandoned(number);
                self.shared.changed.notify_all();
                Err(Failed::TimedOut)
            }
        }
    }

    /// The lost calls, and the number of threads.
    pub(crate) fn lost(&self) -> (Vec<LostCall>, usize) {
        let state = self.shared.lock();
        (state.lost.values().cloned().collect(), state.threads)
    }

    fn errand<F>(&self, progress: Arc<Mutex<Progress<F::Output>>>, done: Sender<()>, future: F) -> Work
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let shared = Arc::downgrade(&self.shared);
        Box::new(move |free| {
            let result = drive(future);
            let mut now = progress.lock().unwrap_or_else(PoisonError::into_inner);
            if let Progress::Abandoned(number) = *now {
                drop(now);
                // Nobody wants it any more. A stream aborts itself now.
                let _ = contained(|| drop(result));
                if let Some(shared) = shared.upgrade() {
                    shared.lock().lost.remove(&number);
                }
                free();
            } else {
                *now = Progress::Done(result);
                drop(now);
                // Idle before it is known: the next call finds this thread, and starts no other.
                free();
                // Whoever waited may have given up at this moment, and finds the result all the same.
                let _ = done.send(());
            }
        })
    }

    fn send(&self, work: Work) -> Result<(), Failed> {
        let mut state = self.shared.lock();
        loop {
            if let Some(thread) = state.idle.pop() {
                let again = thread.clone();
                drop(state);
                return thread.send(Errand { work, again }).map_err(|_| refused("its thread has ended"));
            }
            if state.threads < self.policy.threads.get() {
                state.threads += 1;
                drop(state);
                return self.start(work);
            }
            if state.lost.len() >= state.threads {
                let lost = state.lost.values().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let why =
                    format!("all {} threads are held by calls that never returned: {lost}", state.threads);
                drop(state);
                // It may hold a stream, whose end is the storage's business.
                let _ = contained(|| drop(work));
                return Err(refused(&why));
            }
            // Each of the others returns, or is lost when its own deadline is over.
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn start(&self, work: Work) -> Result<(), Failed> {
        let (again, errands) = mpsc::channel();
        let shared = Arc::downgrade(&self.shared);
        let context = self.policy.context.clone();
        let started = thread::Builder::new().name("stillframe-custom".into()).spawn(move || {
            IS_CREW.set(true);
            let around = |work: &mut dyn FnMut()| match &context {
                Some(context) => context(work),
                None => work(),
            };
            serve(&errands, &shared, &around);
        });
        if let Err(error) = started {
            self.shared.lock().threads -= 1;
            self.shared.changed.notify_all();
            return Err(refused(&format!("no thread for it could be started: {error}")));
        }
        let first = Errand { work, again: again.clone() };
        again.send(first).map_err(|_| refused("its thread has ended"))
    }
}

fn refused(why: &str) -> Failed {
    Failed::Refused(why.to_owned())
}

/// Runs errands until nobody can send one any more.
fn serve(errands: &Receiver<Errand>, shared: &Weak<Shared>, around: &dyn Fn(&mut dyn FnMut())) {
    while let Ok(Errand { work, again }) = errands.recv() {
        let mut again = Some(again);
        let mut free = || {
            if let (Some(again), Some(shared)) = (again.take(), shared.upgrade()) {
                shared.lock().idle.push(again);
                shared.changed.notify_one();
            }
        };
        let mut work = Some(work);
        // What surrounds the call is the user's, and may panic too, or forget the call.
        let _ = contained(|| {
            around(&mut || {
                if let Some(work) = work.take() {
                    work(&mut free);
                }
            });
        });
        drop(work);
        free();
    }
}
