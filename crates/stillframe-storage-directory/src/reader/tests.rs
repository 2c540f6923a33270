use super::*;
use crate::BlobStores;
use crate::blocks::BlockChecksums;
use crate::map_store::Medium;
use futures_executor::block_on;
use stillframe_model::{Name, StateDirectory, StateFile};

const PATH: &str = "/c/x";

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

/// A state as it lies in a file, table included, and its checksum.
fn stored(state: &[u8]) -> (Vec<u8>, Crc32c) {
    let mut checksums = BlockChecksums::new();
    checksums.extend(state);
    let sealed = checksums.seal();
    ([state, &sealed.table].concat(), sealed.crc)
}

/// A file with its mark and this behind it.
fn put(medium: &Medium, content: impl Into<Bytes>) {
    medium.replace(PATH, [mark(&name().name), content.into()].concat());
}

fn name() -> StateFile {
    StateFile { directory: StateDirectory::Exclusive, name: Name::new("x").unwrap() }
}

/// Everything that is given out before the end or the first error.
fn drain(reader: Result<StateFileReader, StorageError>) -> (Vec<u8>, Result<(), StorageError>) {
    let mut given = Vec::new();
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return (given, Err(error)),
    };
    loop {
        match block_on(reader.next()) {
            Ok(Some(piece)) => given.extend_from_slice(&piece),
            Ok(None) => return (given, Ok(())),
            Err(error) => {
                // Asking again must not lead past what was refused.
                assert!(block_on(reader.next()).is_err());
                return (given, Err(error));
            }
        }
    }
}

fn of_file(medium: &Medium, len: u64, crc: Crc32c) -> Result<StateFileReader, StorageError> {
    let file = FileHandle { file: name(), len, crc };
    let path = BlobPath::root().join(file.file.name.clone());
    block_on(StateFileReader::of_file(&*medium.at("/c").unwrap(), &path, &file))
}

fn of_segment(medium: &Medium, offset: u64, len: u64, crc: Crc32c) -> Result<StateFileReader, StorageError> {
    let segment = SegmentHandle { file: name(), offset: offset.saturating_add(MARK_LEN), len, crc };
    let path = BlobPath::root().join(segment.file.name.clone());
    block_on(StateFileReader::of_segment(&*medium.at("/c").unwrap(), &path, &segment))
}

fn refused(outcome: Result<(), StorageError>, words: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Corrupt, PATH), "{error}");
    assert!(error.to_string().contains(words), "{error} does not say \"{words}\"");
}

#[test]
fn what_was_written_is_read() {
    let medium = Medium::default();
    for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 16 * BLOCK, 16 * BLOCK + 1, 40 * BLOCK - 1] {
        let state = bytes(len);
        let (content, crc) = stored(&state);
        put(&medium, content.clone());
        let (given, outcome) = drain(of_file(&medium, len as u64, crc));
        outcome.unwrap();
        assert!(given == state, "{len}");
        for offset in [0, 1, 77] {
            put(&medium, [&vec![9; offset][..], &content, &[8; 3]].concat());
            let (given, outcome) = drain(of_segment(&medium, offset as u64, len as u64, crc));
            outcome.unwrap();
            assert!(given == state, "{len} at {offset}");
        }
    }
}

#[test]
fn a_small_state_is_one_read() {
    let medium = Medium::default();
    let (content, crc) = stored(&bytes(BLOCK));
    put(&medium, content);
    drain(of_file(&medium, BLOCK as u64, crc)).1.unwrap();
    assert_eq!(medium.count("read_at"), 2, "of the mark, and of the state");
}

/// Wherever a bit is wrong, in the state or in its table: what was given out until then is right, and the rest
/// is not given out.
#[test]
fn no_changed_byte_is_given_out() {
    let medium = Medium::default();
    for len in [1, 100, BLOCK, 2 * BLOCK + 100, 33 * BLOCK + 5] {
        let state = bytes(len);
        let (content, crc) = stored(&state);
        let in_state = (0..len).step_by(1 + len / 50).chain([len - 1]);
        for at in in_state.chain(len..content.len()) {
            let mut changed = content.clone();
            changed[at] ^= 1 << (at % 8);
            put(&medium, changed);
            let (given, outcome) = drain(of_file(&medium, len as u64, crc));
            refused(outcome, if at < len { "block of" } else { "table of checksums" });
            assert!(given.len() <= at && given == state[..given.len()], "byte {at} of {len}");
        }
    }
}

#[test]
fn the_error_says_which_block_differs_and_how() {
    let medium = Medium::default();
    let (mut content, crc) = stored(&bytes(3 * BLOCK));
    let right = Crc32c::of(&content[BLOCK..2 * BLOCK]);
    content[BLOCK + 5] ^= 1;
    let wrong = Crc32c::of(&content[BLOCK..2 * BLOCK]);
    put(&medium, [&[0; 10][..], &content].concat());
    let (_, outcome) = drain(of_segment(&medium, 10, 3 * BLOCK as u64, crc));
    refused(
        outcome,
        &format!("block of 65536 bytes at offset 65578: expected crc32c {right}, found {wrong}"),
    );
}

