//! A file that remembers every write and every flush, in their order. A loop device on it is a disk whose power can be cut
//! afterwards, at any moment that was.
//!
//! The kernel asks for it through `/dev/fuse`, in the few requests that a file system of one file gets. Their layout is that
//! of version 7.31 of the protocol, whose numbers are those of this machine's byte order.

use super::blocks::Blocks;
use crate::prove::storage::child::message::Message;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, write};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const FORGET: u32 = 2;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

const VERSION: (u32, u32) = (7, 31);
const HEADER: usize = 40;
/// What `READ` and `WRITE` say before the bytes.
const TRANSFER: usize = 40;
const MOST_WRITTEN: u32 = 128 << 10;
/// A request and what it writes, with room to spare.
const LARGEST_REQUEST: usize = 256 << 10;
/// Nothing stays in the kernel that the file was not asked for.
const DIRECT: u32 = 1;
const REGULAR_FILE: u32 = 0o100_600;

/// Something that happened.
#[derive(Clone)]
pub(super) enum Event {
    Write {
        offset: u64,
        bytes: Vec<u8>,
    },
    /// All writes before this are on the disk.
    Flush,
    /// What the job said meanwhile.
    Said(Message),
}

pub(super) struct Recorder {
    log: Arc<Mutex<Log>>,
    file: PathBuf,
    server: Option<JoinHandle<()>>,
}

struct Log {
    content: Blocks,
    /// The content when the recording began, and what happened since then.
    recording: Option<(Blocks, Vec<Event>)>,
}

impl Recorder {
    /// Serves a device with this content, at the path of a file that exists.
    pub(super) fn serve(content: Blocks, file: &Path) -> io::Result<Self> {
        let fuse = open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        // The root of the file system is the file itself.
        let options = format!("fd={},rootmode={REGULAR_FILE:o},user_id=0,group_id=0", fuse.as_raw_fd());
        let options = CString::new(options).map_err(io::Error::other)?;
        mount(
            "stillframe-recorder",
            file,
            "fuse",
            MountFlags::NOSUID | MountFlags::NODEV,
            options.as_c_str(),
        )?;
        let log = Arc::new(Mutex::new(Log { content, recording: None }));
        let server = Server { fuse, log: Arc::clone(&log) };
        Ok(Self { log, file: file.into(), server: Some(thread::spawn(move || server.run())) })
    }

    /// From now on everything is remembered.
    pub(super) fn begin(&self) {
        let mut log = self.lock();
        log.recording = Some((log.content.clone(), Vec::new()));
    }

    pub(super) fn enter(&self, message: Message) {
        self.lock().remember(Event::Said(message));
    }

    /// What happened, and what was there before.
    pub(super) fn end(&self) -> Option<(Blocks, Vec<Event>)> {
        self.lock().recording.take()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Whoever still has the file open goes on with it; the server ends when nobody does.
        let is_unmounted = unmount(&self.file, UnmountFlags::DETACH).is_ok();
        if let Some(server) = self.server.take().filter(|_| is_unmounted && !thread::panicking()) {
            let _ = server.join();
        }
    }
}

impl Log {
    fn remember(&mut self, event: Event) {
        if let Some((_, events)) = &mut self.recording {
            events.push(event);
        }
    }
}

struct Server {
    fuse: OwnedFd,
    log: Arc<Mutex<Log>>,
}

/// A request, and what belongs to it.
struct Request<'a> {
    operation: u32,
    unique: u64,
    body: &'a [u8],
}

