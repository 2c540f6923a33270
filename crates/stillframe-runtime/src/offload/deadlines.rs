use super::Call;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long the driver waits for what it calls: for each call so long, and for none beyond the end of the attempt.
#[derive(Debug)]
pub(crate) struct Deadlines {
    each: Duration,
    end: watch::Sender<Option<Instant>>,
}

impl Deadlines {
    pub(crate) fn new(each: Duration) -> Self {
        Self { each, end: watch::Sender::new(None) }
    }

    /// From now on everything has to be over within this time. The first to say so counts.
    pub(crate) fn end_within(&self, time: Duration) {
        // A time that no clock can name is no bound.
        let Some(end) = Instant::now().checked_add(time) else { return };
        self.end.send_if_modified(|current| {
            let is_first = current.is_none();
            *current = current.or(Some(end));
            is_first
        });
    }

    /// Waits until the call has gone on in the same step for too long, or the end has come.
    pub(super) async fn passed(&self, call: &Call) {
        loop {
            let since = call.since();
            tokio::select! {
                () = until(since.checked_add(self.each)) => if call.since() == since { return },
                () = self.ended() => return,
            }
        }
    }

    /// Waits until everything has to be over.
    pub(crate) async fn ended(&self) {
        let mut end = self.end.subscribe();
        // The sender lives as long as this.
        if let Ok(end) = end.wait_for(Option::is_some).await.map(|end| *end) {
            until(end).await;
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        // Known at once, whatever the timer knows already.
        Some(moment) if moment <= Instant::now() => {}
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
