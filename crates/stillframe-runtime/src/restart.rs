use crate::JobFailure;
use std::time::Duration;
use stillframe_model::FailureReason;
use stillframe_storage::ErrorKind;

/// What happens when a job fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartStrategy {
    /// It stays failed.
    None,
    /// It is restored from its newest completed checkpoint and runs again.
    FixedDelay {
        /// This many times.
        attempts: u32,
        /// Each time after this pause.
        delay: Duration,
    },
}

impl Default for RestartStrategy {
    /// Three times, each after 100 ms. A fault that is still there after that is one for a person.
    fn default() -> Self {
        Self::FixedDelay { attempts: 3, delay: Duration::from_millis(100) }
    }
}

impl RestartStrategy {
    /// The pause before the next attempt, after `failures` of them have failed.
    pub(crate) fn after(self, failures: u32, failure: &JobFailure) -> Option<Duration> {
        // The storage of this process no longer knows what is durable; only a new process that looks at the medium can.
        match failure {
            JobFailure::Checkpoints { reason: FailureReason::OutcomeUnknown, .. } => return None,
            JobFailure::Storage(error)
                if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::OutcomeUnknown) =>
            {
                return None;
            }
            // What goes on would meet the next attempt.
            JobFailure::LeftBehind { .. } => return None,
            _ => {}
        }
        match self {
            Self::FixedDelay { attempts, delay } if failures <= attempts => Some(delay),
            Self::None | Self::FixedDelay { .. } => None,
        }
    }
}
