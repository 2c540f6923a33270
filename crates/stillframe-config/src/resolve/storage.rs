//! Which storage it is, and what the settings add to it. The order is that of Flink's `CheckpointStorageLoader`.

use super::{Adjustment, Violation};
use crate::CheckpointConfig;
use crate::option::MemorySize;
use alloc::vec::Vec;
use stillframe_model::{
    FileSystemDescriptor, JobManagerDescriptor, OptionValue, StorageDescriptor, StoragePath,
};

/// The inline threshold and the write buffer that apply to a storage that brings these of its own, if any.
struct Sizes {
    threshold: u32,
    buffer: u32,
}

pub(super) fn resolve(
    config: &CheckpointConfig,
    adjustments: &mut Vec<Adjustment>,
) -> Result<StorageDescriptor, Violation> {
    let storage = choose(config, adjustments)?;
    let unused = unused(config, &storage);
    let is_reported = |option: &str| adjustments.iter().any(|adjustment| adjustment.option() == option);
    let unused: Vec<_> = unused.filter(|option| !is_reported(option)).collect();
    adjustments.extend(unused.into_iter().map(|option| Adjustment::Unused { option }));
    Ok(storage)
}

/// The settings about storage that were made, and of which nothing is in the storage that applies.
fn unused(config: &CheckpointConfig, storage: &StorageDescriptor) -> impl Iterator<Item = &'static str> {
    let has_text = |option: &'static str, asked: Option<&str>| {
        asked.is_none_or(
            |asked| matches!(storage.options.get(option), Some(OptionValue::Text(text)) if text == asked),
        )
    };
    let has_size = |option: &'static str, asked: Option<u64>| {
        asked.is_none_or(|asked| storage.options.get(option) == Some(&OptionValue::Size(asked)))
    };
    let kind = config.checkpoint_storage_kind();
    let dir = config.checkpoint_storage_dir().map(StoragePath::as_str);
    let savepoint_dir = config.savepoint_dir().map(StoragePath::as_str);
    let threshold = config.settings.inline_threshold.map(MemorySize::bytes);
    // No storage has a size below zero, and none is asked for one.
    let buffer = config.settings.write_buffer.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
    let used = [
        (KIND, kind.is_none_or(|kind| storage.kind.eq_ignore_ascii_case(kind))),
        (StorageDescriptor::CHECKPOINTS_DIRECTORY, has_text(StorageDescriptor::CHECKPOINTS_DIRECTORY, dir)),
        (
            StorageDescriptor::SAVEPOINT_DIRECTORY,
            has_text(StorageDescriptor::SAVEPOINT_DIRECTORY, savepoint_dir),
        ),
        (
            StorageDescriptor::FS_SMALL_FILE_THRESHOLD,
            has_size(StorageDescriptor::FS_SMALL_FILE_THRESHOLD, threshold),
        ),
        (StorageDescriptor::FS_WRITE_BUFFER_SIZE, has_size(StorageDescriptor::FS_WRITE_BUFFER_SIZE, buffer)),
    ];
    used.into_iter().filter(|(_, is_used)| !is_used).map(|(option, _)| option)
}

const KIND: &str = "execution.checkpointing.storage";

fn choose(
    config: &CheckpointConfig,
    adjustments: &mut Vec<Adjustment>,
) -> Result<StorageDescriptor, Violation> {
    match (&config.storage, config.checkpoint_storage_kind()) {
        (Some(storage), _) => complete(config, storage, adjustments),
        (None, Some(kind)) if kind.eq_ignore_ascii_case(StorageDescriptor::JOB_MANAGER) => {
            Ok(job_manager(config, JobManagerDescriptor::new()))
        }
        (None, Some(kind)) if kind.eq_ignore_ascii_case(StorageDescriptor::FILE_SYSTEM) => {
            let dir = config.checkpoint_storage_dir().ok_or(Violation::StorageWithoutDirectory)?;
            file_system(config, FileSystemDescriptor::new(dir.clone()), adjustments)
        }
        (None, Some(kind)) => Ok(custom(config, kind)),
        (None, None) => match config.checkpoint_storage_dir() {
            Some(dir) => file_system(config, FileSystemDescriptor::new(dir.clone()), adjustments),
            None => Ok(job_manager(config, JobManagerDescriptor::new())),
        },
    }
}

