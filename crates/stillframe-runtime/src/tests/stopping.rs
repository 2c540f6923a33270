//! A task behind the barrier of a savepoint with which the job stops.

use super::*;
use crate::gate::InputGate;
use stillframe_coordinator::Event;
use stillframe_model::{PostCheckpointAction, SavepointFormat, SavepointKind};

fn stop(action: PostCheckpointAction) -> Barrier {
    let kind = CheckpointKind::Savepoint(SavepointKind { format: SavepointFormat::Canonical, action });
    Barrier { kind, ..barrier(1) }
}

/// Waits until the state is written, and says whether the task counted as finished in it.
async fn acknowledged(inbox: &mut mpsc::UnboundedReceiver<Message>) -> bool {
    loop {
        match inbox.recv().await {
            Some(Message::Event(Event::Acknowledged { snapshot, .. })) => return snapshot.finished,
            Some(Message::Event(Event::EndOfData { .. })) => panic!("the input has not ended"),
            Some(_) => {}
            None => panic!("the task has ended"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_reads_nothing_behind_it() {
    for action in [PostCheckpointAction::Suspend, PostCheckpointAction::Terminate] {
        let Rig { task, control, mut inbox, mut behind } = rig();
        let reads = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&reads);
        let read = move || {
            *counted.lock().unwrap() += 1;
            Ok(SourceStatus::Idle(Duration::from_secs(1)))
        };
        let source = Scripted { read, told: Arc::default() };
        let running = tokio::spawn(task.run_source(Box::new(source), Restored::default()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        control.send(Control::Trigger(stop(action))).unwrap();
        assert!(!acknowledged(&mut inbox).await, "a job restored from it reads on");
        let before = *reads.lock().unwrap();
        assert!(before > 1);
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(*reads.lock().unwrap(), before);
        if action == PostCheckpointAction::Terminate {
            assert!(matches!(behind.recv().await, Some(Element::EndOfData { for_good: false })));
        }
        assert!(matches!(behind.recv().await, Some(Element::Barrier(_))));
        assert!(behind.try_recv().is_err(), "nothing follows");
        control.send(Control::Close).unwrap();
        assert!(matches!(running.await.unwrap(), Ok(())));
    }
}

/// Those before it may be told to end first, and do so without a word.
#[tokio::test]
async fn an_input_that_is_gone_behind_it_cuts_nobody_off() {
    let Rig { task, control, mut inbox, behind: _behind } = rig_with(1);
    let (sender, receiver) = mpsc::channel(8);
    let gate = InputGate::new(vec![receiver]);
    let operator = ForEach::new(|_: u64| {});
    let running = tokio::spawn(task.run_operator(Box::new(operator), Restored::default(), gate));
    sender.send(Element::Barrier(stop(PostCheckpointAction::Suspend))).await.unwrap();
    acknowledged(&mut inbox).await;
    drop(sender);
    // Let the task see that before it is told to end.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    control.send(Control::Close).unwrap();
    assert!(
        matches!(running.await.unwrap(), Ok(())),
        "it was cut off, and the job would wait for it for ever"
    );
}
