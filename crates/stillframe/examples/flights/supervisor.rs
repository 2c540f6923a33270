//! Runs the job in child processes: starts a worker, kills it at the planned moments, and starts the next one, until one
//! has finished. Each finds the newest completed checkpoint by itself.

use crate::args::{Args, WorkerOptions};
use crate::clock::now;
use crate::expected::Expected;
use crate::kills::KillPlan;
use crate::place;
use crate::protocol::WorkerEvent;
use crate::report::{Live, Report};
use crate::tally::Tally;
use crate::verify::{Verdict, verify};
use rustix::process::Signal;
use std::error::Error;
use std::io::{self, BufRead, BufReader, IsTerminal, Stdout};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use stillframe::model::JobId;

/// A worker that others kill again and again, as the kernel does for want of memory, is not started for ever.
const KILLS_BY_OTHERS: u32 = 100;

/// A run that is to be killed lasts this many intervals between checkpoints for each kill and for the end.
const INTERVALS_PER_KILL: u32 = 3;

/// Beyond this, the interval between checkpoints no longer makes a run longer.
const LONGEST_PACE: Duration = Duration::from_secs(5);

/// Runs the whole thing and says what came of it.
///
/// # Errors
/// If the input is bad, which is found out before anything is touched or started, or if a worker fails by itself.
pub(crate) fn run(args: &Args) -> Result<Verdict, Box<dyn Error>> {
    let expected = Expected::of(&args.input)?;
    let seed = args.seed.map_or_else(getrandom::u64, Ok)?;
    let mut job = [0; 16];
    getrandom::fill(&mut job)?;
    let job = JobId::from_bytes(job);
    place::prepare(args, job)?;
    let out = io::stdout();
    let mut live = Live::new(out, io::stdout().is_terminal(), expected.records);
    live.headline(format_args!(
        "flights: {} records, parallelism {}, job {job}, seed {seed}",
        expected.records, args.parallelism
    ));
    let mut supervisor =
        Supervisor { args, seed, job, records: expected.records, plan: None, tally: Tally::default(), live };
    let duration = supervisor.run_to_the_end()?;
    let verdict = verify(&expected, &args.input, &args.output, &args.alerts);
    let report =
        Report { args, job, expected: &expected, tally: &supervisor.tally, duration, verdict: &verdict };
    // The exit status says it as well, to those who closed the standard output.
    let _ = report.write(&mut io::stdout().lock());
    Ok(verdict)
}

struct Supervisor<'a> {
    args: &'a Args,
    seed: u64,
    job: JobId,
    records: u64,
    /// Known when the first worker has said from where it starts.
    plan: Option<KillPlan>,
    tally: Tally,
    live: Live<Stdout>,
}

