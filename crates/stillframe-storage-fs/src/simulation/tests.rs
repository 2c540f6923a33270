use super::{Coverage, Fault, FaultKind, SimDisk, SimOperation};
use crate::disk::{Disk, DiskFile, RealDisk};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

fn file(disk: &dyn Disk, path: &str) -> Box<dyn DiskFile> {
    disk.create_new(Path::new(path)).unwrap()
}

fn sync(disk: &SimDisk, directory: &str) -> io::Result<()> {
    disk.sync_dir(Path::new(directory))
}

/// What a loss of power may leave of one file; `None` where it is missing.
fn left(disk: &SimDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    let everything = Coverage { every_subset_up_to: 16, ..Coverage::default() };
    disk.after_power_loss(&everything).map(|(_, image)| image.content(Path::new(path))).collect()
}

fn set(contents: &[Option<&[u8]>]) -> BTreeSet<Option<Vec<u8>>> {
    contents.iter().map(|content| content.map(<[u8]>::to_vec)).collect()
}

#[test]
fn what_is_not_synced_survives_in_any_part() {
    let disk = SimDisk::new();
    let mut a = file(&disk, "/a");
    a.write(b"12").unwrap();
    let torn: &[Option<&[u8]>] =
        &[None, Some(b""), Some(b"\0\0"), Some(b"1"), Some(b"1\0"), Some(b"\x002"), Some(b"12")];
    assert_eq!(left(&disk, "/a"), set(torn));
    sync(&disk, "/").unwrap();
    assert_eq!(left(&disk, "/a"), set(&torn[1..]));
    a.sync().unwrap();
    assert_eq!(left(&disk, "/a"), set(&[Some(b"12")]));
    disk.remove_file(Path::new("/a")).unwrap();
    assert_eq!(left(&disk, "/a"), set(&[None, Some(b"12")]));
    sync(&disk, "/").unwrap();
    assert_eq!(left(&disk, "/a"), set(&[None]));
}

#[test]
fn what_a_failed_fsync_was_about_stays_in_doubt() {
    let disk = SimDisk::new();
    let mut a = file(&disk, "/a");
    sync(&disk, "/").unwrap();
    a.write(b"1").unwrap();
    disk.inject(Fault::once(FaultKind::Io, 1));
    assert_eq!(a.sync().unwrap_err().raw_os_error(), Some(5));
    a.sync().unwrap();
    assert_eq!(left(&disk, "/a"), set(&[Some(b""), Some(b"\0"), Some(b"1")]));
    a.write(b"2").unwrap();
    a.sync().unwrap();
    assert_eq!(left(&disk, "/a"), set(&[Some(b"\x002"), Some(b"12")]));

    disk.remove_file(Path::new("/a")).unwrap();
    disk.inject(Fault::once(FaultKind::NoSpace, 1));
    sync(&disk, "/").unwrap_err();
    sync(&disk, "/").unwrap();
    assert!(left(&disk, "/a").contains(&None) && left(&disk, "/a").len() == 3);
    // The name is used again, and what becomes of it is certain.
    drop(file(&disk, "/a"));
    sync(&disk, "/").unwrap();
    assert_eq!(left(&disk, "/a"), set(&[Some(b"")]));
}

#[test]
fn an_fsync_that_was_interrupted_or_could_not_begin_leaves_no_doubt() {
    for kind in [FaultKind::Interrupted, FaultKind::TooManyFiles, FaultKind::Denied] {
        let disk = SimDisk::new();
        drop(file(&disk, "/a"));
        disk.inject(Fault::once(kind, 1));
        sync(&disk, "/").unwrap_err();
        sync(&disk, "/").unwrap();
        assert_eq!(left(&disk, "/a"), set(&[Some(b"")]), "{kind:?}");
    }
}

#[test]
fn what_nobody_can_reach_is_not_tried() {
    let disk = SimDisk::new();
    let mut a = file(&disk, "/a");
    for _ in 0..10 {
        a.write(b"12").unwrap();
    }
    disk.remove_file(Path::new("/a")).unwrap();
    // The name was never synced, so it may be there, with any part of its content.
    assert!(disk.after_power_loss(&Coverage::default()).count() > 100);
    sync(&disk, "/").unwrap();
    assert_eq!(disk.after_power_loss(&Coverage::default()).count(), 1);
}

#[test]
fn a_copy_shares_nothing_that_changes() {
    let disk = SimDisk::new();
    let mut a = file(&disk, "/a");
    a.write(b"one").unwrap();
    let copy = disk.fork();
    assert_eq!(disk.digest(), copy.digest());
    a.write(b"two").unwrap();
    assert_ne!(disk.digest(), copy.digest());
    assert_eq!(copy.content(Path::new("/a")).unwrap(), b"one");
    disk.damage(Path::new("/a"), "one").unwrap();
    assert_eq!(disk.digest(), copy.digest());
    copy.hard_link(Path::new("/a"), Path::new("/b")).unwrap();
    file(&disk, "/b").write(b"one").unwrap();
    assert_eq!(disk.files(Path::new("/")), copy.files(Path::new("/")));
    assert_ne!(disk.digest(), copy.digest(), "two names of one file are not two files");
}

