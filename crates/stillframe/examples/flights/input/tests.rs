use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use tempfile::TempDir;

/// A file of this content, in a directory of its own.
fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("flights.csv");
    fs::write(&path, content).expect("a file in it");
    (directory, path)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

/// Reads up to a data line, or to the end of an input that has fewer.
fn skip_to(reader: &mut FlightsReader, line: u64) -> Result<(), InputError> {
    while reader.line() < line && reader.next_line()?.is_some() {}
    Ok(())
}

/// The header and `lines` departures, every one another.
fn text(lines: u32) -> Vec<u8> {
    let mut text = format!("{HEADER}\n");
    for line in 0..lines {
        text.push_str(&format!("2001-01-01T00:{:02},{line},{},LAS,PHL\n", line % 60, line * 7919 % 4096));
    }
    text.into_bytes()
}

/// Every departure of a file, or the error with the directory taken out of it.
fn read(content: &[u8]) -> Result<Vec<Departure>, String> {
    let (directory, path) = file(content);
    let read = || {
        let mut reader = FlightsReader::open(&path)?;
        let mut departures = Vec::new();
        while let Some(departure) = reader.next_departure()? {
            departures.push(departure);
        }
        Ok(departures)
    };
    read().map_err(|error: InputError| {
        error.to_string().replace(&format!("{}/", directory.path().display()), "")
    })
}

#[test]
fn plain_gzip_and_several_members_read_alike() {
    let text = text(300);
    let expected = read(&text).expect("a good file");
    assert_eq!(expected.len(), 300);
    assert_eq!(read(&gzip(&text)), Ok(expected.clone()));
    let (one, two) = text.split_at(text.len() / 2 + 3);
    assert_eq!(read(&[gzip(one), gzip(b""), gzip(two)].concat()), Ok(expected));
}

#[test]
fn line_ends_may_be_crlf_and_the_last_may_lack() {
    let plain = String::from_utf8(text(3)).expect("ascii");
    let expected = read(plain.as_bytes());
    assert_eq!(read(plain.replace('\n', "\r\n").as_bytes()), expected);
    assert_eq!(read(plain.trim_end().as_bytes()), expected);
    assert_eq!(read(plain.replace('\n', "\r\n").trim_end().as_bytes()), expected);
}

#[test]
fn a_header_alone_is_an_input_without_departures() {
    assert_eq!(read(&text(0)), Ok(Vec::new()));
    assert_eq!(read(HEADER.as_bytes()), Ok(Vec::new()));
}

#[test]
fn what_is_not_a_file_of_departures_is_said_with_its_place() {
    let header = format!("expected {HEADER}");
    let with = |line: &str| format!("{HEADER}\n2001-01-01T00:01,33,2176,LAS,PHL\n{line}");
    for (content, message) in [
        (String::new(), format!("flights.csv, line 1: the file is empty, expected the header {HEADER}")),
        ("\n".into(), format!("flights.csv, line 1: the header is ``, {header}")),
        ("a,b\n".into(), format!("flights.csv, line 1: the header is `a,b`, {header}")),
        (format!("\u{feff}{HEADER}\n"), format!(r"flights.csv, line 1: the header is `\xef\xbb\xbf{HEADER}`, {header}")),
        (with("\n"), "flights.csv, line 3: the line is ``, expected 5 fields: date,delay,distance,origin,destination".into()),
        (
            with("2001-01-01T00:01,x,2176,LAS,PHL\n"),
            "flights.csv, line 3: the delay is `x`, expected a whole number of minutes such as -3 or 61".into(),
        ),
        (with("2001-01-01T00"), "flights.csv, line 3: the line is `2001-01-01T00`, expected 5 fields: date,delay,distance,origin,destination".into()),
        (with(&"x".repeat(5000)), format!("flights.csv, line 3: the line is `{}…`, expected at most 4096 bytes", "x".repeat(60))),
    ] {
        assert_eq!(read(content.as_bytes()), Err(message));
    }
}

#[test]
fn an_empty_gzip_file_is_empty() {
    assert_eq!(
        read(&gzip(b"")),
        Err(format!("flights.csv, line 1: the file is empty, expected the header {HEADER}"))
    );
}

#[test]
fn missing_files_and_directories_are_told_apart() {
    let (directory, path) = file(b"");
    let message = |path: &Path| FlightsReader::open(path).expect_err("not an input").to_string();
    let missing = directory.path().join("none.csv");
    assert_eq!(
        message(&missing),
        format!(
            "{}: no such file, expected a .csv or .csv.gz of departures; check --input",
            missing.display()
        )
    );
    assert!(message(&path.join("below-a-file.csv")).contains("no such file"));
    assert_eq!(
        message(directory.path()),
        format!(
            "{}: not a regular file, expected one that can be read several times",
            directory.path().display()
        )
    );
}

