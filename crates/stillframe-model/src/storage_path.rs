use crate::path_grammar::{self, Refusal};
use crate::{DescriptorError, Redacted};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A location in some file system, as Flink normalises it: `scheme:/path` or `scheme://authority/path`.
///
/// The scheme is required, so that a configuration means the same on every machine; no check is made whether
/// anybody knows it. Nothing is percent-decoded or encoded, and `?` and `#` are characters like others. In the path,
/// backslashes are read as slashes and several slashes as one, a slash at the end is dropped, and `.` and `..` are
/// resolved by name alone. The root of a file system is refused: checkpoints need a directory of their own.
///
/// The authority may hold credentials, which `Debug` leaves out. `Display` is the address itself, and complete.
///
/// ```
/// use stillframe_model::StoragePath;
///
/// let path = StoragePath::parse("hdfs://namenode:8020/flink//checkpoints/")?;
/// assert_eq!(path.as_str(), "hdfs://namenode:8020/flink/checkpoints");
/// assert_eq!((path.scheme(), path.authority(), path.path()), ("hdfs", Some("namenode:8020"), "/flink/checkpoints"));
/// assert_eq!(StoragePath::parse("file:///tmp/cp")?.as_str(), "file:/tmp/cp");
/// # Ok::<(), stillframe_model::DescriptorError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct StoragePath {
    text: String,
    // Both follow from the text: where the colon is, and where the path begins.
    colon: usize,
    path: usize,
}

impl StoragePath {
    /// Reads and normalises an address. Reading a normalised one again changes nothing.
    ///
    /// # Errors
    /// If it has no scheme or an illegal one (a Windows drive is none), if its authority is malformed, if its path is
    /// relative, and if it names the root of a file system.
    pub fn parse(text: &str) -> Result<Self, DescriptorError> {
        let parts = path_grammar::parse(text).map_err(|refusal| refused(text, refusal))?;
        let mut normalised = format!("{}:", parts.scheme);
        if let Some(authority) = parts.authority {
            normalised.push_str("//");
            normalised.push_str(authority);
        }
        let path = normalised.len();
        normalised.push_str(&parts.path);
        Ok(Self { text: normalised, colon: parts.scheme.len(), path })
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which file system: what stands before the colon, in the case it was written in.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The host, bucket or account within that file system, if it needs one.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.text[self.colon + 1..self.path].strip_prefix("//")
    }

    /// The directory there. It begins with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[self.path..]
    }
}

fn refused(text: &str, refusal: Refusal) -> DescriptorError {
    let quoted = Redacted::new(text).quote();
    let (found, allowed) = match refusal {
        Refusal::Empty => {
            ("an empty text".to_owned(), "an address with a scheme, such as file:///data/checkpoints")
        }
        Refusal::NoScheme => (
            format!("{quoted}, which has no scheme,"),
            "an address with a scheme, such as file:///data/checkpoints or s3://bucket/checkpoints",
        ),
        Refusal::IllegalScheme => (
            format!("{quoted}, whose scheme is malformed,"),
            "a scheme of letters, digits, + - and ., that begins with a letter",
        ),
        Refusal::IllegalAuthority => (
            format!("{quoted}, whose authority is malformed,"),
            "brackets only around an IPv6 address, with a port after it or nothing",
        ),
        Refusal::NoPath => (
            format!("{quoted}, which has no path,"),
            "a path after the scheme and the authority, such as file:///data/checkpoints or s3://bucket/checkpoints",
        ),
        Refusal::Relative => (
            format!("{quoted}, whose path is relative,"),
            "a path that begins with a slash, such as file:///data/checkpoints",
        ),
        Refusal::DriveName => (
            format!("{quoted}, whose path begins like the drive of a Windows machine,"),
            "a path whose second character is not a colon, or a slash right after it",
        ),
        Refusal::Root => (
            format!("{quoted}, the root of a file system,"),
            "a directory below the root, such as file:///data/checkpoints or s3://bucket/checkpoints",
        ),
    };
    DescriptorError::new("path", found, allowed)
}

impl fmt::Display for StoragePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StoragePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Redacted::new(&self.text), f)
    }
}

impl AsRef<str> for StoragePath {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl FromStr for StoragePath {
    type Err = DescriptorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for StoragePath {
    type Error = DescriptorError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<StoragePath> for String {
    fn from(path: StoragePath) -> Self {
        path.text
    }
}
