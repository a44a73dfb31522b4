//! HubSpot's search endpoint, whose index is updated with a delay.

use super::contacts::{Account, Contact};
use super::problem::Problem;
use super::reply::Reply;
use daybook_domain::Timestamp;
use serde_json::{Value, json};
use std::cmp::Ordering;

const MOST_GROUPS: usize = 5;
const MOST_FILTERS: usize = 6;
const MOST_FILTERS_IN_ALL: usize = 18;
const MOST_ON_A_PAGE: usize = 200;
const MOST_RESULTS: usize = 10_000;

/// The properties searched for free text.
const FREE_TEXT: [&str; 6] = ["firstname", "lastname", "email", "phone", "hs_additional_emails", "company"];

/// A condition on a property.
#[derive(Debug)]
struct Filter<'a> {
    property: &'a str,
    operator: Operator,
    value: String,
    high_value: String,
    values: Vec<String>,
    /// Whether values are compared case-sensitively.
    exact: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
    ContainsToken,
    NotContainsToken,
}

/// Carries out a search.
pub(super) fn answer(account: &Account, now: Timestamp, body: &Value) -> Result<Reply, Problem> {
    let groups = groups(account, body)?;
    let limit = number(&body["limit"], 10)?;
    let after = number(&body["after"], 0)?;
    if !(1..=MOST_ON_A_PAGE).contains(&limit) {
        return Err(Problem::validation(format!("limit must be between 1 and {MOST_ON_A_PAGE}, not {limit}")));
    }
    if after.saturating_add(limit) > MOST_RESULTS {
        return Err(Problem::validation(format!("Paging past {MOST_RESULTS} results is not supported.")));
    }
    let named = body["properties"].as_array().into_iter().flatten();
    let wanted: Vec<String> = named.filter_map(Value::as_str).map(str::to_owned).collect();
    let text = body["query"].as_str().unwrap_or_default().to_lowercase();
    let is_asked_for = |contact: &&Contact| {
        let any = groups.is_empty() || groups.iter().any(|group| group.iter().all(|filter| filter.takes(contact)));
        any && (text.is_empty() || FREE_TEXT.iter().any(|name| lower(contact, name).contains(&text)))
    };
    let mut found: Vec<&Contact> = account.indexed(now).filter(is_asked_for).collect();
    if let Some((property, descending)) = sort(body) {
        found.sort_by(|a, b| {
            let order = compare(&a.value(&property).unwrap_or_default(), &b.value(&property).unwrap_or_default());
            if descending { order.reverse() } else { order }
        });
    }
    let page = found.iter().skip(after).take(limit).map(|contact| contact.shown(&wanted));
    let mut shown = json!({"total": found.len(), "results": page.collect::<Vec<Value>>()});
    if after + limit < found.len() {
        shown["paging"] = json!({"next": {"after": (after + limit).to_string()}});
    }
    Ok(Reply::json(200, &shown))
}

/// The groups of filters: all filters of a group must match. Filters outside of groups form another group.
fn groups<'a>(account: &Account, body: &'a Value) -> Result<Vec<Vec<Filter<'a>>>, Problem> {
    let mut groups = Vec::new();
    let grouped = body["filterGroups"].as_array().into_iter().flatten().map(|group| &group["filters"]);
    for filters in grouped.chain([&body["filters"]]) {
        let Some(filters) = filters.as_array().filter(|filters| !filters.is_empty()) else { continue };
        groups.push(filters.iter().map(|filter| parse(account, filter)).collect::<Result<Vec<_>, _>>()?);
    }
    let most = groups.iter().map(Vec::len).max().unwrap_or_default();
    let all = groups.iter().map(Vec::len).sum::<usize>();
    if groups.len() > MOST_GROUPS || most > MOST_FILTERS || all > MOST_FILTERS_IN_ALL {
        return Err(Problem::validation(format!(
            "At most {MOST_GROUPS} filterGroups with {MOST_FILTERS} filters each and {MOST_FILTERS_IN_ALL} in all"
        )));
    }
    Ok(groups)
}

fn parse<'a>(account: &Account, filter: &'a Value) -> Result<Filter<'a>, Problem> {
    let property = filter["propertyName"].as_str().unwrap_or_default();
    let Some(definition) = account.property(property) else {
        return Err(Problem::validation(format!("There was a problem with the request: no property \"{property}\"")));
    };
    let operator = filter["operator"].as_str().unwrap_or_default();
    let Some(operator) = Operator::parse(operator) else {
        return Err(Problem::validation(format!("Invalid input JSON: no operator \"{operator}\"")));
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = filter["values"].as_array().into_iter().flatten().map(text).collect();
    let exact = definition.is_enumeration();
    Ok(Filter {
        property,
        operator,
        value: text(&filter["value"]),
        high_value: text(&filter["highValue"]),
        values,
        exact,
    })
}

