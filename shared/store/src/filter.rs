//! Filters of lists: conditions on the fields of a record.

use serde_json::Value;
use std::cmp::Ordering;

/// A condition on one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The field.
    pub field: String,
    /// The comparison operator.
    pub op: Op,
    /// The value to compare with; a list for `in` and `between`.
    pub value: Value,
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
    /// Whether a record's JSON meets the condition. With a missing field, every comparison but `ne` is false. A list
    /// meets it where one of its values does; `ne` where all of them do.
    pub fn matches(&self, record: &Value) -> bool {
        match (record.get(&self.field).unwrap_or(&Value::Null), self.op) {
            (Value::Array(list), Op::Exists) => list.is_empty() != self.wants_some(),
            (Value::Array(list), Op::Ne) => list.iter().all(|one| self.matches_value(one)),
            (Value::Array(list), _) => list.iter().any(|one| self.matches_value(one)),
            (value, _) => self.matches_value(value),
        }
    }

    fn wants_some(&self) -> bool {
        self.value == Value::Bool(true) || self.value == "true"
    }

    fn matches_value(&self, actual: &Value) -> bool {
        let order = |wanted: &Value| compare(actual, wanted);
        let list = || self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        match self.op {
            Op::Eq => order(&self.value) == Some(Ordering::Equal),
            Op::Ne => order(&self.value) != Some(Ordering::Equal),
            Op::Lt => order(&self.value) == Some(Ordering::Less),
            Op::Lte => matches!(order(&self.value), Some(Ordering::Less | Ordering::Equal)),
            Op::Gt => order(&self.value) == Some(Ordering::Greater),
            Op::Gte => matches!(order(&self.value), Some(Ordering::Greater | Ordering::Equal)),
            Op::In => list().iter().any(|wanted| order(wanted) == Some(Ordering::Equal)),
            Op::Contains => folded(actual).contains(&folded(&self.value)),
            Op::Starts => folded(actual).starts_with(&folded(&self.value)),
            Op::Exists => actual.is_null() != self.wants_some(),
            Op::Between => match list() {
                [from, to] => {
                    matches!(order(from), Some(Ordering::Greater | Ordering::Equal))
                        && matches!(order(to), Some(Ordering::Less | Ordering::Equal))
                }
                _ => false,
            },
        }
    }
}

/// Numbers compare as numbers, also with a text from a query string; all other values as text.
fn compare(actual: &Value, wanted: &Value) -> Option<Ordering> {
    match actual {
        Value::Null => None,
        Value::Number(number) => number.as_f64()?.partial_cmp(&folded(wanted).parse().ok()?),
        _ => Some(plain(actual).cmp(&plain(wanted))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn folded(value: &Value) -> String {
    daybook_domain::words::normalize(&plain(value))
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
            let filter = Filter { field: field.to_owned(), op: Op::of(op).expect("an operator"), value };
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
