use bytes::Bytes;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

pub(super) type Inode = u64;
pub(super) const ROOT: Inode = 0;

/// What is on a disk. Copies share every file and directory until one of them changes it.
#[derive(Clone, Debug)]
pub(super) struct Image(BTreeMap<Inode, Arc<Node>>);

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Vec<u8>),
    Directory(BTreeMap<String, Inode>),
}

/// The smallest thing that survives a loss of power or does not.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// The file is at least this long; where nothing else was written it holds zeros.
    Length { file: Inode, len: usize },
    /// These bytes are in the file, which is as long as it takes.
    Content { file: Inode, offset: usize, bytes: Bytes },
    /// The name stands for this, or for nothing.
    Name { directory: Inode, name: Arc<str>, inode: Option<Inode> },
}

impl Effect {
    /// What has to be synced to make it durable.
    pub(super) fn owner(&self) -> Inode {
        match self {
            Self::Length { file: owner, .. }
            | Self::Content { file: owner, .. }
            | Self::Name { directory: owner, .. } => *owner,
        }
    }

    /// Whether nothing is left of `other` once this is on the disk.
    pub(super) fn overrides(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Name { directory, name, .. },
                Self::Name { directory: other_directory, name: other_name, .. },
            ) => directory == other_directory && name == other_name,
            _ => false,
        }
    }
}

impl Image {
    pub(super) fn empty() -> Self {
        Self(BTreeMap::from([(ROOT, Arc::new(Node::Directory(BTreeMap::new())))]))
    }

    pub(super) fn get(&self, inode: Inode) -> Option<&Node> {
        self.0.get(&inode).map(|node| &**node)
    }

    pub(super) fn insert(&mut self, inode: Inode, node: Node) {
        self.0.insert(inode, Arc::new(node));
    }

    pub(super) fn apply(&mut self, effect: &Effect) {
        let node = self.0.get_mut(&effect.owner()).map(Arc::make_mut);
        match (effect, node) {
            (Effect::Length { len, .. }, Some(Node::File(content))) => {
                content.resize(content.len().max(*len), 0);
            }
            (Effect::Content { offset, bytes, .. }, Some(Node::File(content))) => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*offset..end].copy_from_slice(bytes);
            }
            (Effect::Name { name, inode: Some(inode), .. }, Some(Node::Directory(names))) => {
                names.insert((**name).to_owned(), *inode);
            }
            (Effect::Name { name, inode: None, .. }, Some(Node::Directory(names))) => {
                names.remove(&**name);
            }
            (effect, node) => panic!("{effect:?} does not fit {node:?}"),
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Inode> {
        let mut inode = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            inode = *self.directory(inode)?.get(&*name.to_string_lossy()).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(inode)
    }

    pub(super) fn directory(&self, inode: Inode) -> io::Result<&BTreeMap<String, Inode>> {
        match self.get(inode) {
            Some(Node::Directory(names)) => Ok(names),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory of a path and the name in it.
    pub(super) fn parent(&self, path: &Path) -> io::Result<(Inode, Arc<str>)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        let directory = self.find(parent)?;
        self.directory(directory)?;
        Ok((directory, name.to_string_lossy().into()))
    }

    /// What has a path, if these things are also in these directories.
    pub(super) fn reachable(&self, additions: &[(Inode, Inode)]) -> BTreeSet<Inode> {
        let (mut reachable, mut next) = (BTreeSet::new(), vec![ROOT]);
        while let Some(inode) = next.pop() {
            if reachable.insert(inode) {
                if let Some(Node::Directory(names)) = self.get(inode) {
                    next.extend(names.values());
                }
                next.extend(
                    additions.iter().filter(|(directory, _)| *directory == inode).map(|(_, added)| added),
                );
            }
        }
        reachable
    }

    /// The same without everything else.
    pub(super) fn only(&self, inodes: &BTreeSet<Inode>) -> Self {
        let kept = inodes.iter().filter_map(|inode| Some((*inode, Arc::clone(self.0.get(inode)?))));
        Self(kept.collect())
    }

    /// A number for what a program can see, the same for two images that look the same.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut numbers = BTreeMap::new();
        self.hash_below(ROOT, &mut numbers, &mut hasher);
        hasher.finish()
    }

    /// An inode counts by the order in which it is met, as two names may share it.
    fn hash_below(&self, inode: Inode, numbers: &mut BTreeMap<Inode, usize>, hasher: &mut DefaultHasher) {
        let next = numbers.len();
        let number = *numbers.entry(inode).or_insert(next);
        number.hash(hasher);
        match self.get(inode) {
            Some(Node::File(content)) if number == next => content.hash(hasher),
            Some(Node::Directory(names)) => {
                names.len().hash(hasher);
                for (name, below) in names {
                    name.hash(hasher);
                    self.hash_below(*below, numbers, hasher);
                }
            }
            Some(Node::File(_)) | None => {}
        }
    }
}
