//! Addresses: what Flink makes of them, and what holds for any text.

use crate::StoragePath;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What the recording of Flink 1.20.5 has of addresses, and what it made of them.
const RECORDED: &[(&str, &str)] = &[
    ("file:///tmp/cp", "file:/tmp/cp"),
    ("file:/tmp/cp", "file:/tmp/cp"),
    ("file:////tmp/cp", "file:/tmp/cp"),
    ("hdfs://namenode:8020/flink/cp", "hdfs://namenode:8020/flink/cp"),
    ("foobar://x/y/z", "foobar://x/y/z"),
    ("file:///tmp/a b", "file:/tmp/a b"),
    ("file:///tmp/a%20b", "file:/tmp/a%20b"),
    ("file:///tmp/ünï/中", "file:/tmp/ünï/中"),
    ("file:///tmp/a/../b", "file:/tmp/b"),
    ("file:///tmp//a///b//", "file:/tmp/a/b"),
    ("file:///tmp/cp/", "file:/tmp/cp"),
    ("file:///tmp/cp?x=1", "file:/tmp/cp?x=1"),
    ("file:///C:/cp", "file:/C:/cp"),
    ("file:///tmp/a\nb", "file:/tmp/a\nb"),
    ("file:///tmp/a\0b", "file:/tmp/a\0b"),
    ("file:///tmp/[a]", "file:/tmp/[a]"),
    ("hdfs://namenode:port/x/y", "hdfs://namenode:port/x/y"),
    ("s3://my_bucket/x/y", "s3://my_bucket/x/y"),
    ("file://tmp/cp", "file://tmp/cp"),
    ("hdfs:///flink/cp", "hdfs:/flink/cp"),
    ("s3://bucket/flink/cp", "s3://bucket/flink/cp"),
    ("s3://bucket/cp", "s3://bucket/cp"),
    ("file:///tmp/cp#frag", "file:/tmp/cp#frag"),
    ("FILE:///tmp/cp", "FILE:/tmp/cp"),
    ("file:///tmp/jm", "file:/tmp/jm"),
    ("file:///tmp/a%zzb", "file:/tmp/a%zzb"),
    ("abfs://user@host:99/p/q", "abfs://user@host:99/p/q"),
    ("file:///tmp/a|b*c", "file:/tmp/a|b*c"),
    ("file:///tmp/fs", "file:/tmp/fs"),
];

/// What it refused of those.
const RECORDED_REFUSED: &[&str] = &[
    "/tmp/cp",
    "tmp/cp",
    "",
    "file:///",
    "/",
    "file:",
    "file://",
    "hdfs://checkpoints",
    "s3://bucket",
    "s3://bucket/",
    "mailto:me@example.org",
    "file:relative/path",
    "://x/y",
    "C:\\cp\\x",
    "/no/scheme",
    "./cp",
    "   ",
    "hdfs://namenode:8020/",
    "  file:///tmp/cp  ",
    "C:/cp/x",
];

