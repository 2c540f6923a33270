//! What is known about a simulated disk: what programs see, what is durable, and what lies between.

use super::fault::{Failed, Fault};
use super::image::{Effect, Image, Inode, Node};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) seen: Image,
    pub(super) durable: Image,
    /// What was done since the last fsync that covered it, in order.
    pub(super) unsynced: Vec<Unsynced>,
    pub(super) next_inode: Inode,
    pub(super) operations: usize,
    pub(super) stop_after: Option<usize>,
    pub(super) was_stopped: bool,
    pub(super) fault: Option<Armed>,
    pub(super) failed: Option<Failed>,
    pub(super) writes: BTreeMap<PathBuf, Vec<usize>>,
}

#[derive(Clone, Debug)]
pub(super) struct Unsynced {
    pub(super) effect: Arc<Effect>,
    /// Its fsync failed. It may have reached the disk or not, and no other fsync is about it any more.
    pub(super) is_doubtful: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    pub(super) fault: Fault,
    pub(super) since: usize,
}

impl State {
    pub(super) fn add(&mut self, path: &Path, inode: Inode) -> io::Result<()> {
        let (directory, name) = self.vacant(path)?;
        self.perform(Effect::Name { directory, name, inode: Some(inode) });
        Ok(())
    }

    /// The directory of a path and the name in it, which stands for nothing yet.
    pub(super) fn vacant(&self, path: &Path) -> io::Result<(Inode, Arc<str>)> {
        let (directory, name) = self.seen.parent(path)?;
        if self.seen.directory(directory)?.contains_key(&*name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok((directory, name))
    }

    pub(super) fn create(&mut self, path: &Path, node: Node) -> io::Result<Inode> {
        let inode = self.next_inode;
        self.add(path, inode)?;
        self.next_inode += 1;
        self.durable.insert(inode, node.clone());
        self.seen.insert(inode, node);
        Ok(inode)
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (directory, name) = self.seen.parent(path)?;
        self.perform(Effect::Name { directory, name, inode: None });
        Ok(())
    }

    pub(super) fn append(&mut self, file: Inode, bytes: &[u8]) {
        let Some(Node::File(content)) = self.seen.get(file) else { panic!("an open file keeps its inode") };
        let offset = content.len();
        self.perform(Effect::Length { file, len: offset + bytes.len() });
        // In two parts, as the kernel writes back page by page.
        let mut first = Bytes::copy_from_slice(bytes);
        let second = first.split_off(bytes.len() / 2);
        let middle = offset + first.len();
        for (offset, bytes) in [(offset, first), (middle, second)] {
            if !bytes.is_empty() {
                self.perform(Effect::Content { file, offset, bytes });
            }
        }
    }

    pub(super) fn perform(&mut self, effect: Effect) {
        self.seen.apply(&effect);
        self.unsynced.push(Unsynced { effect: Arc::new(effect), is_doubtful: false });
    }

    pub(super) fn sync(&mut self, owner: Inode) {
        let mut synced = Vec::new();
        self.unsynced.retain(|unsynced| {
            let is_covered = unsynced.effect.owner() == owner && !unsynced.is_doubtful;
            if is_covered {
                synced.push(Arc::clone(&unsynced.effect));
            }
            !is_covered
        });
        for effect in &synced {
            self.durable.apply(effect);
            // What was in doubt about this very name is settled.
            self.unsynced.retain(|unsynced| !effect.overrides(&unsynced.effect));
        }
    }

    /// What is durable, and what may be on the disk as well, without what no program could reach in any case: files
    /// and directories whose names are gone, durably.
    pub(super) fn at_stake(&self) -> (Image, Vec<Arc<Effect>>) {
        let additions = self.unsynced.iter().filter_map(|unsynced| match &*unsynced.effect {
            Effect::Name { directory, inode: Some(inode), .. } => Some((*directory, *inode)),
            Effect::Name { .. } | Effect::Length { .. } | Effect::Content { .. } => None,
        });
        let reachable = self.durable.reachable(&additions.collect::<Vec<_>>());
        let effects = self.unsynced.iter().map(|unsynced| Arc::clone(&unsynced.effect));
        let effects = effects.filter(|effect| reachable.contains(&effect.owner())).collect();
        (self.durable.only(&reachable), effects)
    }

    pub(super) fn doubt(&mut self, owner: Inode) {
        let of_owner = self.unsynced.iter_mut().filter(|unsynced| unsynced.effect.owner() == owner);
        of_owner.for_each(|unsynced| unsynced.is_doubtful = true);
    }
}