impl Server {
    fn run(&self) {
        let mut buffer = vec![0; LARGEST_REQUEST];
        loop {
            let request = match read(&self.fuse, &mut buffer[..]) {
                Ok(len) => Request::parse(&buffer[..len]),
                Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => continue,
                // The file is unmounted.
                Err(_) => return,
            };
            let Some(request) = request else { return };
            if matches!(request.operation, FORGET | INTERRUPT | BATCH_FORGET) {
                continue;
            }
            let (status, body) = match self.handle(&request) {
                Some(body) => (0, body),
                None => (-Errno::NOSYS.raw_os_error(), Vec::new()),
            };
            let mut reply = Reply::new(request.unique, status);
            reply.0.extend_from_slice(&body);
            let len = u32::try_from(reply.0.len()).unwrap_or(u32::MAX);
            reply.0[..4].copy_from_slice(&len.to_ne_bytes());
            // An answer that nobody waits for any more is refused, and that is fine.
            let _ = write(&self.fuse, &reply.0);
        }
    }

    /// The body of the answer; `None` for what this file cannot do.
    fn handle(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match request.operation {
            INIT => Some(init()),
            GETATTR | SETATTR => Some(attributes(log.content.len())),
            OPEN => {
                let mut reply = Reply::default();
                reply.u64(0).u32(DIRECT).u32(0);
                Some(reply.0)
            }
            READ => {
                let (offset, len) = request.range()?;
                let mut bytes = Vec::with_capacity(len);
                log.content.read(offset, len, &mut bytes);
                Some(bytes)
            }
            WRITE => {
                let (offset, len) = request.range()?;
                let bytes = request.body.get(TRANSFER..TRANSFER + len)?;
                log.content.write(offset, bytes);
                log.remember(Event::Write { offset, bytes: bytes.to_vec() });
                let mut reply = Reply::default();
                reply.u32(u32::try_from(len).ok()?).u32(0);
                Some(reply.0)
            }
            FSYNC => {
                log.remember(Event::Flush);
                Some(Vec::new())
            }
            FLUSH | RELEASE => Some(Vec::new()),
            _ => None,
        }
    }
}

impl<'a> Request<'a> {
    /// Length, operation, number and node, user, group and process, all of which but two are of no interest.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let operation = u32::from_ne_bytes(bytes.get(4..8)?.try_into().ok()?);
        let unique = u64::from_ne_bytes(bytes.get(8..16)?.try_into().ok()?);
        Some(Self { operation, unique, body: bytes.get(HEADER..)? })
    }

    /// Offset and length of what is to be read or written, which follow on the number of the open file.
    fn range(&self) -> Option<(u64, usize)> {
        let offset = u64::from_ne_bytes(self.body.get(8..16)?.try_into().ok()?);
        let len = u32::from_ne_bytes(self.body.get(16..20)?.try_into().ok()?);
        Some((offset, len as usize))
    }
}

#[derive(Default)]
struct Reply(Vec<u8>);

impl Reply {
    /// The header; its length is filled in at the end.
    fn new(unique: u64, status: i32) -> Self {
        let mut reply = Self::default();
        reply.u32(0).u32(status.cast_unsigned()).u64(unique);
        reply
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_ne_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_ne_bytes());
        self
    }
}

fn init() -> Vec<u8> {
    let mut reply = Reply::default();
    let (major, minor) = VERSION;
    // Version, read-ahead, flags, background requests and congestion in one, the largest write, and the granularity of time.
    reply.u32(major).u32(minor).u32(0).u32(0).u32(0).u32(MOST_WRITTEN).u32(1);
    reply.0.resize(64, 0);
    reply.0
}

fn attributes(len: u64) -> Vec<u8> {
    let mut reply = Reply::default();
    // For how long they hold, in seconds and nanoseconds.
    reply.u64(3600).u32(0).u32(0);
    // The node, its size and blocks, three times and their nanoseconds.
    reply.u64(1).u64(len).u64(len / 512).u64(0).u64(0).u64(0).u32(0).u32(0).u32(0);
    // Mode, names, user, group, device, block size, flags.
    reply.u32(REGULAR_FILE).u32(1).u32(0).u32(0).u32(0).u32(4096).u32(0);
    reply.0
}

/// An empty file, at the place where one is to be served.
pub(super) fn place(path: &Path) -> io::Result<()> {
    File::create_new(path).map(|_file| ())
}
