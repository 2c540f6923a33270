//! Flink's rules for requests, one test each.

use super::*;
use alloc::vec;

const FREE: Facts = Facts {
    now: Timestamp::from_origin(Duration::from_secs(100)),
    is_triggering: false,
    pending: 0,
    cleaning: 0,
    last_completion: None,
    max_concurrent: 2,
    min_pause: Duration::ZERO,
};

const fn periodic(payload: u32) -> Request<u32> {
    Request { is_savepoint: false, is_forced: false, is_periodic: true, payload }
}

const fn manual(payload: u32) -> Request<u32> {
    Request { is_periodic: false, ..periodic(payload) }
}

const fn savepoint(payload: u32) -> Request<u32> {
    Request { is_savepoint: true, ..manual(payload) }
}

const fn forced(payload: u32) -> Request<u32> {
    Request { is_forced: true, ..savepoint(payload) }
}

fn waiting<const N: usize>(requests: [Request<u32>; N]) -> Requests<u32> {
    let mut queue = Requests::new(NonZeroUsize::new(N).unwrap());
    for request in requests {
        assert_eq!(queue.submit(request), Submitted::Waits);
    }
    queue
}

const fn too_many(payload: u32) -> Rejected<u32> {
    Rejected { payload, reason: FailureReason::TooManyCheckpointRequests }
}

#[test]
fn savepoints_then_what_is_forced_then_what_somebody_asked_for_then_the_schedule_each_in_order() {
    let forced_checkpoint = |payload| Request { is_forced: true, ..manual(payload) };
    let mut queue = waiting([
        periodic(1),
        manual(2),
        forced_checkpoint(3),
        savepoint(4),
        forced(5),
        periodic(6),
        manual(7),
        savepoint(8),
        forced(9),
    ]);
    let order = [5, 9, 4, 8, 3, 2, 7, 1, 6];
    assert!(queue.waiting().eq(&order));
    for payload in order {
        assert_eq!(queue.next(FREE), Decision::Run(payload));
    }
    assert_eq!(queue.next(FREE), Decision::Wait);
}

#[test]
fn as_many_as_may_be_in_progress_let_only_what_is_forced_begin() {
    let busy = Facts { pending: 2, ..FREE };
    for held_back in [periodic(1), manual(1), savepoint(1)] {
        assert_eq!(waiting([held_back.clone()]).next(busy), Decision::Wait);
        assert_eq!(waiting([held_back]).next(Facts { pending: 1, ..busy }), Decision::Run(1));
    }
    assert_eq!(waiting([forced(1)]).next(busy), Decision::Run(1));
}

#[test]
fn only_the_first_is_looked_at() {
    let forced_checkpoint = Request { is_forced: true, ..manual(1) };
    let mut queue = waiting([forced_checkpoint, savepoint(2)]);
    assert_eq!(
        queue.next(Facts { pending: 2, ..FREE }),
        Decision::Wait,
        "the savepoint is first and not forced"
    );
}

#[test]
fn nothing_begins_while_another_does_or_while_more_are_removed_than_may_be_in_progress() {
    for request in [periodic(1), manual(1), savepoint(1), forced(1)] {
        let mut queue = waiting([request]);
        assert_eq!(queue.next(Facts { is_triggering: true, ..FREE }), Decision::Wait);
        assert_eq!(queue.next(Facts { cleaning: 3, ..FREE }), Decision::Wait);
        assert_eq!(queue.next(Facts { cleaning: 2, ..FREE }), Decision::Run(1), "as many are no obstacle");
    }
}

#[test]
fn the_pause_drops_what_is_due_and_holds_back_nobody_else() {
    let pausing = Facts { last_completion: Some(FREE.now), min_pause: Duration::from_secs(5), ..FREE };
    let until = FREE.now.after(pausing.min_pause);
    let rejected = Rejected { payload: 1, reason: FailureReason::MinimumTimeBetweenCheckpoints };
    let mut queue = waiting([periodic(1)]);
    assert_eq!(queue.next(pausing), Decision::Postpone { rejected, until });
    assert_eq!(queue.next(pausing), Decision::Wait, "it has left");
    assert_eq!(waiting([periodic(1)]).next(Facts { now: until, ..pausing }), Decision::Run(1));
    let forced_and_due = Request { is_forced: true, ..periodic(1) };
    for free in [manual(1), savepoint(1), forced(1), forced_and_due] {
        assert_eq!(waiting([free]).next(pausing), Decision::Run(1));
    }
    let crowded = Facts { pending: 2, ..pausing };
    assert_eq!(waiting([periodic(1)]).next(crowded), Decision::Wait, "it waits first, and is early later");
}

#[test]
fn before_the_first_completion_there_is_no_pause() {
    let early = Facts { now: Timestamp::ORIGIN, min_pause: Duration::from_secs(5), ..FREE };
    assert_eq!(waiting([periodic(1)]).next(early), Decision::Run(1));
}

#[test]
fn of_too_many_the_last_leaves_if_it_was_merely_due() {
    let mut queue = waiting([periodic(1), manual(2)]);
    assert_eq!(queue.submit(periodic(3)), Submitted::Evicted(too_many(3)), "the one that came is the last");
    assert_eq!(queue.submit(manual(4)), Submitted::Evicted(too_many(1)));
    assert_eq!(
        queue.submit(forced(5)),
        Submitted::Refused(too_many(5)),
        "people displace nobody but the schedule"
    );
    assert_eq!(queue.drain(), vec![2, 4]);
    assert_eq!(queue.submit(periodic(6)), Submitted::Waits);
}
