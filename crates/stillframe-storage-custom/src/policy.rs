use crate::patience::{Patience, RealTime};
use core::fmt;
use core::num::{NonZeroU32, NonZeroUsize};
use core::time::Duration;
use std::sync::Arc;

/// Declares the kinds of call with their usual deadlines, and counts them.
macro_rules! call_kinds {
    ($($(#[$doc:meta])* $kind:ident = $seconds:literal s;)*) => {
        /// A kind of call, which has a deadline of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum CallKind { $($(#[$doc])* $kind,)* }

        const DEADLINES: &[Duration] = &[$(Duration::from_secs($seconds)),*];
        const CALL_KINDS: usize = DEADLINES.len();
    };
}

call_kinds! {
    /// Building the storage from its options, opening it for a job, and resolving pointers: 60 seconds.
    Open = 60 s;
    /// Beginning a checkpoint, a savepoint or a stream: 60 seconds.
    Begin = 60 s;
    /// One write into a stream: 60 seconds.
    Write = 60 s;
    /// Finishing or aborting a stream: 2 minutes.
    Finish = 120 s;
    /// Making state durable: 10 minutes, as long as a checkpoint has by default.
    Sync = 600 s;
    /// Claiming a job, committing, publishing, adopting, concluding: 2 minutes.
    Commit = 120 s;
    /// Opening state, reading one piece of it, or metadata: 2 minutes.
    Read = 120 s;
    /// Reading a state as a whole, discarding, removing, sweeping, disposing of a savepoint, exporting: an hour.
    Bulk = 3600 s;
}

/// How much the guard reads back of what was just made durable, to compare it. It costs reads, and proves nothing about what a
/// loss of power leaves; it finds a storage that loses or exchanges what it was given.
///
/// Metadata is read after it was committed or published, task-owned state after it was finished, and other state after a
/// `sync` where the plugin is a [`ReadBackStorage`](crate::ReadBackStorage). What jobs read anyway is always compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadBack {
    /// Nothing.
    #[default]
    Never,
    /// One in so many objects.
    Sampled(NonZeroU32),
    /// Everything.
    Always,
}

type Context = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// What the guard of a custom storage may spend.
#[derive(Clone)]
pub struct GuardPolicy {
    deadlines: [Duration; CALL_KINDS],
    pub(crate) read_back: ReadBack,
    pub(crate) threads: NonZeroUsize,
    pub(crate) remembered: usize,
    pub(crate) patience: Arc<dyn Patience>,
    pub(crate) context: Option<Context>,
}

impl GuardPolicy {
    /// Another deadline for calls of this kind.
    #[must_use]
    pub fn with_deadline(mut self, kind: CallKind, limit: Duration) -> Self {
        self.deadlines[kind as usize] = limit;
        self
    }

    /// How much to read back; nothing, where nothing is said.
    #[must_use]
    pub fn with_read_back(self, read_back: ReadBack) -> Self {
        Self { read_back, ..self }
    }

    /// How many threads calls may run on at once: 64 where nothing is said. A call that never returns keeps its thread; when all
    /// are kept, every call is refused as `Unavailable`.
    #[must_use]
    pub fn with_threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }

    /// Of how many objects the guard remembers length and checksum, to compare them when they are read: 16384 where nothing is
    /// said, at about 200 bytes each. The oldest are forgotten first.
    #[must_use]
    pub fn with_remembered(self, objects: usize) -> Self {
        Self { remembered: objects, ..self }
    }

    /// How the guard waits, for tests and simulations.
    #[must_use]
    pub fn with_patience(self, patience: Arc<dyn Patience>) -> Self {
        Self { patience, ..self }
    }

    /// What surrounds every call, on the thread on which it runs: a closure that calls its argument exactly once. For storages
    /// that need a runtime around them: `move |call| { let _entered = handle.enter(); call() }`.
    #[must_use]
    pub fn with_context(self, context: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        Self { context: Some(Arc::new(context)), ..self }
    }

    /// The deadline of calls of this kind.
    #[must_use]
    pub fn deadline(&self, kind: CallKind) -> Duration {
        self.deadlines[kind as usize]
    }
}

impl Default for GuardPolicy {
    fn default() -> Self {
        let mut deadlines = [Duration::ZERO; CALL_KINDS];
        deadlines.copy_from_slice(DEADLINES);
        Self {
            deadlines,
            read_back: ReadBack::Never,
            threads: const { NonZeroUsize::new(64).unwrap() },
            remembered: 16 * 1024,
            patience: Arc::new(RealTime),
            context: None,
        }
    }
}

impl fmt::Debug for GuardPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardPolicy")
            .field("deadlines", &self.deadlines)
            .field("read_back", &self.read_back)
            .field("threads", &self.threads)
            .field("remembered", &self.remembered)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
