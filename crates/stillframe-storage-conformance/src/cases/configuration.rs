//! A storage as configuration, which travels to other processes.

use crate::session::write;
use crate::state::{JOB, LARGE, MEDIUM, pattern};
use crate::{Fresh, Verdict};
use stillframe_storage::StateScope;

/// The descriptor holds all of the configuration: what it builds has the same descriptor and works.
pub async fn a_descriptor_builds_the_same_storage(fresh: Fresh<'_>) {
    let subject = fresh();
    let descriptor = subject.storage().descriptor();
    let rebuilt = subject.rebuild(&descriptor);
    assert_eq!(rebuilt.descriptor(), descriptor);
    let session = subject.run_on(&*rebuilt, JOB).await;
    let taken = session.complete(&[]).await;
    session.assert_intact(&taken).await;
}

/// Where checkpoints outlive the process, a storage that was built again finds them.
pub async fn a_rebuilt_storage_finds_the_checkpoints(fresh: Fresh<'_>) -> Verdict {
    let subject = fresh();
    let session = subject.run(JOB).await;
    if !session.coordinator.is_highly_available() {
        return Verdict::does_not_apply("its checkpoints do not outlive the process, as it says");
    }
    let taken = session.complete(&[]).await;
    let rebuilt = subject.rebuild(&subject.storage().descriptor());
    let later = subject.run_on(&*rebuilt, JOB).await;
    assert_eq!(later.claimed.retained, [taken.id]);
    later.assert_intact(&taken).await;
    let found = rebuilt.resolve(&taken.pointer).await.expect("its pointer leads to it");
    taken.assert_at(&*found).await;
    Verdict::Shown
}

/// A worker in another process writes into the place that the coordinator's reference names.
pub async fn a_rebuilt_worker_writes_for_the_coordinator(fresh: Fresh<'_>) {
    let subject = fresh();
    let session = subject.run(JOB).await;
    let (id, location) = session.place().await;
    let rebuilt = subject.rebuild(&subject.storage().descriptor());
    let worker = rebuilt.open(JOB).await.expect("the rebuilt storage opens").worker();
    let mut written = Vec::new();
    for len in [1, MEDIUM, LARGE] {
        let state = pattern(len, 23);
        written.push((write(&*worker, (id, &location), StateScope::Exclusive, &state, 65_536).await, state));
    }
    worker.sync(id, &location).await.expect("what was finished can be made durable");
    drop((worker, rebuilt));
    session.commit(id, &location, &written, &[]).await;
    let found = session.open(id).await;
    for (handle, state) in written {
        assert!(
            found.read(&handle).await.expect("state can be read") == state,
            "{} bytes differ",
            state.len()
        );
    }
}
