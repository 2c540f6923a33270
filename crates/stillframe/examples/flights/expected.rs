use crate::alerts::AlertMultiset;
use crate::departure::Airport;
use crate::input::{FlightsReader, InputError};
use crate::totals::Totals;
use std::collections::BTreeMap;
use std::path::Path;

/// What the job must arrive at, found in a single pass over the input: no parallelism, no checkpoints, no failures.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) records: u64,
    pub(crate) totals: BTreeMap<Airport, Totals>,
    pub(crate) alerts: AlertMultiset,
}

impl Expected {
    /// Reads the whole input, so that a bad one is found before anything is started. Memory does not depend on its size.
    pub(crate) fn of(input: &Path) -> Result<Self, InputError> {
        let mut reader = FlightsReader::open(input)?;
        let mut totals = BTreeMap::<Airport, Totals>::new();
        let mut alerts = AlertMultiset::default();
        while let Some(departure) = reader.next_departure()? {
            totals.entry(departure.origin).or_default().add(&departure);
            if let Some(alert) = departure.alert {
                alerts.add(alert.as_bytes());
            }
        }
        Ok(Self { records: reader.line(), totals, alerts })
    }

    /// The airports with the most departures, at most `limit`.
    pub(crate) fn busiest(&self, limit: usize) -> Vec<(Airport, Totals)> {
        let mut airports: Vec<_> = self.totals.iter().map(|(&airport, &totals)| (airport, totals)).collect();
        // The sort is stable, so that airports that are equally busy stay in the order of their codes.
        airports.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.departures));
        airports.truncate(limit);
        airports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures were counted with awk, independently of this program.
    #[test]
    fn the_shipped_file_is_counted_right() {
        let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/flights-200k.csv.gz");
        let expected = Expected::of(&input).expect("the shipped file");
        assert_eq!((expected.records, expected.alerts.len(), expected.totals.len()), (200_000, 11_933, 223));
        let busiest: Vec<_> =
            expected.busiest(2).iter().map(|(airport, totals)| format!("{airport} {totals:?}")).collect();
        assert_eq!(
            busiest,
            [
                "ORD Totals { departures: 11015, delayed: 2470, delay_minutes: 59871, distance_miles: 8548636 }",
                "DFW Totals { departures: 10460, delayed: 2735, delay_minutes: 107779, distance_miles: 7999621 }"
            ]
        );
    }
}
