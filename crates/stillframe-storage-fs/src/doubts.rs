use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// The directories of a disk an fsync of which failed. The kernel may have given up on their entries and call the next
/// fsync a success, so nobody who shares this ever again claims that anything in them is durable.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Mutex<BTreeMap<PathBuf, Doubt>>);

/// Whether there is a doubt about one directory. Locked by whoever is about to find out.
type Doubt = Arc<Mutex<bool>>;

static OF_THIS_MACHINE: LazyLock<Arc<Doubts>> = LazyLock::new(Arc::default);

impl Doubts {
    /// Those of this process about the file systems of this machine.
    pub(crate) fn of_this_machine() -> Arc<Self> {
        Arc::clone(&OF_THIS_MACHINE)
    }

    /// Does something with a directory while nobody else does so: a second fsync beside one that fails is told that all
    /// is well. `work` is given whether the directory is in doubt, and leaves there whether it is from now on.
    pub(crate) fn alone_in<R>(&self, directory: &Path, work: impl FnOnce(&mut bool) -> R) -> R {
        let doubt = Arc::clone(self.known().entry(directory.to_owned()).or_default());
        let result = work(&mut locked(&doubt));
        let mut known = self.known();
        // The map and this call hold it, so nobody waits for it; and whoever comes finds the map locked.
        if Arc::strong_count(&doubt) == 2 && !*locked(&doubt) {
            known.remove(directory);
        }
        result
    }

    /// Whether somebody is alone in a directory.
    #[cfg(test)]
    pub(crate) fn is_taken(&self, directory: &Path) -> bool {
        self.known().get(directory).is_some_and(|doubt| doubt.try_lock().is_err())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Doubt>> {
        locked(&self.0)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn whoever_is_alone_in_a_directory_is_alone() {
        let (doubts, inside) = (Doubts::default(), AtomicUsize::new(0));
        let enter = || {
            for _ in 0..500 {
                doubts.alone_in(Path::new("/a"), |_| {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(enter);
            }
        });
        assert!(doubts.known().is_empty());
    }

    #[test]
    fn only_what_is_in_doubt_is_remembered() {
        let doubts = Doubts::default();
        let (good, bad) = (Path::new("/good"), Path::new("/bad"));
        doubts.alone_in(good, |_| ());
        assert!(doubts.known().is_empty());
        doubts.alone_in(bad, |is_doubtful| *is_doubtful = true);
        assert!(doubts.alone_in(bad, |is_doubtful| *is_doubtful));
        assert!(!doubts.alone_in(good, |is_doubtful| *is_doubtful));
        assert_eq!(doubts.known().len(), 1);
        doubts.alone_in(bad, |is_doubtful| *is_doubtful = false);
        assert!(doubts.known().is_empty());
    }
}
