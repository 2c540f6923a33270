//! Settings that `resolve` reads, together with the job's graph: what is refused and what is let through.

use super::Setting;
use stillframe::config::{CheckpointConfig, GraphDescription, Violation};

const PERIODIC: (&str, &str) = ("execution.checkpointing.interval", "1 s");
const UNALIGNED: (&str, &str) = ("execution.checkpointing.unaligned.enabled", "true");

fn violations(config: &CheckpointConfig, graph: GraphDescription) -> Vec<Violation> {
    match config.resolve(&graph) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.iter().cloned().collect(),
    }
}

pub(super) fn force(setting: &Setting) {
    let graph = GraphDescription::default().with_iterative(true);
    let refused = setting.changes(["false", "true"], &[PERIODIC], |config| violations(config, graph));
    assert_eq!(refused, [vec![Violation::Iterations], vec![]]);
}

pub(super) fn force_unaligned(setting: &Setting) {
    let graph = GraphDescription::default().with_custom_partitioner(true);
    let refused =
        setting.changes(["false", "true"], &[PERIODIC, UNALIGNED], |config| violations(config, graph));
    assert_eq!(refused, [vec![Violation::UnalignedCustomPartitioner], vec![]]);
}
