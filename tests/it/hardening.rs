//! Lines of the hardening checklist that concern more than one crate. The others are tested beside the code, under names
//! that begin with `hardening_` and the number of the line.

use std::fs;
use std::path::{Path, PathBuf};
use stillframe::builtin_storages;
use stillframe::model::{OptionValue, Pointer, StorageDescriptor};

const CANARY: &str = "canary7f3a";

fn manifest(of: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).expect("the workspace");
    fs::read_to_string(root.join(of)).expect("a manifest")
}

/// The local storage is a driver of our own: those of others follow symbolic links and sync nothing.
#[test]
fn hardening_4_2_4_local_files_have_no_driver_of_somebody_else() {
    let fs = manifest("crates/stillframe-storage-fs/Cargo.toml");
    for driver in ["object_store", "opendal", "cap-std"] {
        assert!(!fs.contains(driver), "{driver}");
    }
}

/// Neither the password nor the query of an address is shown, wherever the address appears.
#[test]
fn hardening_4_3_2_no_address_shows_password_or_query() {
    let address = format!("s3://somebody:{CANARY}@bucket/checkpoints?X-Amz-Signature={CANARY}");
    let pointer = Pointer::new(address.as_str());
    let mut shown = vec![format!("{pointer:?}")];
    for kind in [StorageDescriptor::JOB_MANAGER, StorageDescriptor::FILE_SYSTEM, "unknown"] {
        let descriptor = StorageDescriptor::new(kind)
            .with(StorageDescriptor::CHECKPOINTS_DIRECTORY, OptionValue::Text(address.clone()));
        shown.push(format!("{descriptor:?}"));
        if let Err(error) = builtin_storages().build(&descriptor) {
            shown.push(format!("{error} {error:?}"));
        }
    }
    for text in shown {
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// Every crate inherits the lint, and the lint cannot be allowed away.
#[test]
fn hardening_4_5_4_no_crate_has_unsafe_code() {
    assert!(manifest("Cargo.toml").contains("unsafe_code = \"forbid\""));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("crates");
    for entry in fs::read_dir(root).expect("the crates") {
        let path = entry.expect("an entry").path().join("Cargo.toml");
        let text = fs::read_to_string(&path).expect("a manifest");
        assert!(text.contains("[lints]\nworkspace = true"), "{}", path.display());
    }
}
