//! Item sizes and limits of DynamoDB, enforced on one machine too, so that what works here works on AWS.
//!
//! Source: "Amazon DynamoDB item sizes and formats" and "Service quotas" of the DynamoDB Developer Guide.

use daybook_store::condition::{Change, Update};
use daybook_store::engine::{Act, Action, MOST_ACTIONS};
use daybook_store::item::{AttributeValue, Item};
use daybook_store::schema::{Key, PK, SK};
use std::borrow::Cow;
use std::collections::HashSet;

/// The maximum size of an item, in bytes.
pub const ITEM: usize = 400 * 1024;

/// The maximum size of a transaction's items, in bytes.
pub const TRANSACTION: usize = 4 << 20;

/// The maximum bytes that one page of a query reads.
pub const PAGE: usize = 1 << 20;

/// The maximum size of a partition key, in bytes.
const PARTITION_KEY: usize = 2048;

/// The maximum size of a sort key, in bytes.
const SORT_KEY: usize = 1024;

/// The size of an item in bytes: its attribute names and values.
pub fn of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

/// The size of a value in bytes.
pub fn of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => of_number(number),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| of_number(number)).sum(),
        AttributeValue::Bs(all) => all.iter().map(|bytes| bytes.as_ref().len()).sum(),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + of_value(value)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.iter().map(|(name, value)| 1 + name.len() + of_value(value)).sum::<usize>(),
        _ => 1,
    }
}

/// The size of a number in bytes: one per two significant digits, rounded up before and after the point separately,
/// plus one, or two where it is negative.
fn of_number(text: &str) -> usize {
    let negative = text.starts_with('-');
    let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let (whole, fraction) = match (whole.is_empty(), fraction.is_empty()) {
        (true, true) => return 1,
        (true, false) => (0, fraction.trim_start_matches('0').len()),
        (false, true) => (whole.trim_end_matches('0').len(), 0),
        (false, false) => (whole.len(), fraction.len()),
    };
    whole.div_ceil(2) + fraction.div_ceil(2) + 1 + usize::from(negative)
}

/// Refuses keys that are empty or too long.
pub fn check_key(key: &Key) -> Result<(), String> {
    for (what, text, limit) in [("partition", &key.pk, PARTITION_KEY), ("sort", &key.sk, SORT_KEY)] {
        if text.is_empty() {
            return Err(format!("the {what} key is empty"));
        }
        if text.len() > limit {
            return Err(format!("the {what} key has {} bytes; the maximum is {limit}", text.len()));
        }
    }
    Ok(())
}

/// Refuses keys of an index that are too long.
pub fn check_indexed(pk: Option<&String>, sk: Option<&String>) -> Result<(), String> {
    match (pk, sk) {
        (Some(pk), _) if pk.len() > PARTITION_KEY => Err(format!("a partition key of an index has {} bytes", pk.len())),
        (_, Some(sk)) if sk.len() > SORT_KEY => Err(format!("a sort key of an index has {} bytes", sk.len())),
        _ => Ok(()),
    }
}

/// Refuses updates without changes, and changes of key attributes.
pub fn check_update(update: &Update) -> Result<(), String> {
    match update.changes.iter().find(|(name, _)| name == PK || name == SK) {
        Some((name, _)) => Err(format!("`{name}` is part of the key and can't be changed")),
        None if update.changes.is_empty() => Err("an update needs at least one change".to_owned()),
        None => Ok(()),
    }
}

/// The size of what an update writes, in bytes.
fn of_changes(update: &Update) -> usize {
    let of_change = |(name, change): &(Cow<str>, Change)| match change {
        Change::Set(value) | Change::SetIfAbsent(value) => name.len() + of_value(value),
        Change::Add(_) | Change::Remove => 0,
    };
    update.changes.iter().map(of_change).sum()
}

/// Refuses items that are too large.
pub fn check_item(bytes: usize) -> Result<(), String> {
    match bytes {
        0..=ITEM => Ok(()),
        _ => Err(format!("the item has {bytes} bytes; the maximum is {ITEM}")),
    }
}

/// Refuses transactions that are empty, have too many actions or bytes, or two actions on one item.
pub fn check_transaction(actions: &[Action]) -> Result<(), String> {
    if actions.is_empty() || actions.len() > MOST_ACTIONS {
        return Err(format!("the transaction has {} actions; it must have 1 to {MOST_ACTIONS}", actions.len()));
    }
    let mut keys = HashSet::new();
    let mut bytes = 0;
    for Action { key, act, .. } in actions {
        if !keys.insert(key) {
            return Err(format!("two actions of the transaction concern one item: {} {}", key.pk, key.sk));
        }
        bytes += match act {
            Act::Put(item) => of(item),
            Act::Update(update) => key.pk.len() + key.sk.len() + of_changes(update),
            Act::Delete | Act::Check => key.pk.len() + key.sk.len(),
        };
    }
    match bytes > TRANSACTION {
        true => Err(format!("the transaction has {bytes} bytes; the maximum is {TRANSACTION}")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::of_number;

    #[test]
    fn numbers_are_as_large_as_their_significant_digits() {
        for (text, bytes) in
            [("0", 1), ("1", 2), ("42", 2), ("-42", 3), ("100", 2), ("123", 3), ("1.5", 3), ("0.001", 2), ("-0.5", 3)]
        {
            assert_eq!(of_number(text), bytes, "{text}");
        }
    }
}