/// Asked of the same Flink afterwards: corners that no recorded case is in.
const CORNERS: &[(&str, &str)] = &[
    ("file:/..", "file:/.."),
    ("file:///tmp/../..", "file:/.."),
    ("file:///tmp/../../x", "file:/../x"),
    ("s3://b//x", "s3://b/x"),
    ("s3://b/../x", "s3://b/../x"),
    ("s3://b/./x", "s3://b/x"),
    ("s3://b/a/b/../../../c", "s3://b/../c"),
    ("s3://b/.../a./c", "s3://b/.../a./c"),
    ("file:///a\\b", "file:/a/b"),
    ("file:\\\\h\\y", "file:/h/y"),
    ("s3://a\\b/c", "s3://a\\b/c"),
    ("s3://key:secret@bucket/x", "s3://key:secret@bucket/x"),
    ("s3://u@/x", "s3://u@/x"),
    ("s3://@h/x", "s3://@h/x"),
    ("s3://:/x", "s3://:/x"),
    ("hdfs://:80/x", "hdfs://:80/x"),
    ("hdfs://h:/x", "hdfs://h:/x"),
    ("hdfs://a b/x", "hdfs://a b/x"),
    ("hdfs://a%zz/x", "hdfs://a%zz/x"),
    ("hdfs://ü/x", "hdfs://ü/x"),
    ("hdfs://a?b/x", "hdfs://a?b/x"),
    ("hdfs://a#b/x", "hdfs://a#b/x"),
    ("hdfs://a@b@c/x", "hdfs://a@b@c/x"),
    ("hdfs://h:99999999999/x", "hdfs://h:99999999999/x"),
    ("hdfs://-h-..1/x", "hdfs://-h-..1/x"),
    ("s3://a\0b/x", "s3://a\0b/x"),
    ("hdfs://[::1]:8020/x", "hdfs://[::1]:8020/x"),
    ("hdfs://[::1]:/x", "hdfs://[::1]:/x"),
    ("hdfs://[1::1.2.3.4]/x", "hdfs://[1::1.2.3.4]/x"),
    ("hdfs://u p@[::1]:80/x", "hdfs://u p@[::1]:80/x"),
    ("hdfs://[fe80::1%eth0]/x", "hdfs://[fe80::1%eth0]/x"),
    ("hdfs://[fe80::1%25eth0]/x", "hdfs://[fe80::1%25eth0]/x"),
    ("s3a:/x", "s3a:/x"),
    ("a1+-.:/x", "a1+-.:/x"),
    ("file:/?x", "file:/?x"),
    ("file:/#x", "file:/#x"),
    ("file:/C:/x", "file:/C:/x"),
    ("file:/CD:/", "file:/CD:/"),
    ("file:/CD:", "file:/CD:"),
    ("file:/a/CD:/", "file:/a/CD:"),
    ("file:/C:/../x", "file:/x"),
    ("file:/a:b/c", "file:/a:b/c"),
    ("file://C:/x", "file://C:/x"),
    ("file:/%2e%2e/x", "file:/%2e%2e/x"),
    ("file:/x ", "file:/x "),
    ("file:/x\n/", "file:/x\n"),
];

/// What it refused of those.
const CORNERS_REFUSED: &[&str] = &[
    "s3://b/x/..",
    "hdfs://[::1",
    "hdfs://[::1/x",
    "hdfs://[zz]/x",
    "hdfs://[]/x",
    "hdfs://a]b/x",
    "hdfs://a[b/x",
    "hdfs://[::1]x/y",
    "hdfs://[::1]:p/y",
    "hdfs://[::1]:2147483648/x",
    "hdfs://[1:2]/x",
    "hdfs://[1::2:3:4:5:6:7:8]/x",
    "hdfs://u:[p]@h/x",
    "hdfs://u:[p]@[::1]/x",
    "hdfs://[::1]@[::1]/x",
    "hdfs://a@b@[::1]/x",
    "hdfs://[::1%]/x",
    "hdfs://[::1%a-b]/x",
    "hdfs://[::1]/",
    "s:/x",
    "1a:/x",
    "a_b:/x",
    "ä:/x",
    "a%b:/x",
    "a b:/x",
    "a?b:/x",
    "a\\b:/x",
    ":/x",
    ":x",
    "\nfile:/x",
    "file:.",
    "file:..",
    "file:#x",
    "file:///.",
    "file:////",
    "//h/x",
    "/:a/b",
    "a/b:c",
    "file:/C:/",
    "file:///C:",
    "file:/C:/..",
    "file:/a:b",
    "s3://b/a:b",
    "file:C:/x",
];

fn check(text: &str, expected: Option<&str>) {
    let found = StoragePath::parse(text);
    assert_eq!(found.as_ref().ok().map(StoragePath::as_str), expected, "{text:?}: {found:?}");
    if let Err(error) = found {
        assert_eq!(error.option(), "path");
        assert!(!error.found().is_empty() && !error.allowed().is_empty(), "{error}");
    }
}

#[test]
fn an_address_is_read_as_flink_reads_it() {
    for (text, expected) in RECORDED.iter().chain(CORNERS) {
        check(text, Some(expected));
    }
    for text in RECORDED_REFUSED.iter().chain(CORNERS_REFUSED) {
        check(text, None);
    }
    // The longest one recorded.
    let deep = "d/".repeat(300);
    check(&format!("file:///{deep}cp"), Some(&format!("file:/{deep}cp")));
}

/// The one point in which we differ: Flink leaves `s3://b/a/`, and reads that as `s3://b/a`. What it refuses when
/// it reads a second time, we refuse at once.
#[test]
fn a_last_dot_leaves_no_slash_behind() {
    for text in ["s3://b/a/.", "s3://b/a/./", "s3://b/a/x/..", "s3://b/a\\."] {
        check(text, Some("s3://b/a"));
    }
    check("s3://b/a:b/.", None);
    // Flink writes this zone as %25eth0, and one more 25 each time it reads it.
    check("s3://user@[fe80::1%eth0]/a", Some("s3://user@[fe80::1%eth0]/a"));
}

