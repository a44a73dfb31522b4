//! Batches: up to a hundred changes of records of one type in one request, each on its own, or all of them or none.

use crate::call::{Call, query_pairs};
use crate::handler::Argument;
use crate::input::json_body;
use crate::operation::Operation;
use crate::problem::{Members, Problem, status_of};
use crate::reply::{Answer, HttpReply, json_answer};
use daybook_domain::read::{escape, read};
use daybook_domain::{Error as Domain, Record, Rule, Unit, Violations};
use daybook_store::{Answer as Kind, Error, Reply, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::marker::PhantomData;

/// The most changes of a batch.
const MOST: usize = 100;

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchAction {
    /// Make it.
    Create,
    /// Change the fields that are named.
    Update,
    /// Move it to the trash.
    Delete,
    /// Take it back from the trash.
    Restore,
}

/// One change of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// What to do.
    pub action: BatchAction,
    /// The record; not to make one.
    pub id: Option<String>,
    /// The fields, to make or change one.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
    /// The version that the record must be at.
    pub version: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Batch)]
struct Items {
    /// The changes, 1 to 100, carried out in their order.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<BatchItem>,
}

/// A batch of changes of records of a type.
#[derive(Debug)]
pub struct BatchAsk<T> {
    /// The changes.
    pub items: Vec<BatchItem>,
    /// Whether all of them are to happen, or none.
    pub atomic: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: Record> Argument for BatchAsk<T> {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut atomic = false;
        let mut violations = Violations::default();
        for (name, value) in query_pairs(call)? {
            match (name.as_str(), value.parse()) {
                ("atomic", Ok(flag)) => atomic = flag,
                ("atomic", Err(_)) => {
                    violations.add("/atomic", Rule::OneOf { allowed: vec!["true".to_owned(), "false".to_owned()] });
                }
                _ => {
                    violations.add(format!("/{}", escape(&name)), Rule::unknown(&name, &["atomic".to_owned()]));
                }
            }
        }
        if !violations.0.is_empty() {
            return Err(Domain::Query(violations).into());
        }
        let Items { items } = read(json_body(call)?)?;
        match items.len() {
            0 => Err(Domain::invalid("/items", Rule::TooShort { min: 1 }).into()),
            n if n > MOST => Err(Domain::invalid("/items", Rule::TooLong { max: MOST, unit: Unit::Entries }).into()),
            _ => Ok(BatchAsk { items, atomic, of: PhantomData }),
        }
    }

    fn fingerprint(&self) -> Value {
        json!([self.items, self.atomic])
    }

    fn describe(operation: &mut Operation) {
        operation.query_parameter("atomic", "`true`: all changes happen, or none; 422 where they don't fit 100 items.");
        let schema = operation.schema_of::<Items>();
        operation.body(&["application/json"], schema);
    }
}

/// What became of one change of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub enum Part {
    /// It was done, and this is the record.
    Done(Kind, Value),
    /// It was refused.
    #[serde(skip)]
    Refused(Error),
}

/// What became of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Batched<T> {
    parts: Vec<Part>,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T> Batched<T> {
    /// What became of the changes of a batch, in their order.
    pub fn of(parts: Vec<Part>) -> Batched<T> {
        Batched { parts, of: PhantomData }
    }
}

impl<T> Reply for Batched<T> {
    const ANSWER: Kind = Kind::Ok;
}

/// What became of one change of a batch.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it documents what stands in the answer")]
struct BatchResult {
    /// The place of the change in the batch, from 0.
    index: usize,
    /// The status that the change alone would have been answered with.
    status: u16,
    /// The record.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// Why it was refused.
    error: Option<Members>,
}

impl<T: Record> HttpReply for Batched<T> {
    fn answer(self, call: &Call) -> Result<Answer> {
        let (mut results, mut failed) = (Vec::with_capacity(self.parts.len()), 0);
        for (index, part) in self.parts.into_iter().enumerate() {
            results.push(match part {
                Part::Done(kind, data) => json!({"index": index, "status": status_of(kind).as_u16(), "data": data}),
                Part::Refused(error) => {
                    failed += 1;
                    let (status, error) = Problem::of(&error, &call.cx.request.id, &call.headers).document();
                    json!({"index": index, "status": status, "error": error})
                }
            });
        }
        let meta = json!({"succeeded": results.len() - failed, "failed": failed});
        json_answer(Self::ANSWER, &json!({"success": true, "data": results, "meta": meta}))
    }

    fn describe(operation: &mut Operation) {
        let one = operation.schema_of::<BatchResult>();
        let meta = utoipa::openapi::ObjectBuilder::new();
        let list = utoipa::openapi::ArrayBuilder::new().items(one);
        let whole = utoipa::openapi::ObjectBuilder::new().property("data", list).property("meta", meta);
        operation.success(status_of(Self::ANSWER), whole.into());
    }
}
