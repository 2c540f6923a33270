//! Real Flink on this machine, driven by the classes in `tests/peers/flink`. Everything that keeps it from running is a reason
//! to skip a comparison, and never a failure.

use crate::command::CommandLine;
use crate::console::Console;
use crate::error::Error;
use crate::workspace::Workspace;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PACKAGE: &str = "apache-flink-libraries";
const VERSION: &str = "1.20.5";

/// The packages of the Java library that Flink reaches into.
const OPENS: [&str; 7] = ["lang", "util", "net", "io", "nio", "util.concurrent", "util.concurrent.atomic"];

/// An installed Flink with our classes for it.
#[derive(Debug)]
pub(crate) struct Flink {
    class_path: OsString,
    logging: PathBuf,
    place: PathBuf,
}

impl Flink {
    /// Installs it below `target/peers`, unless it is there, and compiles our classes. Its cases will work in `place`.
    ///
    /// # Errors
    /// Why it cannot be had here.
    pub(crate) fn install(
        console: &mut Console,
        workspace: &Workspace,
        place: &Path,
    ) -> Result<Self, String> {
        let result = Self::try_install(console, workspace, place).map_err(|error| reason(&error));
        if let Err(reason) = &result {
            console.say(&format!("flink cannot be installed here: {reason}"));
        }
        result
    }

    fn try_install(console: &mut Console, workspace: &Workspace, place: &Path) -> Result<Self, Error> {
        // Without these the download would be for nothing.
        for program in ["java", "javac"] {
            CommandLine::new(program).words("-version").output()?;
        }
        let peers = workspace.target.join("peers");
        let installed = peers.join(format!("flink-{VERSION}"));
        download(console, &installed)?;
        let sources = workspace.root.join("tests/peers/flink");
        let classes = peers.join("flink-classes");
        let class_path = class_path(&installed.join("pyflink/lib"), &classes)?;
        compile(console, &sources.join("src/fb"), &classes, &class_path)?;
        Ok(Self { class_path, logging: sources.join("conf/log4j2.properties"), place: place.to_owned() })
    }

    /// Runs one of our classes and returns what it printed.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn run(&self, console: &mut Console, class: &str, flags: &str) -> Result<String, String> {
        console.say(&format!("  flink: {class} {flags}"));
        let mut command = CommandLine::new("java").words("-Xmx3g -Dfb.log=OFF");
        for package in OPENS {
            command = command.arg(format!("--add-opens=java.base/java.{package}=ALL-UNNAMED"));
        }
        let mut logging = OsString::from("-Dlog4j2.configurationFile=");
        logging.push(&self.logging);
        let command = command.arg(logging).arg("-cp").arg(&self.class_path).arg(format!("fb.{class}"));
        command.arg("--dir").arg(&self.place).words(flags).output().map_err(|error| reason(&error))
    }
}

/// Downloads and unpacks the libraries. That all of them are there is known by a file which comes last.
fn download(console: &mut Console, installed: &Path) -> Result<(), Error> {
    let complete = installed.join(".complete");
    if complete.is_file() {
        return Ok(());
    }
    empty(installed)?;
    console.say(&format!("installing {PACKAGE} {VERSION}, about 250 MB"));
    CommandLine::new("python3")
        .words("-m pip --disable-pip-version-check --no-input --retries 1 install --quiet --no-deps --target")
        .arg(installed)
        .arg(format!("{PACKAGE}=={VERSION}"))
        .output()?;
    fs::write(&complete, "").map_err(Error::file("write", &complete))
}

/// Flink with its logging, and where our classes go.
fn class_path(libraries: &Path, classes: &Path) -> Result<OsString, Error> {
    let wanted = ["flink-dist-", "log4j-api-", "log4j-core-", "log4j-slf4j-impl-"];
    let jars = list(libraries, "jar")?;
    let is_wanted = |path: &&PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| wanted.iter().any(|prefix| name.starts_with(prefix)))
    };
    let mut class_path = classes.as_os_str().to_owned();
    for jar in jars.iter().filter(is_wanted) {
        class_path.push(":");
        class_path.push(jar);
    }
    Ok(class_path)
}

/// Compiles all of our classes every time: it takes seconds, and nothing old is ever measured.
fn compile(
    console: &mut Console,
    sources: &Path,
    classes: &Path,
    class_path: &OsString,
) -> Result<(), Error> {
    console.say("compiling the cases for flink");
    empty(classes)?;
    let mut command = CommandLine::new("javac").words("-nowarn -Xlint:none -encoding UTF-8 -d").arg(classes);
    command = command.arg("-cp").arg(class_path);
    for source in list(sources, "java")? {
        command = command.arg(source);
    }
    command.output().map(drop)
}

/// The files in a directory whose names end so, sorted.
fn list(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    let mut paths: Vec<PathBuf> = entries.map_err(Error::file("list", directory))?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    Ok(paths)
}

/// Makes an empty directory of it.
fn empty(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("empty", directory)(error));
        }
        _ => {}
    }
    fs::create_dir_all(directory).map_err(Error::file("create", directory))
}

/// An error as one line: what was attempted, and the last thing that was said about it.
fn reason(error: &Error) -> String {
    let (what, detail) = match error {
        Error::Command { command, detail } => (command.split(' ').next().unwrap_or_default(), detail),
        other => return other.to_string(),
    };
    let last = detail.lines().rev().map(str::trim).find(|line| !line.is_empty());
    format!("{what} failed: {}", last.unwrap_or("it did not say why"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        let failed = |detail: &str| Error::Command { command: "javac -d x".into(), detail: detail.into() };
        assert_eq!(reason(&failed("one\nERROR: two\n\n")), "javac failed: ERROR: two");
        assert_eq!(reason(&failed("")), "javac failed: it did not say why");
        let missing = CommandLine::new("no-such-java").output().unwrap_err();
        assert!(reason(&missing).starts_with("cannot run `no-such-java`: "));
    }

    #[test]
    fn our_classes_are_where_they_are_looked_for() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let sources = list(&root.join("tests/peers/flink/src/fb"), "java").unwrap();
        for class in ["Coordinator", "Metadata", "Storage"] {
            assert!(sources.iter().any(|path| path.file_stem().unwrap() == class), "{class}");
        }
        assert!(root.join("tests/peers/flink/conf/log4j2.properties").is_file());
    }
}
