use crate::Violation;
use core::fmt;

/// How a custom storage behaves, as its guard has seen it in this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardReport {
    /// How many times a rule was broken.
    pub violations: u64,
    /// The latest time.
    pub latest: Option<Violation>,
    /// The calls that have not returned although their deadline is over. Each keeps a thread.
    pub lost: Vec<LostCall>,
    /// How many threads there are, those included.
    pub threads: usize,
}

/// A call that has not returned although its deadline is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostCall {
    /// What it was to do, as a verb phrase.
    pub operation: &'static str,
    /// What it is about.
    pub object: String,
}

impl fmt::Display for LostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.object)
    }
}
