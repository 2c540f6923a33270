//! What a new run of a job is told about earlier ones.

use crate::Subject;
use crate::subject::{JOB, OTHER_JOB, id};
use stillframe_model::JobStatus;
use stillframe_storage::{ErrorKind, Survey};

/// There is nothing to see of a job that was never checkpointed, and looking creates nothing.
pub async fn a_new_job_has_nothing(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    assert_eq!(session.coordinator.survey().await.expect("a survey succeeds"), Survey::default());
    assert_eq!(subject.residue(), [""; 0]);
}

/// Publication is what makes a checkpoint complete; nothing else does.
pub async fn completed_is_told_from_incomplete(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    session.complete(id(1)).await;
    session.begin(id(2)).await;
    session.complete(id(3)).await;
    let location = session.begin(id(4)).await;
    session.write(id(4), &location, &vec![1; 100_000].into(), 1_000).await;
    let survey = session.coordinator.survey().await.expect("a survey succeeds");
    assert_eq!(survey, Survey { completed: vec![id(1), id(3)], incomplete: vec![id(2), id(4)], ended: None });
}

/// Ids are numbers, not text.
pub async fn ids_are_in_numeric_order(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    for number in [10, 9, 100, 1, 11] {
        session.complete(id(number)).await;
    }
    for number in [30, 7, 200] {
        session.begin(id(number)).await;
    }
    let survey = session.coordinator.survey().await.expect("a survey succeeds");
    assert_eq!(survey.completed, [1, 9, 10, 11, 100].map(id));
    assert_eq!(survey.incomplete, [7, 30, 200].map(id));
}

/// Jobs that share a storage share nothing else.
pub async fn jobs_do_not_see_each_other(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let (one, other) = (subject.open(JOB).await, subject.open(OTHER_JOB).await);
    let location = one.complete(id(1)).await;
    assert_eq!(other.coordinator.survey().await.expect("a survey succeeds"), Survey::default());
    other.complete(id(1)).await;
    one.coordinator.discard(id(1), &location).await.expect("a checkpoint can be discarded");
    one.coordinator.conclude(JobStatus::Canceled).await.expect("the end can be written down");
    let survey = other.coordinator.survey().await.expect("a survey succeeds");
    assert_eq!(survey, Survey { completed: vec![id(1)], ..Survey::default() });
    other.assert_readable(id(1)).await;
}

/// What one opening wrote, the next one finds.
pub async fn another_opening_sees_the_same(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let first = subject.open(JOB).await;
    first.complete(id(1)).await;
    first.begin(id(2)).await;
    let survey = first.coordinator.survey().await.expect("a survey succeeds");
    drop(first);
    let second = subject.open(JOB).await;
    assert_eq!(second.coordinator.survey().await.expect("a survey succeeds"), survey);
    second.assert_readable(id(1)).await;
}

/// However a job ended, that is seen, also if it never had a checkpoint and if it was written down twice.
pub async fn the_end_of_a_job_is_seen(fresh: &dyn Fn() -> Subject) {
    for status in [JobStatus::Finished, JobStatus::Canceled, JobStatus::Failed] {
        let subject = fresh();
        let session = subject.open(JOB).await;
        session.coordinator.conclude(status).await.expect("the end can be written down");
        session.coordinator.conclude(status).await.expect("and once more");
        let survey = session.coordinator.survey().await.expect("a survey succeeds");
        assert_eq!(survey, Survey { ended: Some(status), ..Survey::default() });
    }
}

/// The end of a job does not change afterwards.
pub async fn a_job_ends_in_one_way(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    session.coordinator.conclude(JobStatus::Failed).await.expect("the end can be written down");
    let changed = session.coordinator.conclude(JobStatus::Finished).await;
    assert_eq!(changed.expect_err("it ended otherwise").kind(), ErrorKind::AlreadyExists);
    let survey = session.coordinator.survey().await.expect("a survey succeeds");
    assert_eq!(survey.ended, Some(JobStatus::Failed));
}

/// A job that is to be continued has not ended, and may end later.
pub async fn a_suspended_job_has_not_ended(fresh: &dyn Fn() -> Subject) {
    let subject = fresh();
    let session = subject.open(JOB).await;
    session.complete(id(1)).await;
    session.coordinator.conclude(JobStatus::Suspended).await.expect("there is nothing to write down");
    assert_eq!(session.coordinator.survey().await.expect("a survey succeeds").ended, None);
    session.coordinator.conclude(JobStatus::Finished).await.expect("the end can be written down");
    assert_eq!(
        session.coordinator.survey().await.expect("a survey succeeds").ended,
        Some(JobStatus::Finished)
    );
}
