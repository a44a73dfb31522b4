//! Search requests: list queries in a JSON body, for queries too long for a URL, or values that contain commas.

use crate::call::Call;
use crate::handler::Argument;
use crate::input::json_body;
use crate::list::asked;
use crate::operation::Operation;
use daybook_domain::read::read;
use daybook_domain::{Error as Domain, Record, Violations};
use daybook_records::query::{ListQuery, Param};
use daybook_store::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};

/// The body of a search request.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Words, an e-mail address or a number, as in the query of a list; not with `sort`.
    search: Option<String>,
    /// Conditions: `{"field": v}`, `{"field": [v, …]}` for one of several, or `{"field": {"op": v}}`, op one of eq, ne, lt,
    /// lte, gt, gte, in, contains, starts, exists, between; at most 100 values of 400 bytes.
    #[schema(value_type = Option<Object>)]
    filter: Option<Map<String, Value>>,
    /// The sort order, as in the query of a list.
    sort: Option<String>,
    /// The maximum number of records per page; 50 by default.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `meta.next_cursor` of the previous page, with the same words, conditions and order.
    cursor: Option<String>,
    /// The fields to return; `id` is always included.
    fields: Option<Vec<String>>,
    /// Whether to return the number of records as `meta.total`.
    with_total: Option<bool>,
    /// Whether to list the records in the trash instead; not with `search`.
    trashed: Option<bool>,
    /// A saved view. Its parameters apply where the body doesn't override them.
    view_id: Option<String>,
}

/// A list query, read from a JSON body.
#[derive(Clone, Debug)]
pub struct Searched<T>(pub ListQuery<T>);

impl<T: Record> Argument for Searched<T> {
    async fn read(call: &Call) -> Result<Self> {
        let body: Search = read(json_body(call)?)?;
        let texts = [
            ("search", body.search),
            ("sort", body.sort),
            ("limit", body.limit.map(|limit| limit.to_string())),
            ("cursor", body.cursor),
            ("fields", body.fields.map(|fields| fields.join(","))),
            ("with_total", body.with_total.map(|flag| flag.to_string())),
            ("trashed", body.trashed.map(|flag| flag.to_string())),
            ("view_id", body.view_id),
        ];
        let mut params: Vec<Param> =
            texts.into_iter().filter_map(|(name, text)| Some(Param::of_body(name, text?))).collect();
        let mut violations = Violations::default();
        for param in Param::of_filter(&body.filter.unwrap_or_default()) {
            match param {
                Ok(param) => params.push(param),
                Err((pointer, rule)) => violations.add(pointer, rule),
            }
        }
        violations.into_result()?;
        asked(call, params, Domain::Invalid).await.map(Searched)
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        let mut schema = operation.inline::<Search>();
        if let (false, RefOr::T(Schema::Object(object))) = (T::SEARCHED, &mut schema) {
            object.properties.remove("search");
        }
        operation.body(&["application/json"], schema);
    }
}
