use super::*;
use crate::blocks::BLOCK;
use proptest::collection::vec;
use proptest::prelude::*;
use stillframe_model::StateDirectory;

const LARGE: usize = 1024 * 1024;
const ONE: CheckpointId = CheckpointId::new(1);

/// What a handle says of where the state is.
fn kind(handle: &StateHandle) -> (&'static str, Option<&StateDirectory>, &str) {
    let file = handle.file();
    let prefix = file.map_or("", |file| file.name.as_str().split('-').next().unwrap_or_default());
    let form = match handle {
        StateHandle::Inline(_) => "inline",
        StateHandle::File(_) => "file",
        StateHandle::Segment(_) => "segment",
    };
    (form, file.map(|file| &file.directory), prefix)
}

#[test]
fn the_size_says_where_exclusive_state_goes() {
    let process = Process::new();
    process.begin(1);
    let exclusive = Some(&StateDirectory::Exclusive);
    for (len, expected) in [
        (1, ("inline", None, "")),
        (THRESHOLD, ("inline", None, "")),
        (THRESHOLD + 1, ("segment", exclusive, "segment")),
        (BLOCK - 1, ("segment", exclusive, "segment")),
        (BLOCK, ("segment", exclusive, "segment")),
        (BLOCK + 1, ("segment", exclusive, "segment")),
        (LARGE - 1, ("segment", exclusive, "segment")),
        (LARGE, ("segment", exclusive, "segment")),
        (LARGE + 1, ("file", exclusive, "state")),
        (3 * LARGE, ("file", exclusive, "state")),
    ] {
        let state = state(len, len);
        let handle = block_on(process.write(ONE, &state)).unwrap();
        assert_eq!(kind(&handle), expected, "{len}");
        assert_eq!(handle.size(), len as u64);
        block_on(process.sync(ONE)).unwrap();
        assert_eq!(process.read(ONE, &handle).unwrap(), state, "{len}");
    }
    let files = process.medium.files();
    assert_eq!(files.iter().filter(|file| file.contains("segment-")).count(), 1, "{files:?}");
}

#[test]
fn nothing_written_leaves_nothing() {
    let process = Process::new();
    process.begin(1);
    let worker = process.access.worker();
    for scope in [StateScope::Exclusive, StateScope::Shared] {
        let mut stream = block_on(worker.create(ONE, &DEFAULT, scope)).unwrap();
        block_on(stream.write(Bytes::new())).unwrap();
        assert_eq!(stream.position(), 0);
        assert_eq!(block_on(stream.finish()).unwrap(), None);
    }
    let mut stream = block_on(worker.create(ONE, &DEFAULT, StateScope::Exclusive)).unwrap();
    block_on(stream.write(state(2 * LARGE, 0))).unwrap();
    assert_eq!(process.medium.files().len(), 1, "too large to wait for its end");
    block_on(stream.abort()).unwrap();
    let mut stream = block_on(worker.create(ONE, &DEFAULT, StateScope::Shared)).unwrap();
    block_on(stream.write(state(MIDDLE, 0))).unwrap();
    drop(stream);
    block_on(process.sync(ONE)).unwrap();
    assert_eq!(process.medium.files(), [""; 0]);
    assert_eq!(process.medium.open_writers(), 0);
}

#[test]
fn shared_state_lies_beside_the_checkpoints_and_says_for_which_it_was_written() {
    let process = Process::new();
    let worker = process.access.worker();
    let directory = "/c/11111111111111111111111111111111/shared";
    let before = process.medium.count("create_directory");
    for (number, len) in [(7, MIDDLE), (7, 2 * BLOCK), (8, 3 * LARGE)] {
        let (checkpoint, state) = (CheckpointId::new(number), state(len, len));
        let written = write(&*worker, checkpoint, &DEFAULT, StateScope::Shared, &state);
        let handle = block_on(written).unwrap();
        assert_eq!(kind(&handle), ("file", Some(&StateDirectory::Shared), "shared"));
        let name = handle.file().unwrap().name.as_str();
        assert_eq!(layout::parse_shared_state(name), Some(checkpoint));
        assert!(process.medium.content(&format!("{directory}/{name}")).is_some());
        block_on(process.sync(checkpoint)).unwrap();
        assert_eq!(process.read(checkpoint, &handle).unwrap(), state);
    }
    assert_eq!(process.medium.count("create_directory") - before, 1, "made once");
    let small = state(THRESHOLD, 3);
    let handle = block_on(write(&*worker, ONE, &DEFAULT, StateScope::Shared, &small)).unwrap();
    assert_eq!(handle, StateHandle::Inline(small));
}