#[test]
fn a_refusal_says_what_is_wrong_and_what_would_be_right() {
    for (text, words) in [
        ("", "path: an empty text is not allowed (allowed: an address with a scheme"),
        (
            "/data/c",
            "path: \"/data/c\", which has no scheme, is not allowed (allowed: an address with a scheme, such as file:///",
        ),
        ("C:/c", "which has no scheme"),
        ("1s:/c", "whose scheme is malformed, is not allowed (allowed: a scheme of letters"),
        ("s3://[b]/c", "whose authority is malformed"),
        ("s3://bucket", "which has no path, is not allowed (allowed: a path after"),
        ("file:c", "whose path is relative"),
        ("file:/c:d", "like the drive of a Windows machine"),
        ("s3://bucket/", "the root of a file system"),
        ("a\nb", "\"a\\nb\", which has no scheme"),
    ] {
        let error = StoragePath::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let long = StoragePath::parse(&"x".repeat(100_000)).unwrap_err().to_string();
    assert!(long.len() < 500, "{long}");
}

#[test]
fn a_secret_in_an_address_is_in_no_debug_output_and_in_no_error() {
    let path = StoragePath::parse("s3://key:SECRET@bucket/c").unwrap();
    assert_eq!(path.to_string(), "s3://key:SECRET@bucket/c");
    assert_eq!(format!("{path:?}"), "\"s3://key:***@bucket/c\"");
    for text in
        ["s3://key:SECRET@bucket", "key:SECRET@bucket/c", "s_3://key:SEC/RET@bucket/c", "s3:key:SECRET@b"]
    {
        let error = StoragePath::parse(text).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains("SEC") && shown.contains("***"), "{shown}");
        }
    }
}

#[test]
fn the_parts_make_up_the_address() {
    for (text, parts) in [
        ("file:///a/b", ("file", None, "/a/b")),
        ("S3://u:p@b:80/a", ("S3", Some("u:p@b:80"), "/a")),
        ("hdfs://[::1]/a//", ("hdfs", Some("[::1]"), "/a")),
    ] {
        let path: StoragePath = text.parse().unwrap();
        assert_eq!((path.scheme(), path.authority(), path.path()), parts);
    }
}

/// Text made of what the grammar is about, so that much of it is an address and the rest nearly one.
fn near_address() -> impl Strategy<Value = String> {
    let piece = select(&[
        "/", "/", "//", ":", ".", "..", "\\", "@", "[", "]", "[::1]", "%", "C:", "data:", "a", "b ", "80",
        "\0", "ü",
    ]);
    let start = select(&["", "file:/", "s3://b/", "s3://", "+a.-:"]);
    (start, proptest::collection::vec(piece, 0..12))
        .prop_map(|(start, pieces)| format!("{start}{}", pieces.concat()))
}

fn holds_for(text: &str) -> Result<(), TestCaseError> {
    let Ok(path) = StoragePath::parse(text) else { return Ok(()) };
    prop_assert_eq!(StoragePath::parse(path.as_str()), Ok(path.clone()));
    let authority = path.authority().map_or(String::new(), |authority| format!("//{authority}"));
    prop_assert_eq!(format!("{}:{authority}{}", path.scheme(), path.path()), path.as_str());
    let names = path.path().strip_prefix('/');
    prop_assert!(names.is_some_and(|names| !names.is_empty()), "{path}");
    prop_assert!(!path.path().contains("//") && !path.path().contains('\\'), "{path}");
    let names: Vec<&str> = names.into_iter().flat_map(|names| names.split('/')).collect();
    prop_assert!(!names.contains(&"."), "{path}");
    prop_assert!(!names.iter().skip_while(|name| **name == "..").any(|name| *name == ".."), "{path}");
    #[cfg(feature = "serde")]
    {
        let json = serde_json::to_string(&path).unwrap();
        prop_assert_eq!(serde_json::from_str::<StoragePath>(&json).unwrap(), path);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_normalised_address_is_normalised(text in near_address()) {
        holds_for(&text)?;
    }

    #[test]
    fn any_text_is_an_address_or_refused(text in any::<String>()) {
        holds_for(&text)?;
    }
}
