//! Filter conditions: validation of their values by the kind of field.

use super::param::Operand;
use daybook_domain::field::{Field, FieldKind};
use daybook_domain::{Day, EmailAddress, Moment, Phone, Record, Rule, Timestamp, Unit, Zone};
use daybook_store::filter::{Filter, Op};
use serde_json::Value;
use std::time::Duration;

/// The most values of a condition.
const MOST_VALUES: usize = 100;

/// The field that has a record's phone number in E.164.
const NUMBER: &str = "phone_e164";

/// The most bytes of a value of a condition.
const LONGEST_VALUE: usize = 400;

/// Where an organisation is.
#[derive(Clone, Debug)]
pub struct Locality {
    /// The zone of days and of times without an offset.
    pub zone: Zone,
    /// The country of phone numbers without a country code.
    pub phone_country: String,
}

impl Default for Locality {
    fn default() -> Locality {
        Locality { zone: Zone::default(), phone_country: Phone::DEFAULT_COUNTRY.to_owned() }
    }
}

/// The field with this name, if lists of the type can be filtered by it.
pub fn field_of<T: Record>(name: &str) -> Option<&'static Field> {
    T::FIELDS.iter().find(|field| field.name == name)
}

/// The names of the fields of a type, sorted.
pub fn names_of<T: Record>() -> Vec<String> {
    let mut names: Vec<String> = T::FIELDS.iter().map(|field| field.name.to_owned()).collect();
    names.sort();
    names
}

/// A condition on a field, with values in the format in which records store them.
pub fn condition(field: &Field, op: Op, operand: &Operand, there: &Locality) -> Result<Filter, Rule> {
    let kind = field.kind;
    let is_list = matches!(op, Op::In | Op::Between);
    let values = if is_list { operand.several() } else { vec![operand.one()?] };
    // Each value is compared with every record that is scanned.
    if values.len() > MOST_VALUES {
        return Err(Rule::TooLong { max: MOST_VALUES, unit: Unit::Entries });
    }
    if values.iter().any(|value| value.len() > LONGEST_VALUE) {
        return Err(Rule::TooLong { max: LONGEST_VALUE, unit: Unit::Bytes });
    }
    if op == Op::Between && values.len() != 2 {
        return Err(Rule::format("two values, separated by a comma", "是两个值，以英文逗号分隔"));
    }
    let field = field.name.to_owned();
    let one = values.first().copied().unwrap_or_default();
    let all_or_one = |mut all: Vec<String>| match is_list {
        true => Value::from(all),
        false => Value::from(all.pop().unwrap_or_default()),
    };
    let value = match (op, kind) {
        (Op::Contains | Op::Starts, _) => Value::from(one),
        (Op::Exists, _) => value_of(FieldKind::Flag, one)?,
        (_, FieldKind::Time) => {
            let spans = values.iter().map(|text| span(text, &there.zone)).collect::<Result<Vec<_>, _>>()?;
            return timed(field, op, &spans);
        }
        (Op::Eq | Op::Ne | Op::In, FieldKind::Address) => {
            let spelled = values.iter().map(|text| EmailAddress::normalized_text(text)).collect();
            return Ok(Filter::new(field, op, all_or_one(spelled)).normalising(EmailAddress::normalized_text));
        }
        (Op::Eq | Op::Ne | Op::In, FieldKind::Phone) => {
            let numbers = values.iter().map(|text| Phone::parse(text).ok()?.e164(&there.phone_country));
            return Ok(match numbers.collect::<Option<Vec<String>>>() {
                Some(numbers) => Filter::new(NUMBER, op, all_or_one(numbers)),
                // What is no number of a country is compared by its digits.
                None => {
                    let digits = values.iter().map(|text| Phone::compared_text(text)).collect();
                    Filter::new(field, op, all_or_one(digits)).normalising(Phone::compared_text)
                }
            });
        }
        (Op::In | Op::Between, _) => values.iter().map(|one| value_of(kind, one)).collect::<Result<Value, _>>()?,
        (Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte, _) => value_of(kind, one)?,
    };
    Ok(Filter::new(field, op, value))
}

/// A condition on a time. A day stands for its start, its end or the whole day, depending on the operator.
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
            return Err(Rule::format(
                "a time; days need eq, lt, lte, gt, gte or between",
                "是时间；日期只能使用 eq、lt、lte、gt、gte 或 between",
            ));
        }
        Op::In => (op, spans.iter().map(|(at, _)| text(*at)).collect()),
        op => (op, text(begin)),
    };
    Ok(Filter::new(field, op, value))
}

/// The start and end of a day; both are the same for a time. In a query an unescaped `+` of an offset arrives as a space.
fn span(text: &str, zone: &Zone) -> Result<(Timestamp, Timestamp), Rule> {
    let moment = Moment::parse(text).or_else(|rule| Moment::parse(&text.replace(' ', "+")).map_err(|_| rule))?;
    let begin = moment.in_zone(zone)?;
    Ok((begin, if moment.is_day() { zone.next_midnight(begin).minus(Duration::from_millis(1)) } else { begin }))
}

fn value_of(kind: FieldKind, text: &str) -> Result<Value, Rule> {
    match kind {
        FieldKind::Text | FieldKind::Address | FieldKind::Phone | FieldKind::Id | FieldKind::Ids | FieldKind::Named => {
            Ok(Value::from(text))
        }
        FieldKind::Number if text.parse::<f64>().is_ok_and(f64::is_finite) => Ok(Value::from(text)),
        FieldKind::Number => Err(Rule::format("a number", "是数字")),
        FieldKind::Flag => one_of(text, &["true", "false"]),
        FieldKind::OneOf(names) => one_of(text, names),
        FieldKind::Day => Day::parse(text).map(|day| Value::from(day.to_string())),
        FieldKind::Time => text.parse::<Timestamp>().map(|at| Value::from(at.to_string())),
    }
}

fn one_of(text: &str, names: &[&str]) -> Result<Value, Rule> {
    match names.contains(&text) {
        true => Ok(Value::from(text)),
        false => Err(Rule::OneOf { allowed: names.iter().map(|&name| name.to_owned()).collect() }),
    }
}
