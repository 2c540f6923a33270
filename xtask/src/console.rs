use crate::command::CommandLine;
use crate::error::Error;
use crate::tally::{Stream, Tally};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

/// Runs commands in front of a person: every line appears when it is printed, and is counted on the way.
pub(crate) struct Console {
    pub(crate) tally: Tally,
    output: Box<dyn Write>,
}

impl Console {
    /// In front of whoever started this program.
    pub(crate) fn new() -> Self {
        Self { tally: Tally::default(), output: Box::new(io::stdout()) }
    }

    /// In front of nobody: what the tests of this program run would otherwise be counted by the `ci` that runs them.
    #[cfg(test)]
    pub(crate) fn unseen() -> Self {
        Self { tally: Tally::default(), output: Box::new(io::sink()) }
    }

    /// Runs a command and shows its output. `false` if it failed.
    ///
    /// # Errors
    /// If it could not be started.
    pub(crate) fn run(&mut self, command: &CommandLine) -> Result<bool, Error> {
        self.run_observed(command, |_| {})
    }

    /// The same, and hands each line of its standard output to `observe`.
    ///
    /// # Errors
    /// If it could not be started.
    pub(crate) fn run_observed(
        &mut self,
        command: &CommandLine,
        mut observe: impl FnMut(&str),
    ) -> Result<bool, Error> {
        self.say(&format!("$ {command}"));
        let start = |source| Error::Start { command: command.to_string(), source };
        let mut child =
            command.prepare().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(start)?;
        let (sender, lines) = mpsc::channel();
        let readers = [
            child.stdout.take().map(|pipe| follow(pipe, Stream::Stdout, sender.clone())),
            child.stderr.take().map(|pipe| follow(pipe, Stream::Stderr, sender)),
        ];
        for (stream, line) in lines {
            if stream == Stream::Stdout {
                observe(&line);
            }
            if self.tally.see(stream, &line) {
                self.say(&line);
            }
        }
        for reader in readers.into_iter().flatten() {
            // A reader ends with its pipe. That it panicked would only mean that lines are missing above.
            let _ = reader.join();
        }
        Ok(child.wait().map_err(start)?.success())
    }

    /// Says that something could not be done here, and counts it.
    pub(crate) fn skip(&mut self, what: &str, reason: &str) {
        let line = format!("SKIPPED: {what}: {reason}");
        self.tally.see(Stream::Stdout, &line);
        self.say(&line);
    }

    /// Says what a proof found, now and once more in the summary.
    pub(crate) fn report(&mut self, line: String) {
        self.say(&line);
        self.tally.proofs.push(line);
    }

    /// Says something.
    pub(crate) fn say(&mut self, line: &str) {
        // That nobody listens any more is no reason to stop half-way; the exit status still tells.
        let _ = writeln!(self.output, "{line}");
    }
}

/// Sends the lines of a pipe until it is closed or nobody listens.
fn follow(
    pipe: impl Read + Send + 'static,
    stream: Stream,
    sender: mpsc::Sender<(Stream, String)>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send((stream, line)).is_err() {
                break;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_observed_and_skips_counted_on_both_streams() {
        let script = "echo one; echo SKIPPED: two >&2; printf 'SKIPPED: three'; exit 3";
        let command = CommandLine::new("sh").arg("-c").arg(script);
        let mut console = Console::unseen();
        let mut observed = Vec::new();
        let success = console.run_observed(&command, |line| observed.push(line.to_owned())).unwrap();
        assert!(!success);
        assert_eq!(observed, ["one", "SKIPPED: three"]);
        assert_eq!(console.tally.skipped(), 2);
    }
}