/// A storage that was given. What it leaves open comes from the settings; one of somebody else is complete as it is.
fn complete(
    config: &CheckpointConfig,
    storage: &StorageDescriptor,
    adjustments: &mut Vec<Adjustment>,
) -> Result<StorageDescriptor, Violation> {
    match storage.kind.as_ref() {
        StorageDescriptor::JOB_MANAGER => {
            let storage = JobManagerDescriptor::try_from(storage).map_err(Violation::Storage)?;
            Ok(job_manager(config, storage))
        }
        StorageDescriptor::FILE_SYSTEM => file_system(
            config,
            FileSystemDescriptor::try_from(storage).map_err(Violation::Storage)?,
            adjustments,
        ),
        _ => Ok(storage.clone()),
    }
}

fn job_manager(config: &CheckpointConfig, mut storage: JobManagerDescriptor) -> StorageDescriptor {
    if storage.checkpoint_path().is_none()
        && let Some(dir) = config.checkpoint_storage_dir()
    {
        storage = storage.with_checkpoint_path(dir.clone());
    }
    if storage.savepoint_path().is_none()
        && let Some(dir) = config.savepoint_dir()
    {
        storage = storage.with_savepoint_path(dir.clone());
    }
    storage.into()
}

fn file_system(
    config: &CheckpointConfig,
    mut storage: FileSystemDescriptor,
    adjustments: &mut Vec<Adjustment>,
) -> Result<StorageDescriptor, Violation> {
    if storage.savepoint_path().is_none()
        && let Some(dir) = config.savepoint_dir()
    {
        storage = storage.with_savepoint_path(dir.clone());
    }
    let Sizes { threshold, buffer } = sizes(config, &storage, adjustments);
    let storage = storage.with_min_file_size_threshold(threshold).map_err(Violation::Storage)?;
    Ok(storage.with_write_buffer_size(buffer).into())
}

fn sizes(
    config: &CheckpointConfig,
    storage: &FileSystemDescriptor,
    adjustments: &mut Vec<Adjustment>,
) -> Sizes {
    let threshold = storage.explicit_min_file_size_threshold().unwrap_or_else(|| {
        let asked = config.settings.inline_threshold().bytes();
        let allowed = u32::try_from(asked)
            .ok()
            .filter(|bytes| *bytes <= FileSystemDescriptor::MAX_FILE_STATE_THRESHOLD);
        allowed.unwrap_or_else(|| {
            let effective = storage.min_file_size_threshold();
            adjustments.push(Adjustment::InlineThresholdIgnored { asked, effective });
            effective
        })
    });
    let explicit = storage.explicit_write_buffer_size();
    let buffer = explicit.unwrap_or_else(|| config.write_buffer_size()).max(threshold);
    // The default is below the default threshold; that is nothing to speak of.
    let asked = match explicit {
        Some(bytes) => i32::try_from(bytes).ok(),
        None => config.settings.write_buffer,
    };
    if let Some(asked) = asked
        && i64::from(asked) < i64::from(threshold)
    {
        adjustments.push(Adjustment::WriteBufferRaised { asked, effective: buffer });
    }
    Sizes { threshold, buffer }
}

/// A storage of somebody else gets what was set, under Flink's keys.
fn custom(config: &CheckpointConfig, kind: &str) -> StorageDescriptor {
    let mut storage = StorageDescriptor::new(alloc::string::String::from(kind));
    let text = |text: &str| OptionValue::Text(text.into());
    if let Some(dir) = config.checkpoint_storage_dir() {
        storage = storage.with(StorageDescriptor::CHECKPOINTS_DIRECTORY, text(dir.as_str()));
    }
    if let Some(dir) = config.savepoint_dir() {
        storage = storage.with(StorageDescriptor::SAVEPOINT_DIRECTORY, text(dir.as_str()));
    }
    if let Some(bytes) = config.settings.inline_threshold {
        storage = storage.with(StorageDescriptor::FS_SMALL_FILE_THRESHOLD, OptionValue::Size(bytes.bytes()));
    }
    if let Some(bytes) = config.settings.write_buffer.and_then(|bytes| u32::try_from(bytes).ok()) {
        storage = storage.with(StorageDescriptor::FS_WRITE_BUFFER_SIZE, OptionValue::Size(bytes.into()));
    }
    storage
}
