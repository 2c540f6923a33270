use super::samples::Samples;
use serde_json::{Value, json};
use std::fmt;

/// One figure and what it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ours: Samples,
    pub(crate) reference_name: &'static str,
    /// Or why there is none. Without one, the row claims nothing.
    pub(crate) reference: Result<Samples, String>,
    pub(crate) goal: Goal,
}

/// What the ratio of ours to the reference should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// This or more: the more, the better.
    AtLeast(f64),
    /// This or less: the less, the better.
    AtMost(f64),
}

impl Goal {
    /// Never by a ratio that is no number.
    fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
        }
    }

    fn bound(self) -> f64 {
        let (Self::AtLeast(bound) | Self::AtMost(bound)) = self;
        bound
    }

    fn direction(self) -> &'static str {
        match self {
            Self::AtLeast(_) => "or more",
            Self::AtMost(_) => "or less",
        }
    }
}

impl Row {
    /// The median of ours by that of the reference.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.reference.as_ref().ok().map(|reference| self.ours.median() / reference.median())
    }

    pub(crate) fn holds(&self) -> Option<bool> {
        self.ratio().map(|ratio| self.goal.is_met_by(ratio))
    }

    pub(crate) fn to_json(&self) -> Value {
        let (reference, skipped) = match &self.reference {
            Ok(reference) => (Some(reference), None),
            Err(reason) => (None, Some(reason)),
        };
        json!({
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours.median(),
            "ours_range": self.ours.range(),
            "reference": reference.map(Samples::median),
            "reference_range": reference.map(Samples::range),
            "reference_name": self.reference_name,
            "ratio": self.ratio(),
            "goal": self.goal.bound(),
            "goal_direction": self.goal.direction(),
            "holds": self.holds(),
            "skipped": skipped,
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, ours, reference_name, reference, goal } = self;
        write!(f, "{name}: {ours} {unit}, {reference_name} ")?;
        match reference {
            Ok(reference) => {
                let verdict = if self.holds() == Some(true) { "holds" } else { "MISSED" };
                let ratio = self.ratio().unwrap_or(f64::NAN);
                // A third would otherwise be shown with all its digits.
                let bound = (goal.bound() * 1000.0).round() / 1000.0;
                write!(
                    f,
                    "{reference} {unit}, ratio {ratio:.3}, goal {bound} {}: {verdict}",
                    goal.direction()
                )
            }
            Err(reason) => write!(f, "SKIPPED: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            name: "x",
            unit: "records/s",
            ours: Samples::from([94.0, 190.0, 90.0]),
            reference: Ok(Samples::from([100.0])),
            reference_name: "without",
            goal: Goal::AtLeast(0.9),
        }
    }

    #[test]
    fn a_row_is_printed_with_its_verdict() {
        assert_eq!(
            row().to_string(),
            "x: 94.0 (90.0..190) records/s, without 100 records/s, ratio 0.940, goal 0.9 or more: holds"
        );
        let missed = Row { ours: Samples::from([80.0]), ..row() };
        assert!(missed.to_string().ends_with("ratio 0.800, goal 0.9 or more: MISSED"), "{missed}");
    }

    #[test]
    fn less_can_be_better() {
        let row = Row { goal: Goal::AtMost(1.0 / 3.0), ..row() };
        assert!(row.to_string().ends_with("ratio 0.940, goal 0.333 or less: MISSED"), "{row}");
        assert_eq!(Row { ours: Samples::from([33.0]), ..row }.holds(), Some(true));
    }

    #[test]
    fn without_a_reference_nothing_is_claimed() {
        let row = Row { reference: Err("there is no java".into()), ..row() };
        assert_eq!(row.to_string(), "x: 94.0 (90.0..190) records/s, without SKIPPED: there is no java");
        let value = row.to_json();
        assert_eq!(value["skipped"], "there is no java");
        for field in ["reference", "reference_range", "ratio", "holds"] {
            assert_eq!(value[field], Value::Null, "{field}");
        }
    }

    #[test]
    fn json_has_the_agreed_fields_and_the_ranges() {
        let value = row().to_json();
        let mut fields = value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
        fields
            .retain(|field| !["goal_direction", "ours_range", "reference_range", "skipped"].contains(field));
        fields.sort_unstable();
        assert_eq!(fields, ["goal", "holds", "name", "ours", "ratio", "reference", "reference_name", "unit"]);
        assert_eq!((&value["ratio"], &value["holds"]), (&json!(0.94), &json!(true)));
        assert_eq!((&value["ours_range"], &value["goal"]), (&json!([90.0, 190.0]), &json!(0.9)));
    }

    #[test]
    fn a_reference_of_nothing_does_not_hold() {
        let nothing = Row { ours: Samples::from([0.0]), reference: Ok(Samples::from([0.0])), ..row() };
        assert_eq!(nothing.holds(), Some(false));
        assert_eq!(Row { goal: Goal::AtMost(1.0), ..nothing }.holds(), Some(false));
    }
}
