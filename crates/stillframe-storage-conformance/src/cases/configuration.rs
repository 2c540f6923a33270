//! A storage as configuration.

use crate::Subject;
use crate::subject::{JOB, id};

/// The descriptor holds all of the configuration: what it builds has the same descriptor and works.
pub async fn a_descriptor_builds_the_same_storage(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let descriptor = subject.storage().descriptor();
    let rebuilt = subject.rebuild(&descriptor);
    assert_eq!(rebuilt.descriptor(), descriptor);
    let access = rebuilt.open(JOB).await.expect("the rebuilt storage opens");
    access.coordinator().begin_checkpoint(id(1)).await.expect("and takes a checkpoint");
}
