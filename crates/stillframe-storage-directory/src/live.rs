//! Which files the retained checkpoints consist of, as their metadata says.

use crate::completed::METADATA_LIMIT;
use crate::layout;
use crate::register::Retained;
use crate::storage::JobDirectory;
use crate::tenure::View;
use std::collections::{BTreeMap, BTreeSet};
use stillframe_metadata as metadata;
use stillframe_model::{CheckpointMetadata, Crc32c, Name, StateDirectory, StateFile};
use stillframe_storage::{ErrorKind, StorageError};

/// The names that are needed in each directory, by the directory's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live(BTreeMap<String, BTreeSet<Name>>);

impl Live {
    /// What the retained checkpoints need, and those that were given up lately; with what the holder sees while that is so.
    ///
    /// # Errors
    /// If the metadata of a retained one cannot be read. Nothing may be called unneeded then.
    pub(crate) async fn of(directory: &JobDirectory) -> Result<(View, Self), StorageError> {
        Self::needed(directory, |view| &view.giving_up).await
    }

    /// What the retained checkpoints need, and nobody else.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) async fn of_retained(directory: &JobDirectory) -> Result<(View, Self), StorageError> {
        Self::needed(directory, |_| &[]).await
    }

    async fn needed(
        directory: &JobDirectory,
        others: impl Fn(&View) -> &[Retained],
    ) -> Result<(View, Self), StorageError> {
        let tenure = &directory.tenure;
        let mut view = tenure.view().await?;
        'views: loop {
            let mut live = Self::default();
            for one in view.head.retained.iter().chain(others(&view)) {
                let error = match needed_by(directory, one).await {
                    Ok(files) => {
                        live.add(files);
                        continue;
                    }
                    Err(error) => error,
                };
                if error.kind() == ErrorKind::NotFound {
                    // It may have been dropped and removed since. What goes on with its files is in the newer entry only, so all
                    // is read again.
                    let newer = tenure.view().await?;
                    if newer.head.sequence != view.head.sequence {
                        view = newer;
                        continue 'views;
                    }
                    // Its removal has begun, so nobody needs it.
                    if view.retained(one.checkpoint).is_none() {
                        continue;
                    }
                }
                return Err(tenure.or_fenced(error).await);
            }
            return Ok((view, live));
        }
    }

    fn add(&mut self, files: BTreeSet<(String, Name)>) {
        for (directory, name) in files {
            self.0.entry(directory).or_default().insert(name);
        }
    }

    /// The names that are needed in the directory at this address.
    pub(crate) fn at(&self, address: &str) -> BTreeSet<Name> {
        self.0.get(address).cloned().unwrap_or_default()
    }
}

/// The files of a checkpoint of the register, its metadata among them: a snapshot that was taken over may lie where a sweep
/// looks, which would not know it otherwise.
async fn needed_by(
    directory: &JobDirectory,
    one: &Retained,
) -> Result<BTreeSet<(String, Name)>, StorageError> {
    let place = directory.place_of(one)?;
    let address = place.address();
    let bytes = verify(one, place.blobs.read(&place.metadata(), METADATA_LIMIT).await?, &address)?;
    let content = metadata::decode(&bytes).map_err(|error| {
        StorageError::new(ErrorKind::Corrupt, "read metadata of", address.as_str())
            .with_detail("use another checkpoint, and look at the medium")
            .with_source(error)
    })?;
    let mut files = files_of(directory, one.location.as_deref(), &address, &content);
    files.insert((address, layout::metadata()));
    Ok(files)
}

/// The files to which the metadata of a checkpoint at this address refers, each with the address of its directory, but for
/// those that tasks look after themselves. `location` is what the register says of where the checkpoint lies.
pub(crate) fn files_of(
    directory: &JobDirectory,
    location: Option<&str>,
    address: &str,
    content: &CheckpointMetadata,
) -> BTreeSet<(String, Name)> {
    let subtasks = content.operators.values().flat_map(|operator| &operator.subtasks);
    let files = subtasks.flat_map(|subtask| subtask.handles()).filter_map(|handle| handle.file());
    let place = |file: &StateFile| match &file.directory {
        StateDirectory::Exclusive => Some(address.to_owned()),
        StateDirectory::Shared => Some(directory.shared_of(location)),
        StateDirectory::TaskOwned => None,
        StateDirectory::Foreign(address) => Some(address.to_string()),
    };
    files.filter_map(|file| Some((place(file)?, file.name.clone()))).collect()
}

/// Whether metadata is what the register says that it is.
pub(crate) fn verify(
    one: &Retained,
    bytes: bytes::Bytes,
    address: &str,
) -> Result<bytes::Bytes, StorageError> {
    let found = (bytes.len() as u64, Crc32c::of(&bytes));
    if found == (one.len, one.checksum) {
        return Ok(bytes);
    }
    Err(StorageError::new(ErrorKind::Corrupt, "read metadata of", address).with_detail(format!(
        "the register names {} bytes with crc32c {}, and there are {} with {}; restore the file, or resume from another \
         checkpoint under another job id",
        one.len, one.checksum, found.0, found.1
    )))
}
