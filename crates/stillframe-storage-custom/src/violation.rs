use core::fmt;
use std::error::Error;
use stillframe_storage::StorageError;

/// Declares the rules, so that none is without a text, and [`Rule::ALL`] has all of them.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident: $party:ident, $text:literal;)*) => {
        /// A part of the contract between a storage and its user, as the traits of `stillframe-storage` state it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule { $($(#[$doc])* $rule,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// Who is bound by it.
            #[must_use]
            pub const fn party(self) -> Party {
                match self { $(Self::$rule => Party::$party,)* }
            }
        }

        impl fmt::Display for Rule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$rule => $text,)* })
            }
        }
    };
}

rules! {
    /// Every call ends, within the deadline of the [policy](crate::GuardPolicy).
    ReturnsInTime: Storage, "calls return";
    /// No call panics.
    DoesNotPanic: Storage, "no call panics";
    /// `position` is the number of bytes written.
    PositionIsBytesWritten: Storage, "the position of a stream is the number of bytes written";
    /// `finish` gives nothing if nothing was ever written, and only then.
    NoneOnlyForEmptyStreams: Storage, "a stream gives no handle exactly if nothing was ever written";
    /// The size of a handle is the number of bytes written.
    HandleSizeIsBytesWritten: Storage, "the size of a handle is the number of bytes written";
    /// A handle leads to a directory that its scope allows.
    HandleFitsScope: Storage, "a handle leads to a directory that its scope allows";
    /// No two states are at the same place, ever.
    PlacesAreNeverReused: Storage, "no two states are at the same place";
    /// After a failed `sync`, every later one for the same checkpoint fails.
    SyncFailureIsFinal: Storage, "after a failed sync, every later one for the same checkpoint fails";
    /// The `next` of a claim is beyond every id that was seen, and never goes back.
    ClaimGoesForward: Storage, "the next id of a claim is beyond every id that was seen and never goes back";
    /// The retained ids of a claim ascend.
    RetainedAscends: Storage, "the retained ids of a claim ascend";
    /// A claim retains what was committed and not dropped, and nothing else of this run.
    RetainedIsCommitted: Storage, "a claim retains what was committed and not dropped, and nothing else";
    /// A checkpoint's id is begun once.
    BegunOnce: Storage, "the id of a checkpoint is begun once";
    /// A checkpoint is committed, and a savepoint published, once.
    CommittedOnce: Storage, "no checkpoint is reported complete twice";
    /// After `Fenced` nothing is committed.
    FencedIsFinal: Storage, "after it was fenced, a coordinator commits nothing";
    /// A job ends once, and every later claim says how.
    EndsOnce: Storage, "a job ends once, and every later claim says how";
    /// Removing what was removed succeeds.
    RemovalIsRepeatable: Storage, "removing what was removed succeeds";
    /// A reader gives as many bytes as it said and the handle has, in pieces of at least one.
    ReadsExactlyLen: Storage, "a reader gives exactly as many bytes as the handle has, in pieces that are not empty";
    /// What is read is what was written.
    ReadsWhatWasWritten: Storage, "what is read is what was written";
    /// After an error a stream is only aborted.
    AbortAfterError: Caller, "after an error a stream is only aborted";
    /// Only what was begun, and not discarded, is committed.
    BeginBeforeCommit: Caller, "only what was begun and not discarded is committed";
    /// Nothing that exists, or may exist, is discarded or removed.
    CompletedIsKept: Caller, "what is complete, or may be, is dropped by a commit before it is removed";
}

/// Who has to obey a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The custom storage.
    Storage,
    /// Whoever calls it, which is this project or an engine built on it.
    Caller,
}

/// A rule that was broken: by whom, in which call, on which object, and what was found.
///
/// The source of a [`StorageError`]; [`Violation::of`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub(crate) rule: Rule,
    pub(crate) kind: String,
    pub(crate) version: u32,
    pub(crate) operation: &'static str,
    pub(crate) object: String,
    pub(crate) found: String,
}

impl Violation {
    /// The violation that an error is about, if it is about one.
    #[must_use]
    pub fn of(error: &StorageError) -> Option<&Self> {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(violation) = cause.downcast_ref() {
                return Some(violation);
            }
            source = cause.source();
        }
        None
    }

    /// Which rule.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The kind of the storage behind the guard.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The version of the storage behind the guard.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The call in which it showed, as a verb phrase.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What the call was about.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What was found, and where it matters what was expected.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl Violation {
    /// Who broke what, without where and how.
    pub(crate) fn summary(&self) -> String {
        let Self { rule, kind, version, .. } = self;
        let party = match rule.party() {
            Party::Storage => "",
            Party::Caller => "the caller of ",
        };
        format!("{party}custom storage {kind}, version {version}, broke the rule \"{rule}\"")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} {}: {}", self.summary(), self.operation, self.object, self.found)
    }
}

impl Error for Violation {}
