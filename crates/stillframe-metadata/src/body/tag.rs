//! The numbers on disk. None ever changes its meaning.

use stillframe_model::{
    CheckpointKind, PartOrigin, PostCheckpointAction, Redistribution, SavepointFormat, SavepointKind,
};

/// What a subtask has, one bit each.
pub(super) mod has {
    pub(in crate::body) const FULL_KEYED_STATE: u8 = 1;
    pub(in crate::body) const INCREMENTAL_KEYED_STATE: u8 = 2;
    pub(in crate::body) const OPERATOR_STATE: u8 = 4;
    pub(in crate::body) const INPUT_CHANNELS: u8 = 8;
    pub(in crate::body) const OUTPUT_CHANNELS: u8 = 16;
    pub(in crate::body) const FINISHED: u8 = 32;
    pub(in crate::body) const KNOWN: u8 = 63;
}

/// What follows the operators, one bit each, in the byte with the kind.
pub(super) mod follows {
    pub(in crate::body) const COORDINATORS: u8 = 64;
    pub(in crate::body) const HOOKS: u8 = 128;
    pub(in crate::body) const KNOWN: u8 = 192;
}

/// Where a state is.
pub(super) mod handle {
    pub(in crate::body) const INLINE: u8 = 0;
    pub(in crate::body) const FILE: u8 = 1;
    pub(in crate::body) const SEGMENT: u8 = 2;
}

/// In which directory a file is. The numbers from [`FOREIGN`] on count the roots.
pub(super) mod directory {
    pub(in crate::body) const EXCLUSIVE: u64 = 0;
    pub(in crate::body) const SHARED: u64 = 1;
    pub(in crate::body) const TASK_OWNED: u64 = 2;
    pub(in crate::body) const FOREIGN: u64 = 3;
}

/// The place in the list is the number.
pub(super) const KINDS: [CheckpointKind; 8] = [
    CheckpointKind::Checkpoint,
    CheckpointKind::FullCheckpoint,
    CheckpointKind::SAVEPOINT,
    savepoint(SavepointFormat::Canonical, PostCheckpointAction::Suspend),
    savepoint(SavepointFormat::Canonical, PostCheckpointAction::Terminate),
    savepoint(SavepointFormat::Native, PostCheckpointAction::None),
    savepoint(SavepointFormat::Native, PostCheckpointAction::Suspend),
    savepoint(SavepointFormat::Native, PostCheckpointAction::Terminate),
];

const fn savepoint(format: SavepointFormat, action: PostCheckpointAction) -> CheckpointKind {
    CheckpointKind::Savepoint(SavepointKind { format, action })
}

pub(super) const fn of_kind(kind: CheckpointKind) -> u8 {
    match kind {
        CheckpointKind::Checkpoint => 0,
        CheckpointKind::FullCheckpoint => 1,
        CheckpointKind::Savepoint(SavepointKind { format, action }) => {
            let first: u8 = match format {
                SavepointFormat::Canonical => 2,
                SavepointFormat::Native => 5,
            };
            let behind = match action {
                PostCheckpointAction::None => 0,
                PostCheckpointAction::Suspend => 1,
                PostCheckpointAction::Terminate => 2,
            };
            first.saturating_add(behind)
        }
    }
}

/// The place in the list is the number.
pub(super) const REDISTRIBUTIONS: [Redistribution; 3] =
    [Redistribution::Split, Redistribution::Union, Redistribution::Broadcast];

pub(super) const fn of_redistribution(redistribution: Redistribution) -> u8 {
    match redistribution {
        Redistribution::Split => 0,
        Redistribution::Union => 1,
        Redistribution::Broadcast => 2,
    }
}

/// The place in the list is the number.
pub(super) const ORIGINS: [PartOrigin; 2] = [PartOrigin::Written, PartOrigin::Placeholder];

pub(super) const fn of_origin(origin: PartOrigin) -> u8 {
    match origin {
        PartOrigin::Written => 0,
        PartOrigin::Placeholder => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_read_as_it_is_written() {
        for (number, kind) in (0..).zip(KINDS) {
            assert_eq!(of_kind(kind), number);
            assert_eq!(number & follows::KNOWN, 0, "a kind leaves room for what follows");
        }
        for (number, redistribution) in (0..).zip(REDISTRIBUTIONS) {
            assert_eq!(of_redistribution(redistribution), number);
        }
        for (number, origin) in (0..).zip(ORIGINS) {
            assert_eq!(of_origin(origin), number);
        }
    }
}
