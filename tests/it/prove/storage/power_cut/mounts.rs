//! File systems on loop devices, by the programs that everybody uses for them.

use super::blocks::Blocks;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system to lose power on.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileSystem {
    pub(super) name: &'static str,
    kind: &'static str,
    mebibytes: u64,
    make: &'static [&'static str],
    options: &'static str,
}

pub(super) const EXT4: FileSystem = FileSystem {
    name: "ext4",
    kind: "ext4",
    mebibytes: 48,
    make: &["mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
    options: "loop",
};

/// The same, but what is in a file may reach the disk later than the file does.
pub(super) const EXT4_WRITEBACK: FileSystem =
    FileSystem { name: "ext4 with data=writeback", options: "loop,data=writeback", ..EXT4 };

pub(super) const XFS: FileSystem = FileSystem {
    name: "xfs",
    kind: "xfs",
    // Less is refused.
    mebibytes: 300,
    make: &["mkfs.xfs", "-q", "-K"],
    options: "loop",
};

impl FileSystem {
    /// A device with an empty one on it. `scratch` is a directory for files.
    ///
    /// # Errors
    /// Why that cannot be had on this machine.
    pub(super) fn make(&self, scratch: &Path) -> Result<Blocks, String> {
        let path = scratch.join(format!("empty-{}", self.kind));
        let _ = fs::remove_file(&path);
        let file = fs::File::create_new(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        file.set_len(self.mebibytes << 20).map_err(|error| format!("{}: {error}", path.display()))?;
        let (program, arguments) = self.make.split_first().ok_or("no program makes it")?;
        run(Command::new(program).args(arguments).arg(&path))?;
        let empty = Blocks::of_file(&path).map_err(|error| format!("{}: {error}", path.display()));
        let _ = fs::remove_file(&path);
        empty
    }

    /// What is on this device, at a directory that is made for it. As after a start of the machine.
    pub(super) fn mount(&self, device: &Path, at: &Path) -> Result<Mounted, String> {
        match fs::create_dir(at) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("{}: {error}", at.display()));
            }
            _ => {}
        }
        run(Command::new("mount").args(["-t", self.kind, "-o", self.options]).arg(device).arg(at))?;
        Ok(Mounted(at.into()))
    }
}

/// Something that is mounted as long as this lives.
pub(super) struct Mounted(PathBuf);

impl Mounted {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if run(Command::new("umount").arg(&self.0)).is_err() {
            let _ = run(Command::new("umount").arg("--lazy").arg(&self.0));
        }
    }
}

/// Runs a program to its end.
///
/// # Errors
/// The last thing that it said.
pub(super) fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is not installed"),
        _ => format!("{program}: {error}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{program} ended with {}: {last}", output.status))
}
