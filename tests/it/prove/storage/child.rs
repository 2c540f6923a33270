//! A process that does nothing but take checkpoints, until it has taken enough or dies: this test binary once more, with one
//! test selected. It says on its standard output what it is about to do and what it has done; what must therefore be there
//! is kept by whoever listens, in a [`Ledger`](ledger::Ledger).

pub(super) mod disk;
pub(super) mod job;
pub(super) mod ledger;
pub(super) mod message;
mod state;

use disk::{Forgetful, Site, WatchedDisk};
use job::Plan;
use ledger::Ledger;
use message::Message;
use serde::{Deserialize, Serialize};
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

const ORDERS: &str = "STILLFRAME_STORAGE_CHILD";

/// What a line of the protocol begins with. The test harness writes lines of its own.
const PREFIX: &str = "@ ";

/// What a process is told when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Below which everything is.
    pub(super) directory: PathBuf,
    pub(super) plan: Plan,
    /// Where it kills itself.
    pub(super) die_at: Option<Site>,
    /// What it does not sync, and claims that it did.
    pub(super) forgetful: Forgetful,
    /// Whether it goes on after a message only when it got an answer. It always waits when it has swept.
    pub(super) waits: bool,
}

/// The process that is killed, when somebody gives it orders. Otherwise the same job in this one: a few runs, each of which
/// goes on from what the one before left.
#[test]
fn a_job_that_nobody_kills_leaves_what_it_says() {
    if let Ok(orders) = env::var(ORDERS) {
        return obey(&serde_json::from_str(&orders).expect("orders"));
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut ledger = Ledger::new();
    for seed in 1..=4 {
        // The last one has nothing more to do than to sweep up after the others.
        let plan = Plan { concludes: seed == 3, ..Plan::draw(seed, 12) };
        let disk = Arc::new(WatchedDisk::watching_nothing());
        job::run(directory.path(), &plan, disk, &mut |message| {
            ledger.hear(&message);
            if message == Message::Swept {
                ledger.inspect(directory.path());
            }
        });
    }
    ledger.inspect_savepoints(directory.path());
    assert_eq!(ledger.complaints(), [""; 0]);
    assert!(ledger.is_over() && ledger.committed() > 12, "{ledger:?}");
}

fn obey(orders: &Orders) {
    let disk = Arc::new(WatchedDisk::new(orders.die_at, orders.forgetful));
    let watched = Arc::clone(&disk);
    job::run(&orders.directory, &orders.plan, disk, &mut |message| {
        let line = serde_json::to_string(&message).expect("a message is text");
        // Not with a macro, whose output the harness would keep.
        let mut out = io::stdout().lock();
        let told = out.write_all(format!("\n{PREFIX}{line}\n").as_bytes()).and_then(|()| out.flush());
        let is_answered = |mut line| !matches!(io::stdin().read_line(&mut line), Ok(0) | Err(_));
        let is_heard =
            told.is_ok() && (!(orders.waits || message == Message::Swept) || is_answered(String::new()));
        // Whoever listens has gone, and with it everybody who could want anything of this process.
        assert!(is_heard, "nobody listens");
        if let Message::At(phase) = message {
            watched.enter(phase);
        }
    });
}

/// A process that was started, and listens when it is spoken to.
pub(super) struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
    answers: ChildStdin,
}

impl Process {
    /// Starts it, below another program if one is given with its arguments.
    pub(super) fn start(orders: &Orders, below: &[String]) -> io::Result<Self> {
        let this = env::current_exe()?;
        let mut command = match below.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
            None => Command::new(this),
        };
        command.args([
            "--exact",
            "prove::storage::child::a_job_that_nobody_kills_leaves_what_it_says",
            "--nocapture",
            "--test-threads=1",
        ]);
        command.env(ORDERS, serde_json::to_string(orders).map_err(io::Error::other)?);
        // A panic is told apart by the status; what it says must not mix with what this process prints.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (Some(answers), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the process has no pipes"));
        };
        Ok(Self { child, lines: BufReader::new(out), answers })
    }

    /// What it says next; `None` when it has nothing more to say. A line that it did not get to finish was not said.
    pub(super) fn listen(&mut self) -> Option<Message> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let Some(text) = line.strip_prefix(PREFIX).and_then(|line| line.strip_suffix('\n')) else {
                continue;
            };
            return Some(serde_json::from_str(text).expect("a message of the child"));
        }
    }

    /// Lets it go on.
    pub(super) fn answer(&mut self) {
        // It may have died meanwhile.
        let _ = self.answers.write_all(b"\n");
    }

    /// Kills it, whatever it is doing.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
    }

    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