#[test]
fn a_place_of_its_own_holds_everything_of_its_snapshot() {
    let process = Process::new();
    let (worker, location) = (process.access.worker(), savepoint(&process.medium));
    for scope in [StateScope::Exclusive, StateScope::Shared] {
        for (len, form) in [(THRESHOLD, "inline"), (MIDDLE, "segment"), (LARGE + 1, "file")] {
            let state = state(len, 5);
            let handle = block_on(write(&*worker, ONE, &location, scope, &state)).unwrap();
            assert_eq!(kind(&handle).0, form, "{len}");
            assert!(handle.file().is_none_or(|file| file.directory == StateDirectory::Exclusive));
            block_on(worker.sync(ONE, &location)).unwrap();
            let place = Place { blobs: process.medium.at("/sp").unwrap(), directory: BlobPath::root() };
            let found =
                DirectoryLocation::new(place, Arc::new(process.medium.clone()), Roots::Known(Arc::from([])));
            assert_eq!(block_on(found.read(&handle)).unwrap(), state);
        }
    }
    assert!(process.medium.files().iter().all(|file| file.starts_with("/sp/")));
    assert_eq!(process.medium.files().len(), 3, "a segment, and a file for each large state");
}

/// A handle that keeps the buffer alive of which the state is a part would keep it as long as the checkpoint.
#[test]
fn inline_state_does_not_hold_on_to_the_buffer_it_came_in() {
    let medium = Medium::default();
    begin(&medium, 1);
    let worker = block_on(medium.storage("/c").with_inline_threshold(1 << 15).open(JOB)).unwrap().worker();
    let buffer = Bytes::from(vec![1; 1 << 20]);
    for len in [10, 1 << 15] {
        let state = buffer.slice(..len);
        let handle = block_on(write(&*worker, ONE, &DEFAULT, StateScope::Exclusive, &state)).unwrap();
        assert_eq!(handle, StateHandle::Inline(state));
        assert!(buffer.is_unique(), "{len}");
    }
}

#[test]
fn references_of_other_storages_are_refused() {
    let process = Process::new();
    let strange = LocationReference::Encoded(Bytes::from_static(b"strange"));
    let worker = process.access.worker();
    let created = block_on(worker.create(ONE, &strange, StateScope::Exclusive)).map(|_| ());
    for error in [created, block_on(worker.sync(ONE, &strange))] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidPointer);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_does_not_matter_how_the_state_is_split(
        len in prop_oneof![
            1..3 * THRESHOLD,
            BLOCK - 3..BLOCK + 3,
            2 * BLOCK - 3..2 * BLOCK + 3,
            LARGE - 3..LARGE + 3,
            1..4 * LARGE,
        ],
        cuts in vec(any::<prop::sample::Index>(), 0..20),
        shared in any::<bool>(),
    ) {
        let state = state(len, 0);
        let scope = if shared { StateScope::Shared } else { StateScope::Exclusive };
        let mut cuts = cuts.iter().map(|cut| cut.index(len + 1)).collect::<Vec<_>>();
        cuts.extend([0, len]);
        cuts.sort_unstable();
        let (whole, split) = (Process::new(), Process::new());
        whole.begin(1);
        split.begin(1);
        let expected = block_on(write(&*whole.access.worker(), ONE, &DEFAULT, scope, &state)).unwrap();
        let mut stream = block_on(split.access.worker().create(ONE, &DEFAULT, scope)).unwrap();
        for cut in cuts.windows(2) {
            block_on(stream.write(state.slice(cut[0]..cut[1]))).unwrap();
            prop_assert_eq!(stream.position(), cut[1] as u64);
        }
        let handle = block_on(stream.finish()).unwrap();
        // Names are drawn in order, so they are the same as well.
        prop_assert_eq!(handle.as_ref(), Some(&expected));
        block_on(split.sync(ONE)).unwrap();
        prop_assert_eq!(split.read(ONE, &expected).unwrap(), state);
    }
}
