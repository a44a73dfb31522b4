//! Evaluation of conditions and updates on an item, with DynamoDB's semantics.

use daybook_store::condition::{Change, Condition, Update};
use daybook_store::item::{AttributeValue, Item};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Whether a condition holds for an item; a missing item counts as one without attributes.
pub fn holds(condition: &Condition, item: &Item) -> bool {
    match condition {
        Condition::Exists(name) => item.contains_key(name.as_ref()),
        Condition::Absent(name) => !item.contains_key(name.as_ref()),
        Condition::Equal(name, value) => item.get(name.as_ref()).is_some_and(|own| equal(own, value)),
        Condition::Less(name, value) => item.get(name.as_ref()).is_some_and(|own| less(own, value)),
        Condition::In(name, values) => {
            item.get(name.as_ref()).is_some_and(|own| values.iter().any(|value| equal(own, value)))
        }
        Condition::All(all) => all.iter().all(|condition| holds(condition, item)),
        Condition::Any(any) => any.iter().any(|condition| holds(condition, item)),
        Condition::Not(condition) => !holds(condition, item),
    }
}

fn equal(one: &AttributeValue, other: &AttributeValue) -> bool {
    match (one, other) {
        (AttributeValue::N(one), AttributeValue::N(other)) => compared(one, other) == Some(Ordering::Equal),
        (AttributeValue::L(one), AttributeValue::L(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (AttributeValue::M(one), AttributeValue::M(other)) => {
            let same = |(name, value): (&String, &AttributeValue)| other.get(name).is_some_and(|own| equal(value, own));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

fn less(one: &AttributeValue, other: &AttributeValue) -> bool {
    match (one, other) {
        (AttributeValue::N(one), AttributeValue::N(other)) => compared(one, other) == Some(Ordering::Less),
        (AttributeValue::S(one), AttributeValue::S(other)) => one < other,
        (AttributeValue::B(one), AttributeValue::B(other)) => one.as_ref() < other.as_ref(),
        _ => false,
    }
}

fn compared(one: &str, other: &str) -> Option<Ordering> {
    match (one.parse::<i64>(), other.parse::<i64>()) {
        (Ok(one), Ok(other)) => Some(one.cmp(&other)),
        _ => Some(decimal(one)?.cmp(&decimal(other)?)),
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// A number in DynamoDB's normal form: no plus sign, no exponent, no insignificant zeros.
pub fn normal_number(text: &str) -> Result<String, String> {
    match text.parse::<i64>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => decimal(text)
            .map(|number| number.normalize().to_string())
            .ok_or_else(|| format!("`{text}` isn't a number of up to 28 digits")),
    }
}

/// Applies an update to an item; returns the changed attributes with their new values.
pub fn change(item: &mut Item, update: &Update) -> Result<Item, String> {
    let mut changed = Item::new();
    for (name, change) in &update.changes {
        let value = match change {
            Change::Set(value) => value.clone(),
            Change::SetIfAbsent(value) => item.get(&**name).unwrap_or(value).clone(),
            Change::Add(number) => match item.get(&**name) {
                None => AttributeValue::N(number.to_string()),
                Some(AttributeValue::N(own)) => AttributeValue::N(added(own, *number)?),
                Some(_) => return Err(format!("`{name}` isn't a number, so nothing can be added to it")),
            },
            Change::Remove => {
                item.remove(&**name);
                continue;
            }
        };
        item.insert(name.clone().into_owned(), value.clone());
        changed.insert(name.clone().into_owned(), value);
    }
    Ok(changed)
}

fn added(own: &str, number: i64) -> Result<String, String> {
    let sum = match own.parse::<i64>() {
        Ok(own) => own.checked_add(number).map(|sum| sum.to_string()),
        Err(_) => None,
    };
    let exactly = || decimal(own)?.checked_add(Decimal::from(number)).map(|sum| sum.normalize().to_string());
    sum.or_else(exactly).ok_or_else(|| format!("{number} can't be added to `{own}`"))
}
