//! What a type's fields hold, as far as the values of filters are checked by it.

use crate::param::Operand;
use daybook_domain::{Day, Moment, Record, Rule, Timestamp, Unit, Zone};
use daybook_store::filter::{Filter, Op};
use serde_json::{Map, Value};
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use utoipa::openapi::{RefOr, Schema};

/// The most values of a condition.
const MOST_VALUES: usize = 100;

/// The most bytes of a value.
const LONGEST_VALUE: usize = 400;

/// The fields that a list of a type can be filtered by.
pub(crate) struct Fields(BTreeMap<String, FieldKind>);

/// What a field holds.
enum FieldKind {
    Text,
    Number,
    Flag,
    Time,
    Day,
    OneOf(Vec<String>),
}

impl Fields {
    /// The fields of a type. Its schema is read once in the life of the process: a list that is narrowed by a state
    /// needs them with every request.
    pub fn of<T: Record>() -> Arc<Fields> {
        static KNOWN: Mutex<BTreeMap<TypeId, Arc<Fields>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(Fields::read::<T>())).clone()
    }

    fn read<T: Record>() -> Fields {
        let mut named: Vec<(String, RefOr<Schema>)> = Vec::new();
        T::schemas(&mut named);
        let named: Map<String, Value> = named.into_iter().map(|(name, schema)| (name, json(&schema))).collect();
        let own = json(&T::schema());
        let properties = own.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        Fields(properties.iter().map(|(name, property)| (name.clone(), FieldKind::of(property, &named))).collect())
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A condition on a field, with values in the form in which records hold them. A day, and a time without an offset, is
    /// one of a zone.
    pub fn condition(&self, name: &str, op: Op, operand: &Operand, zone: &Zone) -> Result<Filter, Rule> {
        let kind = self.0.get(name).unwrap_or(&FieldKind::Text);
        let is_list = matches!(op, Op::In | Op::Between);
        let values = if is_list { operand.several() } else { vec![operand.one()?] };
        // Each is compared with every record that is looked at.
        if values.len() > MOST_VALUES {
            return Err(Rule::TooLong { max: MOST_VALUES, unit: Unit::Entries });
        }
        if values.iter().any(|value| value.len() > LONGEST_VALUE) {
            return Err(Rule::TooLong { max: LONGEST_VALUE, unit: Unit::Bytes });
        }
        if op == Op::Between && values.len() != 2 {
            return Err(Rule::Format { expected: "two values with a comma".to_owned() });
        }
        let field = name.to_owned();
        let one = values.first().copied().unwrap_or_default();
        let value = match (op, kind) {
            (Op::Contains | Op::Starts, _) => Value::from(one),
            (Op::Exists, _) => FieldKind::Flag.value(one)?,
            (_, FieldKind::Time) => {
                let spans = values.iter().map(|text| span(text, zone)).collect::<Result<Vec<_>, _>>()?;
                return timed(field, op, &spans);
            }
            (Op::In | Op::Between, _) => values.iter().map(|one| kind.value(one)).collect::<Result<Value, _>>()?,
            (Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte, _) => kind.value(one)?,
        };
        Ok(Filter { field, op, value })
    }
}

/// A condition on a moment: compared with a day it is before its beginning, after its end, or within.
fn timed(field: String, op: Op, spans: &[(Timestamp, Timestamp)]) -> Result<Filter, Rule> {
    let text = |at: Timestamp| Value::from(at.to_string());
    let (Some((begin, end)), Some((_, last))) = (spans.first().copied(), spans.last().copied()) else {
        return Err(Rule::Time);
    };
    let is_day = spans.iter().any(|(begin, end)| begin != end);
    let (op, value) = match op {
        Op::Lt | Op::Gte => (op, text(begin)),
        Op::Gt | Op::Lte => (op, text(end)),
        Op::Between => (op, Value::from(vec![text(begin), text(last)])),
        Op::Eq if is_day => (Op::Between, Value::from(vec![text(begin), text(end)])),
        _ if is_day => {
            return Err(Rule::Format { expected: "a time; days go with eq, lt, lte, gt, gte and between".to_owned() });
        }
        Op::In => (op, spans.iter().map(|(at, _)| text(*at)).collect()),
        op => (op, text(begin)),
    };
    Ok(Filter { field, op, value })
}

/// The moment that a text names, or the first and the last one of a day. In a query the sign of an offset comes as a space
/// unless it is escaped.
fn span(text: &str, zone: &Zone) -> Result<(Timestamp, Timestamp), Rule> {
    let moment = Moment::parse(text).or_else(|rule| Moment::parse(&text.replace(' ', "+")).map_err(|_| rule))?;
    let begin = moment.in_zone(zone)?;
    let is_day = text.trim().len() == "2026-11-20".len();
    Ok((begin, if is_day { zone.next_midnight(begin).minus(Duration::from_millis(1)) } else { begin }))
}

impl FieldKind {
    fn of(property: &Value, named: &Map<String, Value>) -> FieldKind {
        let choices = property.get("oneOf").and_then(Value::as_array);
        let some = choices.and_then(|all| all.iter().find(|one| one.get("type") != Some(&Value::from("null"))));
        let some = some.unwrap_or(property);
        let reference = some.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        let schema = reference.and_then(|name| named.get(name)).unwrap_or(some);
        if let Some(names) = schema.get("enum").and_then(Value::as_array) {
            return FieldKind::OneOf(names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        // An optional value's type is a list of its own and null.
        let is = |wanted: &str| match schema.get("type") {
            Some(Value::Array(types)) => types.iter().any(|name| name == wanted),
            Some(name) => name == wanted,
            None => false,
        };
        if is("integer") || is("number") {
            FieldKind::Number
        } else if is("boolean") {
            FieldKind::Flag
        } else if schema.get("format").is_some_and(|format| format == "date-time") {
            FieldKind::Time
        } else if schema.get("format").is_some_and(|format| format == "date") {
            FieldKind::Day
        } else {
            FieldKind::Text
        }
    }

    fn value(&self, text: &str) -> Result<Value, Rule> {
        match self {
            FieldKind::Text => Ok(Value::from(text)),
            FieldKind::Number if text.parse::<f64>().is_ok_and(f64::is_finite) => Ok(Value::from(text)),
            FieldKind::Number => Err(Rule::Format { expected: "a number".to_owned() }),
            FieldKind::Flag => one_of(text, &["true".to_owned(), "false".to_owned()]),
            FieldKind::OneOf(names) => one_of(text, names),
            FieldKind::Day => Day::parse(text).map(|day| Value::from(day.to_string())),
            FieldKind::Time => text.parse::<Timestamp>().map(|at| Value::from(at.to_string())),
        }
    }
}

fn one_of(text: &str, names: &[String]) -> Result<Value, Rule> {
    match names.iter().any(|name| name == text) {
        true => Ok(Value::from(text)),
        false => Err(Rule::OneOf { allowed: names.to_vec() }),
    }
}

fn json(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}
