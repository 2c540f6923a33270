//! What has to hold in a single record, whoever made its bytes. Looked at before writing and after reading.

use super::{Entry, Marker, Retained};
use stillframe_metadata::FormatError;
use stillframe_model::{CheckpointId, Redacted};

/// The longest address of a claimed directory, in bytes. That of paths on Linux.
const ADDRESS_LIMIT: usize = 4_096;

pub(super) fn entry(entry: &Entry) -> Result<(), FormatError> {
    positive("sequence", entry.sequence)?;
    positive("epoch", entry.epoch)?;
    if entry.sequence == 1 && entry.previous.0 != 0 {
        return Err(invalid(
            "previous",
            format!("the first entry follows none, but names {}", entry.previous),
        ));
    }
    checkpoints("retained", &entry.retained, entry.id_limit)?;
    checkpoints("dropped", &entry.dropped, entry.id_limit)?;
    let both = entry.dropped.iter().find(|dropped| find(&entry.retained, dropped.checkpoint).is_some());
    if let Some(both) = both {
        return Err(invalid("dropped", format!("checkpoint {} is retained as well", both.checkpoint)));
    }
    if let Some([one, other]) = entry.roots.array_windows().find(|[one, other]| one.address >= other.address)
    {
        let [one, other] = [one, other].map(|root| Redacted::new(&root.address));
        return Err(invalid("roots", format!("{one} stands before {other}")));
    }
    if let Some(problem) = entry.roots.iter().find_map(|root| address(&root.address)) {
        return Err(invalid("roots", format!("an address {problem}")));
    }
    Ok(())
}

pub(super) fn marker(marker: &Marker) -> Result<(), FormatError> {
    positive("epoch", marker.epoch)?;
    if marker.epoch == 1 && marker.floor != 0 {
        let problem = format!("nobody can have written entry {} before the first claim", marker.floor);
        return Err(invalid("floor", problem));
    }
    Ok(())
}

pub(super) fn size(bytes: &[u8], limit: u64) -> Result<(), FormatError> {
    let found = bytes.len() as u64;
    if found > limit { Err(FormatError::TooLarge { found, limit }) } else { Ok(()) }
}

pub(super) fn invalid(element: &str, problem: String) -> FormatError {
    FormatError::Invalid { element: element.into(), problem }
}

/// The one with this id, in a list that is in order.
pub(super) fn find(list: &[Retained], id: CheckpointId) -> Option<&Retained> {
    list.binary_search_by_key(&id, |one| one.checkpoint).ok().and_then(|at| list.get(at))
}

/// A list of checkpoints: in order, each once, below the limit, and with addresses that can be printed.
fn checkpoints(element: &str, list: &[Retained], id_limit: u64) -> Result<(), FormatError> {
    if let Some([one, other]) = list.array_windows().find(|[one, other]| one.checkpoint >= other.checkpoint) {
        let problem =
            format!("checkpoint {} stands before {}; expected rising ids", one.checkpoint, other.checkpoint);
        return Err(invalid(element, problem));
    }
    for one in list {
        let id = one.checkpoint;
        if id < CheckpointId::FIRST {
            return Err(invalid(
                element,
                format!("checkpoint {id} is below the first id, {}", CheckpointId::FIRST),
            ));
        }
        if id.get() >= id_limit {
            return Err(invalid(
                element,
                format!("checkpoint {id} is not below the limit of ids, {id_limit}"),
            ));
        }
        if let Some(problem) = one.location.as_deref().and_then(address) {
            return Err(invalid(element, format!("the address of checkpoint {id} {problem}")));
        }
    }
    Ok(())
}

/// What is wrong with an address, whatever its store makes of it.
fn address(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("is empty".into());
    }
    if text.len() > ADDRESS_LIMIT {
        return Some(format!("has {} bytes; the limit is {ADDRESS_LIMIT}", text.len()));
    }
    let at = text.find(char::is_control)?;
    Some(format!("has a control character at byte {at}"))
}

fn positive(element: &str, number: u64) -> Result<(), FormatError> {
    if number == 0 { Err(invalid(element, "is 0; expected a number from 1".into())) } else { Ok(()) }
}
