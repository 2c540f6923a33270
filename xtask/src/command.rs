use crate::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program with its arguments, as a value: it can be listed, printed and run more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    directory: Option<PathBuf>,
}

impl CommandLine {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), environment: Vec::new(), directory: None }
    }

    /// The cargo that runs this program, so that a toolchain chosen on the command line holds for every step.
    pub(crate) fn cargo(words: &str) -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).words(words)
    }

    /// Appends arguments that are separated by spaces and contain none.
    pub(crate) fn words(self, words: &str) -> Self {
        words.split_whitespace().fold(self, Self::arg)
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Runs in this directory instead of the caller's.
    pub(crate) fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Ready to be spawned. Nothing that runs here may wait for a key.
    pub(crate) fn prepare(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs it quietly and returns what it printed to standard output.
    ///
    /// # Errors
    /// If it could not be started, or failed; then with what it printed to standard error.
    pub(crate) fn output(&self) -> Result<String, Error> {
        let output =
            self.prepare().output().map_err(|source| Error::Start { command: self.to_string(), source })?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Error::Command { command: self.to_string(), detail })
        }
    }
}

impl fmt::Display for CommandLine {
    /// As a person would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", quoted(value))?;
        }
        let program = std::path::Path::new(&self.program).file_name().unwrap_or(&self.program);
        f.write_str(&quoted(program))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn quoted(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    if !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_=./:,+@".contains(c)) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_would_be_typed() {
        let line = CommandLine::new("/somewhere/bin/cargo")
            .words("doc  --workspace")
            .arg("it's")
            .env("FLAGS", "-D warnings");
        assert_eq!(line.to_string(), r"FLAGS='-D warnings' cargo doc --workspace 'it'\''s'");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = CommandLine::new("no-such-program-anywhere").output().unwrap_err().to_string();
        assert!(error.starts_with("cannot run `no-such-program-anywhere`: "), "{error}");
    }
}
