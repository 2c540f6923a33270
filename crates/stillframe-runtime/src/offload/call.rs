use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stillframe_model::Redacted;
use stillframe_storage::{ErrorKind, StorageError};
use tokio::time::Instant;

/// Something that is done in a thread which may block, as people are told of it.
#[derive(Clone, Debug)]
pub(crate) struct Call(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    operation: &'static str,
    subject: String,
    step: Mutex<Step>,
}

#[derive(Debug)]
struct Step {
    name: Option<String>,
    since: Instant,
}

impl Call {
    /// `operation` is a verb phrase such as "read state"; `subject` names the object, and is shown without what may be a
    /// secret in it.
    pub(crate) fn new(operation: &'static str, subject: impl AsRef<str>) -> Self {
        let step = Mutex::new(Step { name: None, since: Instant::now() });
        Self(Arc::new(Inner { operation, subject: Redacted::new(subject.as_ref()).to_string(), step }))
    }

    /// It is answered step by step, and this one begins.
    pub(crate) fn step(&self, name: impl Into<String>) {
        *self.current() = Step { name: Some(name.into()), since: Instant::now() };
    }

    /// It had to wait for a thread, and has one now.
    pub(super) fn begin(&self) {
        self.current().since = Instant::now();
    }

    /// When the present step began.
    pub(crate) fn since(&self) -> Instant {
        self.current().since
    }

    /// What an error says if it did not end well.
    pub(crate) fn error(&self, kind: ErrorKind, detail: String) -> StorageError {
        let step = self.current().name.clone();
        let detail = step.map_or_else(|| detail.clone(), |step| format!("{step}: {detail}"));
        StorageError::new(kind, self.0.operation, self.0.subject.as_str()).with_detail(detail)
    }

    fn current(&self) -> MutexGuard<'_, Step> {
        self.0.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.operation, self.0.subject)?;
        match &self.current().name {
            Some(step) => write!(f, " ({step})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn neither_its_name_nor_its_error_shows_the_secret_of_an_address() {
        let call = Call::new("resolve", "s3://key:SECRET@bucket/x?sig=SECRET");
        let error = call.error(ErrorKind::Unavailable, "it does not answer".into());
        for text in [call.to_string(), format!("{call:?}"), error.to_string(), format!("{error:?}")] {
            assert!(text.contains("bucket") && !text.contains("SECRET"), "{text}");
        }
    }
}
