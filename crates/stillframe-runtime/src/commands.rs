//! What a person asks of a job, at every moment of its life.

use crate::control::Message;
use crate::handle::Command;
use std::time::Duration;
use stillframe_model::JobStatus;
use tokio::sync::mpsc;

/// The requests of whoever holds the job's handle.
#[derive(Debug)]
pub(crate) struct Commands {
    receiver: mpsc::UnboundedReceiver<Command>,
    /// Somebody wanted the job to end, and it has not been told yet.
    stop: Option<JobStatus>,
}

impl Commands {
    pub(crate) fn new(receiver: mpsc::UnboundedReceiver<Command>) -> Self {
        Self { receiver, stop: None }
    }

    /// The next one. Waits for ever if nobody holds the handle any more: the job goes on by itself.
    pub(crate) async fn next(&mut self) -> Command {
        match self.stop.take() {
            Some(status) => Command::Stop(status),
            None => match self.receiver.recv().await {
                Some(command) => command,
                None => std::future::pending().await,
            },
        }
    }

    /// Waits for the preparations of an attempt. Whoever wants the job to end meanwhile is heard, and `hurry` called; who asks
    /// for a snapshot is kept for the attempt, because refusing would only make the person ask again. Nothing is in progress.
    pub(crate) async fn while_preparing<R>(
        &mut self,
        preparing: impl Future<Output = R>,
        early: &mut Vec<Message>,
        hurry: impl Fn(),
    ) -> (R, Option<JobStatus>) {
        tokio::pin!(preparing);
        let mut stop = None;
        loop {
            tokio::select! {
                biased;
                prepared = &mut preparing => return (prepared, stop),
                command = self.next() => match command {
                    Command::Stop(status) => {
                        stop.get_or_insert(status);
                        hurry();
                    }
                    Command::Snapshot { snapshot, reply } => early.push(Message::Request { snapshot, reply }),
                    // Whoever asked may have stopped waiting.
                    Command::Status(reply) => drop(reply.send(Vec::new())),
                },
            }
        }
    }

    /// Waits while an attempt ends. Who wonders what it still does is answered by its coordinator; who wants the job to end is
    /// heard when the attempt has; and nobody begins a snapshot any more.
    pub(crate) async fn while_ending<R>(
        &mut self,
        ending: impl Future<Output = R>,
        coordinator: &mpsc::UnboundedSender<Message>,
    ) -> R {
        tokio::pin!(ending);
        loop {
            tokio::select! {
                biased;
                ended = &mut ending => return ended,
                Some(command) = self.receiver.recv() => match command {
                    Command::Status(reply) => drop(coordinator.send(Message::Status(reply))),
                    Command::Stop(status) => {
                        self.stop.get_or_insert(status);
                    }
                    // Dropping the reply says that the job is not running.
                    Command::Snapshot { .. } => {}
                },
            }
        }
    }

    /// Waits before the next attempt, unless somebody ends the job meanwhile.
    pub(crate) async fn pause(&mut self, delay: Duration) -> Option<JobStatus> {
        let over = tokio::time::sleep(delay);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                command = self.next() => match command {
                    Command::Stop(status) => return Some(status),
                    // Dropping the reply says that the job is not running.
                    Command::Snapshot { .. } | Command::Status(_) => {}
                },
                () = &mut over => return None,
            }
        }
    }
}
