use crate::Subject;
use core::any::Any;
use futures_executor::block_on;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Makes a new storage, empty and not used by anybody else.
pub type Fresh<'a> = &'a dyn Fn() -> Subject;

/// What became of a case that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The storage does what the case's name says.
    Shown,
    /// It could not be seen, and why.
    Skipped(String),
}

impl Verdict {
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
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

/// Runs a case, says so if it was skipped, and panics with the names of both if it fails.
#[doc(hidden)]
pub fn show(name: &str, fresh: Fresh<'_>, case: impl FnOnce(Fresh<'_>) -> Verdict) {
    // A test's name in Rust has no spaces, and `stringify!` may put some around the colons.
    let name = name.replace(' ', "");
    match catch_unwind(AssertUnwindSafe(|| case(fresh))) {
        Ok(Verdict::Shown) => {}
        Ok(Verdict::Skipped(why)) => {
            let line = format!("SKIPPED: {name} of {}: {why}\n", storage(fresh));
            // Written past the test harness, which would only show it of a test that fails, and in one piece, because other
            // tests write too. Nothing depends on its being read.
            let _ = io::stderr().write_all(line.as_bytes());
        }
        Err(panic) => panic!("{name} of {}: {}", storage(fresh), message(&*panic)),
    }
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
