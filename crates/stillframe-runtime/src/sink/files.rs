use super::{Preparation, Transactions};
use crate::{TaskContext, TaskError, TaskResult};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use stillframe_model::Name;
use stillframe_storage::ErrorKind;
use stillframe_storage_fs::durable;

/// Transactions that are files in one directory. A committed one is named
/// `<prefix>-<job>-<subtask>of<parallelism>-<number>-<random>`; until then a dot stands before that name. A file is renamed to be committed, never copied, changed or replaced.
pub struct FileTransactions<F> {
    directory: PathBuf,
    /// How the names of all writers of this job begin.
    family: String,
    writer: FileWriter,
    format: F,
    current: Option<Current>,
}

/// A transaction: the name that its file has, or will have, when it is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTransaction {
    name: String,
}

/// Who writes, and the number of its next transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWriter {
    id: String,
    next: u64,
}

struct Current {
    name: String,
    file: BufWriter<File>,
}

const BUFFER: usize = 64 << 10;

impl<F> FileTransactions<F> {
    /// Files in `directory`, which is created if need be, with names that begin with `prefix`. `format` writes a record into
    /// the buffer, with whatever separates it from the next.
    pub fn new(task: &TaskContext, directory: impl Into<PathBuf>, prefix: &str, format: F) -> Self {
        let family = format!("{prefix}-{}-", task.job);
        // With another parallelism the writers of a checkpoint are dealt anew. The subtask that takes one over clears up
        // behind it, perhaps when others write already; so no subtask may go by the name of a writer that is not its own.
        let id = format!("{family}{:04}of{:04}", task.subtask, task.parallelism);
        Self {
            directory: directory.into(),
            family,
            writer: FileWriter { id, next: 0 },
            format,
            current: None,
        }
    }

    fn begin(&mut self) -> TaskResult<Current> {
        // A number comes again when the job goes back; the random part keeps the names apart all the same.
        let name = format!("{}-{:08}-{:08x}", self.writer.id, self.writer.next, getrandom::u32()?);
        let path = hidden(&self.directory, &name);
        let file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| at(&path, error))?;
        self.writer.next += 1;
        Ok(Current { name, file: BufWriter::with_capacity(BUFFER, file) })
    }

    /// Removes what a writer had begun and not prepared, and gives back the numbers of what it has committed.
    fn clear(&self, writer: &str) -> TaskResult<Vec<(u64, String)>> {
        let mut committed = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(|error| at(&self.directory, error))? {
            let entry = entry.map_err(|error| at(&self.directory, error))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if let Some(number) = number_of(writer, &name) {
                committed.push((number, name));
            } else if name.strip_prefix('.').is_some_and(|name| number_of(writer, name).is_some()) {
                fs::remove_file(entry.path()).map_err(|error| at(&entry.path(), error))?;
            }
        }
        committed.sort_unstable();
        Ok(committed)
    }

    /// Some file that a writer of this job has committed, whatever its subtask and parallelism.
    fn find_committed(&self) -> TaskResult<Option<String>> {
        for entry in fs::read_dir(&self.directory).map_err(|error| at(&self.directory, error))? {
            let entry = entry.map_err(|error| at(&self.directory, error))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let transaction = name.strip_prefix(&self.family).and_then(|rest| rest.split_once('-'));
            if transaction.is_some_and(|(_, transaction)| number_in(transaction).is_some()) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

impl<T, F: Fn(&T, &mut dyn Write) -> io::Result<()> + Send + 'static> Transactions<T>
    for FileTransactions<F>
{
    type Transaction = FileTransaction;
    type Writer = FileWriter;

    fn writer(&self) -> FileWriter {
        self.writer.clone()
    }

    fn write(&mut self, record: T) -> TaskResult<()> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let written = (self.format)(&record, &mut current.file);
        let path = hidden(&self.directory, &current.name);
        self.current = Some(current);
        written.map_err(|error| at(&path, error))
    }

    fn prepare(&mut self) -> TaskResult<Option<(FileTransaction, Preparation)>> {
        let Some(Current { name, file }) = self.current.take() else { return Ok(None) };
        let (directory, path) = (self.directory.clone(), hidden(&self.directory, &name));
        let preparation = move || {
            let file = file.into_inner().map_err(|error| at(&path, error.into_error()))?;
            file.sync_all().map_err(|error| at(&path, error))?;
            durable::sync_directory(&directory)?;
            Ok(())
        };
        Ok(Some((FileTransaction { name }, Box::new(preparation))))
    }

    fn commit(&mut self, transaction: &FileTransaction) -> TaskResult<()> {
        // The name comes out of a checkpoint. Whatever stands there, it must not lead out of the directory.
        let name = Name::new(transaction.name.as_str())?;
        let path = hidden(&self.directory, name.as_str());
        match durable::rename_no_replace(&path, self.directory.join(name.as_str())) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(TaskError::message(format!(
                "output that a checkpoint promised is lost: neither {} nor the committed file is there; was the directory \
                 changed since the checkpoint?",
                path.display()
            ))),
            Err(error) => Err(error.into()),
        }
    }

    fn recover(&mut self, writers: Option<Vec<FileWriter>>) -> TaskResult<()> {
        durable::create_directory(&self.directory)?;
        let is_new = writers.is_none();
        for FileWriter { id, next } in writers.into_iter().flatten() {
            Name::new(id.as_str())?;
            if let Some((_, name)) = self.clear(&id)?.into_iter().find(|(number, _)| *number >= next) {
                return Err(TaskError::message(format!(
                    "{} was committed after the checkpoint that is restored, so its lines would come twice; move it and \
                     the files after it away, or restore a newer checkpoint",
                    self.directory.join(name).display()
                )));
            }
            if id == self.writer.id {
                self.writer.next = next;
            }
        }
        if is_new && let Some(name) = self.find_committed()? {
            return Err(TaskError::message(format!(
                "{} is committed output of this job, but the job has no checkpoint, so its lines would come twice; \
                 restore the checkpoints, or start a job with a new id",
                self.directory.join(name).display()
            )));
        }
        if let Some((number, _)) = self.clear(&self.writer.id)?.last() {
            self.writer.next = self.writer.next.max(number.saturating_add(1));
        }
        Ok(())
    }
}

/// The number of a transaction of this writer, if the name is one.
fn number_of(writer: &str, name: &str) -> Option<u64> {
    number_in(name.strip_prefix(writer)?.strip_prefix('-')?)
}

fn number_in(transaction: &str) -> Option<u64> {
    let (number, random) = transaction.split_once('-')?;
    let is_number = number.len() >= 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_random = random.len() == 8 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_number && is_random { number.parse().ok() } else { None }
}

fn hidden(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}"))
}

/// An error of the operating system never goes without the path.
fn at(path: &Path, error: io::Error) -> TaskError {
    TaskError::from(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

impl<F> fmt::Debug for FileTransactions<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTransactions")
            .field("directory", &self.directory)
            .field("writer", &self.writer)
            .field("current", &self.current.as_ref().map(|current| &current.name))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
