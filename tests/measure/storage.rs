use crate::clock::{in_turn, timed, timed_on};
use crate::ours::Job;
use crate::place::Place;
use crate::{CHUNK, Failure, Figures, plain};
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;

/// Bytes that look like nothing in particular, always the same.
pub(crate) fn chunk(len: usize) -> Bytes {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect::<Vec<_>>().into()
}

fn figures([ours, plain]: [Vec<f64>; 2]) -> Figures {
    Figures::from_iter([("ours".to_owned(), json!(ours)), ("plain".to_owned(), json!(plain))])
}

fn per_second(amount: f64, time: Duration) -> f64 {
    amount / time.as_secs_f64()
}

/// Large states, one of each thread, in MB/s, and as many plain files.
pub(crate) fn write(place: &Place, repetitions: usize, threads: usize, mib: u64) -> Result<Figures, Failure> {
    let bytes = mib << 20;
    let megabytes = threads as f64 * bytes as f64 / 1e6;
    let chunk = chunk(CHUNK);
    let mut job = Job::on(&place.join("ours"))?;
    let ours = || {
        let checkpoint = job.begin()?;
        let time = timed_on(threads, |_| {
            checkpoint.write(&chunk, bytes)?;
            checkpoint.sync()
        })?;
        checkpoint.discard()?;
        place.settle()?;
        Ok(per_second(megabytes, time))
    };
    let plain = || {
        let path = |number: usize| place.join(format!("plain-{number}"));
        let time = timed_on(threads, |number| plain::write(&path(number), &chunk, bytes))?;
        (0..threads).try_for_each(|number| plain::remove(&path(number)))?;
        place.settle()?;
        Ok(per_second(megabytes, time))
    };
    Ok(figures(in_turn(repetitions, ours, plain)?))
}

/// Many small states of one worker, made durable together, in states per second, and one plain file of the same bytes.
pub(crate) fn states(place: &Place, repetitions: usize, count: u32, size: usize) -> Result<Figures, Failure> {
    let chunk = chunk(size);
    let mut job = Job::on(&place.join("ours"))?;
    let ours = || {
        let checkpoint = job.begin()?;
        // Whoever writes states keeps their handles, to acknowledge with them.
        let (time, handles) = timed(|| {
            let handles = (0..count).map(|_| checkpoint.write(&chunk, size as u64));
            let handles = handles.collect::<Result<Vec<_>, Failure>>()?;
            checkpoint.sync()?;
            Ok(handles)
        })?;
        drop(handles);
        checkpoint.discard()?;
        place.settle()?;
        Ok(per_second(count.into(), time))
    };
    let plain = || {
        let path = place.join("plain");
        let (time, ()) = timed(|| plain::write(&path, &chunk, u64::from(count) * size as u64))?;
        plain::remove(&path)?;
        place.settle()?;
        Ok(per_second(count.into(), time))
    };
    Ok(figures(in_turn(repetitions, ours, plain)?))
}

/// A large state that is in the page cache, read back and checked, in MB/s, and a plain file of the same bytes.
pub(crate) fn read(place: &Place, repetitions: usize, mib: u64) -> Result<Figures, Failure> {
    let bytes = mib << 20;
    let chunk = chunk(CHUNK);
    let checkpoint = Job::on(&place.join("ours"))?.begin()?;
    let handle = checkpoint.write(&chunk, bytes)?;
    checkpoint.sync()?;
    let completed = checkpoint.complete()?;
    let path = place.join("plain");
    plain::write(&path, &chunk, bytes)?;
    let rate = |work: &dyn Fn() -> Result<u64, Failure>| {
        let (time, read) = timed(work)?;
        if read != bytes {
            return Err(format!("expected {bytes} bytes, read {read}").into());
        }
        Ok(per_second(bytes as f64 / 1e6, time))
    };
    let ours = || rate(&|| completed.read(&handle));
    let plain = || rate(&|| plain::read(&path));
    Ok(figures(in_turn(repetitions, ours, plain)?))
}
