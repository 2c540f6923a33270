//! What somebody else does on the same medium, at a moment that the test names.

use super::Medium;
use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Deed = Box<dyn FnMut(&Medium) + Send>;

/// A deed before an operation of this name, on an object whose address ends like this.
type Interruption = (&'static str, String, Deed);

#[derive(Clone, Default)]
pub(super) struct Others(Arc<Mutex<Vec<Interruption>>>);

impl Others {
    pub(super) fn add(&self, operation: &'static str, end: &str, deed: Deed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((operation, end.to_owned(), deed));
    }

    /// Does what is to be done before this operation. Nothing is done on account of what a deed does itself.
    pub(super) fn act(&self, medium: &Medium, operation: &str, address: &str) {
        let mut deeds = core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (before, end, deed) in &mut deeds {
            if *before == operation && address.ends_with(end.as_str()) {
                deed(medium);
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).append(&mut deeds);
    }
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Others")
    }
}
