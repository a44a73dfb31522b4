//! Filters of lists: conditions on the fields of a record, parsed once per request.

use daybook_domain::words::normalize;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;

/// A condition on one field.
#[derive(Clone, PartialEq)]
pub struct Filter {
    field: String,
    op: Op,
    value: Value,
    test: Test,
    normalises: Option<Normal>,
}

/// Writes all spellings of a value alike.
#[derive(Clone, Copy)]
struct Normal(fn(&str) -> String);

impl PartialEq for Normal {
    /// The field decides which it is.
    fn eq(&self, _: &Normal) -> bool {
        true
    }
}

impl fmt::Debug for Filter {
    /// The condition as it was asked for, to which cursors are bound.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("field", &self.field).field("op", &self.op).field("value", &self.value).finish()
    }
}

/// What a value is compared with, ready for any number of records.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// Its order to a value is one of these.
    Ordered(Wanted, &'static [Ordering]),
    /// It has no value, or another one.
    Differs(Wanted),
    /// It is one of these.
    OneOf(HashSet<String>, Vec<f64>),
    /// It contains this text, ignoring case.
    Contains(String),
    /// It begins with this text, ignoring case.
    Starts(String),
    /// Whether it has a value.
    Exists(bool),
    /// It lies between two values, both included; nothing does where there aren't two.
    Between(Option<Box<(Wanted, Wanted)>>),
}

/// A value to compare with: as a text, and as a number if it is one.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    text: String,
    number: Option<f64>,
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// One of a list.
    In,
    /// Contains a text, ignoring case.
    Contains,
    /// Begins with a text, ignoring case.
    Starts,
    /// Has a value, or none.
    Exists,
    /// From the first to the second of two, both included.
    Between,
}

impl Op {
    /// Every operator, by name.
    pub const NAMES: [(&'static str, Op); 11] = [
        ("eq", Op::Eq),
        ("ne", Op::Ne),
        ("lt", Op::Lt),
        ("lte", Op::Lte),
        ("gt", Op::Gt),
        ("gte", Op::Gte),
        ("in", Op::In),
        ("contains", Op::Contains),
        ("starts", Op::Starts),
        ("exists", Op::Exists),
        ("between", Op::Between),
    ];

    /// The operator of this name.
    pub fn of(name: &str) -> Option<Op> {
        Op::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, op)| op)
    }
}

impl Filter {
    /// A condition; for `in` and `between` the value is a list.
    pub fn new(field: impl Into<String>, op: Op, value: Value) -> Filter {
        let wanted = || Wanted::of(&value);
        let list = || value.as_array().map(Vec::as_slice).unwrap_or_default();
        let test = match op {
            Op::Eq => Test::Ordered(wanted(), &[Ordering::Equal]),
            Op::Ne => Test::Differs(wanted()),
            Op::Lt => Test::Ordered(wanted(), &[Ordering::Less]),
            Op::Lte => Test::Ordered(wanted(), &[Ordering::Less, Ordering::Equal]),
            Op::Gt => Test::Ordered(wanted(), &[Ordering::Greater]),
            Op::Gte => Test::Ordered(wanted(), &[Ordering::Greater, Ordering::Equal]),
            Op::In => {
                let (texts, numbers): (HashSet<String>, Vec<Option<f64>>) =
                    list().iter().map(Wanted::of).map(|wanted| (wanted.text, wanted.number)).unzip();
                Test::OneOf(texts, numbers.into_iter().flatten().collect())
            }
            Op::Contains => Test::Contains(normalize(&plain(&value))),
            Op::Starts => Test::Starts(normalize(&plain(&value))),
            Op::Exists => Test::Exists(value == Value::Bool(true) || value == "true"),
            Op::Between => Test::Between(match list() {
                [from, to] => Some(Box::new((Wanted::of(from), Wanted::of(to)))),
                _ => None,
            }),
        };
        Filter { field: field.into(), op, value, test, normalises: None }
    }

    /// The condition on texts as this function writes them; its own value is one already.
    #[must_use]
    pub fn normalising(self, text: fn(&str) -> String) -> Filter {
        Filter { normalises: Some(Normal(text)), ..self }
    }

