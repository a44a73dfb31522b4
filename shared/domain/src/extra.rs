//! `extra`: the fields of a form that no type knows, and their limits.

use crate::error::{Rule, Unit, Violations};
use crate::masking::NAME_BYTES;
use crate::text::breaks_a_line;
use serde_json::{Map, Value};

/// The most fields.
pub const MOST_FIELDS: usize = 50;

/// The most characters of a field: of a text, or of another value's JSON.
pub const MOST_CHARACTERS: usize = 5_000;

/// The most bytes of a field's name: the value under a longer one would be masked.
pub const MOST_NAME_BYTES: usize = NAME_BYTES;

/// The most levels of lists and objects in a field.
const MOST_LEVELS: usize = 8;

/// The rules that fields break; `place` is where a field was given, as a JSON pointer.
pub fn violations_of(extra: &Map<String, Value>, place: impl Fn(&str) -> String) -> Violations {
    let mut violations = Violations::default();
    if extra.len() > MOST_FIELDS {
        violations.add("/extra", Rule::TooLong { max: MOST_FIELDS, unit: Unit::Entries });
    }
    for (name, value) in extra {
        if let Some(rule) = rule_broken_by(name, value) {
            violations.add(place(name), rule);
        }
    }
    violations
}

/// Whether a field was left empty.
pub(crate) fn is_blank(value: &Value) -> bool {
    // Chinese keyboards enter a full-width space, U+3000.
    let blank = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{3000}');
    value.is_null() || value.as_str().is_some_and(|text| text.trim_matches(blank).is_empty())
}

fn rule_broken_by(name: &str, value: &Value) -> Option<Rule> {
    if name.chars().any(breaks_a_line) {
        return Some(Rule::ControlCharacter);
    }
    if name.len() > MOST_NAME_BYTES {
        return Some(Rule::TooLong { max: MOST_NAME_BYTES, unit: Unit::Bytes });
    }
    let characters = value.as_str().map_or_else(|| value.to_string().chars().count(), |text| text.chars().count());
    if characters > MOST_CHARACTERS {
        return Some(Rule::TooLong { max: MOST_CHARACTERS, unit: Unit::Characters });
    }
    if levels(value) > MOST_LEVELS {
        return Some(Rule::format("a value of at most 8 levels of lists and objects", "最多嵌套 8 层列表和对象的值"));
    }
    let is_good = !name.is_empty() && is_storable(value);
    (!is_good).then(|| {
        Rule::format(
            "a field with a name, and numbers of size 1e-125 to 1e125",
            "是名称非空的字段，且数值的绝对值在 1e-125 至 1e125 之间",
        )
    })
}

/// Whether DynamoDB can store a value: its numbers have a smaller range than JSON's, and names can't be empty.
fn is_storable(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let size = number.as_f64().unwrap_or(f64::MAX).abs();
            size == 0.0 || (1e-125..1e125).contains(&size)
        }
        Value::Array(list) => list.iter().all(is_storable),
        Value::Object(map) => map.iter().all(|(name, value)| !name.is_empty() && is_storable(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(levels).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_broken_field_is_named() {
        let deep =
            |levels: usize| serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        let extra = json!({
            "fine": "需".repeat(MOST_CHARACTERS), "long": "x".repeat(MOST_CHARACTERS + 1), "list": vec!["需"; 2_000],
            "deep": deep(9).expect("JSON"), "not so deep": deep(8).expect("JSON"), "big": 1e200, "": 1, "a\nb": 1,
            "n".repeat(MOST_NAME_BYTES + 1): 1, "n".repeat(MOST_NAME_BYTES): 1
        });
        let found = violations_of(extra.as_object().expect("an object"), |name| format!("/{name}"));
        let mut found: Vec<_> = found.0.iter().map(|one| (one.pointer.as_str(), one.rule.code())).collect();
        found.sort_unstable();
        let long_name = format!("/{}", "n".repeat(MOST_NAME_BYTES + 1));
        let expected = [
            ("/", "invalid_format"),
            ("/a\nb", "control_character"),
            ("/big", "invalid_format"),
            ("/deep", "invalid_format"),
            ("/list", "too_long"),
            ("/long", "too_long"),
            (long_name.as_str(), "too_long"),
        ];
        assert_eq!(found, expected);
    }
}
