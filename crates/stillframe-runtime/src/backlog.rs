use crate::control::Message;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use stillframe_coordinator::Event;
use stillframe_model::VertexId;
use tokio::sync::mpsc;

/// Which subtasks of a source work off a backlog. The source as a whole does as long as one of them does, and that is all
/// that the coordinator hears of.
#[derive(Debug)]
pub(crate) struct SourceBacklog {
    source: VertexId,
    coordinator: mpsc::UnboundedSender<Message>,
    busy: Mutex<BTreeSet<u32>>,
}

/// One subtask's view of it.
#[derive(Debug)]
pub(crate) struct Backlog {
    subtask: u32,
    has_one: bool,
    of_source: Arc<SourceBacklog>,
}

impl SourceBacklog {
    pub(crate) fn new(source: VertexId, coordinator: mpsc::UnboundedSender<Message>) -> Arc<Self> {
        Arc::new(Self { source, coordinator, busy: Mutex::default() })
    }

    fn report(&self, subtask: u32, is_processing: bool) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let had_one = !busy.is_empty();
        if is_processing {
            busy.insert(subtask);
        } else {
            busy.remove(&subtask);
        }
        let is_processing = !busy.is_empty();
        // Said while nobody else can change it: otherwise what was said last need not be what is the case.
        if is_processing != had_one {
            let event = Event::Backlog { source: self.source, is_processing };
            // Without a coordinator there are no checkpoints whose interval could change.
            let _ = self.coordinator.send(Message::Event(event));
        }
    }
}

impl Backlog {
    pub(crate) fn new(subtask: u32, of_source: &Arc<SourceBacklog>) -> Self {
        Self { subtask, has_one: false, of_source: Arc::clone(of_source) }
    }

    /// Costs a comparison as long as nothing changes.
    pub(crate) fn set(&mut self, is_processing: bool) {
        if self.has_one != is_processing {
            self.has_one = is_processing;
            self.of_source.report(self.subtask, is_processing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_a_backlog_while_any_of_its_subtasks_has_one() {
        let (sender, mut said) = mpsc::unbounded_channel();
        let source = VertexId::new(3);
        let of_source = SourceBacklog::new(source, sender);
        let [mut one, mut other] = [0, 1].map(|subtask| Backlog::new(subtask, &of_source));
        let mut heard = || match said.try_recv() {
            Ok(Message::Event(Event::Backlog { source: of, is_processing })) if of == source => {
                Some(is_processing)
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        one.set(false);
        assert_eq!(heard(), None, "as it was");
        one.set(true);
        one.set(true);
        other.set(true);
        assert_eq!((heard(), heard()), (Some(true), None));
        one.set(false);
        assert_eq!(heard(), None, "the other still has one");
        other.set(false);
        assert_eq!((heard(), heard()), (Some(false), None));
    }
}