#[test]
fn hardening_4_1_2_a_state_file_of_another_length_is_refused() {
    let medium = Medium::default();
    for len in [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
        let (content, crc) = stored(&bytes(len));
        let cuts =
            [0, 1, len, content.len().saturating_sub(1)].into_iter().filter(|cut| *cut < content.len());
        for cut in cuts {
            put(&medium, content[..cut].to_vec());
            refused(
                drain(of_file(&medium, len as u64, crc)).1,
                &format!("found {} in all", cut as u64 + MARK_LEN),
            );
            refused(
                drain(of_segment(&medium, 0, len as u64, crc)).1,
                &format!("found {} in all", cut as u64 + MARK_LEN),
            );
        }
        let longer = content.len() + 1;
        put(&medium, [&content[..], b"x"].concat());
        refused(
            drain(of_file(&medium, len as u64, crc)).1,
            &format!("found {} in all", longer as u64 + MARK_LEN),
        );
    }
}

#[test]
fn another_state_of_the_same_length_is_refused() {
    let medium = Medium::default();
    for len in [MIDDLE, 2 * BLOCK] {
        let ((one, crc), (other, _)) = (stored(&bytes(len)), stored(&bytes(len + 1)[1..]));
        put(&medium, other.clone());
        let (given, outcome) = drain(of_file(&medium, len as u64, crc));
        refused(outcome, "expected crc32c");
        assert_eq!(given, []);
        put(&medium, [one.clone(), other].concat());
        let (given, outcome) = drain(of_segment(&medium, one.len() as u64, len as u64, crc));
        refused(outcome, "expected crc32c");
        assert_eq!(given, []);
    }
}

const MIDDLE: usize = 5000;

/// Lengths and offsets that no file can have: refused before anything is read or reserved for them.
#[test]
fn hardening_4_1_3_impossible_lengths_of_state_cost_nothing() {
    let medium = Medium::default();
    put(&medium, bytes(100));
    for len in [101, 1 << 40, u64::MAX - 3, u64::MAX] {
        refused(drain(of_file(&medium, len, Crc32c(0))).1, "found 132 in all");
        for offset in [0, 1, u64::MAX] {
            refused(drain(of_segment(&medium, offset, len, Crc32c(0))).1, "found 132 in all");
        }
    }
    for (offset, len) in [(100, 1), (101, 0), (u64::MAX, 0), (u64::MAX - 5, 10)] {
        refused(drain(of_segment(&medium, offset, len, Crc32c(0))).1, "found 132 in all");
    }
    assert_eq!(medium.count("read_at"), 0);
}

#[test]
fn hardening_4_1_2_a_state_file_with_any_other_mark_is_refused() {
    let medium = Medium::default();
    let (content, crc) = stored(&bytes(100));
    let right = mark(&name().name);
    for at in 0..right.len() {
        let mut wrong = right.to_vec();
        wrong[at] ^= 1;
        medium.replace(PATH, [&wrong[..], &content].concat());
        for outcome in [drain(of_file(&medium, 100, crc)), drain(of_segment(&medium, 0, 100, crc))] {
            assert_eq!(outcome.0, [], "byte {at}");
            refused(outcome.1, "it does not begin with the mark of this file");
        }
    }
}

/// Checksums cannot tell states apart that end in one of the same kind. The mark can.
#[test]
fn hardening_4_6_an_exchanged_file_is_refused_whatever_its_checksum() {
    let medium = Medium::default();
    let [one, other] =
        [b"one state", b"the other"].map(|state| [&state[..], &Crc32c::of(state).0.to_le_bytes()].concat());
    assert_eq!(Crc32c::of(&one), Crc32c::of(&other));
    let other_file = mark(&Name::new("y").unwrap());
    medium.replace(PATH, [&other_file[..], &other].concat());
    for outcome in [
        drain(of_file(&medium, one.len() as u64, Crc32c::of(&one))),
        drain(of_segment(&medium, 0, one.len() as u64, Crc32c::of(&one))),
    ] {
        assert_eq!(outcome.0, []);
        refused(outcome.1, "it is another one");
    }
}

#[test]
fn hardening_4_1_4_the_mark_of_a_state_file_is_no_state() {
    let medium = Medium::default();
    put(&medium, bytes(100));
    let segment = SegmentHandle { file: name(), offset: MARK_LEN - 1, len: 1, crc: Crc32c(0) };
    let path = BlobPath::root().join(name().name);
    let read = block_on(StateFileReader::of_segment(&*medium.at("/c").unwrap(), &path, &segment));
    refused(read.map(|_| ()), "from offset 31 on");
}

#[test]
fn no_bytes_have_one_checksum_only() {
    let medium = Medium::default();
    put(&medium, Bytes::new());
    drain(of_file(&medium, 0, Crc32c::EMPTY)).1.unwrap();
    refused(drain(of_file(&medium, 0, Crc32c(7))).1, "no bytes");
}

/// A blob store that breaks its promise must not make blocks be compared with the wrong checksums.
#[test]
fn hardening_4_1_1_a_piece_of_state_that_ends_early_is_refused() {
    #[derive(Debug)]
    struct Short(Bytes);

    #[async_trait]
    impl BlobReader for Short {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        async fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, StorageError> {
            let from = offset as usize;
            Ok(self.0.slice(from..from + len.min(BLOCK)))
        }
    }

    let state = bytes(2 * BLOCK);
    let (content, crc) = stored(&state);
    let blob = Box::new(Short(Bytes::from(content)));
    let reader = StateFileReader::checked(blob, PATH.to_owned(), 0, state.len() as u64, crc);
    let (given, outcome) = drain(block_on(reader));
    refused(outcome, "expected 131072 bytes at offset 0, found 65536");
    assert_eq!(given, []);
}
