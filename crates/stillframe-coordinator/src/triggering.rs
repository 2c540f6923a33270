//! One checkpoint from its turn until its tasks are triggered: a place, then the coordinators of operators, then the job's
//! hooks, and only then the tasks.

use crate::coordinator::Coordinator;
use crate::effect::{Effect, Ignored, Report};
use crate::pending::{Pending, Phase};
use crate::waiting::Waiting;
use crate::{CheckpointType, Fault, SnapshotRequest};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use stillframe_model::{
    Barrier, CheckpointId, CheckpointKind, FailureReason, LocationReference, Now, OpId, PostCheckpointAction,
    SavepointKind, VertexId,
};

impl Coordinator {
    pub(crate) fn trigger(&mut self, now: Now, request: Waiting, effects: &mut Vec<Effect>) {
        let plan = match self.tasks.plan(&self.plan) {
            // The last of all ids is followed by itself, and no two in progress may have the same.
            Ok(_) if self.pending.contains_key(&self.next_checkpoint) => {
                Err(FailureReason::TriggerCheckpointFailure)
            }
            plan => plan,
        };
        let plan = match plan {
            Ok(plan) => plan,
            Err(reason) => {
                let person = request.origin.person();
                effects.push(Effect::Report(Report::Refused { request: person, reason }));
                if person.is_some() {
                    self.refuse(request.origin, reason, None, effects);
                }
                if let SnapshotRequest::Stop { .. } = request.snapshot {
                    self.stop_failed(now);
                }
                return;
            }
        };
        let checkpoint = self.next_checkpoint;
        self.next_checkpoint = checkpoint.next();
        let op = self.operation();
        let expires = now.monotonic.after(self.timeout);
        let kind = self.kind_of(&request.snapshot);
        let person = request.origin.person();
        let pending = Pending::new(kind, request.origin, now, expires, op, plan);
        self.shared.begin(checkpoint, kind);
        let finished = pending.finished(self.tasks.layout()).collect();
        effects.push(Effect::Report(Report::Triggered { checkpoint, kind, request: person, finished }));
        effects.push(Effect::Locate { op, checkpoint, snapshot: request.snapshot });
        self.pending.insert(checkpoint, pending);
    }

    fn kind_of(&self, snapshot: &SnapshotRequest) -> CheckpointKind {
        match *snapshot {
            SnapshotRequest::Checkpoint { checkpoint_type: CheckpointType::Full } => {
                CheckpointKind::FullCheckpoint
            }
            SnapshotRequest::Checkpoint { .. } if self.full_first => CheckpointKind::FullCheckpoint,
            SnapshotRequest::Checkpoint { .. } => CheckpointKind::Checkpoint,
            SnapshotRequest::Savepoint { format, .. } => {
                CheckpointKind::Savepoint(SavepointKind { format, action: PostCheckpointAction::None })
            }
            SnapshotRequest::Stop { format, drain, .. } => {
                let action =
                    if drain { PostCheckpointAction::Terminate } else { PostCheckpointAction::Suspend };
                CheckpointKind::Savepoint(SavepointKind { format, action })
            }
        }
    }

    pub(crate) fn located(
        &mut self,
        now: Now,
        op: OpId,
        result: Result<LocationReference, Fault>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(checkpoint) = self.abandoned.remove(&op) {
            match result {
                Ok(location) => self.discard(checkpoint, location, effects),
                Err(Fault::Unknown { message }) if self.is_running() => self.fence(message, effects),
                Err(_) => {}
            }
            return;
        }
        let found = self.pending.iter().find(|(_, pending)| pending.phase == Phase::Locating(op));
        let Some((&checkpoint, _)) = found else {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        };
        match result {
            Ok(location) => self.ask_coordinators(now, checkpoint, location, effects),
            // Another coordinator holds the job, or it is unknown which ids it may use.
            Err(Fault::Unknown { message }) => self.fence(message, effects),
            // Whether or not a place was made, nothing refers to it; a later recovery removes it as an orphan.
            Err(fault) => {
                let cause = Some(fault.message().into());
                self.abort(now, checkpoint, FailureReason::IoException, None, cause, effects);
                self.abandoned.remove(&op);
            }
        }
    }

    fn ask_coordinators(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        location: LocationReference,
        effects: &mut Vec<Effect>,
    ) {
        let mut waiting = BTreeMap::new();
        for vertex in self.coordinators() {
            let op = self.operation();
            effects.push(Effect::SnapshotCoordinator { op, vertex, checkpoint });
            waiting.insert(op, vertex);
        }
        self.enter(now, checkpoint, Phase::Coordinators { location, waiting });
        self.begin_next(now, checkpoint, effects);
    }

