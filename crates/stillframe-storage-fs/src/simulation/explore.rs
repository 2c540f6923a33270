use super::{Failed, Fault, FaultKind, SimDisk};

/// A run of some work that came to a sudden end.
#[derive(Debug)]
pub struct Cut<T> {
    /// How many operations it had done.
    pub after: usize,
    /// Whether that was all of them, so that this run is the one that was not cut.
    pub is_whole: bool,
    /// The disk, for the next process on the same machine or for a [loss of power](SimDisk::after_power_loss).
    pub disk: SimDisk,
    /// What the work returned. Unless it is whole, it is the word of a process that is dead.
    pub outcome: T,
}

/// A run of some work in which an operation failed.
#[derive(Debug)]
pub struct Failing<T> {
    /// Which, and the first of them if there were several.
    pub failed: Failed,
    /// The disk, which still fails if the fault was sticky: see [`SimDisk::mend`].
    pub disk: SimDisk,
    /// What the work returned.
    pub outcome: T,
}

impl SimDisk {
    /// Runs `work` on copies of this disk as it is now: for 0, 1, 2 and so on operations, after which nothing works any more, and
    /// at last to its end.
    pub fn cut_everywhere<T, W: Fn(&Self) -> T>(&self, work: W) -> impl Iterator<Item = Cut<T>> + use<T, W> {
        let start = self.fork();
        let mut next = Some(0);
        core::iter::from_fn(move || {
            let after = next?;
            let disk = start.fork();
            disk.stop_after(after);
            let outcome = work(&disk);
            let is_whole = !disk.was_stopped();
            next = (!is_whole).then_some(after + 1);
            disk.resume();
            Some(Cut { after, is_whole, disk, outcome })
        })
    }

    /// Runs `work` on copies of this disk as it is now, in each of which another operation is the first one to fail. It goes on
    /// until each had its turn to which the kind of fault [applies](FaultKind::applies_to).
    pub fn fail_everywhere<T, W: Fn(&Self) -> T>(
        &self,
        kind: FaultKind,
        is_sticky: bool,
        work: W,
    ) -> impl Iterator<Item = Failing<T>> + use<T, W> {
        let start = self.fork();
        let mut operation = 1;
        core::iter::from_fn(move || {
            let disk = start.fork();
            disk.inject(Fault { kind, operation, is_sticky });
            let outcome = work(&disk);
            let failed = disk.failed()?;
            operation = failed.number + 1;
            Some(Failing { failed, disk, outcome })
        })
    }
}
