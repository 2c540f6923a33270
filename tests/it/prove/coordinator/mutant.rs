//! What is done wrong, to see that it is missed. A mistake is made around the machine: in what it is told and configured
//! with, or in what becomes of its effects. To the ledger, which sees nothing else, it looks like a mistake of the machine.

use super::model::Bounds;
use super::world::Settings;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mutant {
    IgnoresMinPause,
    OneTooManyAtOnce,
    RetainsOneTooMany,
    RetainsOneTooFew,
    ToleratesOneMore,
    ToleratesOneLess,
    ForgetsTheTimeout,
    AcceptsAnOldAttempt,
    /// What a task says twice counts for another one too.
    CountsTwice,
    PublishesWithOneMissing,
    NotifiesBeforeDurable,
    NotifiesOfSavepoints,
    ForgetsToNotifyOneTask,
    DropsSubsumption,
    UnknownIsFailed,
    RemovesBeforeTheDrop,
    TriggersBeforeThePlace,
    ReusesAnId,
    RestoresWhatIsNotNewest,
    ForgetsARequest,
    AnswersARequestTwice,
    StopIsAnsweredBeforeTheEnd,
}

impl Mutant {
    pub(super) const ALL: [Self; 22] = [
        Self::IgnoresMinPause,
        Self::OneTooManyAtOnce,
        Self::RetainsOneTooMany,
        Self::RetainsOneTooFew,
        Self::ToleratesOneMore,
        Self::ToleratesOneLess,
        Self::ForgetsTheTimeout,
        Self::AcceptsAnOldAttempt,
        Self::CountsTwice,
        Self::PublishesWithOneMissing,
        Self::NotifiesBeforeDurable,
        Self::NotifiesOfSavepoints,
        Self::ForgetsToNotifyOneTask,
        Self::DropsSubsumption,
        Self::UnknownIsFailed,
        Self::RemovesBeforeTheDrop,
        Self::TriggersBeforeThePlace,
        Self::ReusesAnId,
        Self::RestoresWhatIsNotNewest,
        Self::ForgetsARequest,
        Self::AnswersARequestTwice,
        Self::StopIsAnsweredBeforeTheEnd,
    ];

    /// A world in which it matters.
    pub(super) fn shows_in(self, least: Bounds) -> Bounds {
        let two = Settings { max_concurrent: 2, ..least.settings };
        let bounds = match self {
            Self::OneTooManyAtOnce | Self::DropsSubsumption => Bounds { settings: two, ..least },
            Self::RetainsOneTooFew => {
                Bounds { settings: Settings { retained: 2, ..least.settings }, ..least }
            }
            Self::ToleratesOneMore | Self::ToleratesOneLess => Bounds { declines: 2, ..least },
            Self::AcceptsAnOldAttempt => Bounds { restarts: 1, ids: 2, ..least },
            Self::ReusesAnId | Self::RestoresWhatIsNotNewest => Bounds { restarts: 1, ..least },
            Self::UnknownIsFailed => Bounds { faults: 1, ..least },
            Self::NotifiesOfSavepoints => Bounds { savepoints: 1, ..least },
            Self::ForgetsARequest | Self::AnswersARequestTwice => {
                Bounds { savepoints: 1, ends: 1, ids: 1, ..least }
            }
            Self::StopIsAnsweredBeforeTheEnd => Bounds { stops: 1, ends: 1, ids: 2, ..least },
            _ => least,
        };
        Bounds { mutant: Some(self), ..bounds }
    }

    /// What the machine is told that the settings are.
    pub(super) fn bend(self, mut settings: Settings) -> Settings {
        match self {
            Self::IgnoresMinPause => settings.min_pause = 0,
            Self::OneTooManyAtOnce => settings.max_concurrent += 1,
            Self::RetainsOneTooMany => settings.retained += 1,
            Self::RetainsOneTooFew => settings.retained -= 1,
            Self::ToleratesOneMore => settings.tolerable += 1,
            Self::ToleratesOneLess => settings.tolerable -= 1,
            _ => {}
        }
        settings
    }
}
