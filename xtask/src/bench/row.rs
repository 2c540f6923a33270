use serde_json::{Value, json};
use std::fmt;

/// One figure and what it is compared with. More is better.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) reference: f64,
    pub(crate) reference_name: &'static str,
    /// The least ratio of ours to the reference that we want.
    pub(crate) goal: f64,
}

impl Row {
    pub(crate) fn ratio(&self) -> f64 {
        self.ours / self.reference
    }

    pub(crate) fn holds(&self) -> bool {
        self.ratio() >= self.goal
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "reference": self.reference,
            "reference_name": self.reference_name,
            "ratio": self.ratio(),
            "goal": self.goal,
            "holds": self.holds(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, ours, reference, reference_name, goal } = self;
        let verdict = if self.holds() { "holds" } else { "MISSED" };
        write!(f, "{name}: {ours:.0} {unit}, {reference_name} {reference:.0} {unit}, ")?;
        write!(f, "ratio {:.3}, goal {goal} or more: {verdict}", self.ratio())
    }
}

/// The middle one of some figures; of an even number, the lower of the two. `None` if there are none.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        name: "x",
        unit: "records/s",
        ours: 95.0,
        reference: 100.0,
        reference_name: "without",
        goal: 0.9,
    };

    #[test]
    fn a_row_is_printed_with_its_verdict() {
        assert_eq!(
            ROW.to_string(),
            "x: 95 records/s, without 100 records/s, ratio 0.950, goal 0.9 or more: holds"
        );
        let missed = Row { ours: 80.0, ..ROW };
        assert!(missed.to_string().ends_with("ratio 0.800, goal 0.9 or more: MISSED"));
    }

    #[test]
    fn json_has_exactly_the_agreed_fields() {
        let value = ROW.to_json();
        let mut fields = value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
        fields.sort_unstable();
        assert_eq!(fields, ["goal", "holds", "name", "ours", "ratio", "reference", "reference_name", "unit"]);
        assert_eq!((&value["ratio"], &value["holds"]), (&json!(0.95), &json!(true)));
    }

    #[test]
    fn a_reference_of_nothing_does_not_hold() {
        assert!(!Row { ours: 0.0, reference: 0.0, ..ROW }.holds());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![2.0, 1.0]), Some(1.0));
        assert_eq!(median(Vec::new()), None);
    }
}
