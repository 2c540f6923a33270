use std::io;
use std::path::{Path, PathBuf};

/// What keeps a verb from doing its work. A check that ran and found something is not an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot run `{command}`: {source}")]
    Start { command: String, source: io::Error },
    #[error("`{command}` failed: {detail}")]
    Command { command: String, detail: String },
    #[error("`{command}` printed something else than expected: {detail}")]
    Output { command: String, detail: String },
    #[error("cannot {action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: {detail}", path.display())]
    Content { path: PathBuf, detail: String },
    #[error("there is no {what} `{name}`; known: {known}")]
    Unknown { what: &'static str, name: String, known: String },
}

impl Error {
    /// For `map_err`: what was attempted on which file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }
}
