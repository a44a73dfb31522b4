//! DynamoDB's sizes and limits, which hold on one machine too, so that what works here works there.
//!
//! Source: "Amazon DynamoDB item sizes and formats" and "Service quotas" of the DynamoDB Developer Guide.

use daybook_store::condition::{Change, Update};
use daybook_store::engine::{Act, Action, MOST_ACTIONS};
use daybook_store::item::{AttributeValue, Item};
use daybook_store::schema::{Key, PK, SK};
use std::borrow::Cow;
use std::collections::HashSet;

/// The most bytes of an item.
pub const ITEM: usize = 400 * 1024;

/// The most bytes of a transaction's items.
pub const TRANSACTION: usize = 4 << 20;

/// The most bytes that a page of a range looks at.
pub const PAGE: usize = 1 << 20;

/// The most bytes of a partition key.
const PARTITION_KEY: usize = 2048;

/// The most bytes of a sort key.
const SORT_KEY: usize = 1024;

/// The bytes of an item: of its names and values.
pub fn of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

/// The bytes of a value.
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

/// The bytes of a number: one for two of its significant digits, before and after the point each rounded up, and one more, two
/// where it is negative.
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
            return Err(format!("the {what} key has {} bytes, and {limit} are the most", text.len()));
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

/// Refuses updates of nothing, and of the key.
pub fn check_update(update: &Update) -> Result<(), String> {
    match update.changes.iter().find(|(name, _)| name == PK || name == SK) {
        Some((name, _)) => Err(format!("`{name}` is part of the key, and isn't changed")),
        None if update.changes.is_empty() => Err("an update changes nothing".to_owned()),
        None => Ok(()),
    }
}

/// The bytes that an update writes.
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
        _ => Err(format!("an item has {bytes} bytes, and {ITEM} are the most")),
    }
}

/// Refuses transactions that are empty, too long or too large, and those with two actions on one item.
pub fn check_transaction(actions: &[Action]) -> Result<(), String> {
    if actions.is_empty() || actions.len() > MOST_ACTIONS {
        return Err(format!("a transaction has {} actions, and must have 1 to {MOST_ACTIONS}", actions.len()));
    }
    let mut keys = HashSet::new();
    let mut bytes = 0;
    for Action { key, act, .. } in actions {
        if !keys.insert(key) {
            return Err(format!("two actions of a transaction are on one item, {} {}", key.pk, key.sk));
        }
        bytes += match act {
            Act::Put(item) => of(item),
            Act::Update(update) => key.pk.len() + key.sk.len() + of_changes(update),
            Act::Delete | Act::Check => key.pk.len() + key.sk.len(),
        };
    }
    match bytes > TRANSACTION {
        true => Err(format!("a transaction has {bytes} bytes, and {TRANSACTION} are the most")),
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
