use std::collections::BTreeSet;
use stillframe_model::CheckpointId;

/// The ids that were used. They are drawn in order and used nearly so, hence few are remembered one by one.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Every id below this one counts as used.
    floor: CheckpointId,
    /// What was used from the floor on.
    above: BTreeSet<CheckpointId>,
}

impl Default for Ids {
    fn default() -> Self {
        Self { floor: CheckpointId::FIRST, above: BTreeSet::new() }
    }
}

impl Ids {
    /// Uses an id. `false` if it was used before.
    pub(crate) fn insert(&mut self, id: CheckpointId) -> bool {
        if id < self.floor || !self.above.insert(id) {
            return false;
        }
        // The last number is followed by itself: it stays in the set.
        while self.floor != self.floor.next() && self.above.remove(&self.floor) {
            self.floor = self.floor.next();
        }
        true
    }

    /// Uses an id and all before it.
    pub(crate) fn all_up_to(&mut self, id: CheckpointId) {
        self.floor = self.floor.max(id.next());
        self.above = self.above.split_off(&self.floor);
    }

    /// The first id such that neither it nor any after it was used.
    pub(crate) fn next(&self) -> CheckpointId {
        self.above.last().map_or(self.floor, |last| last.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_used_once_in_any_order_and_few_are_remembered() {
        let mut ids = Ids::default();
        let mut insert = |id| ids.insert(CheckpointId::new(id));
        assert!(insert(1) && insert(3) && insert(2) && insert(7));
        assert!(!insert(1) && !insert(2) && !insert(3) && !insert(7) && !insert(0));
        assert_eq!((ids.above.len(), ids.next()), (1, CheckpointId::new(8)));
        ids.all_up_to(CheckpointId::new(6));
        assert_eq!(ids.next(), CheckpointId::new(8));
        assert!(!ids.insert(CheckpointId::new(5)));
        assert!(ids.insert(CheckpointId::new(8)));
        assert_eq!((ids.above.len(), ids.next()), (0, CheckpointId::new(9)));
    }

    #[test]
    fn the_last_id_is_used_once_too() {
        let mut ids = Ids::default();
        let last = CheckpointId::new(u64::MAX);
        assert!(ids.insert(last));
        assert!(!ids.insert(last));
        assert_eq!(ids.next(), last);
    }
}
