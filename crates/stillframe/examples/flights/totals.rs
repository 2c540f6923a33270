//! What the job keeps for every airport, and the table it becomes.

use crate::departure::{Airport, Departure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The first line of the output.
pub(crate) const TABLE_HEADER: &str = "origin,departures,delayed,delay_minutes,distance_miles";

/// Running totals of the departures from one airport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) departures: u64,
    /// Those that left more than 15 minutes late.
    pub(crate) delayed: u64,
    /// Sum of all delays; minutes gained by leaving early count against it.
    pub(crate) delay_minutes: i64,
    pub(crate) distance_miles: u64,
}

impl Totals {
    /// Counts one departure.
    pub(crate) fn add(&mut self, departure: &Departure) {
        self.departures += 1;
        self.delayed += u64::from(departure.is_delayed());
        self.delay_minutes += i64::from(departure.delay);
        self.distance_miles += u64::from(departure.distance);
    }
}

/// The output file's content. Everybody who needs the table gets it here, so that equal totals are equal bytes.
pub(crate) fn render_table(totals: &BTreeMap<Airport, Totals>) -> String {
    let mut table = format!("{TABLE_HEADER}\n");
    for (origin, Totals { departures, delayed, delay_minutes, distance_miles }) in totals {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{origin},{departures},{delayed},{delay_minutes},{distance_miles}");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_sums_what_was_added() {
        let mut totals = BTreeMap::<Airport, Totals>::new();
        for line in [
            "2001-01-01T00:01,33,10,LAS,PHL",
            "2001-01-01T00:02,-40,20,LAS,ATL",
            "2001-01-01T00:02,15,5,ATL,LAS",
        ] {
            let departure = Departure::parse(line.as_bytes()).expect("a good line");
            totals.entry(departure.origin).or_default().add(&departure);
        }
        assert_eq!(
            render_table(&totals),
            "origin,departures,delayed,delay_minutes,distance_miles\nATL,1,0,15,5\nLAS,2,1,-7,30\n"
        );
    }

    #[test]
    fn no_departures_are_a_table_with_a_header_only() {
        assert_eq!(render_table(&BTreeMap::new()), format!("{TABLE_HEADER}\n"));
    }
}
