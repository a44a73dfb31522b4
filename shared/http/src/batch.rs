//! Batch requests and replies: up to 100 changes to records of one type, applied one by one or atomically.

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

/// The maximum number of changes in a batch.
const MOST: usize = 100;

/// The action of a change in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchAction {
    /// Create the record.
    Create,
    /// Change the given fields.
    Update,
    /// Move the record to the trash.
    Delete,
    /// Restore the record from the trash.
    Restore,
}

/// One change in a batch.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// The action.
    pub action: BatchAction,
    /// The id of the record; not with `create`.
    pub id: Option<String>,
    /// The fields; only with `create` and `update`.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
    /// The version that the record must have; not with `create`.
    pub version: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Batch)]
struct Items {
    /// The changes, 1 to 100, applied in order.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<BatchItem>,
}

/// A batch of changes to records of one type.
#[derive(Debug)]
pub struct BatchAsk<T> {
    /// The changes.
    pub items: Vec<BatchItem>,
    /// Whether the batch is atomic: all changes are applied, or none.
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
        operation.query_parameter(
            "atomic",
            "`true`: all changes are applied, or none. 422 if they need more than 100 items.",
        );
        let schema = operation.schema_of::<Items>();
        operation.body(&["application/json"], schema);
    }
}

/// The result of one change in a batch.
#[derive(Debug, Serialize, Deserialize)]
pub enum Part {
    /// The change was applied; with the record.
    Done(Kind, Value),
    /// The change was refused.
    #[serde(skip)]
    Refused(Error),
}

/// The results of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Batched<T> {
    parts: Vec<Part>,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T> Batched<T> {
    /// The results of a batch, in the order of its changes.
    pub fn of(parts: Vec<Part>) -> Batched<T> {
        Batched { parts, of: PhantomData }
    }
}

impl<T> Reply for Batched<T> {
    const ANSWER: Kind = Kind::Ok;
}

/// The result of one change in a batch.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it documents what stands in the answer")]
struct BatchResult {
    /// The index of the change in the batch, from 0.
    index: usize,
    /// The HTTP status that the change would have had as a request of its own.
    status: u16,
    /// The record, if the change was applied.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The problem, if the change was refused.
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
