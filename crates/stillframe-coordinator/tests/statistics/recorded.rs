//! What Flink's own statistics answered. `flink.txt` was recorded by driving the classes of Flink 1.20.5, its tracker and
//! the handlers of its REST interface, with random histories; the answers are compared byte by byte.
//!
//! A line of it is a step or an answer, and begins with what it is: `job` begins a history and gives the length of the
//! history that is remembered and the parallelism of each vertex; `late` is a report for a checkpoint that had failed;
//! `samples` gives number, seed and modulus of values that are drawn here as they were there.

use super::*;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use stillframe_config::{
    CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention, GraphDescription,
};
use stillframe_coordinator::Ignored;
use stillframe_coordinator::statistics::CheckpointConfigInfo;

/// The words of a line, read one after the other.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn word(&mut self) -> &'a str {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        word
    }

    fn number(&mut self) -> u64 {
        let word = self.word();
        word.parse().unwrap_or_else(|error| panic!("{word}: {error}"))
    }

    fn duration(&mut self) -> Duration {
        Duration::from_millis(self.number())
    }

    fn kind(&mut self) -> CheckpointKind {
        let savepoint = |format, action| CheckpointKind::Savepoint(SavepointKind { format, action });
        match self.word() {
            "checkpoint" => CheckpointKind::Checkpoint,
            "savepoint" => CheckpointKind::SAVEPOINT,
            "native" => savepoint(SavepointFormat::Native, PostCheckpointAction::None),
            "suspend" => savepoint(SavepointFormat::Canonical, PostCheckpointAction::Suspend),
            "terminate" => savepoint(SavepointFormat::Native, PostCheckpointAction::Terminate),
            other => panic!("no kind of checkpoint: {other}"),
        }
    }

    fn task(&mut self) -> TaskId {
        let (vertex, subtask) = self.word().split_once('/').expect("a task is vertex/subtask");
        let number = |word: &str| word.parse().unwrap_or_else(|error| panic!("{word}: {error}"));
        task(number(vertex), number(subtask))
    }

    fn metrics_of_rest(&mut self) -> SnapshotMetrics {
        SnapshotMetrics {
            sync: self.duration(),
            asynchronous: self.duration(),
            processed_during_alignment: self.number(),
            persisted_during_alignment: self.number(),
            alignment: self.duration(),
            start_delay: self.duration(),
            is_unaligned: self.word() == "unaligned",
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("an answer can be written")
}

/// Replays the recording and gives back how many answers were compared.
fn replay(recording: &str) -> usize {
    let mut job = Observed::new(&[], 0);
    let mut kinds = BTreeMap::new();
    let mut compared = 0;
    for (number, line) in (1..).zip(recording.lines()) {
        let mut words = Words(line);
        let what = words.word();
        let answer = match what {
            "job" => {
                let history = words.number() as usize;
                let vertices = words.0.split(' ').filter_map(|vertex| vertex.split_once(':'));
                let parallelism = vertices.map(|(_, parallelism)| Words(parallelism).number() as u32);
                job = Observed::new(&parallelism.collect::<Vec<_>>(), history);
                kinds.clear();
                continue;
            }
            "samples" => {
                let (count, mut seed, modulus) = (words.number(), words.number(), words.number());
                let mut drawn = Observed::new(&[1], 0);
                for checkpoint in 1..=count {
                    seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
                    let kind = CheckpointKind::Checkpoint;
                    drawn.trigger(checkpoint, kind, vec![]).acknowledge(
                        checkpoint,
                        task(0, 0),
                        seed % modulus,
                    );
                    drawn.complete(checkpoint, kind);
                }
                json(&drawn.statistics.snapshot().summary.state_size)
            }
            "config" => json(&config(words.word()).expect("a good config")),
            "checkpoints" => json(&job.statistics.snapshot()),
            "details" => {
                let details = job.statistics.details(id(words.number()));
                details.map_or_else(|| "none".to_string(), |details| json(&details))
            }
            "subtasks" => {
                let (checkpoint, vertex) = (id(words.number()), format!("vertex-{}", words.word()));
                json(&job.statistics.subtasks(checkpoint, &vertex).expect("there are details"))
            }
            step => {
                take(&mut job, &mut kinds, step, words);
                continue;
            }
        };
        compared += 1;
        assert_eq!(answer, ours(words.0), "line {number}: {what}");
    }
    compared
}

/// An answer of Flink's as it should be here. Failures have our words, and what there is not has none.
fn ours(answer: &str) -> String {
    let message = format!("\"failure_message\":\"{}: ", FailureReason::CheckpointExpired);
    answer
        .replace("\"failure_message\":\"", &message)
        .replace("\"state_backend\":\"HashMapStateBackend\"", "\"state_backend\":null")
        .replace("_materialization_interval\":600000", "_materialization_interval\":-1")
        .replace("\"InMemoryStateChangelogStorage\"", "null")
}

fn take(job: &mut Observed, kinds: &mut BTreeMap<u64, CheckpointKind>, step: &str, mut words: Words<'_>) {
    match step {
        "refuse" => {
            let reason = FailureReason::NotAllRequiredTasksRunning;
            job.report(Report::Refused { request: None, reason });
            return;
        }
        "discard" => {
            job.report(Report::Subsumed { checkpoint: id(words.number()) });
            return;
        }
        _ => {}
    }
    let number = words.number();
    match step {
        "trigger" => {
            job.at(words.number());
            let kind = words.kind();
            let mut finished = Vec::new();
            while !words.0.is_empty() {
                finished.push(words.task());
            }
            kinds.insert(number, kind);
            job.trigger(number, kind, finished);
        }
        "ack" | "late" => {
            let task = words.task();
            job.at(words.number());
            let state = snapshot(words.number(), words.number());
            let event = Observed::acknowledged(number, task, state, words.metrics_of_rest());
            let late = [Effect::Ignored(Ignored::NotPending(id(number)))];
            job.event(&event, if step == "late" { &late } else { &[] });
        }
        "complete" => {
            job.at(words.number());
            job.complete_at(number, kinds[&number], words.0);
        }
        "fail" => {
            job.at(words.number()).fail(number, words.0);
        }
        "restore" => {
            job.at(words.number());
            let kind = words.kind();
            job.statistics.restored(job.now, id(number), kind, Pointer::new(words.0));
        }
        other => panic!("no such step: {other}"),
    }
}

/// The configs whose answers were recorded.
fn config(name: &str) -> Result<CheckpointConfigInfo, Box<dyn std::error::Error>> {
    let mut config = CheckpointConfig::default();
    match name {
        "default" => {
            config.set_checkpoint_interval(Duration::from_secs(10))?;
        }
        "others" => {
            config
                .set_checkpoint_timeout(Duration::from_secs(70))?
                .set_min_pause_between_checkpoints(Duration::from_millis(1_500))
                .set_max_concurrent_checkpoints(NonZeroU32::MIN.saturating_add(2))
                .set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::RetainOnCancellation)
                .set_checkpointing_mode(CheckpointingMode::AtLeastOnce)
                .set_tolerable_checkpoint_failure_number(CheckpointConfig::UNLIMITED_TOLERABLE_FAILURE_NUMBER)
                .set_checkpoints_after_tasks_finish(false)
                .set_checkpoint_storage_dir("file:///checkpoints")?;
        }
        "unaligned" => {
            config
                .set_checkpoint_interval(Duration::from_secs(1))?
                .set_externalized_checkpoint_retention(ExternalizedCheckpointRetention::DeleteOnCancellation)
                .set_tolerable_checkpoint_failure_number(5)
                .enable_unaligned_checkpoints()
                .set_alignment_timeout(Duration::from_secs(30))
                .set_checkpoint_storage_dir("file:///checkpoints")?;
        }
        other => panic!("no such config: {other}"),
    }
    Ok(CheckpointConfigInfo::from(&config.resolve(&GraphDescription::default())?.effective))
}

#[test]
fn answers_as_flink_does() {
    assert!(replay(include_str!("flink.txt")) > 150, "the recording was not read");
}

#[test]
#[should_panic(expected = ": checkpoints")]
fn another_answer_is_noticed() {
    replay(&include_str!("flink.txt").replacen("\"in_progress\":1,", "\"in_progress\":2,", 1));
}
