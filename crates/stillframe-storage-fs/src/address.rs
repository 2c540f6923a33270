//! From the text of a user or a pointer to a path of this machine.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use stillframe_model::{Redacted, StoragePath};
use stillframe_storage::{ErrorKind, StorageError, StorageRegistry};

const SUPPORTED: &str = "supported: a plain path, file:/path, file:///path";

/// The address of a directory that is given as an address or as a path. A path is resolved by name alone, as it
/// is in an address, so that all processes that are given the address mean the same directory.
///
/// # Errors
/// `InvalidPointer`, saying why.
pub(crate) fn of_directory(directory: &OsStr) -> Result<StoragePath, StorageError> {
    let lossy = directory.to_string_lossy();
    let Some(text) = directory.to_str() else {
        return Err(refuse(&lossy, "its name must be UTF-8, because pointers are text"));
    };
    let address = match StorageRegistry::scheme_of(text) {
        "" => {
            let path = parse(text)?.into_os_string().into_string().map_err(|_| {
                refuse(text, "the current directory's name must be UTF-8, because pointers are text")
            })?;
            if path.contains('\\') {
                return Err(refuse(text, "it contains a backslash, which is a slash in an address"));
            }
            format!("file:{path}")
        }
        _ => text.to_owned(),
    };
    StoragePath::parse(&address).map_err(|error| {
        refuse(text, format!("{} is not allowed, allowed: {}", error.found(), error.allowed()))
    })
}

/// The directory of this machine that an address names, absolute.
///
/// # Errors
/// `InvalidPointer`, saying why.
pub(crate) fn local(address: &StoragePath) -> Result<String, StorageError> {
    let path = parse(address.as_str())?;
    // Above the root is the root again.
    if path.components().any(|component| component == Component::ParentDir) {
        return Err(refuse(address.as_str(), "it leads above the root; name a directory below it"));
    }
    path.into_os_string().into_string().map_err(|_| refuse(address.as_str(), "it is not UTF-8"))
}

fn refuse(text: &str, detail: impl Into<String>) -> StorageError {
    let subject = format!("{:?}", Redacted::new(text));
    StorageError::new(ErrorKind::InvalidPointer, "open directory", subject).with_detail(detail)
}

/// The path that a text names: itself, or what follows `file:`. A relative path begins in the current
/// directory. As in Flink nothing is percent-decoded.
///
/// # Errors
/// `InvalidPointer`, saying why.
pub(crate) fn parse(text: &str) -> Result<PathBuf, StorageError> {
    let refuse = |detail: String| Err(refuse(text, detail));
    let path = match StorageRegistry::scheme_of(text) {
        "" => text,
        "file" => {
            let path = &text["file:".len()..];
            match path.strip_prefix("//") {
                Some(rest) if rest.starts_with('/') => rest,
                Some(_) => return refuse(format!("file: on another host cannot be reached; {SUPPORTED}")),
                None if path.starts_with('/') => path,
                None => return refuse(format!("file: must be followed by an absolute path; {SUPPORTED}")),
            }
        }
        scheme => return refuse(format!("unknown scheme {scheme}; {SUPPORTED}")),
    };
    if path.is_empty() {
        return refuse(format!("it is empty; {SUPPORTED}"));
    }
    if path.contains('\0') {
        return refuse("it contains a NUL character".to_owned());
    }
    std::path::absolute(Path::new(path))
        .map_err(|error| crate::error::failed("open directory", Path::new(path), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_and_file_uris_name_the_same_place() {
        for text in ["/a/b", "file:/a/b", "file:///a/b"] {
            assert_eq!(parse(text).unwrap(), Path::new("/a/b"), "{text}");
        }
        assert_eq!(parse("/a:b/c").unwrap(), Path::new("/a:b/c"));
        assert_eq!(parse("file:/a%20b").unwrap(), Path::new("/a%20b"));
        assert!(parse("relative/a").unwrap().is_absolute());
        assert!(parse("./a:b").unwrap().ends_with("a:b"));
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_what_can() {
        for (text, words) in [
            ("", "empty"),
            ("file:", "absolute"),
            ("file:a", "absolute"),
            ("file://host/a", "another host"),
            ("s3://bucket/a", "unknown scheme s3; supported: a plain path, file:/path"),
            ("hdfs:/a", "unknown scheme hdfs"),
            ("/a\0b", "NUL"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{text}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_directory_has_one_address_however_it_is_given() {
        let address = |text: &str| of_directory(OsStr::new(text)).map(|address| address.to_string());
        for text in ["/a/b", "/a//b/", "/a/./x/../b", "file:/a/b", "file:///a/b/", "file:/x/../a\\b"] {
            assert_eq!(address(text).unwrap(), "file:/a/b", "{text}");
        }
        assert_eq!(address("s3://bucket/a/").unwrap(), "s3://bucket/a");
        let here = std::env::current_dir().unwrap();
        let beside = here.parent().unwrap().join("a");
        assert_eq!(address("../a").unwrap(), format!("file:{}", beside.display()));
        for (text, words) in [
            ("", "empty"),
            ("/", "the root of a file system"),
            ("/a\\b", "backslash"),
            ("/a:b", "like the drive of a Windows machine"),
            (
                "s3://key:SECRET@bucket",
                "\"s3://key:***@bucket\", which has no path, is not allowed, allowed: ",
            ),
        ] {
            let error = address(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPointer, "{text}");
            assert!(error.to_string().contains(words) && !error.to_string().contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn the_directory_of_an_address_is_of_this_machine_and_below_its_root() {
        let directory = |text| local(&StoragePath::parse(text).unwrap());
        assert_eq!(directory("file:///a/x/../b/").unwrap(), "/a/b");
        for (text, words) in [
            ("file:/..", "above the root"),
            ("file:/x/../../a", "above the root"),
            ("file:/a\0b", "NUL"),
            ("file://host/a", "another host"),
            (
                "s3://key:SECRET@bucket/a",
                "open directory \"s3://key:***@bucket/a\": invalid pointer (unknown scheme s3",
            ),
        ] {
            let error = directory(text).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("SECRET"), "{error}");
        }
    }
}