/// Three operations: create, write, sync.
fn three(disk: &SimDisk) -> io::Result<()> {
    let mut a = disk.create_new(Path::new("/a"))?;
    a.write(b"12")?;
    a.sync()
}

#[test]
fn work_is_cut_after_each_of_its_operations() {
    let cuts = SimDisk::new().cut_everywhere(three).collect::<Vec<_>>();
    let ends = cuts.iter().map(|cut| (cut.after, cut.is_whole, cut.outcome.is_ok())).collect::<Vec<_>>();
    assert_eq!(ends, [(0, false, false), (1, false, false), (2, false, false), (3, true, true)]);
    let contents = cuts.iter().map(|cut| cut.disk.content(Path::new("/a"))).collect::<Vec<_>>();
    assert_eq!(contents, [None, Some(vec![]), Some(b"12".to_vec()), Some(b"12".to_vec())]);
    cuts[1].disk.remove_file(Path::new("/a")).expect("the next process can work");
}

#[test]
fn each_operation_fails_that_can_fail_in_that_way() {
    let sites = |kind| {
        let failing = SimDisk::new().fail_everywhere(kind, false, three);
        failing.map(|failing| (failing.failed.number, failing.failed.operation)).collect::<Vec<_>>()
    };
    let (create, write, sync) =
        ((1, SimOperation::Create), (2, SimOperation::Write), (3, SimOperation::SyncFile));
    assert_eq!(sites(FaultKind::Io), [create, write, sync]);
    assert_eq!(sites(FaultKind::NoSpace), [create, write, sync]);
    assert_eq!(sites(FaultKind::TooManyFiles), [create]);
    assert_eq!(sites(FaultKind::ShortWrite), [write]);
    assert_eq!(sites(FaultKind::ShortRead), []);
}

#[test]
fn a_sticky_fault_stays_until_it_is_mended() {
    let disk = SimDisk::new();
    disk.inject(Fault::sticky(FaultKind::ReadOnly, 2));
    let mut a = file(&disk, "/a");
    for _ in 0..2 {
        assert_eq!(a.write(b"1").unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
    }
    assert_eq!(disk.failed().unwrap().number, 2);
    assert!(disk.list(Path::new("/")).is_ok(), "reading is still possible");
    disk.mend();
    assert_eq!(a.write(b"1").unwrap(), 1);
}

/// Both disks are asked the same, at random, and have to give the same answers.
#[test]
fn the_real_disk_does_what_the_simulated_one_does() {
    let directory = tempfile::tempdir().unwrap();
    let simulated = SimDisk::new();
    let real = RealDisk::new().beneath(directory.path());
    let mut outcomes = BTreeSet::new();
    let mut random = 7_u64;
    let mut choose = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    for step in 0..4000 {
        let mut path = |root: &Path| {
            let names = ["a", "b", "a/a", "a/b", "b/a", "a/a/a"];
            let name = names[usize::try_from(choose(6)).unwrap()];
            (root.join(name), Path::new("/").join(name))
        };
        let ((at, sim_at), (to, sim_to)) = (path(directory.path()), path(directory.path()));
        let ask = |disk: &dyn Disk, at: &Path, to: &Path, what: u64| -> io::Result<String> {
            let done = |result: io::Result<()>| result.map(|()| "done".to_owned());
            match what {
                0 => disk.create_new(at).and_then(|mut file| {
                    file.write(format!("step {step}").as_bytes())?;
                    file.sync()?;
                    Ok("created".to_owned())
                }),
                1 => done(disk.hard_link(at, to)),
                2 => done(disk.remove_file(at)),
                3 => done(disk.create_dir(at)),
                4 => done(disk.remove_dir(at)),
                5 => done(disk.sync_dir(at)),
                6 => disk.open(at).and_then(|mut file| {
                    let mut content = Vec::with_capacity(64);
                    file.read_at(2, &mut content)?;
                    Ok(format!("{} {content:?}", file.size()))
                }),
                7 => disk.list(at).map(|entries| {
                    let entries = entries.into_iter().collect::<BTreeSet<_>>();
                    format!("{entries:?}")
                }),
                _ => disk.identity(at).and_then(|one| Ok((one == disk.identity(to)?).to_string())),
            }
        };
        let what = choose(9);
        let answer = ask(&*real, &at, &to, what);
        // The simulated disk does not count the names of a file; it has no stranger who might add one.
        if answer.as_ref().is_err_and(|error| error.to_string().contains("expected at most 2")) {
            continue;
        }
        let answer = answer.map_err(|error| error.kind());
        let simulated = ask(&simulated, &sim_at, &sim_to, what).map_err(|error| error.kind());
        assert_eq!(answer, simulated, "step {step}: {what} on {at:?}, {to:?}");
        outcomes.insert((what, answer.err().map(|kind| kind.to_string())));
    }
    assert!(outcomes.len() > 25, "only these were met: {outcomes:?}");
}
