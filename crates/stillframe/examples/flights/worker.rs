//! The process that runs the job, and that the supervisor kills.

use crate::args::WorkerOptions;
use crate::job;
use crate::protocol::WorkerEvent;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::process::parent_id;
use std::process::ExitCode;

/// Runs the job to its end. Whatever happens is an event on the standard output.
pub(crate) fn run(options: &WorkerOptions) -> ExitCode {
    let outcome = die_with_the_supervisor(options.supervisor).and_then(|()| job::run(options, emit));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            emit(WorkerEvent::Failed { message: in_one_line(&*error) });
            ExitCode::FAILURE
        }
    }
}

/// Tells the supervisor at once, so that it knows of all that happened before it kills.
fn emit(event: WorkerEvent) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{event}").and_then(|()| out.flush()).is_err() {
        // The supervisor is gone; a job that nobody supervises must not go on.
        std::process::exit(1);
    }
}

/// From here on the kernel kills this process when the supervisor dies.
fn die_with_the_supervisor(supervisor: u32) -> Result<(), Box<dyn Error + Send + Sync>> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have died before the kernel was told.
    if parent_id() == supervisor {
        Ok(())
    } else {
        Err(format!("the worker's parent is process {}, expected its supervisor {supervisor}", parent_id())
            .into())
    }
}

/// The error and its causes.
pub(crate) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Restoring(io::Error);

    impl std::fmt::Display for Restoring {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("cannot restore")
        }
    }

    impl Error for Restoring {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = Restoring(io::Error::other("no such checkpoint"));
        assert_eq!(in_one_line(&error), "cannot restore: no such checkpoint");
    }

    #[test]
    fn a_worker_of_nobody_does_not_run() {
        // The parent of a test is cargo or a shell, never process 0.
        let error = die_with_the_supervisor(0).expect_err("not its supervisor");
        assert!(error.to_string().ends_with("expected its supervisor 0"), "{error}");
    }
}
