//! Time as an argument. Nothing in Stillframe's machines can read a clock.

use core::fmt;
use core::time::Duration;

/// A moment on the monotonic clock: the time since the driver started. The only time that decides anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// When the driver started.
    pub const ORIGIN: Self = Self(Duration::ZERO);

    /// A moment this long after the driver started.
    #[must_use]
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the driver's start this is.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `duration` after this one; the end of time if there is none.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// A moment on the wall clock, in milliseconds since 1970-01-01 UTC. Carried and shown, never compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a machine is told about time with every event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now {
    /// Decides.
    pub monotonic: Timestamp,
    /// Is written down.
    pub wall: UnixMillis,
}
