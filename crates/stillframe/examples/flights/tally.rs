use crate::protocol::WorkerEvent;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a run, over all its workers: added up from their events and the supervisor's kills.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The last reported position, in records of the input.
    position: u64,
    running: bool,
    finished: bool,
    kills: u64,
    restarts: u64,
    replayed: u64,
    restored: Vec<u64>,
    /// The checkpoint of another job from which the first start was restored. It and older ones are not of this run.
    inherited: Option<Option<u64>>,
    completed: BTreeSet<u64>,
    durations: Vec<u64>,
    sizes: Vec<u64>,
    aborted: BTreeMap<String, u64>,
}

impl Tally {
    /// Takes note of an event.
    pub(crate) fn observe(&mut self, event: &WorkerEvent) {
        match event {
            WorkerEvent::Started { restored, position } => {
                // What was done beyond the restored position is lost with the worker that did it, and done again.
                self.replayed += self.position.saturating_sub(*position);
                self.position = *position;
                self.running = true;
                self.restored.extend(restored);
                match self.inherited {
                    None => self.inherited = Some(*restored),
                    // Its worker may have been killed before it could tell that the checkpoint is complete.
                    Some(inherited) => self.completed.extend(restored.filter(|&id| Some(id) > inherited)),
                }
            }
            WorkerEvent::Progress { position, .. } => self.position = *position,
            WorkerEvent::Completed { id, millis, bytes } => {
                self.completed.insert(*id);
                self.durations.push(*millis);
                self.sizes.push(*bytes);
            }
            WorkerEvent::Aborted { id: _, reason } => *self.aborted.entry(reason.clone()).or_default() += 1,
            WorkerEvent::Restarting { .. } => {
                self.restarts += 1;
                self.running = false;
            }
            WorkerEvent::Finished { position, .. } => {
                self.position = *position;
                self.finished = true;
            }
            WorkerEvent::Warning { .. } => {}
            WorkerEvent::Failed { .. } => self.running = false,
        }
    }

    /// The worker died by SIGKILL.
    pub(crate) fn killed(&mut self) {
        self.kills += 1;
        self.running = false;
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether a job is running whose position can be trusted: not while one is being restored.
    pub(crate) fn is_running(&self) -> bool {
        self.running && !self.finished
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(crate) fn kills(&self) -> u64 {
        self.kills
    }

    /// How often the job was restored within a worker, after a failure that did not end the process.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How many records were read again because a kill or a failure had lost their effects.
    pub(crate) fn replayed(&self) -> u64 {
        self.replayed
    }

    /// The checkpoints that were restored, in order.
    pub(crate) fn restored(&self) -> &[u64] {
        &self.restored
    }

    pub(crate) fn completed(&self) -> usize {
        self.completed.len()
    }

    /// How many checkpoints were aborted, by reason.
    pub(crate) fn aborted(&self) -> &BTreeMap<String, u64> {
        &self.aborted
    }

    /// The medians of the checkpoints' durations in milliseconds and of their sizes in bytes.
    pub(crate) fn typical_checkpoint(&self) -> Option<(u64, u64)> {
        Some((median(&self.durations)?, median(&self.sizes)?))
    }
}

fn median(values: &[u64]) -> Option<u64> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            match *line {
                "killed" => tally.killed(),
                event => tally.observe(&event.parse().expect("an event")),
            }
        }
        tally
    }

    #[test]
    fn records_beyond_the_restored_position_are_replayed() {
        let tally = tally(&[
            "started restored=none position=0",
            "progress position=1000 records=1000 checkpoints=1",
            "killed",
            "started restored=1 position=700",
            "progress position=900 records=200 checkpoints=0",
            "restarting cause=a task failed",
            "started restored=1 position=700",
            "finished position=2000 records=1500 checkpoints=3",
        ]);
        assert_eq!((tally.replayed(), tally.kills(), tally.restarts()), (300 + 200, 1, 1));
        assert_eq!((tally.position(), tally.is_finished(), tally.is_running()), (2000, true, false));
        assert_eq!(tally.restored(), [1, 1]);
    }

    #[test]
    fn a_first_start_from_a_checkpoint_replays_nothing() {
        assert_eq!(tally(&["started restored=9 position=700"]).replayed(), 0);
    }

    #[test]
    fn a_restored_checkpoint_counts_as_completed_though_nobody_said_so() {
        let tally = tally(&[
            "started restored=none position=0",
            "completed id=1 millis=3 bytes=10",
            "killed",
            "started restored=2 position=1",
            "completed id=3 millis=3 bytes=10",
            "killed",
            "started restored=3 position=2",
        ]);
        assert_eq!(tally.completed(), 3);
    }

    #[test]
    fn the_checkpoint_that_a_run_resumes_from_is_not_one_of_its_own() {
        let tally = tally(&["started restored=9 position=7", "killed", "started restored=9 position=7"]);
        assert_eq!((tally.completed(), tally.restored()), (0, &[9, 9][..]));
    }

    #[test]
    fn no_position_is_trusted_until_the_job_runs_again() {
        assert!(!tally(&[]).is_running());
        assert!(tally(&["started restored=none position=0"]).is_running());
        assert!(!tally(&["started restored=none position=0", "killed"]).is_running());
        assert!(!tally(&["started restored=none position=0", "restarting cause=x"]).is_running());
    }

    #[test]
    fn aborted_checkpoints_are_counted_by_reason() {
        let tally = tally(&[
            "aborted id=1 reason=the job ended",
            "aborted id=2 reason=expired",
            "aborted id=3 reason=expired",
        ]);
        assert_eq!(tally.aborted(), &BTreeMap::from([("expired".into(), 2), ("the job ended".into(), 1)]));
    }

    #[test]
    fn the_typical_checkpoint_is_the_median() {
        assert_eq!(tally(&[]).typical_checkpoint(), None);
        let three = [
            "completed id=1 millis=3 bytes=30",
            "completed id=2 millis=90 bytes=10",
            "completed id=3 millis=1 bytes=20",
        ];
        assert_eq!(tally(&three).typical_checkpoint(), Some((3, 20)));
    }
}
