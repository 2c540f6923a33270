//! The sink that writes `--output`: once, when the checkpoint that holds the whole table is complete.

use crate::departure::Airport;
use crate::job::Flight;
use crate::output::write_output;
use crate::totals::{Totals, render_table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stillframe::prelude::*;
use stillframe::state::elements;

pub(crate) struct TableSink {
    output: PathBuf,
    job: JobId,
    totals: BTreeMap<Airport, Totals>,
    /// Whether all input was processed, now or before the restored checkpoint.
    whole: bool,
    /// The first checkpoint that holds the whole table.
    last: Option<CheckpointId>,
}

impl TableSink {
    pub(crate) fn new(task: &TaskContext, output: &Path) -> Self {
        Self { output: output.into(), job: task.job, totals: BTreeMap::new(), whole: false, last: None }
    }
}

impl Stateful for TableSink {
    fn open(&mut self, restored: Restored) -> TaskResult<()> {
        for element in &restored.elements {
            let (whole, totals): (bool, Vec<(Airport, Totals)>) = elements::decode_value(element)?;
            self.whole = whole;
            self.totals.extend(totals);
        }
        Ok(())
    }

    fn snapshot(&mut self, checkpoint: CheckpointId) -> TaskResult<Snapshot> {
        if self.whole {
            self.last.get_or_insert(checkpoint);
        }
        let totals: Vec<_> = self.totals.iter().collect();
        Snapshot::new().with_element(&(self.whole, totals))
    }

    fn notify_complete(&mut self, checkpoint: CheckpointId) -> TaskResult<()> {
        if self.last.is_some_and(|last| last <= checkpoint) {
            write_output(&self.output, self.job, &render_table(&self.totals))?;
        }
        Ok(())
    }
}

impl Operator<Flight> for TableSink {
    fn process(&mut self, flight: Flight, _: &mut Output<Flight>) -> TaskResult<()> {
        if let Flight::Totals(origin, totals) = flight {
            self.totals.insert(origin, totals);
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Output<Flight>) -> TaskResult<()> {
        self.whole = true;
        Ok(())
    }
}
