//! Options out of, and into, any format that serde knows.

use super::{LONGEST_JOINED_KEY, Options};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use stillframe_model::Redacted;

impl Serialize for Options {
    /// As a flat map of text to text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.entries)
    }
}

impl<'de> Deserialize<'de> for Options {
    /// From a map, flat or nested: the keys of nested maps are joined by dots, and lists by semicolons as in Flink. What is
    /// null is left out.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Node::Map(options) = Node::deserialize(deserializer)? else {
            return Err(D::Error::custom("expected a map from keys to values"));
        };
        Ok(options)
    }
}

/// One value of a configuration.
enum Node {
    Nothing,
    Text(String),
    Map(Options),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a truth value, a list of these, or a map of them")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.into()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut text = String::new();
        let mut is_first = true;
        while let Some(item) = items.next_element()? {
            let item = match item {
                Node::Text(item) => item,
                Node::Nothing => String::new(),
                Node::Map(_) => {
                    return Err(A::Error::custom("expected a list of texts, found a list of maps"));
                }
            };
            if !core::mem::take(&mut is_first) {
                text.push(';');
            }
            text.push_str(&item);
        }
        Ok(Node::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut options = Options::new();
        let mut insert = |key: String, value: String| match options.insert(key.as_str(), value) {
            Some(_) => Err(A::Error::custom(format_args!(
                "{}: set twice (allowed: once, with dots or in tables; remove one of the two)",
                Redacted::new(&key).quote()
            ))),
            None => Ok(()),
        };
        while let Some(key) = map.next_key::<Node>()? {
            let Node::Text(key) = key else { return Err(A::Error::custom("expected a text as key")) };
            match map.next_value()? {
                Node::Nothing => {}
                Node::Text(value) => insert(key, value)?,
                Node::Map(nested) => {
                    for (below, value) in nested.entries {
                        if key.len() + 1 + below.len() > LONGEST_JOINED_KEY {
                            return Err(A::Error::custom(format_args!(
                                "{}: the keys of tables in tables are too long (allowed: {LONGEST_JOINED_KEY} bytes, \
                                 with a dot between any two)",
                                Redacted::new(&key).quote()
                            )));
                        }
                        insert(format!("{key}.{below}"), value)?;
                    }
                }
            }
        }
        Ok(Node::Map(options))
    }
}
