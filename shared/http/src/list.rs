//! The query of a list: limit, cursor, sort and filters, checked against what the type offers.

use crate::call::Call;
use crate::handler::Argument;
use crate::input::query_pairs;
use crate::openapi::Operation;
use daybook_domain::read::{escape, nearest};
use daybook_domain::{Error as Domain, Record, Rule, UserId, Violations};
use daybook_store::filter::{Filter, Op};
use daybook_store::{Listing, PageAsk, Result};
use serde_json::Value;
use std::marker::PhantomData;
use utoipa::openapi::{RefOr, schema::Schema};

/// The records of a page unless the query says how many.
const USUAL: usize = 50;

/// The most records of a page.
const MOST: usize = 200;

const PARAMETERS: [&str; 3] = ["limit", "cursor", "sort"];
const SORTS: [&str; 2] = ["-created_at", "created_at"];

/// Which page of which list.
#[derive(Clone, Debug)]
pub struct ListQuery<T> {
    limit: usize,
    cursor: Option<String>,
    ascending: bool,
    state: Option<String>,
    owner: Option<UserId>,
    filters: Vec<Filter>,
    of: PhantomData<fn() -> T>,
}

impl<T: Record> ListQuery<T> {
    /// The page to ask the store for. A state, or else an owner, is looked up in an index.
    pub fn ask(&self) -> PageAsk<'_> {
        let listing = match (&self.state, self.owner) {
            (Some(state), _) => Listing::InState(state),
            (None, Some(owner)) => Listing::OwnedBy(owner),
            (None, None) => Listing::All,
        };
        let mut filters = self.filters.clone();
        if let (Some(_), Some(owner), Some(field)) = (&self.state, self.owner, T::OWNER) {
            filters.push(Filter { field: field.to_owned(), op: Op::Eq, value: Value::from(owner.to_string()) });
        }
        PageAsk { listing, filters, ascending: self.ascending, limit: self.limit, cursor: self.cursor.as_deref() }
    }
}

impl<T: Record> Argument for ListQuery<T> {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let known = fields_of::<T>();
        let mut query = ListQuery {
            limit: USUAL,
            cursor: None,
            ascending: false,
            state: None,
            owner: None,
            filters: Vec::new(),
            of: PhantomData,
        };
        let mut violations = Violations::default();
        for (name, value) in query_pairs(call)? {
            let outcome = match name.as_str() {
                "limit" => query.set_limit(&value),
                "cursor" => {
                    query.cursor = Some(value);
                    Ok(())
                }
                "sort" => query.set_sort(&value),
                _ => query.add_filter(&name, &value, &known),
            };
            if let Err(rule) = outcome {
                violations.add(format!("/{}", escape(&name)), rule);
            }
        }
        if violations.0.is_empty() { Ok(query) } else { Err(Domain::Query(violations).into()) }
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.query_parameter("limit", "The most records of a page: 1 to 200, usually 50.");
        operation.query_parameter("cursor", "`meta.next_cursor` of the page before.");
        operation.query_parameter("sort", "`-created_at` (newest first) or `created_at`.");
        if let Some((field, values)) = T::STATE {
            operation.query_parameter(field, &format!("By index: {}.", values.join(", ")));
        }
        if let Some(field) = T::OWNER {
            operation.query_parameter(field, "By index: the user it is assigned to.");
        }
        operation.filter_parameter(&fields_of::<T>());
    }
}

impl<T: Record> ListQuery<T> {
    fn set_limit(&mut self, text: &str) -> Result<(), Rule> {
        let limit = text.parse::<usize>().ok().filter(|limit| (1..=MOST).contains(limit));
        self.limit = limit.ok_or(Rule::Range { min: 1, max: MOST as i64 })?;
        Ok(())
    }

    fn set_sort(&mut self, text: &str) -> Result<(), Rule> {
        match text {
            "created_at" => self.ascending = true,
            "-created_at" => self.ascending = false,
            _ => return Err(Rule::OneOf { allowed: SORTS.map(str::to_owned).to_vec() }),
        }
        Ok(())
    }

    /// Takes `field=v`, `filter[field]=v` and `filter[field][op]=v`.
    fn add_filter(&mut self, name: &str, value: &str, known: &[String]) -> Result<(), Rule> {
        let inner = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']'));
        let (field, op) = match inner {
            Some(inner) => inner.split_once("][").unwrap_or((inner, "eq")),
            None => (name, "eq"),
        };
        if !known.iter().any(|known| known == field) {
            let mut names = known.to_vec();
            names.extend(PARAMETERS.map(str::to_owned));
            return Err(Rule::Unknown { nearest: nearest(field, &names) });
        }
        let op =
            Op::of(op).ok_or_else(|| Rule::OneOf { allowed: Op::NAMES.map(|(name, _)| name.to_owned()).to_vec() })?;
        if let Some((state_field, values)) = T::STATE
            && state_field == field
            && op == Op::Eq
        {
            if !values.contains(&value) {
                return Err(Rule::OneOf { allowed: values.iter().map(|&value| value.to_owned()).collect() });
            }
            if self.state.is_none() {
                self.state = Some(value.to_owned());
                return Ok(());
            }
        }
        if T::OWNER == Some(field) && op == Op::Eq && self.owner.is_none() {
            let owner = value.parse().map_err(|_| Rule::Id { prefix: UserId::PREFIX.to_owned() })?;
            self.owner = Some(owner);
            return Ok(());
        }
        let value = match op {
            Op::In | Op::Between => value.split(',').map(Value::from).collect(),
            _ => Value::from(value),
        };
        if op == Op::Between && value.as_array().is_none_or(|list| list.len() != 2) {
            return Err(Rule::Format { expected: "two values with a comma".to_owned() });
        }
        self.filters.push(Filter { field: field.to_owned(), op, value });
        Ok(())
    }
}

/// The fields that a list of a type can be filtered by.
fn fields_of<T: Record>() -> Vec<String> {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object.properties.keys().cloned().collect(),
        RefOr::T(_) | RefOr::Ref(_) => Vec::new(),
    }
}
