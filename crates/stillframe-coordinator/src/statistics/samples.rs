//! How a figure is distributed: extremes and mean over all values, quantiles over the last ones.

use super::answer::{Quantiles, StatsSummary};
use alloc::vec::Vec;

/// How many values the quantiles are about.
const WINDOW: usize = 10_000;

/// Values whose extremes and mean are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Extremes {
    min: u64,
    max: u64,
    /// Wide enough for any number of values that can be counted.
    sum: u128,
    count: u64,
}

impl Extremes {
    pub(super) fn add(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.sum += u128::from(value);
        self.count += 1;
    }

    pub(super) fn summary(self) -> StatsSummary {
        let avg = self.sum.checked_div(u128::from(self.count)).unwrap_or(0);
        // The mean is no greater than the greatest value.
        let avg = u64::try_from(avg).unwrap_or(self.max);
        StatsSummary { min: self.min, max: self.max, avg, quantiles: None }
    }
}

/// Values whose quantiles are asked for too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Samples {
    extremes: Extremes,
    /// The last values, the oldest at `next` once there are as many as may be.
    window: Vec<u64>,
    next: usize,
}

impl Samples {
    pub(super) fn add(&mut self, value: u64) {
        self.extremes.add(value);
        match self.window.get_mut(self.next) {
            Some(oldest) => *oldest = value,
            None => self.window.push(value),
        }
        self.next = (self.next + 1) % WINDOW;
    }

    pub(super) fn summary(&self) -> StatsSummary {
        let mut sorted = self.window.clone();
        sorted.sort_unstable();
        StatsSummary { quantiles: quantiles(&sorted), ..self.extremes.summary() }
    }
}

fn quantiles(sorted: &[u64]) -> Option<Quantiles> {
    Some(Quantiles {
        p50: quantile(sorted, 0.5)?,
        p90: quantile(sorted, 0.9)?,
        p95: quantile(sorted, 0.95)?,
        p99: quantile(sorted, 0.99)?,
        p999: quantile(sorted, 0.999)?,
    })
}

/// The value at the place `part * (n + 1)` of `n`, counted from one, as the library does that Flink uses. Its rounding
/// is kept too: percent there and back.
fn quantile(sorted: &[u64], part: f64) -> Option<f64> {
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let place = part * 100.0 / 100.0 * (sorted.len() as f64 + 1.0);
    let below = place as usize;
    let (Some(lower), Some(upper)) =
        (below.checked_sub(1).and_then(|index| sorted.get(index)), sorted.get(below))
    else {
        return Some(if below == 0 { first as f64 } else { last as f64 });
    };
    let (lower, upper) = (*lower as f64, *upper as f64);
    Some(lower + (place - below as f64) * (upper - lower))
}