    pub(crate) fn coordinators(&self) -> Vec<VertexId> {
        let vertices = (0..).map(VertexId::new).zip(&self.plan.vertices);
        vertices.filter(|(_, vertex)| vertex.has_coordinator).map(|(id, _)| id).collect()
    }

    pub(crate) fn coordinator_answered(
        &mut self,
        now: Now,
        op: OpId,
        result: Result<Bytes, Fault>,
        effects: &mut Vec<Effect>,
    ) {
        let found = self.pending.iter_mut().find_map(|(&checkpoint, pending)| match &mut pending.phase {
            Phase::Coordinators { waiting, .. } => waiting.remove(&op).map(|vertex| (checkpoint, vertex)),
            _ => None,
        });
        let Some((checkpoint, vertex)) = found else {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        };
        match result {
            Ok(state) => {
                if let Some(pending) = self.pending.get_mut(&checkpoint) {
                    pending.coordinator_states.insert(vertex, state);
                }
                self.begin_next(now, checkpoint, effects);
            }
            Err(fault) => {
                let name = self.plan.vertices.get(vertex.get() as usize).map(|vertex| &vertex.name);
                let who = name.map_or_else(String::new, |name| alloc::format!("the coordinator of {name}: "));
                self.not_triggered(now, checkpoint, who, &fault, effects);
            }
        }
    }

    pub(crate) fn hook_answered(
        &mut self,
        now: Now,
        op: OpId,
        result: Result<Option<Bytes>, Fault>,
        effects: &mut Vec<Effect>,
    ) {
        let found = self.pending.iter_mut().find_map(|(&checkpoint, pending)| match &mut pending.phase {
            Phase::Hooks { waiting, .. } => waiting.remove(&op).map(|hook| (checkpoint, hook)),
            _ => None,
        });
        let Some((checkpoint, hook)) = found else {
            return effects.push(Effect::Ignored(Ignored::UnknownOperation(op)));
        };
        match result {
            Ok(state) => {
                if let Some(state) = state
                    && let Some(pending) = self.pending.get_mut(&checkpoint)
                {
                    pending.hook_states.insert(hook, state);
                }
                self.begin_next(now, checkpoint, effects);
            }
            Err(fault) => {
                self.not_triggered(now, checkpoint, alloc::format!("the hook {hook}: "), &fault, effects);
            }
        }
    }

    fn not_triggered(
        &mut self,
        now: Now,
        checkpoint: CheckpointId,
        mut who: String,
        fault: &Fault,
        effects: &mut Vec<Effect>,
    ) {
        who.push_str(fault.message());
        let reason = match fault {
            Fault::Io { .. } => FailureReason::IoException,
            Fault::Failed { .. } | Fault::Unknown { .. } => FailureReason::TriggerCheckpointFailure,
        };
        self.abort(now, checkpoint, reason, None, Some(who), effects);
    }

    /// Goes on with whoever is next, once nobody is waited for.
    fn begin_next(&mut self, now: Now, checkpoint: CheckpointId, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        if let Phase::Coordinators { location, waiting } = &pending.phase
            && waiting.is_empty()
        {
            let location = location.clone();
            let triggered_at = pending.triggered.wall;
            let mut waiting = BTreeMap::new();
            for hook in self.plan.hooks.clone() {
                let op = self.operation();
                effects.push(Effect::TriggerHook { op, hook: hook.clone(), checkpoint, triggered_at });
                waiting.insert(op, hook);
            }
            self.enter(now, checkpoint, Phase::Hooks { location, waiting });
        }
        let Some(pending) = self.pending.get_mut(&checkpoint) else { return };
        if let Phase::Hooks { location, waiting } = &pending.phase
            && waiting.is_empty()
        {
            let location = location.clone();
            let barrier = Barrier {
                checkpoint,
                kind: pending.kind(),
                triggered_at: pending.triggered.wall,
                location: location.clone(),
            };
            pending.enter(Phase::Collecting(location), now.monotonic);
            // All of this counts as part of the checkpoint's time: what took too long to begin is not begun.
            if pending.expires > now.monotonic {
                let triggers = pending.to_trigger().iter();
                effects.extend(triggers.map(|&task| Effect::Trigger { task, barrier: barrier.clone() }));
            }
            if pending.missing() == 0 {
                self.all_acknowledged(now, checkpoint, effects);
            }
            self.expire(now, effects);
        }
    }

    fn enter(&mut self, now: Now, checkpoint: CheckpointId, phase: Phase) {
        if let Some(pending) = self.pending.get_mut(&checkpoint) {
            pending.enter(phase, now.monotonic);
        }
    }
}
