//! A list that is asked for by a body, where a query would be too long, or values have commas.

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

/// What is searched for.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Words, an address or a number, as in the query of a list; not with `sort`.
    search: Option<String>,
    /// Conditions: `{"field": v}`, `{"field": [v, …]}` for one of several, or `{"field": {"op": v}}`, op one of eq, ne, lt,
    /// lte, gt, gte, in, contains, starts, exists, between; at most 100 values of 400 bytes.
    #[schema(value_type = Option<Object>)]
    filter: Option<Map<String, Value>>,
    /// The order, as in the query of a list.
    sort: Option<String>,
    /// The most records of a page, usually 50.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `meta.next_cursor` of the page before; of a list of the same words, conditions and order.
    cursor: Option<String>,
    /// The fields to show; `id` always comes.
    fields: Option<Vec<String>>,
    /// Whether `meta.total` counts the list.
    with_total: Option<bool>,
    /// Whether to list what is in the trash instead; not with `search`.
    trashed: Option<bool>,
    /// A view: what it says holds where the body doesn't say otherwise.
    view_id: Option<String>,
}

/// Which page of which list, as a body asks for it.
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
