use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stillframe_model::{Now, Timestamp, UnixMillis};
use tokio::time::Instant;

/// The only reader of clocks. The monotonic one is tokio's, which tests can stop and wind forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        Now { monotonic: Timestamp::from_origin(self.origin.elapsed()), wall: wall() }
    }

    /// Waits until then; for ever, if there is no such moment.
    pub(crate) async fn wait_until(self, deadline: Option<Timestamp>) {
        match deadline.and_then(|deadline| self.origin.checked_add(deadline.since_origin())) {
            Some(instant) => tokio::time::sleep_until(instant).await,
            None => std::future::pending().await,
        }
    }
}

/// How long ago something was by the wall clocks of two processes, to be shown to people. Nothing, if it seems to be still
/// to come.
pub(crate) fn since_wall(earlier: UnixMillis) -> Duration {
    Duration::from_millis(wall().0.saturating_sub(earlier.0))
}

#[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
fn wall() -> UnixMillis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
