use std::fmt;

/// What the same measurement gave each time it was made. At least one value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// `None` if there are no values.
    pub(crate) fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    /// The middle one; of an even number, the lower of the two.
    pub(crate) fn median(&self) -> f64 {
        self.0.get((self.0.len() - 1) / 2).copied().unwrap_or(f64::NAN)
    }

    /// The least and the greatest.
    pub(crate) fn range(&self) -> [f64; 2] {
        [self.0.first(), self.0.last()].map(|value| value.copied().unwrap_or(f64::NAN))
    }

    /// The same in another unit.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|value| value * factor).collect())
    }

    /// These and those.
    pub(crate) fn with(self, others: Self) -> Self {
        let mut values = [self.0, others.0].concat();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

#[cfg(test)]
impl<const N: usize> From<[f64; N]> for Samples {
    fn from(values: [f64; N]) -> Self {
        Self::new(values.to_vec()).unwrap()
    }
}

impl fmt::Display for Samples {
    /// The median, and how far the others are from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, greatest] = self.range();
        write!(f, "{}", Rounded(self.median()))?;
        if self.0.len() > 1 {
            write!(f, " ({}..{})", Rounded(least), Rounded(greatest))?;
        }
        Ok(())
    }
}

/// A value with as many digits as a person compares.
struct Rounded(f64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.0.abs() < 100.0 { 1 } else { 0 };
        write!(f, "{:.digits$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Samples::from([3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(Samples::from([2.0, 1.0]).median(), 1.0);
        assert_eq!(Samples::new(Vec::new()), None);
    }

    #[test]
    fn samples_can_be_put_together_and_scaled() {
        let both = Samples::from([3.0]).with(Samples::from([2.0, 1.0])).scaled(10.0);
        assert_eq!((both.median(), both.range()), (20.0, [10.0, 30.0]));
    }

    #[test]
    fn a_single_value_has_no_range() {
        assert_eq!(Samples::from([2.25]).to_string(), "2.2");
        assert_eq!(Samples::from([220.4, 99.0, 1000.0]).to_string(), "220 (99.0..1000)");
    }
}
