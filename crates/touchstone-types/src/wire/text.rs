//! How missing facts and loose values are read.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// An empty or blank string, and null, are missing facts.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|t| !t.trim().is_empty()))
}

/// Null stands for the default.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A JSON object, and nothing else: left to itself, a derived reader also takes an array, its items for the fields in order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Reads an object.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Object::deserialize(deserializer).map(|object| object.0)
}

/// Reads an object; null is a missing fact.
pub(super) fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// Reads an array of objects; null stands for an empty one.
pub(super) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects: Vec<Object<T>> = or_default(deserializer)?;
    Ok(objects.into_iter().map(|object| object.0).collect())
}

/// Attribute values may be strings, numbers or truth values; empty and null ones are missing.
pub(super) fn attributes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a string, a number or a truth value")]
    enum Loose {
        Text(String),
        Number(serde_json::Number),
        Truth(bool),
        Null(()),
    }
    let loose: BTreeMap<String, Loose> = or_default(deserializer)?;
    let texts = loose.into_iter().filter_map(|(key, value)| {
        let text = match value {
            Loose::Text(text) => text,
            Loose::Number(number) => number.to_string(),
            Loose::Truth(truth) => truth.to_string(),
            Loose::Null(()) => return None,
        };
        (!text.trim().is_empty()).then_some((key, text))
    });
    Ok(texts.collect())
}

/// An amount as a decimal string or a number.
pub(super) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Amount::deserialize(deserializer).map(Amount::into_text)
}

/// An amount as a decimal string or a number; an empty one and null are missing.
pub(super) fn optional_amount<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<Amount>::deserialize(deserializer)?.map(Amount::into_text);
    Ok(text.filter(|t| !t.trim().is_empty()))
}

/// An array of texts; null stands for an empty one, blank ones and nulls in it are dropped.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts: Vec<Option<String>> = or_default(deserializer)?;
    Ok(texts.into_iter().flatten().filter(|t| !t.trim().is_empty()).collect())
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a decimal string such as \"129.90\", or a number")]
enum Amount {
    Text(String),
    Number(serde_json::Number),
}

impl Amount {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}