    /// Whether a record's JSON meets the condition. With a missing field, every comparison but `ne` is false. A list
    /// meets it where one of its values does; `ne` where all of them do.
    pub fn matches(&self, record: &Value) -> bool {
        let actual = record.get(&self.field).unwrap_or(&Value::Null);
        if let (Some(Normal(normal)), Value::String(text)) = (self.normalises, actual) {
            return self.test.holds(&Value::from(normal(text)));
        }
        match (actual, &self.test) {
            (Value::Array(list), Test::Exists(wanted)) => list.is_empty() != *wanted,
            (Value::Array(list), Test::Differs(_)) => list.iter().all(|one| self.test.holds(one)),
            (Value::Array(list), test) => list.iter().any(|one| test.holds(one)),
            (value, test) => test.holds(value),
        }
    }

    /// The bytes that checking the condition handles at most, for a record of this many bytes.
    pub(crate) fn weight(&self, record_bytes: usize) -> usize {
        match self.test {
            // The value is normalised first.
            Test::Contains(_) | Test::Starts(_) => record_bytes,
            Test::Ordered(..) | Test::Differs(_) | Test::OneOf(..) | Test::Exists(_) | Test::Between(_) => 100,
        }
    }
}

impl Test {
    fn holds(&self, actual: &Value) -> bool {
        match self {
            Test::Ordered(wanted, orders) => wanted.order_of(actual).is_some_and(|order| orders.contains(&order)),
            Test::Differs(wanted) => wanted.order_of(actual) != Some(Ordering::Equal),
            Test::OneOf(texts, numbers) => match actual {
                Value::Null => false,
                Value::Number(number) => number.as_f64().is_some_and(|number| numbers.contains(&number)),
                other => texts.contains(&*plain(other)),
            },
            Test::Contains(wanted) => normalize(&plain(actual)).contains(wanted),
            Test::Starts(wanted) => normalize(&plain(actual)).starts_with(wanted),
            Test::Exists(wanted) => actual.is_null() != *wanted,
            Test::Between(bounds) => bounds.as_deref().is_some_and(|(from, to)| {
                matches!(from.order_of(actual), Some(Ordering::Greater | Ordering::Equal))
                    && matches!(to.order_of(actual), Some(Ordering::Less | Ordering::Equal))
            }),
        }
    }
}

impl Wanted {
    fn of(value: &Value) -> Wanted {
        let text = plain(value).into_owned();
        Wanted { number: normalize(&text).parse().ok(), text }
    }

    /// The order of an actual value to this one. Numbers compare as numbers, also with a text from a query string; all
    /// other values as text.
    fn order_of(&self, actual: &Value) -> Option<Ordering> {
        match actual {
            Value::Null => None,
            Value::Number(number) => number.as_f64()?.partial_cmp(&self.number?),
            other => Some((*plain(other)).cmp(&self.text)),
        }
    }
}

fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_filters_let_through() {
        let record = json!({"name": "Ada Lovelace", "value": 12.5, "count": 3, "company": "示例科技", "at": "2026-11-20T00:00:00.000Z",
            "tags": ["vip", "old"], "none": []});
        let check = |field: &str, op: &str, value: Value, expected: bool| {
            let filter = Filter::new(field, Op::of(op).expect("an operator"), value);
            assert_eq!(filter.matches(&record), expected, "{filter:?}");
        };
        check("name", "eq", json!("Ada Lovelace"), true);
        check("name", "contains", json!("LOVE"), true);
        check("name", "starts", json!("ada"), true);
        check("company", "contains", json!("科技"), true);
        check("value", "gt", json!("9"), true);
        check("value", "between", json!(["1", "12.5"]), true);
        check("value", "lt", json!("x"), false);
        check("count", "in", json!(["1", "3"]), true);
        check("at", "gte", json!("2026-11-01"), true);
        check("missing", "exists", json!("false"), true);
        check("missing", "exists", json!("true"), false);
        check("name", "exists", json!("true"), true);
        check("missing", "ne", json!("x"), true);
        check("missing", "lt", json!("x"), false);
        check("tags", "eq", json!("vip"), true);
        check("tags", "contains", json!("OL"), true);
        check("tags", "ne", json!("vip"), false);
        check("tags", "ne", json!("new"), true);
        check("none", "exists", json!("true"), false);
    }
}
