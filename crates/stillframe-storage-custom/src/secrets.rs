use std::error::Error;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use stillframe_storage::StorageError;

/// What no message of a storage may show.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<Vec<String>>);

impl Secrets {
    pub(crate) fn add(&self, secret: &str) {
        // An empty text is in every message, and hides nothing.
        if !secret.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
        }
    }

    /// The error as it was, or one of the same kind that says nothing, if it shows a secret.
    pub(crate) fn shield(&self, error: StorageError) -> StorageError {
        let mut shown = format!("{error} {error:?}");
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing into a text does not fail.
            let _ = write!(shown, " {cause} {cause:?}");
            source = cause.source();
        }
        if self.are_in(&shown) {
            StorageError::new(error.kind(), "use custom storage", "***")
                .with_detail("what the storage says is withheld, because it shows a secret")
        } else {
            error
        }
    }

    /// The text, or stars if it shows a secret.
    pub(crate) fn shield_text(&self, text: String) -> String {
        if self.are_in(&text) { "***".to_owned() } else { text }
    }

    fn are_in(&self, text: &str) -> bool {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Debug escapes, so that a secret with quotes in it looks different there.
        secrets
            .iter()
            .any(|secret| text.contains(secret.as_str()) || text.contains(&secret.escape_debug().to_string()))
    }
}
