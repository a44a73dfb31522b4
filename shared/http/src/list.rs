//! The arguments of lists: of records, as [`daybook_records::query`] reads them, and of what is no list of records.

use crate::call::{Call, query_pairs};
use crate::handler::Argument;
use crate::operation::Operation;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::read::escape;
use daybook_domain::view::{View, ViewOf};
use daybook_domain::{Error as Domain, Record, Rule, ViewId, Violations};
use daybook_records::query::{DEFAULT_LIMIT, ListQuery, Param, VIEW, limit_of, names_of, pairs_of};
use daybook_store::Result;
use serde_json::Value;
use std::marker::PhantomData;

const TRASHED: &str = "`true`: what is in the trash instead, in the order in which it was made; not with `search`.";
const WITH_TOTAL: &str = "`true`: `meta.total` counts the list, exactly up to 10,000, then it is `10000+`. Not with \
                          `search`, with filters that no index answers, nor for who sees only some owners' records.";

impl<T: Record> Argument for ListQuery<T> {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let params = query_pairs(call)?.into_iter().map(Param::of_query).collect();
        asked(call, params, Domain::Query).await
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.query_parameter("limit", "The most records of a page: 1 to 200, usually 50.");
        operation.query_parameter("cursor", "`meta.next_cursor` of the page before.");
        if T::SEARCHED {
            let text = "Words, an address or a number: Latin words by their beginning, Chinese by any part, numbers \
                        by their digits or the last four. Hits come in the order of their words; not with `sort`.";
            operation.query_parameter("search", text);
        }
        if ViewOf::of(T::TYPE).is_some() {
            operation
                .query_parameter("view_id", "A view: what its query says holds where this one doesn't say otherwise.");
        }
        operation.query_parameter("fields", "The fields to show, with commas; `id` always comes.");
        operation.query_parameter("with_total", WITH_TOTAL);
        operation.query_parameter("trashed", TRASHED);
        operation.query_parameter("sort", &sorts_of::<T>());
        if let Some((field, values)) = T::STATE {
            let values = if values.is_empty() { "one that the organisation has".to_owned() } else { values.join(", ") };
            operation.query_parameter(field, &format!("By index: {values}."));
        }
        if let Some(field) = T::OWNER {
            operation.query_parameter(field, "By index: the user it is assigned to.");
        }
        for field in T::PARENTS {
            let text = "The id of a record whose children these are, as they are after every acknowledged write.";
            operation.query_parameter(field, text);
        }
        operation.filter_parameter(&names_of::<T>());
    }
}

/// The parameters with those of the view that they name, where they don't say otherwise.
async fn with_view<T: Record>(
    call: &Call,
    mut params: Vec<Param>,
    wrong: fn(Violations) -> Domain,
) -> Result<Vec<Param>> {
    let names_view = |param: &Param| param.op.is_none() && param.name == VIEW && ViewOf::of(T::TYPE).is_some();
    let Some(at) = params.iter().position(names_view) else { return Ok(params) };
    let named = params.remove(at);
    let unknown = || wrong(Violations::of(&named.pointer, Rule::Id { prefix: ViewId::PREFIX.to_owned() }));
    let id: ViewId = named.value.one().ok().and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
    let seeing = daybook_records::reaching(&call.cx, Resource::Views, Action::Read).await?;
    let view = seeing.find::<View>(id).await?;
    let view = view.filter(|view| view.resource.record_type() == Some(T::TYPE)).ok_or_else(unknown)?;
    let asked = params.len();
    for kept in pairs_of(view.query.as_str())?.into_iter().map(Param::of_query) {
        // Hits come in the order of their words, whatever the view's is.
        let is_sort = |param: &Param| param.op.is_none() && param.name == "sort";
        let searches = params[..asked].iter().any(|param| param.op.is_none() && param.name == "search");
        let is_said = params[..asked].iter().any(|param| param.is_about(&kept));
        let is_left_out = searches && is_sort(&kept);
        if !is_said && !is_left_out {
            params.push(kept);
        }
    }
    Ok(params)
}

/// The sorts of a type, in words.
fn sorts_of<T: Record>() -> String {
    match T::DATE {
        None => "`-created_at` (newest first) or `created_at`.".to_owned(),
        Some(date) => format!(
            "`created_at` or `{date}`, with `-` the last first; not `{date}` with a parent. Unless it is given, lists by \
             state and by owner come in the order of `-{date}`, records without one first, and all others in that of \
             `-created_at`."
        ),
    }
}

/// The page that a request asks for, by a view too; `wrong` says what is wrong with it.
pub(crate) async fn asked<T: Record>(
    call: &Call,
    params: Vec<Param>,
    wrong: fn(Violations) -> Domain,
) -> Result<ListQuery<T>> {
    let params = with_view::<T>(call, params, wrong).await?;
    let zone = match params.iter().any(Param::names_a_day) {
        true => {
            call.cx.find_often::<Organization>(call.cx.org).await?.map(|organization| organization.timezone.clone())
        }
        false => None,
    };
    let query = ListQuery::read(&params, &zone.unwrap_or_default()).map_err(wrong)?;
    if query.asks_for_total() && !call.cx.counts::<T>(&query.ask()) {
        let expected =
            "left out with search, with filters that no index answers, and by who sees only their own records";
        return Err(wrong(Violations::of("/with_total", Rule::Format { expected: expected.to_owned() })).into());
    }
    Ok(query)
}

/// Something that pages can be narrowed to, besides all of it.
pub trait Narrowed: Send + Sync + 'static {
    /// The query parameter.
    const FIELD: &'static str;
    /// Its values; none where there is no such parameter.
    const NAMES: &'static [&'static str];
}

impl Narrowed for () {
    const FIELD: &'static str = "";
    const NAMES: &'static [&'static str] = &[];
}

/// Which page of something that is no list of records.
#[derive(Clone, Debug)]
pub struct PageQuery<S = ()> {
    /// The most entries.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// What it is narrowed to.
    pub only: Option<String>,
    of: PhantomData<fn() -> S>,
}

impl<S: Narrowed> Argument for PageQuery<S> {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut query = PageQuery { limit: DEFAULT_LIMIT, cursor: None, only: None, of: PhantomData };
        let mut violations = Violations::default();
        for (name, value) in query_pairs(call)? {
            let outcome = match name.as_str() {
                "limit" => limit_of(&value).map(|limit| query.limit = limit),
                "cursor" => {
                    query.cursor = Some(value);
                    Ok(())
                }
                name if name == S::FIELD && !S::NAMES.is_empty() => {
                    query.only = Some(value.clone());
                    let known = S::NAMES.contains(&value.as_str());
                    known
                        .then_some(())
                        .ok_or_else(|| Rule::OneOf { allowed: S::NAMES.iter().map(|&n| n.to_owned()).collect() })
                }
                _ => {
                    let names: Vec<String> = ["limit", "cursor", S::FIELD].map(str::to_owned).to_vec();
                    Err(Rule::unknown(&name, &names))
                }
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
        operation.query_parameter("limit", "The most entries of a page: 1 to 200, usually 50.");
        operation.query_parameter("cursor", "`meta.next_cursor` of the page before.");
        if !S::NAMES.is_empty() {
            operation.query_parameter(S::FIELD, &format!("One of {}.", S::NAMES.join(", ")));
        }
    }
}
