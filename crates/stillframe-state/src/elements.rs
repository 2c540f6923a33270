//! Operator state: a list of elements, each of which an operator can take over whole.

use crate::StateError;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stillframe_metadata::frame::{self, RecordKind};
use stillframe_model::Name;

/// A list of elements as bytes.
///
/// # Errors
/// If they are too large for one record.
pub fn encode(elements: &[Bytes]) -> Result<Vec<u8>, StateError> {
    frame::seal(RecordKind::OperatorState, &elements)
        .map_err(|source| StateError::Format { state: LIST, source })
}

/// The elements in a list that [`encode`] wrote.
///
/// # Errors
/// If the bytes are damaged.
pub fn decode(bytes: &[u8]) -> Result<Vec<Bytes>, StateError> {
    frame::open(RecordKind::OperatorState, bytes).map_err(|source| StateError::Format { state: LIST, source })
}

/// The elements of a list, if it has as many as its handle says. Which of them go to whom was decided by that number.
///
/// # Errors
/// If the bytes are damaged, or hold another number of elements.
pub fn decode_all(list: &Name, expected: u32, bytes: &[u8]) -> Result<Vec<Bytes>, StateError> {
    let elements = decode(bytes)?;
    match u32::try_from(elements.len()) {
        Ok(found) if found == expected => Ok(elements),
        _ => Err(StateError::Elements { list: list.clone(), found: elements.len(), expected }),
    }
}

/// One value as an element.
///
/// # Errors
/// If it is too large for one record or has no encoding.
pub fn encode_value<T: Serialize>(value: &T) -> Result<Bytes, StateError> {
    let bytes = frame::seal(RecordKind::Value, value);
    bytes.map(Bytes::from).map_err(|source| StateError::Format { state: ELEMENT, source })
}

/// The value in an element that [`encode_value`] wrote.
///
/// # Errors
/// If the bytes are damaged, or hold a value of another type.
pub fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    frame::open(RecordKind::Value, bytes).map_err(|source| StateError::Format { state: ELEMENT, source })
}

const LIST: &str = "operator state";
const ELEMENT: &str = "an element of operator state";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_values_are_read_as_they_were_written() {
        let elements = vec![encode_value(&(7_u64, "seven")).unwrap(), Bytes::new()];
        assert_eq!(decode(&encode(&elements).unwrap()), Ok(elements.clone()));
        assert_eq!(decode_value::<(u64, String)>(&elements[0]), Ok((7, "seven".into())));
        assert!(decode(&elements[0]).is_err(), "a value is not a list");
    }

    #[test]
    fn a_list_has_as_many_elements_as_its_handle_says() {
        let (list, elements) = (Name::new("list").unwrap(), vec![Bytes::new(); 3]);
        let bytes = encode(&elements).unwrap();
        assert_eq!(decode_all(&list, 3, &bytes), Ok(elements));
        for expected in [0, 2, 4] {
            let list = list.clone();
            let error = StateError::Elements { list: list.clone(), found: 3, expected };
            assert_eq!(decode_all(&list, expected, &bytes), Err(error));
        }
    }
}
