use crate::Subject;
use core::any::Any;
use futures_executor::block_on;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// Makes a new storage, empty and not used by anybody else.
pub type Fresh<'a> = &'a dyn Fn() -> Subject;

/// What became of a case that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The storage does what the case's name says.
    Shown,
    /// The storage has nothing that the case is about, by what it or its subject says of it; what that is.
    DoesNotApply(String),
    /// It could not be seen, and why.
    Skipped(String),
}

impl Verdict {
    pub(crate) fn does_not_apply(why: impl Into<String>) -> Self {
        Self::DoesNotApply(why.into())
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

impl From<Result<(), Self>> for Verdict {
    /// Cases that can end early say why with `?`.
    fn from(shown: Result<(), Self>) -> Self {
        shown.err().unwrap_or(Self::Shown)
    }
}

impl From<()> for Verdict {
    /// Most cases can always be shown, and return nothing.
    fn from((): ()) -> Self {
        Self::Shown
    }
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its group and name, as below [`cases`](crate::cases).
    pub name: &'static str,
    /// Shows it, and panics if the storage does something else.
    pub run: fn(Fresh<'_>) -> Verdict,
}

/// All cases, in the order of [`cases`](crate::cases).
pub const ALL: &[Case] = crate::__cases! { __one_entry_per_case };

/// Runs a case to its end.
#[doc(hidden)]
pub fn block_on_case<V: Into<Verdict>>(case: impl Future<Output = V>) -> Verdict {
    block_on(case).into()
}

/// The cases of one subject that were run, and why some of them say nothing about it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Applied(Mutex<(usize, BTreeMap<String, usize>)>);

impl Applied {
    /// None yet.
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self(Mutex::new((0, BTreeMap::new())))
    }

    /// One more. When all were, the line for those that did not apply, if there are any.
    fn count(&self, why: Option<String>) -> Option<String> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (run, reasons) = &mut *counted;
        *run += 1;
        if let Some(why) = why {
            *reasons.entry(why).or_default() += 1;
        }
        if *run != ALL.len() || reasons.is_empty() {
            return None;
        }
        let number = reasons.values().sum::<usize>();
        let reasons = reasons.iter().map(|(why, number)| format!("{number} because {why}"));
        Some(format!("{number} of {run} cases do not apply: {}", reasons.collect::<Vec<_>>().join("; ")))
    }
}

/// Runs a case, says so if it was skipped, and panics with the names of both if it fails. After the last one of a subject it
/// says how many did not apply.
#[doc(hidden)]
pub fn show(name: &str, applied: &Applied, fresh: Fresh<'_>, case: impl FnOnce(Fresh<'_>) -> Verdict) {
    // A test's name in Rust has no spaces, and `stringify!` may put some around the colons.
    let name = name.replace(' ', "");
    let verdict = catch_unwind(AssertUnwindSafe(|| case(fresh)));
    let why = match &verdict {
        Ok(Verdict::DoesNotApply(why)) => Some(why.clone()),
        _ => None,
    };
    if let Some(line) = applied.count(why) {
        write(&format!("conformance of {}: {line}\n", storage(fresh)));
    }
    match verdict {
        Ok(Verdict::Shown | Verdict::DoesNotApply(_)) => {}
        Ok(Verdict::Skipped(why)) => write(&format!("SKIPPED: {name} of {}: {why}\n", storage(fresh))),
        Err(panic) => panic!("{name} of {}: {}", storage(fresh), message(&*panic)),
    }
}

/// Writes past the test harness, which would only show it of a test that fails, and in one piece, because other tests write
/// too. Nothing depends on its being read.
fn write(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Which storage it is, for a person. Making another one may fail for the same reason as the case did.
fn storage(fresh: Fresh<'_>) -> String {
    let kind = catch_unwind(AssertUnwindSafe(|| fresh().storage().descriptor().kind.into_owned()));
    kind.unwrap_or_else(|_| "a storage that cannot be made".to_owned())
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_apply_is_one_line_when_all_were_run_and_no_skip() {
        let applied = Applied::new();
        for number in 2..ALL.len() {
            let why = (number % 50 == 0).then(|| "all state is in the handles".to_owned());
            assert_eq!(applied.count(why), None);
        }
        assert_eq!(applied.count(Some("there are no files".to_owned())), None);
        let line = applied.count(None).unwrap();
        let (all, few) = (ALL.len(), ALL.len().div_ceil(50) - 1);
        let expected = format!(
            "{} of {all} cases do not apply: {few} because all state is in the handles; 1 because there are no files",
            few + 1
        );
        assert_eq!(line, expected);
        assert!(!line.starts_with("SKIPPED"));
    }
}
