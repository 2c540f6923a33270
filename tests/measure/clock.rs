use crate::Failure;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use stillframe::model::{Now, Timestamp, UnixMillis};

/// The one look at the clock.
#[expect(clippy::disallowed_methods, reason = "this program measures; nothing is decided by what it sees")]
fn now() -> Instant {
    Instant::now()
}

/// The clock of a job. It is read once for every message, as in the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: now() }
    }

    /// The moment. Where the wall clock begins changes nothing of what is measured.
    pub(crate) fn now(self) -> Now {
        Now { monotonic: Timestamp::from_origin(self.origin.elapsed()), wall: UnixMillis(0) }
    }
}

/// The time for which a processor worked for this thread so far. Other programs hardly change how much of it work takes.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How long `work` takes, with what it gave.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<(Duration, T), Failure> {
    let start = now();
    let value = work()?;
    Ok((start.elapsed(), value))
}

/// How long it takes until `work`, done by so many threads at once, is done by all of them. Each is given its number.
///
/// The time begins with the first thread that works: where there are fewer processors than threads, that may be long
/// before whoever started them is woken.
pub(crate) fn timed_on(
    threads: usize,
    work: impl Fn(usize) -> Result<(), Failure> + Sync,
) -> Result<Duration, Failure> {
    let barrier = Barrier::new(threads);
    let one = |number| {
        barrier.wait();
        let start = now();
        work(number)?;
        Ok::<_, Failure>((start, now()))
    };
    let spans = thread::scope(|scope| {
        let one = &one;
        let running = (0..threads).map(|number| scope.spawn(move || one(number))).collect::<Vec<_>>();
        let joined = running.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        joined.collect::<Result<Vec<_>, Failure>>()
    })?;
    let first = spans.iter().map(|(start, _)| *start).min();
    let last = spans.iter().map(|(_, end)| *end).max();
    Ok(last.zip(first).map_or(Duration::ZERO, |(last, first)| last.duration_since(first)))
}

/// Measures two things so many times, after once that does not count, in turn, each first every other time: whatever slows the machine down slows both, and
/// neither always profits from what the other left behind.
pub(crate) fn in_turn(
    repetitions: usize,
    mut one: impl FnMut() -> Result<f64, Failure>,
    mut other: impl FnMut() -> Result<f64, Failure>,
) -> Result<[Vec<f64>; 2], Failure> {
    let [mut ones, mut others] = [Vec::new(), Vec::new()];
    one()?;
    other()?;
    for repetition in 0..repetitions {
        if repetition % 2 == 0 {
            ones.push(one()?);
            others.push(other()?);
        } else {
            others.push(other()?);
            ones.push(one()?);
        }
    }
    Ok([ones, others])
}
