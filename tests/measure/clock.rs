use crate::Failure;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use stillframe::model::{Now, Timestamp, UnixMillis};

/// The one look at the clock.
#[expect(clippy::disallowed_methods, reason = "this program measures; nothing is decided by what it sees")]
fn now() -> Instant {
    Instant::now()
}

/// The clocks of a job, read as often as its driver reads them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: now() }
    }

    #[expect(clippy::disallowed_methods, reason = "this stands for the driver's clock")]
    pub(crate) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            monotonic: Timestamp::from_origin(self.origin.elapsed()),
            wall: UnixMillis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
        }
    }
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
