use crate::ours::Job;
use crate::place::Place;
use crate::storage::chunk;
use crate::{CHUNK, Failure, Figures, clock};
use serde_json::json;
use std::fs;

/// The most memory that this process ever held, in MiB, after so much state was written. Only one measurement can be made
/// in a process.
pub(crate) fn peak(place: &Place, threads: usize, mib: u64) -> Result<Figures, Failure> {
    let bytes = (mib << 20) / threads as u64;
    let chunk = chunk(CHUNK);
    let checkpoint = Job::on(&place.join("ours"))?.begin()?;
    clock::timed_on(threads, |_| {
        checkpoint.write(&chunk, bytes)?;
        checkpoint.sync()
    })?;
    let peak = resident_high_water_mark()?;
    checkpoint.discard()?;
    place.settle()?;
    Ok(Figures::from_iter([("peak".to_owned(), json!([peak]))]))
}

/// `VmHWM` of this process, in MiB.
pub(crate) fn resident_high_water_mark() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .ok_or("/proc/self/status has no VmHWM in kB")?;
    Ok(kib.trim().parse::<f64>()? / 1024.0)
}
