//! The command line, for the person who runs the example and for the supervisor that starts workers.

use clap::{Args as ClapArgs, Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use stillframe::config::parse_duration;
use stillframe::model::JobId;

/// Running totals of flight departures, killed while they run and restored from checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "flights", max_term_width = 110)]
pub(crate) struct Args {
    /// Departures as .csv or .csv.gz [default: the file shipped with this example]
    #[arg(long, value_name = "FILE", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) input: PathBuf,

    /// The table of totals per airport; an earlier one is replaced
    #[arg(long, value_name = "FILE", default_value = "target/flights/output.csv")]
    pub(crate) output: PathBuf,

    /// Where the files of alerts are committed; a new job removes those of earlier ones
    #[arg(long, value_name = "DIR", default_value = "target/flights/alerts")]
    pub(crate) alerts: PathBuf,

    /// Where checkpoints are stored; those of earlier jobs are left alone
    #[arg(long, value_name = "DIR", default_value = "target/flights/checkpoints")]
    pub(crate) checkpoint_dir: PathBuf,

    /// How many instances of every operator run in parallel, 1 to 128
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub(crate) parallelism: u32,

    /// Time between checkpoints such as 200ms, 1s, 2min, 1h; a bare number is milliseconds
    #[arg(long, value_name = "D", default_value = "200ms", value_parser = parse_interval)]
    pub(crate) interval: Duration,

    /// What a restored job promises
    #[arg(long, default_value = "exactly-once")]
    pub(crate) mode: Mode,

    /// How often the job is killed
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) kills: u32,

    /// Decides when the job is killed [default: random, and printed]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,

    /// Restore the new job from this checkpoint or savepoint, and keep the alerts that are there. Once: a second job from
    /// the same pointer would write the same alerts again
    #[arg(long, value_name = "POINTER")]
    pub(crate) resume: Option<String>,

    #[command(flatten)]
    worker: WorkerArgs,
}

/// What the supervisor adds when it starts a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
struct WorkerArgs {
    #[arg(long, hide = true, requires_all = ["job_id", "supervisor", "records"])]
    worker: bool,
    #[arg(long, hide = true, requires = "worker")]
    job_id: Option<JobId>,
    #[arg(long, hide = true, requires = "worker")]
    supervisor: Option<u32>,
    #[arg(long, hide = true, requires = "worker")]
    records: Option<u64>,
    #[arg(long, hide = true, requires = "worker", default_value_t = 0)]
    pace_millis: u64,
}

/// The two promises of a checkpointed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Every record takes effect exactly once
    ExactlyOnce,
    /// A record may take effect more than once
    AtLeastOnce,
}

/// All that a worker needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkerOptions {
    /// The process that started it, without which it must not go on.
    pub(crate) supervisor: u32,
    pub(crate) job: JobId,
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) alerts: PathBuf,
    pub(crate) checkpoint_dir: PathBuf,
    pub(crate) parallelism: u32,
    pub(crate) interval: Duration,
    pub(crate) mode: Mode,
    /// Where to begin if the job has no completed checkpoint of its own yet.
    pub(crate) resume: Option<String>,
    /// How many data lines the input has.
    pub(crate) records: u64,
    /// How long the rest of the input, from where the worker begins, must last at least; see [`crate::pace::Pace`].
    pub(crate) pace: Duration,
}

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/flights-200k.csv.gz");

impl Args {
    /// What the supervisor asked of this process, if it is a worker.
    pub(crate) fn worker_options(&self) -> Option<WorkerOptions> {
        let WorkerArgs { worker: true, job_id, supervisor, records, pace_millis } = self.worker else {
            return None;
        };
        let this = self.clone();
        Some(WorkerOptions {
            supervisor: supervisor?,
            job: job_id?,
            input: this.input,
            output: this.output,
            alerts: this.alerts,
            checkpoint_dir: this.checkpoint_dir,
            parallelism: this.parallelism,
            interval: this.interval,
            mode: this.mode,
            resume: this.resume,
            records: records?,
            pace: Duration::from_millis(pace_millis),
        })
    }
}

