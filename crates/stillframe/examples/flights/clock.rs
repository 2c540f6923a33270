use std::time::Instant;

/// The only place of this example that reads a clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock of the example's two processes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