impl Operator {
    fn parse(name: &str) -> Option<Operator> {
        Some(match name {
            "EQ" => Operator::Eq,
            "NEQ" => Operator::Neq,
            "LT" => Operator::Lt,
            "LTE" => Operator::Lte,
            "GT" => Operator::Gt,
            "GTE" => Operator::Gte,
            "BETWEEN" => Operator::Between,
            "IN" => Operator::In,
            "NOT_IN" => Operator::NotIn,
            "HAS_PROPERTY" => Operator::HasProperty,
            "NOT_HAS_PROPERTY" => Operator::NotHasProperty,
            "CONTAINS_TOKEN" => Operator::ContainsToken,
            "NOT_CONTAINS_TOKEN" => Operator::NotContainsToken,
            _ => return None,
        })
    }
}

impl Filter<'_> {
    /// Whether it matches a contact. A contact without the property differs from any value (a guess).
    fn takes(&self, contact: &Contact) -> bool {
        let Some(held) = contact.value(self.property) else {
            return matches!(
                self.operator,
                Operator::Neq | Operator::NotIn | Operator::NotHasProperty | Operator::NotContainsToken
            );
        };
        let order = |asked: &str| compare(&held, asked);
        match self.operator {
            Operator::Eq => self.is_same(&held),
            Operator::Neq => !self.is_same(&held),
            Operator::Lt => order(&self.value).is_lt(),
            Operator::Lte => order(&self.value).is_le(),
            Operator::Gt => order(&self.value).is_gt(),
            Operator::Gte => order(&self.value).is_ge(),
            Operator::Between => order(&self.value).is_ge() && order(&self.high_value).is_le(),
            Operator::In => self.is_listed(&held),
            Operator::NotIn => !self.is_listed(&held),
            Operator::HasProperty => true,
            Operator::NotHasProperty => false,
            Operator::ContainsToken => has_token(&held, &self.value),
            Operator::NotContainsToken => !has_token(&held, &self.value),
        }
    }

    fn is_same(&self, held: &str) -> bool {
        if self.exact { held == self.value } else { held.to_lowercase() == self.value.to_lowercase() }
    }

    /// Texts of a list must be in lower case to be found (page on search).
    fn is_listed(&self, held: &str) -> bool {
        let held = if self.exact { held.to_owned() } else { held.to_lowercase() };
        self.values.contains(&held)
    }
}

/// The order of two values: of moments, of numbers, or else of texts.
fn compare(a: &str, b: &str) -> Ordering {
    let moment = |text: &str| text.parse::<Timestamp>().ok().map(|at| at.as_millisecond() as f64);
    let number = |text: &str| moment(text).or_else(|| text.parse::<f64>().ok());
    let numbers = number(a).zip(number(b)).and_then(|(a, b)| a.partial_cmp(&b));
    numbers.unwrap_or_else(|| a.to_lowercase().cmp(&b.to_lowercase()))
}

/// Whether a value, or a word of it, matches the pattern, in which a star stands for any text.
fn has_token(held: &str, pattern: &str) -> bool {
    let (held, pattern) = (held.to_lowercase(), pattern.to_lowercase());
    let mut words = held.split(|letter: char| !letter.is_alphanumeric());
    is_like(&held, &pattern) || words.any(|word| is_like(word, &pattern))
}

fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
    for part in middle.split('*') {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

fn lower(contact: &Contact, name: &str) -> String {
    contact.value(name).unwrap_or_default().to_lowercase()
}

/// The property to sort by, and whether descending; only the first is used.
fn sort(body: &Value) -> Option<(String, bool)> {
    let first = body["sorts"].as_array()?.first()?;
    if let Some(name) = first.as_str() {
        return Some((name.trim_start_matches('-').to_owned(), name.starts_with('-')));
    }
    Some((first["propertyName"].as_str()?.to_owned(), first["direction"] == "DESCENDING"))
}

/// A number, which may be written as a text.
fn number(value: &Value, otherwise: usize) -> Result<usize, Problem> {
    match value {
        Value::Null => Ok(otherwise),
        Value::String(text) => text.parse().map_err(|_| Problem::validation(format!("not a number: {text}"))),
        value => {
            let number = value.as_u64().ok_or_else(|| Problem::validation(format!("not a number: {value}")))?;
            Ok(usize::try_from(number).unwrap_or(usize::MAX))
        }
    }
}
