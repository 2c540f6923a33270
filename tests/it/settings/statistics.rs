//! The setting that the statistics read.

use super::{Setting, effective};
use stillframe::coordinator::statistics::Statistics;
use stillframe::coordinator::{Effect, Event, JobPlan, Report, VertexPlan};
use stillframe::model::{Attempt, CheckpointId, CheckpointKind, JobId, Name, Now};

pub(super) fn history(setting: &Setting) {
    let remembered = setting.changes(["1", "3"], &[], |config| {
        let source = VertexPlan {
            name: Name::new("numbers").expect("a good name"),
            parallelism: 1,
            max_parallelism: 128,
            inputs: Vec::new(),
            has_coordinator: false,
        };
        let plan = JobPlan {
            job: JobId::from_bytes([1; 16]),
            attempt: Attempt::new(0),
            vertices: vec![source],
            hooks: Vec::new(),
        };
        let mut statistics = Statistics::new(&plan, effective(config).history as usize);
        for number in 1..=4 {
            let checkpoint = CheckpointId::new(number);
            let kind = CheckpointKind::Checkpoint;
            let triggered = Report::Triggered { checkpoint, kind, request: None, finished: Vec::new() };
            statistics.before(&Event::Tick);
            statistics.after(Now::default(), &[Effect::Report(triggered)]);
        }
        let history = statistics.snapshot().history;
        history.iter().map(|checkpoint| checkpoint.id.get()).collect::<Vec<_>>()
    });
    assert_eq!(remembered, [vec![4], vec![4, 3, 2]]);
}
