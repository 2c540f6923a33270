use crate::writable::WritableLocation;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::{CheckpointId, LocationReference};
use stillframe_storage::{ErrorKind, StorageError};

/// For how many checkpoints a segment may be open at once. More are under way only if some were given up
/// without anybody saying so.
const OPEN: usize = 8;

/// How many failed checkpoints are remembered one by one.
const FAILED: usize = 256;

/// Where the tasks of this process write. They share it, so that their states go into the same segments.
#[derive(Debug, Default)]
pub(crate) struct WritableLocations(Mutex<Locations>);

#[derive(Debug, Default)]
struct Locations {
    /// Those that a task writes to, or that hold what is not durable, or that failed. For any other checkpoint
    /// there is nothing to make durable.
    used: BTreeMap<(CheckpointId, LocationReference), Arc<WritableLocation>>,
    /// Of the checkpoints up to this one it is not known any more which failed.
    forgotten: Option<CheckpointId>,
}

impl WritableLocations {
    /// The location that all tasks share, and those that have to be closed because this one has begun.
    pub(crate) fn get_or_begin(
        &self,
        checkpoint: CheckpointId,
        reference: &LocationReference,
        begin: impl FnOnce() -> Result<WritableLocation, StorageError>,
    ) -> Result<(Arc<WritableLocation>, Vec<Arc<WritableLocation>>), StorageError> {
        let mut locations = self.lock();
        if let Some(location) = locations.get(checkpoint, reference)? {
            return Ok((location, Vec::new()));
        }
        let location = Arc::new(begin()?);
        let surplus = locations.make_room(checkpoint);
        locations.used.insert((checkpoint, reference.clone()), Arc::clone(&location));
        Ok((location, surplus))
    }

    /// `None` if there is nothing there that is not durable.
    pub(crate) fn get(
        &self,
        checkpoint: CheckpointId,
        reference: &LocationReference,
    ) -> Result<Option<Arc<WritableLocation>>, StorageError> {
        self.lock().get(checkpoint, reference)
    }

    /// Lets go of the files of a checkpoint that is being removed, so that the medium gets their space back. A
    /// task that has not heard of it fails from now on.
    pub(crate) fn discard(&self, checkpoint: CheckpointId, reference: &LocationReference) {
        if let Some(location) = self.lock().used.get(&(checkpoint, reference.clone())) {
            location.discard();
        }
    }

    /// The same of a checkpoint that was never completed. A task that has yet to begin writing it is refused as well: what it
    /// brought would be nobody's.
    pub(crate) fn refuse(
        &self,
        checkpoint: CheckpointId,
        reference: &LocationReference,
        begin: impl FnOnce() -> WritableLocation,
    ) {
        let mut locations = self.lock();
        let key = (checkpoint, reference.clone());
        locations.used.entry(key).or_insert_with(|| Arc::new(begin())).discard();
        locations.forget_oldest_failures();
    }

    fn lock(&self) -> MutexGuard<'_, Locations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locations {
    fn get(
        &self,
        checkpoint: CheckpointId,
        reference: &LocationReference,
    ) -> Result<Option<Arc<WritableLocation>>, StorageError> {
        match self.used.get(&(checkpoint, reference.clone())) {
            None if self.forgotten.is_some_and(|forgotten| checkpoint <= forgotten) => {
                Err(StorageError::new(ErrorKind::Other, "write state of checkpoint", checkpoint.to_string())
                    .with_detail("so many failed since that it may be one of them; decline the checkpoint"))
            }
            found => Ok(found.map(Arc::clone)),
        }
    }

    /// Lets go of what a checkpoint before `newest` no longer needs. Gives what has to be closed.
    fn make_room(&mut self, newest: CheckpointId) -> Vec<Arc<WritableLocation>> {
        // Only who holds `self` can make another reference, so a count of one cannot change meanwhile.
        self.used.retain(|(checkpoint, _), location| {
            *checkpoint >= newest || Arc::strong_count(location) > 1 || !location.is_durable()
        });
        let mut open = Vec::new();
        for location in self.used.values() {
            if location.has_failed() {
                location.give_up();
            } else {
                open.push(Arc::clone(location));
            }
        }
        self.forget_oldest_failures();
        // The oldest ones come first, and the new one counts.
        open.truncate((open.len() + 1).saturating_sub(OPEN));
        open
    }

    /// Keeps what is remembered in bounds, also where no task ever writes.
    fn forget_oldest_failures(&mut self) {
        let failed = self.used.iter().filter(|(_, location)| location.has_failed());
        let failed = failed.map(|(key, _)| key.clone()).collect::<Vec<_>>();
        for key in failed.iter().take(failed.len().saturating_sub(FAILED)) {
            self.used.remove(key);
            self.forgotten = self.forgotten.max(Some(key.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlobStores;
    use crate::map_store::Medium;
    use crate::place::Place;
    use stillframe_storage::BlobPath;

    #[test]
    fn failures_are_remembered_in_bounded_memory() {
        for has_tasks in [true, false] {
            let (medium, locations) = (Medium::default(), WritableLocations::default());
            let (entropy, default) = (Arc::new(medium.clone()), LocationReference::Default);
            let place = Place { blobs: medium.at("/c").unwrap(), directory: BlobPath::root() };
            for number in 1..=1000 {
                let checkpoint = CheckpointId::new(number);
                let begin =
                    || WritableLocation::new(checkpoint, place.clone(), None, Arc::clone(&entropy) as _, 0);
                if has_tasks {
                    locations.get_or_begin(checkpoint, &default, || Ok(begin())).unwrap();
                    locations.discard(checkpoint, &default);
                } else {
                    locations.refuse(checkpoint, &default, begin);
                }
            }
            assert_eq!(locations.lock().used.len(), FAILED + usize::from(has_tasks));
            for number in 1..=1000 {
                let found = locations.get(CheckpointId::new(number), &default);
                assert!(found.is_err() || found.unwrap().unwrap().has_failed(), "{number}");
            }
            assert!(locations.get(CheckpointId::new(1001), &default).unwrap().is_none());
        }
    }

    #[test]
    fn of_a_completed_checkpoint_that_goes_nothing_has_to_be_remembered() {
        let locations = WritableLocations::default();
        locations.discard(CheckpointId::new(7), &LocationReference::Default);
        assert!(locations.lock().used.is_empty());
    }
}
