//! A storage operation that does not return.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Everything that is asked of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Open,
    Resolve,
    Claim,
    Adopt,
    Sweep,
    OpenCheckpoint,
    Metadata,
    OpenState,
    Next,
    BeginCheckpoint,
    BeginSavepoint,
    Create,
    Write,
    Finish,
    Commit,
    PublishSavepoint,
    Remove,
    Discard,
    Conclude,
}

impl Op {
    /// Each, with a part of what people are told of it.
    pub(super) const ALL: [(Self, &str); 19] = [
        (Self::Open, "open job"),
        (Self::Resolve, "resolve savepoint"),
        (Self::Claim, "claim job"),
        (Self::Adopt, "adopt savepoint"),
        (Self::Sweep, "sweep job"),
        (Self::OpenCheckpoint, "open checkpoint"),
        (Self::Metadata, "read the metadata of"),
        (Self::OpenState, "state of operator source"),
        (Self::Next, "state of operator source"),
        (Self::BeginCheckpoint, "begin checkpoint"),
        (Self::BeginSavepoint, "begin checkpoint"),
        (Self::Create, "write for source, subtask 0"),
        (Self::Write, "write for source, subtask 0"),
        (Self::Finish, "write for source, subtask 0"),
        (Self::Commit, "publish checkpoint"),
        (Self::PublishSavepoint, "publish checkpoint"),
        (Self::Remove, "remove checkpoint"),
        (Self::Discard, "remove checkpoint"),
        (Self::Conclude, "record the end of the job"),
    ];
}

/// Where operations of one kind stop.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed_for: Option<Op>,
    inside: usize,
    asked: BTreeMap<Op, usize>,
}

impl Gate {
    /// Operations of this kind do not return any more.
    pub(super) fn close_for(&self, op: Op) {
        self.state().closed_for = Some(op);
    }

    pub(super) fn open(&self) {
        self.state().closed_for = None;
        self.opened.notify_all();
    }

    /// How many operations hang.
    pub(super) fn inside(&self) -> usize {
        self.state().inside
    }

    /// How many operations of this kind have begun.
    pub(super) fn asked(&self, op: Op) -> usize {
        self.state().asked.get(&op).copied().unwrap_or_default()
    }

    pub(super) fn pass(&self, op: Op) {
        let mut state = self.state();
        *state.asked.entry(op).or_default() += 1;
        if state.closed_for != Some(op) {
            return;
        }
        state.inside += 1;
        while state.closed_for == Some(op) {
            state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.inside -= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the gate when a test ends, however it ends: its runtime waits for what hangs.
pub(super) struct Release(pub(super) Arc<Gate>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.open();
    }
}