impl WorkerOptions {
    /// The arguments from which a process reads these options.
    pub(crate) fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--worker".into()];
        // `--flag=value` also carries a value that begins with a dash.
        let mut flag = |name: &str, value: OsString| {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(value);
            arguments.push(argument);
        };
        let mode = match self.mode {
            Mode::ExactlyOnce => "exactly-once",
            Mode::AtLeastOnce => "at-least-once",
        };
        flag("supervisor", self.supervisor.to_string().into());
        flag("job-id", self.job.to_string().into());
        flag("input", self.input.clone().into());
        flag("output", self.output.clone().into());
        flag("alerts", self.alerts.clone().into());
        flag("checkpoint-dir", self.checkpoint_dir.clone().into());
        flag("parallelism", self.parallelism.to_string().into());
        flag("interval", self.interval.as_millis().to_string().into());
        flag("mode", mode.into());
        flag("records", self.records.to_string().into());
        flag("pace-millis", self.pace.as_millis().to_string().into());
        if let Some(pointer) = &self.resume {
            flag("resume", pointer.into());
        }
        arguments
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration("--interval", text).map_err(|error| error.to_string())?;
    if (SHORTEST..=LONGEST).contains(&interval) { Ok(interval) } else { Err("expected 10ms to 8760h".into()) }
}

/// Flink's limit.
const SHORTEST: Duration = Duration::from_millis(10);
/// A year, far from where adding it to a moment could overflow.
const LONGEST: Duration = Duration::from_secs(8760 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn parse(arguments: &[&str]) -> Result<Args, ErrorKind> {
        Args::try_parse_from(["flights"].iter().chain(arguments)).map_err(|error| error.kind())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let args = parse(&[]).expect("no arguments are needed");
        assert!(args.input.ends_with("examples/data/flights-200k.csv.gz") && args.input.exists());
        assert_eq!((args.parallelism, args.kills, args.interval), (2, 3, Duration::from_millis(200)));
        assert_eq!((args.mode, args.seed, args.resume.as_deref()), (Mode::ExactlyOnce, None, None));
        for path in [&args.output, &args.alerts, &args.checkpoint_dir] {
            assert!(path.starts_with("target/flights"), "{}", path.display());
        }
        assert_eq!(args.worker_options(), None);
    }

    #[test]
    fn intervals_have_units() {
        for (text, millis) in [
            ("200ms", 200),
            ("10", 10),
            ("10ms", 10),
            ("1s", 1000),
            ("2min", 120_000),
            ("1h", 3_600_000),
            ("8760h", 31_536_000_000),
        ] {
            assert_eq!(parse_interval(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "ms", "9ms", "0", "-1s", "1.5s", "8761h", "99999999999999999999", "18446744073709551615h"]
        {
            assert!(parse_interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for arguments in [
            ["--parallelism", "0"],
            ["--parallelism", "129"],
            ["--kills", "-1"],
            ["--kills", "10001"],
            ["--interval", "9ms"],
        ] {
            let error = parse(&arguments).expect_err("out of range");
            assert!(
                matches!(error, ErrorKind::ValueValidation | ErrorKind::UnknownArgument),
                "{arguments:?}: {error:?}"
            );
        }
        assert_eq!(parse(&["--mode", "twice"]), Err(ErrorKind::InvalidValue));
        assert_eq!(parse(&["--worker"]), Err(ErrorKind::MissingRequiredArgument));
    }

    #[test]
    fn worker_options_survive_the_way_through_a_command_line() {
        let options = WorkerOptions {
            supervisor: 4711,
            job: JobId::from_bytes([7; 16]),
            input: "-input with spaces.csv".into(),
            output: "=output".into(),
            alerts: "alerts".into(),
            checkpoint_dir: "--worker".into(),
            parallelism: 128,
            interval: Duration::from_millis(1234),
            mode: Mode::AtLeastOnce,
            resume: Some("-pointer".into()),
            records: u64::MAX,
            pace: Duration::from_millis(5),
        };
        for options in [WorkerOptions { resume: None, mode: Mode::ExactlyOnce, ..options.clone() }, options] {
            let arguments = std::iter::once("flights".into()).chain(options.to_arguments());
            let args = Args::try_parse_from(arguments).expect("arguments that were written to be read");
            assert_eq!(args.worker_options(), Some(options));
        }
    }
}
