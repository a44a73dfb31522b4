//! List parameters in a common form, whether given in a URL's query, in a request body, or in a view.

use daybook_domain::Rule;
use daybook_domain::read::escape;
use serde_json::{Map, Value};

/// A parameter of a list, or a condition on a field.
#[derive(Clone, Debug)]
pub struct Param {
    /// The place where it was given, as a JSON pointer.
    pub pointer: String,
    /// The name of the parameter or field.
    pub name: String,
    /// The comparison operator; none for parameters, and for fields that must be equal.
    pub op: Option<String>,
    /// Its value.
    pub value: Operand,
}

/// The value of a parameter.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A text.
    One(String),
    /// A list of texts.
    Several(Vec<String>),
}

impl Operand {
    /// The single value, or a violation if there are several.
    pub fn one(&self) -> Result<&str, Rule> {
        match self {
            Operand::One(text) => Ok(text),
            Operand::Several(_) => Err(Rule::of_type("one value", "单个值")),
        }
    }

    /// The values; a single text is split at commas.
    pub fn several(&self) -> Vec<&str> {
        match self {
            Operand::One(text) => text.split(',').map(str::trim).collect(),
            Operand::Several(list) => list.iter().map(String::as_str).collect(),
        }
    }

    /// The bytes of the values.
    pub fn bytes(&self) -> usize {
        match self {
            Operand::One(text) => text.len(),
            Operand::Several(list) => list.iter().map(String::len).sum(),
        }
    }

    /// The operand of a JSON value: a text, number or boolean, or a list of them.
    fn of(value: &Value) -> Result<Operand, Rule> {
        match value {
            Value::Array(list) => list.iter().map(text).collect::<Result<_, _>>().map(Operand::Several),
            value => text(value).map(Operand::One),
        }
    }
}

fn text(value: &Value) -> Result<String, Rule> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(Rule::of_type(
            "a text, a number, a boolean or a list of them",
            "文本、数字、布尔值，或由它们组成的列表",
        )),
    }
}

impl Param {
    /// Parses a query parameter: `field=v`, `filter[field]=v` or `filter[field][op]=v`.
    pub fn of_query((name, value): (String, String)) -> Param {
        let pointer = format!("/{}", escape(&name));
        let inner = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']'));
        let (name, op) = match inner.map(|inner| inner.split_once("][").unwrap_or((inner, "eq"))) {
            Some((field, op)) => (field.to_owned(), Some(op.to_owned())),
            None => (name, None),
        };
        Param { pointer, name, op, value: Operand::One(value) }
    }

    /// A parameter of a body.
    pub fn of_body(name: &str, value: impl ToString) -> Param {
        Param { pointer: format!("/{name}"), name: name.to_owned(), op: None, value: Operand::One(value.to_string()) }
    }

    /// Parses the conditions of a body: `{field: v}`, `{field: [v, …]}` for one of several values, or `{field: {op: v}}`.
    pub fn of_filter(conditions: &Map<String, Value>) -> Vec<Result<Param, (String, Rule)>> {
        let mut params = Vec::new();
        let mut add = |pointer: String, name: &str, op: &str, value: &Value| {
            params.push(match Operand::of(value) {
                Ok(value) => Ok(Param { pointer, name: name.to_owned(), op: Some(op.to_owned()), value }),
                Err(rule) => Err((pointer, rule)),
            });
        };
        for (name, condition) in conditions {
            let pointer = format!("/filter/{}", escape(name));
            match condition {
                Value::Object(ops) => {
                    for (op, value) in ops {
                        add(format!("{pointer}/{}", escape(op)), name, op, value);
                    }
                }
                Value::Array(_) => add(pointer, name, "in", condition),
                value => add(pointer, name, "eq", value),
            }
        }
        params
    }

    /// Whether a value may be a day or a time: it begins with four digits and a dash.
    fn names_a_day(&self) -> bool {
        let begins = |text: &str| {
            text.get(..5).is_some_and(|year| year.ends_with('-') && year[..4].bytes().all(|c| c.is_ascii_digit()))
        };
        self.value.several().into_iter().any(begins)
    }

    /// Whether its meaning depends on where the organisation is: on its time zone, or its country's phone numbers.
    pub fn depends_on_place(&self) -> bool {
        self.names_a_day() || self.name == "phone"
    }

    /// The name and operator, which a query has once.
    pub fn about(&self) -> (&str, &str) {
        (&self.name, self.op.as_deref().unwrap_or("eq"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_query_and_a_body_say_the_same() {
        let of_query = |name: &str, value: &str| {
            let Param { name, op, value, .. } = Param::of_query((name.to_owned(), value.to_owned()));
            (name, op.unwrap_or_else(|| "eq".to_owned()), value.several().join("|"))
        };
        let check = |filter: Value, queries: &[(&str, &str)]| {
            let params = Param::of_filter(filter.as_object().expect("an object"));
            let found: Vec<_> = params.into_iter().map(|param| param.expect("a parameter")).collect();
            let found: Vec<_> =
                found.into_iter().map(|p| (p.name, p.op.unwrap_or_default(), p.value.several().join("|"))).collect();
            assert_eq!(found, queries.iter().map(|(name, value)| of_query(name, value)).collect::<Vec<_>>());
        };
        check(json!({"status": "active"}), &[("status", "active")]);
        check(json!({"status": ["active", "prospect"]}), &[("filter[status][in]", "active, prospect")]);
        check(json!({"value": {"gte": 5, "lt": 10.5}}), &[("filter[value][gte]", "5"), ("filter[value][lt]", "10.5")]);
        check(json!({"email": {"exists": true}}), &[("filter[email][exists]", "true")]);
        let wrong = Param::of_filter(json!({"a~/b": {"eq": null}, "c": [[]]}).as_object().expect("an object"));
        let places: Vec<_> = wrong.into_iter().filter_map(|param| Some(param.err()?.0)).collect();
        assert_eq!(places, ["/filter/a~0~1b/eq", "/filter/c"]);
    }
}
