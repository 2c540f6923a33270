use super::{CoordinatorDriver, Leftover};
use crate::control::Message;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

impl CoordinatorDriver {
    /// Runs it in a thread of its own, where the runtime has several. A task that tells the driver something and then hangs in
    /// the user's code would take the driver with it otherwise: who is woken by a task stands in line behind it, in a place
    /// from which no other thread of the runtime takes it.
    ///
    /// It ends with what is returned.
    pub(crate) fn start(self, messages: mpsc::UnboundedReceiver<Message>) -> JoinSet<Vec<Leftover>> {
        let runtime = Handle::current();
        if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
            return JoinSet::from_iter([self.run(messages)]);
        }
        let (mut sender, ended) = oneshot::channel();
        let drive = move || {
            let run = async {
                tokio::select! {
                    biased;
                    () = sender.closed() => None,
                    leftovers = self.run(messages) => Some(leftovers),
                }
            };
            let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run)));
            // Whoever waited may be gone.
            let _ = sender.send(result);
        };
        // Without a thread the sender is dropped, which is a driver that ended.
        let _ = thread::Builder::new().name("stillframe-coordinator".into()).spawn(drive);
        JoinSet::from_iter([async move {
            match ended.await {
                Ok(Ok(leftovers)) => leftovers.unwrap_or_default(),
                Ok(Err(panic)) => resume_unwind(panic),
                Err(_) => Vec::new(),
            }
        }])
    }
}
