//! Departures that never were, and what must come of them. Nothing here is taken from the example: that would agree with
//! itself.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The text of an input, and the totals and alerts that were counted while it was written.
pub(crate) struct Departures {
    pub(crate) text: String,
    totals: BTreeMap<&'static str, [i64; 4]>,
    alerts: Vec<String>,
}

const AIRPORTS: [&str; 12] =
    ["ATL", "BOS", "DEN", "DFW", "JFK", "LAS", "LAX", "MIA", "ORD", "PHX", "SEA", "SFO"];

/// Delays around each limit, so that one that is off by one shows.
const LIMITS: [i64; 8] = [-7, 0, 14, 15, 16, 60, 61, 62];

impl Departures {
    /// So many departures, the same for the same seed.
    pub(crate) fn generate(seed: u64, count: u64) -> Self {
        let mut random = Random::new(seed);
        let mut departures = Self {
            text: "date,delay,distance,origin,destination\n".into(),
            totals: BTreeMap::new(),
            alerts: Vec::new(),
        };
        for number in 0..count {
            let date = format!(
                "2001-{:02}-{:02}T{:02}:{:02}",
                number / 40_000 % 12 + 1,
                number / 1440 % 28 + 1,
                number / 60 % 24,
                number % 60
            );
            let delay = match random.below(4) {
                0 => LIMITS[random.below(8) as usize],
                _ => random.below(120) as i64 - 30,
            };
            let distance = random.below(2600) as i64;
            // Some airports are much busier than others, so that the subtasks are as well.
            let (a, b) = (random.below(12), random.below(12));
            let (origin, destination) = (AIRPORTS[a.min(b) as usize], AIRPORTS[a.max(b) as usize]);
            departures.add(&date, delay, distance, origin, destination);
        }
        departures
    }

    fn add(&mut self, date: &str, delay: i64, distance: i64, origin: &'static str, destination: &str) {
        let _ = writeln!(self.text, "{date},{delay},{distance},{origin},{destination}");
        let totals = self.totals.entry(origin).or_default();
        let more = [1, i64::from(delay >= 16), delay, distance];
        totals.iter_mut().zip(more).for_each(|(total, more)| *total += more);
        if delay >= 61 {
            self.alerts.push(format!("{date},{origin},{destination},{delay}"));
        }
    }

    /// What `--output` must hold.
    pub(crate) fn table(&self) -> String {
        let mut table = "origin,departures,delayed,delay_minutes,distance_miles\n".to_owned();
        for (origin, [departures, delayed, minutes, miles]) in &self.totals {
            let _ = writeln!(table, "{origin},{departures},{delayed},{minutes},{miles}");
        }
        table
    }

    /// The lines that `--alerts` must hold, sorted, each as often as it occurs.
    pub(crate) fn alerts(&self) -> Vec<String> {
        let mut alerts = self.alerts.clone();
        alerts.sort();
        alerts
    }
}

/// The lines of a text, sorted.
pub(crate) fn sorted_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Numbers from a seed: Marsaglia's xorshift, which never leaves zero and is never put there.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x1234_5678_9abc_def1 | 1)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`, which is small beside 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.draw() >> 11) % bound
    }
}
