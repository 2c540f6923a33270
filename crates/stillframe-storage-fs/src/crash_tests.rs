//! Power is cut after each operation of a rename. What a whole storage has to stand is a proof of its own,
//! `cargo xtask prove storage`.

use crate::directories::Directories;
use crate::durable::{Renamed, rename_on};
use crate::simulation::{Coverage, SimDisk};
use crate::volume::Volume;
use std::path::Path;
use std::sync::Arc;
use stillframe_model::Durability;

fn directories_of(disk: &SimDisk) -> Directories {
    Directories::new(Volume::new(Arc::new(disk.clone()), Durability::Sync))
}

#[test]
fn a_renamed_file_always_has_a_name() {
    let prepared = SimDisk::new();
    let directories = directories_of(&prepared);
    directories.create(Path::new("/out")).unwrap();
    let (from, to) = (Path::new("/out/.x"), Path::new("/out/x"));
    let mut file = directories.volume().create_new(from).unwrap();
    file.write_all(b"records").and_then(|()| file.sync()).unwrap();
    directories.sync(Path::new("/out")).unwrap();

    let rename = |disk: &SimDisk| rename_on(&directories_of(disk), from, to);
    for cut in prepared.cut_everywhere(rename) {
        for (survived, image) in cut.disk.after_power_loss(&Coverage::default()) {
            let context = format!("power lost after operation {}, {survived}", cut.after);
            if cut.outcome.is_ok() {
                assert_eq!(image.content(to).unwrap(), b"records", "{context}");
            }
            let again = rename(&image).unwrap();
            assert!(matches!(again, Renamed::Moved | Renamed::AlreadyDone));
            assert_eq!(image.worst_case().content(to).unwrap(), b"records", "{context}");
            assert!(image.content(from).is_none(), "{context}");
        }
    }
}
