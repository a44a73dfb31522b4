//! Items of the table: attributes by name, and their conversion from and to Rust types.

use crate::schema::{EXPIRES_AT, KIND, Key, Kind, PK, SK};
use crate::{Error, Result};
pub use aws_sdk_dynamodb::primitives::Blob;
pub use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// The attributes of an item.
pub type Item = HashMap<String, AttributeValue>;

/// A value as an attribute. Only for values that always have one: numbers, texts, flags.
pub fn attribute(value: impl Serialize) -> AttributeValue {
    serde_dynamo::to_attribute_value(value).unwrap_or(AttributeValue::Null(true))
}

/// A key as attributes.
pub fn key_item(key: &Key) -> Item {
    Item::from([(PK.to_owned(), AttributeValue::S(key.pk.clone())), (SK.to_owned(), AttributeValue::S(key.sk.clone()))])
}

/// An operational row as an item: its fields beside the key. Nulls are left out.
pub fn row_item(key: &Key, row: &impl Serialize) -> Result<Item> {
    let mut item: Item =
        serde_dynamo::to_item(row).map_err(|error| Error::internal("write a row as attributes", error))?;
    item.retain(|_, value| !value.is_null());
    item.extend(key_item(key));
    item.entry(KIND.to_owned()).or_insert_with(|| AttributeValue::S(Kind::Row.name().to_owned()));
    Ok(item)
}

/// The key in an item's attributes.
pub fn key_of(item: &Item) -> Option<Key> {
    Some(Key { pk: text(item, PK)?.clone(), sk: text(item, SK)?.clone() })
}

/// An item's attribute of type string.
pub fn text<'i>(item: &'i Item, name: &str) -> Option<&'i String> {
    item.get(name).and_then(|value| value.as_s().ok())
}

/// The bytes of an item's texts: nearly all of it.
pub(crate) fn text_bytes(item: &Item) -> usize {
    item.values().filter_map(|value| value.as_s().ok()).map(String::len).sum()
}

/// Deserialises an item.
pub fn parse_item<T: DeserializeOwned>(item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(|error| Error::internal("read an item's attributes", error))
}

/// Whether an item hasn't expired. DynamoDB deletes expired items late.
pub fn expires_after(item: &Item, now: i64) -> bool {
    match item.get(EXPIRES_AT).and_then(|value| value.as_n().ok()).and_then(|n| n.parse::<i64>().ok()) {
        Some(at) => at > now,
        None => true,
    }
}
