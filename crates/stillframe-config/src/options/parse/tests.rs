use super::*;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

fn entries(text: &str) -> Vec<(String, String)> {
    let options = Options::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    options.iter().map(|(key, value)| (key.into(), value.into())).collect()
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    assert_eq!(entries(text), expected, "{text}");
}

#[test]
fn both_styles_are_read() {
    for (text, key, value) in [
        ("a.b: 10 s", "a.b", "10 s"),
        ("a.b:   10 s   # often", "a.b", "10 s"),
        ("a.b = 10", "a.b", "10"),
        ("a.b=10", "a.b", "10"),
        ("a.b = \"10 s\" # often", "a.b", "10 s"),
        ("\"a.b\" = \"10 s\"", "a.b", "10 s"),
        ("'a:b': 'it''s'", "a:b", "it's"),
        ("a.b: file:///tmp/x#y", "a.b", "file:///tmp/x#y"),
        ("a.b: x=y", "a.b", "x=y"),
        ("a = x: y", "a", "x: y"),
        ("a.b: \"\"", "a.b", ""),
        ("\u{feff}a: \"\\u00fc\\n\\\"\\\\\"", "a", "ü\n\"\\"),
        ("# c\n\n---\na: 1\r\n", "a", "1"),
        // What clusters have that is not ours.
        ("metrics.reporters:", "metrics.reporters", ""),
        ("a: # none", "a", ""),
        ("a =", "a", ""),
        ("env.java.opts.all: \"-Da\" \"-Db\" # c", "env.java.opts.all", "\"-Da\" \"-Db\""),
        ("a: 'x' y", "a", "'x' y"),
        ("a: \"\\d+", "a", "\"\\d+"),
        ("a: 'x", "a", "'x"),
        ("-a: 1", "-a", "1"),
        ("a: [x, {y: z}] # c", "a", "[x, {y: z}]"),
        ("a: 1\na: 2", "a", "2"),
    ] {
        check(text, &[(key, value)]);
    }
}

#[test]
fn sections_are_keys_with_dots() {
    for (text, expected) in [
        (
            "a:\n  b:\n    c: 1\n    d: 2\n  e: 3\nf: 4",
            &[("a.b.c", "1"), ("a.b.d", "2"), ("a.e", "3"), ("f", "4")][..],
        ),
        ("a: # c\n\n  # c\n\t\n\t# c\n  b.c: 1", &[("a.b.c", "1")]),
        ("a:\n      b: 1\nc:\n d: 2", &[("a.b", "1"), ("c.d", "2")]),
        ("  a: 1\n  b:\n    c: 2", &[("a", "1"), ("b.c", "2")]),
        ("'a:b':\n  \"c\": 'd'", &[("a:b.c", "d")]),
        ("a:\nb:\n  c:\n", &[("a", ""), ("b.c", "")]),
        ("a:\n  b:\nc: 1", &[("a.b", ""), ("c", "1")]),
        // A mistake in the indentation of what is commented out is none.
        ("a:\n  b: 1\n      # c: 2\n  d: 3", &[("a.b", "1"), ("a.d", "3")]),
        (
            "[a]\nb = 1\n  [a.\"c.d\" . 'e'] # c\n  f = 2\n  g = 3\n[h]",
            &[("a.b", "1"), ("a.c.d.e.f", "2"), ("a.c.d.e.g", "3")],
        ),
        ("x = 1\n[a]\nb = 2", &[("a.b", "2"), ("x", "1")]),
    ] {
        check(text, expected);
    }
}