/// The end of the file is moved to every byte: into the header, the compressed data, the checksum, the second member.
/// Only between two members does it go unseen, for there it is a whole gzip file.
#[test]
fn a_gzip_file_cut_anywhere_within_a_member_is_an_error() {
    let text = text(40);
    let (one, two) = text.split_at(text.iter().rposition(|&byte| byte == b'2').expect("a date"));
    let (one, two) = (gzip(one), gzip(two));
    let whole = [&one[..], &two].concat();
    for cut in 1..whole.len() {
        if cut == one.len() {
            continue;
        }
        let error = read(&whole[..cut]).expect_err("a file that is cut off");
        assert!(error.starts_with("flights.csv, line "), "{cut}: {error}");
        assert!(
            error.ends_with(
                "the gzip data is cut off in the middle of a member, expected its end; fetch the file again"
            ),
            "{cut}: {error}"
        );
        if cut > one.len() {
            assert!(error.contains("line 41:") || error.contains("line 42:"), "{cut}: {error}");
        }
    }
}

#[test]
fn the_line_where_a_gzip_file_is_cut_off_is_named() {
    // Stored, not deflated, so that it is known which lines a cut leaves.
    let text = text(1000);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&text).expect("memory");
    let stored = encoder.finish().expect("memory");
    let kept = stored.len() / 2;
    let error = read(&stored[..kept]).expect_err("a file that is cut off");
    // Ten bytes of header and five for every stored block stand before the text.
    let whole_lines = |bytes: usize| text[..bytes].iter().filter(|&&byte| byte == b'\n').count() + 1;
    let expected = whole_lines(kept - 10 - 15)..=whole_lines(kept - 10 - 5);
    let line: usize = error
        .split("line ")
        .nth(1)
        .and_then(|rest| rest.split(':').next()?.parse().ok())
        .expect("a line number");
    assert!(expected.contains(&line), "{error}, expected {expected:?}");
}

#[test]
fn a_corrupt_gzip_file_is_an_error() {
    let whole = gzip(&text(500));
    for (at, what) in [(whole.len() / 2, "data"), (whole.len() - 8, "checksum"), (whole.len() - 1, "length")]
    {
        let mut corrupt = whole.clone();
        corrupt[at] ^= 0x55;
        let error = read(&corrupt).expect_err(what);
        // Damaged data may also unpack to a malformed line, or run on to the end of the file.
        assert!(error.starts_with("flights.csv, line "), "{what}: {error}");
    }
    let error = read(&[&whole[..], b"more"].concat()).expect_err("bytes that are no member");
    assert!(error.starts_with("flights.csv, line 502: the gzip data is "), "{error}");
}

#[test]
fn a_reader_resumes_where_another_stood() {
    let text = text(700);
    let unterminated = text.strip_suffix(b"\n").expect("a last line feed");
    for content in [text.clone(), gzip(&text), unterminated.to_vec(), gzip(unterminated)] {
        let (_directory, path) = file(&content);
        let mut first = FlightsReader::open(&path).expect("a good file");
        for stop in [0, 1, 255, 256, 699, 700] {
            skip_to(&mut first, stop).expect("a good file");
            let (line, offset) = (first.line(), first.offset());
            assert_eq!(line, stop);
            let mut second = FlightsReader::open(&path).expect("a good file");
            skip_to(&mut second, 300).expect("a good file");
            second.resume_at(line, offset).expect("the same file");
            let expected = FlightsReader::open(&path).and_then(|mut reader| {
                skip_to(&mut reader, stop)?;
                Ok(reader.next_line()?.map(|(number, line)| (number, line.to_vec())))
            });
            let found = second.next_line().map(|next| next.map(|(number, line)| (number, line.to_vec())));
            assert_eq!(found.expect("a line"), expected.expect("a line"));
        }
    }
}

#[test]
fn a_place_where_no_line_begins_is_refused() {
    let content = text(10);
    let length = content.len() as u64;
    for content in [content.clone(), gzip(&content)] {
        let (_directory, path) = file(&content);
        for offset in [0, 3, length - 1, length + 1] {
            let mut reader = FlightsReader::open(&path).expect("a good file");
            let error = reader.resume_at(4, offset).expect_err("no line begins there").to_string();
            assert!(error.contains(&format!("line 6: no line begins at byte {offset}, expected")), "{error}");
        }
    }
}
