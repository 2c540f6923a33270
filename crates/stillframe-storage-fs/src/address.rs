//! From the text of a user or a pointer to a path of this machine.

use std::path::{Path, PathBuf};
use stillframe_storage::{ErrorKind, StorageError};

const SUPPORTED: &str = "supported: a plain path, file:/path, file:///path";

/// The path that a text names: itself, or what follows `file:`. A relative path begins in the current
/// directory. As in Flink nothing is percent-decoded.
///
/// # Errors
/// `InvalidPointer`, saying why.
pub(crate) fn parse(text: &str) -> Result<PathBuf, StorageError> {
    let refuse = |detail: String| {
        Err(StorageError::new(
            ErrorKind::InvalidPointer,
            "open directory",
            format!("\"{}\"", text.escape_debug()),
        )
        .with_detail(detail))
    };
    let path = match scheme(text) {
        None => text,
        Some(("file", path)) => match path.strip_prefix("//") {
            Some(rest) if rest.starts_with('/') => rest,
            Some(_) => return refuse(format!("file: on another host cannot be reached; {SUPPORTED}")),
            None if path.starts_with('/') => path,
            None => return refuse(format!("file: must be followed by an absolute path; {SUPPORTED}")),
        },
        Some((scheme, _)) => return refuse(format!("unknown scheme {scheme}; {SUPPORTED}")),
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

/// What stands before the first colon, if it has the form of a scheme.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (begins && scheme.chars().all(fits)).then_some((scheme, rest))
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
}