impl Supervisor<'_> {
    /// Starts workers until one has finished; returns how long that took.
    fn run_to_the_end(&mut self) -> Result<Duration, Box<dyn Error>> {
        let begin = now();
        let mut killed_by_others = 0;
        loop {
            let mut worker = Worker::start(&self.options())?;
            let ended = self.watch(&mut worker)?;
            if ended.killed {
                self.tally.killed();
                let (kills, position, completed) =
                    (self.tally.kills(), self.tally.position(), self.tally.completed());
                let by = if ended.shot { "" } else { " by somebody else" };
                self.live.note(format_args!(
                    "kill {kills}{by}: at {position} records, {completed} checkpoints completed"
                ));
                if ended.shot {
                    self.plan.iter_mut().for_each(KillPlan::advance);
                } else {
                    killed_by_others += 1;
                }
            } else if let Some(failure) = ended.failure {
                self.live.end();
                return Err(failure.into());
            }
            if self.tally.is_finished() {
                self.live.end();
                return Ok(ended.at.duration_since(begin));
            }
            if killed_by_others == KILLS_BY_OTHERS {
                self.live.end();
                return Err(format!(
                    "others killed the worker {KILLS_BY_OTHERS} times, expected it to be left alone"
                )
                .into());
            }
        }
    }

    /// Follows a worker until it is gone, and kills it when its moment comes.
    fn watch(&mut self, worker: &mut Worker) -> Result<Ended, Box<dyn Error>> {
        let mut shot = false;
        let mut nonsense = false;
        let mut failure = None;
        loop {
            let wait = if shot { None } else { self.time_to_kill(worker) };
            if wait == Some(Duration::ZERO) {
                worker.child.kill()?;
                shot = true;
                continue;
            }
            match worker.next_event(wait) {
                Heard::Event(event) => {
                    self.tally.observe(&event);
                    self.show(&event);
                    if let WorkerEvent::Failed { message } = event {
                        failure = Some(format!("the worker failed: {message}"));
                    }
                }
                Heard::Nonsense(error) => {
                    failure.get_or_insert(error);
                    nonsense = true;
                    worker.child.kill()?;
                }
                Heard::Nothing => {}
                Heard::End => break,
            }
        }
        let at = now();
        let status = worker.child.wait()?;
        if !status.success() || !self.tally.is_finished() {
            failure.get_or_insert_with(|| {
                format!("the worker ended by itself ({status}), expected it to finish; its standard error may say why")
            });
        }
        // To be killed for talking nonsense is a failure, not one of the kills that a job survives.
        let killed = status.signal() == Some(Signal::KILL.as_raw()) && !nonsense;
        Ok(Ended { at, killed, shot, failure })
    }

    /// How long the worker may still live, if the next kill depends on that only.
    fn time_to_kill(&self, worker: &Worker) -> Option<Duration> {
        let moment = self.plan.as_ref()?.next()?;
        let reached = self.tally.is_running() && self.tally.position() >= moment.position;
        reached.then(|| moment.age.saturating_sub(now().duration_since(worker.started)))
    }

    fn show(&mut self, event: &WorkerEvent) {
        match event {
            WorkerEvent::Started { restored, position } => {
                let (kills, interval) = (self.args.kills, self.interval());
                self.plan.get_or_insert_with(|| {
                    KillPlan::new(self.seed, kills, *position, self.records, interval)
                });
                let start = self.tally.kills() + self.tally.restarts() + 1;
                match restored {
                    Some(id) => self
                        .live
                        .note(format_args!("start {start}: restored checkpoint {id}, at {position} records")),
                    None => self.live.note(format_args!("start {start}: from the beginning")),
                }
            }
            WorkerEvent::Restarting { cause } => {
                self.live.note(format_args!("restart within the worker: {cause}"))
            }
            WorkerEvent::Warning { message } => self.live.note(format_args!("warning: {message}")),
            WorkerEvent::Progress { .. } => {}
            WorkerEvent::Completed { .. } | WorkerEvent::Aborted { .. } => {}
            WorkerEvent::Finished { .. } | WorkerEvent::Failed { .. } => return,
        }
        self.live.progress(now(), &self.tally);
    }

    fn options(&self) -> WorkerOptions {
        let args = self.args.clone();
        WorkerOptions {
            supervisor: std::process::id(),
            job: self.job,
            input: args.input,
            output: args.output,
            alerts: args.alerts,
            checkpoint_dir: args.checkpoint_dir,
            parallelism: args.parallelism,
            interval: args.interval,
            mode: args.mode,
            resume: args.resume,
            records: self.records,
            pace: self.pace(),
        }
    }

    /// The rest of the input takes long enough for the kills that are left and for the checkpoints between them.
    fn pace(&self) -> Duration {
        let left = self.plan.as_ref().map_or(self.args.kills, |plan| plan.len() as u32);
        if self.args.kills == 0 { Duration::ZERO } else { self.interval() * INTERVALS_PER_KILL * (left + 1) }
    }

    fn interval(&self) -> Duration {
        self.args.interval.min(LONGEST_PACE)
    }
}

/// How a worker ended.
struct Ended {
    at: Instant,
    /// Whether it died by SIGKILL and the job can go on in another one.
    killed: bool,
    /// Whether the supervisor killed it according to plan.
    shot: bool,
    failure: Option<String>,
}

/// A child process and what it says.
struct Worker {
    child: Child,
    started: Instant,
    said: Receiver<Result<WorkerEvent, String>>,
}

enum Heard {
    Event(WorkerEvent),
    Nonsense(String),
    /// The time is over.
    Nothing,
    /// It says no more: it is gone, or about to go.
    End,
}

impl Worker {
    /// Starts one. It dies with the thread that calls this, the supervisor's main thread.
    fn start(options: &WorkerOptions) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(options.to_arguments()).stdin(Stdio::null()).stdout(Stdio::piped());
        let started = now();
        let mut child = command.spawn()?;
        let (say, said) = sync_channel(256);
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || listen(stdout, &say));
        }
        Ok(Self { child, started, said })
    }

    fn next_event(&self, wait: Option<Duration>) -> Heard {
        let next = match wait {
            Some(wait) => self.said.recv_timeout(wait),
            None => self.said.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(Ok(event)) => Heard::Event(event),
            Ok(Err(error)) => Heard::Nonsense(error),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::End,
        }
    }
}

/// A worker is never left behind, also when the supervisor ends early.
impl Drop for Worker {
    fn drop(&mut self) {
        // Both do nothing for a worker that is gone; nobody could be told of an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stdout: ChildStdout, say: &SyncSender<Result<WorkerEvent, String>>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    // A last line without its end was torn by the kill and is not an event.
    while stdout.read_until(b'\n', &mut line).is_ok() && line.pop() == Some(b'\n') {
        let event = String::from_utf8_lossy(&line)
            .parse()
            .map_err(|error: crate::protocol::NoEvent| error.to_string());
        if say.send(event).is_err() {
            return;
        }
        line.clear();
    }
}
