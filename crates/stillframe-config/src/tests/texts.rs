//! What may stand in a configuration, sensible and otherwise.

use crate::{ConfigOption, OPTIONS, Options};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::*;

/// A text of any kind, often one that something here takes for special.
pub(super) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        2 => value(),
        1 => address(),
        1 => any::<String>(),
        1 => proptest::collection::vec(prop::sample::select(SPECIAL.to_vec()), 0..8).prop_map(|parts| parts.concat()),
    ]
    .boxed()
}

/// What means something to a reader of lines, of values, or of addresses.
const SPECIAL: [&str; 38] = [
    "\"",
    "'",
    "\\",
    "\\u",
    "\\n",
    "#",
    " #",
    ":",
    ": ",
    "=",
    " = ",
    "[",
    "{",
    "}",
    "-",
    "---",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "ü",
    "µs",
    "a.b",
    "1",
    "null",
    "true",
    "s3://",
    "key:pw@",
    "/",
    "..",
    "\u{1f980}",
    "\u{a0}",
];

/// Lines that mean something below each other, in any order.
pub(super) fn lines() -> impl Strategy<Value = String> {
    let lines = [
        "a:",
        "b: 1",
        "- x",
        "-",
        "c: |",
        "d: >-",
        "e: [x",
        "f: {",
        "]",
        "}",
        "[a]",
        "[a.'b'",
        "g = 1",
        "# h",
        "\t",
        "'i':",
        "j: \"",
        "execution:",
        "checkpointing:",
        "interval: 1 s",
        "---",
        "{",
        "ü: ü",
        "",
    ];
    let line = (
        prop::sample::select(Vec::from(["", " ", "  ", "   ", "\t", " \t", "ü"])),
        prop::sample::select(lines.to_vec()),
    );
    proptest::collection::vec(line, 0..16)
        .prop_map(|lines| lines.iter().map(|(blanks, line)| [blanks, line, "\n"].concat()).collect())
}

/// A text that some option reads, or nearly.
fn value() -> BoxedStrategy<String> {
    let number = prop_oneof![
        (0_u32..50).prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<i32>().prop_map(|number| number.to_string()),
        Just(i64::MAX.to_string()),
        Just(u64::MAX.to_string()),
        any::<f32>().prop_map(|number| number.to_string()),
        Just("007".to_owned()),
    ];
    let units =
        ["", "ns", "µs", "ms", "s", "min", "h", "d", "days", "b", "kb", "MB", "gibibytes", "tb", "kib", "f"];
    let unit = prop::sample::select(units.to_vec());
    let blank = prop::sample::select(Vec::from(["", " ", "  "]));
    let number = number.boxed();
    let measure = (number.clone(), blank, unit).prop_map(|(number, blank, unit)| number + blank + unit);
    let words = [
        "true",
        "FALSE",
        "EXACTLY_ONCE",
        "at_least_once",
        "RETAIN_ON_CANCELLATION",
        "delete_on_cancellation",
        "NO_EXTERNALIZED_CHECKPOINTS",
        "CLAIM",
        "NO_CLAIM",
        "legacy",
        "jobmanager",
        "FileSystem",
        "org.example.Factory",
    ];
    prop_oneof![number, measure, prop::sample::select(words.to_vec()).prop_map(str::to_owned)].boxed()
}

/// An address, mostly a good one.
fn address() -> BoxedStrategy<String> {
    let good =
        "(file|s3|hdfs|x+y):(//(host(:80)?|key:pw@bucket)?)?/{1,3}[a-z.]{1,4}(/{1,2}[a-zü .#?%]{0,4}){0,3}";
    let bad = [
        "",
        "/tmp/x",
        "file:///",
        "s3://bucket",
        "C:\\x",
        "C:/x",
        "file:x",
        "s3://[::1/x",
        "://",
        "file:////../..",
    ];
    prop_oneof![6 => good, 1 => prop::sample::select(bad.to_vec()).prop_map(str::to_owned)].boxed()
}

/// One of the options, and any of the keys that set it.
pub(super) fn option() -> impl Strategy<Value = (&'static ConfigOption, &'static str)> {
    prop::sample::select(OPTIONS.iter().collect::<Vec<_>>()).prop_flat_map(|option| {
        let is_of_another = |key: &&str| OPTIONS.iter().any(|other| other.key() == *key);
        let old = option.old_keys().iter().copied().filter(|key| !is_of_another(key));
        (Just(option), prop::sample::select(core::iter::once(option.key()).chain(old).collect::<Vec<_>>()))
    })
}

/// A key and a value: often a known key, and then often a value that it allows.
pub(super) fn entry() -> impl Strategy<Value = (String, String)> {
    let known = option().prop_flat_map(|(option, key)| {
        let default = option.default().unwrap_or_else(|| "file:///data".to_owned());
        (Just(key.to_owned()), prop_oneof![1 => Just(default), 2 => value(), 1 => text()])
    });
    let by_value = prop_oneof![
        Just("stillframe.storage.kind".to_owned()),
        Just("stillframe.storage.size.max-state-size".to_owned()),
        text().prop_map(|name| "stillframe.storage.text.".to_owned() + &name),
    ];
    let meeting =
        prop::sample::select(MEETING.to_vec()).prop_map(|(key, value)| (key.to_owned(), value.to_owned()));
    prop_oneof![6 => known, 2 => meeting, 1 => (by_value, text()), 1 => (text(), text())]
}

/// Settings about which there is something to say only if they meet, which chance alone seldom arranges.
const MEETING: [(&str, &str); 8] = [
    ("execution.checkpointing.interval", "1 s"),
    ("execution.checkpointing.storage", "filesystem"),
    ("execution.checkpointing.dir", "file:///data"),
    ("execution.checkpointing.data-inline-threshold", "2 mb"),
    ("execution.checkpointing.write-buffer-size", "-1"),
    ("state.checkpoints.num-retained", "0"),
    ("execution.checkpointing.unaligned", "true"),
    ("stillframe.storage.kind", "custom"),
];

/// Any configuration.
pub(super) fn options() -> impl Strategy<Value = Options> {
    let entry = prop_oneof![entry(), (text(), text())];
    proptest::collection::vec(entry, 0..6).prop_map(|entries| entries.into_iter().collect())
}
