use core::error::Error;
use std::sync::OnceLock;
use stillframe_storage::{ErrorKind, StorageError};

/// The first failure of something that cannot be relied on any more after one.
#[derive(Debug, Default)]
pub(crate) struct Failure(OnceLock<(ErrorKind, String)>);

impl Failure {
    /// Remembers the error, unless there was one before.
    pub(crate) fn record(&self, error: &StorageError) {
        // A second failure is most often a consequence of the first, so the first is what helps.
        self.0.get_or_init(|| {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            (error.kind(), text)
        });
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.0.get().is_some()
    }

    /// Refuses `operation` on the subject after a failure.
    pub(crate) fn check(
        &self,
        operation: &'static str,
        subject: impl FnOnce() -> String,
    ) -> Result<(), StorageError> {
        let Some((kind, first)) = self.0.get() else { return Ok(()) };
        let detail =
            format!("nothing of it can be relied on since a failure: {first}; decline the checkpoint");
        Err(StorageError::new(*kind, operation, subject()).with_detail(detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_what_later_callers_hear_of() {
        let failure = Failure::default();
        let check = || failure.check("sync state of", || "chk-7".to_owned());
        check().unwrap();
        let full = StorageError::new(ErrorKind::NoSpace, "write", "/c/segment-1");
        failure.record(&full.with_source(std::io::Error::other("quota of user 7")));
        failure.record(&StorageError::new(ErrorKind::Other, "abort", "/c/segment-1"));
        let error = check().unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::NoSpace, "chk-7"));
        assert!(error.to_string().contains("write /c/segment-1: no space left: quota of user 7"), "{error}");
    }
}
