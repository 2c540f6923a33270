//! The job of the recording, with everything that a case does to it: sources that idle until they are told to end or to fail,
//! and whose state can be made to fail, or to be written for as long as somebody likes.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe::prelude::*;
use stillframe::runtime::TaskError;
use tokio::sync::watch;

/// What is wished of the sources, and what they have done.
#[derive(Debug, Default)]
pub(super) struct Switch {
    wishes: Mutex<Wishes>,
    /// How many of them have begun to read.
    pub(super) reading: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Wishes {
    end: bool,
    fail: bool,
    /// With what the next snapshot fails.
    failure: Option<String>,
    /// What the next snapshot waits for, and every one behind it.
    hold: Option<Receiver<()>>,
}

/// How many sources there are.
pub(super) const SOURCES: usize = 2;

impl Switch {
    pub(super) fn end(&self) {
        self.wishes().end = true;
    }

    pub(super) fn fail(&self) {
        self.wishes().fail = true;
    }

    pub(super) fn fail_snapshot(&self, message: &str) {
        self.wishes().failure = Some(message.into());
    }

    /// Holds the state of the next snapshot until what is returned is dropped, which a test that fails does too.
    #[must_use]
    pub(super) fn hold(&self) -> Sender<()> {
        let (sender, receiver) = channel();
        self.wishes().hold = Some(receiver);
        sender
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One source with state, as was recorded, and one beside it that fails when it is told to: also while the state of the
    /// first is held.
    pub(super) fn graph(self: &Arc<Self>) -> JobGraph<u64> {
        let mut graph = JobGraph::new();
        for (name, is_bystander) in [("words", false), ("bystander", true)] {
            let switch = Arc::clone(self);
            graph.source(name, 1, move |_| Words {
                switch: Arc::clone(&switch),
                is_bystander,
                is_reading: false,
            });
        }
        graph
    }
}

#[derive(Debug)]
struct Words {
    switch: Arc<Switch>,
    is_bystander: bool,
    is_reading: bool,
}

impl Stateful for Words {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        let captured = restored.list::<u64>("elements")?;
        let expected = restored.checkpoint.filter(|_| !self.is_bystander).map(CheckpointId::get);
        if captured != expected.into_iter().collect::<Vec<_>>() {
            return Err(TaskError::message(format!("restored {captured:?} from checkpoint {expected:?}")));
        }
        Ok(())
    }

    fn snapshot(&mut self, checkpoint: CheckpointId) -> TaskResult<Snapshot> {
        if self.is_bystander {
            return Ok(Snapshot::new());
        }
        let (failure, hold) = {
            let mut wishes = self.switch.wishes();
            (wishes.failure.take(), wishes.hold.take())
        };
        if let Some(message) = failure {
            return Err(TaskError::message(message));
        }
        let snapshot = Snapshot::new().with_element(&checkpoint.get())?;
        let Some(hold) = hold else { return Ok(snapshot) };
        Ok(snapshot.with_preparation(move || {
            // Whatever comes, and whether anybody is still there: it goes on.
            let _ = hold.recv();
            Ok(())
        }))
    }
}

impl Source<u64> for Words {
    fn read(&mut self, _: &mut Output<u64>) -> TaskResult<SourceStatus> {
        if !self.is_reading {
            self.is_reading = true;
            self.switch.reading.send_modify(|reading| *reading += 1);
        }
        let wishes = self.switch.wishes();
        if wishes.fail && self.is_bystander {
            return Err(TaskError::message("fails on purpose"));
        }
        Ok(if wishes.end { SourceStatus::End } else { SourceStatus::Idle(Duration::from_millis(2)) })
    }
}
