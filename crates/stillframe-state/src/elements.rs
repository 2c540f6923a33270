//! Operator state: a list of elements, each of which an operator can take over whole.

use crate::StateError;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stillframe_metadata::frame::{self, RecordKind};

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
}