#[test]
fn values_of_several_lines_are_texts() {
    for (text, expected) in [
        ("a:\n- x\n- 'y z' # c\n\n# c\n-\nb: 1", &[("a", "x;y z;"), ("b", "1")][..]),
        ("a:\n  b:\n    - x\n    - y\n  c: 1", &[("a.b", "x;y"), ("a.c", "1")]),
        ("a:\n  - b: 1\n    c: 2\n  - \"x\nd: 3", &[("a", "b: 1\nc: 2;\"x"), ("d", "3")]),
        ("a: |\n  x: y\n\n    # z\n  w\n\nb: 1", &[("a", "x: y\n\n  # z\nw"), ("b", "1")]),
        ("a: >- # c\n  x\n  y\n", &[("a", "x y")]),
        ("a:\n  b: |2\n    x\n  c: 1", &[("a.b", "x"), ("a.c", "1")]),
        ("a: |\nb: 1", &[("a", ""), ("b", "1")]),
        ("a: | x", &[("a", "| x")]),
        ("a: [x,\n  y: z, # c\n  \"]\"]\nb: 1", &[("a", "[x, y: z, \"]\"]"), ("b", "1")]),
        ("a:\n  {x: 1,\n   y: 2}\nb: 1", &[("a", "{x: 1, y: 2}"), ("b", "1")]),
        ("a = [\n  \"x\",\n]\nb = 1", &[("a", "[ \"x\", ]"), ("b", "1")]),
        // Nothing that stands beside a list is taken for its end.
        ("a: [x\nb: 1", &[("a", "[x"), ("b", "1")]),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_cannot_be_read_is_named_by_its_line() {
    const INTERVAL: &str = "execution.checkpointing.interval";
    for (text, words) in [
        ("a: 1\nnothing", "line 2: no : or = after the key"),
        ("a:10s", "line 1: no blank after the colon (expected `key: value`"),
        ("a: 1\n  b: 2", "line 2: an indentation that fits nothing above it"),
        ("a:\n    b: 1\n  c: 2", "line 3: an indentation that fits nothing above it"),
        ("a: 1\n b: 2", "line 2: an indentation"),
        ("  a: 1\nb: 2", "line 2: an indentation"),
        ("a: [1]\n  b: 2", "line 2: an indentation"),
        ("a:\n\tb: 1", "line 2: a tab in the indentation"),
        ("a:\n  \tb: 1", "line 2: a tab in the indentation"),
        ("- x", "line 1: an item of a list without a key"),
        ("a: 1\n- x", "line 2: an item of a list without a key"),
        ("a:\n  b: 1\n- x", "line 3: an item of a list without a key"),
        ("{\"a\": 1}", "line 1: a table without a key"),
        ("[a", "line 1: a header of a section that is none"),
        ("[[a]]", "a header"),
        ("[]", "a header"),
        ("[a.]", "a header"),
        ("[a] b", "a header"),
        ("[a b = c]", "a header"),
        ("a = \"\"\"\nx = 1\n\"\"\"", "line 1: a text of several lines"),
        ("a = '''x", "line 1: a text of several lines"),
        (": 1", "without a key"),
        ("\"a\" 1", "no : or = after the key"),
        ("\"a: 1", "not closed"),
        ("execution.checkpointing.interval: \"x", "not closed"),
        ("execution.checkpointing.interval: \"\\x\"", "escape"),
        ("execution.checkpointing.interval: \"\\u12\"", "escape"),
        ("execution.checkpointing.interval: \"\\u+123\"", "escape"),
        ("state.checkpoints.dir: 'x", "not closed"),
    ] {
        let error = Options::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let twice = [
        format!("{INTERVAL}: 1 s\na: 1\n{INTERVAL}: 2 s"),
        format!("{INTERVAL}:\na: 1\nexecution:\n  checkpointing:\n    interval: 2 s"),
        "[execution.checkpointing]\ninterval = 1\n[execution]\n\"checkpointing.interval\" = 1".into(),
    ];
    for (text, lines) in twice.iter().zip([(3, 1), (5, 1), (4, 2)]) {
        let error = Options::parse(text).unwrap_err();
        let words = format!("line {}: \"{INTERVAL}\", which was already set in line {}", lines.0, lines.1);
        assert!(error.to_string().starts_with(&words), "{error}");
        assert_eq!(error.line(), lines.0);
    }
}

#[test]
fn the_keys_of_sections_do_not_multiply_what_a_file_takes() {
    let long = "k".repeat(1_022);
    assert_eq!(entries(&format!("{long}:\n  a: 1"))[0].0, format!("{long}.a"));
    // A key that is nobody's section may have any length, so that all that is written can be read.
    assert_eq!(entries(&format!("{}: 1", "k".repeat(9_000)))[0].0.len(), 9_000);
    for text in [
        format!("{long}:\n  ab: 1"),
        format!("[{long}]\nab = 1"),
        format!("a:\n  {}: 1", "k".repeat(100_000)),
    ] {
        let error = Options::parse(&text).unwrap_err();
        assert!(error.to_string().contains("k…\", a key of more than 1024 bytes"), "{error}");
        assert!(error.line() == 2 && error.to_string().len() < 1_000, "{error}");
    }
    let deep: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(Options::parse(&deep).unwrap_err().line(), 513);
}
