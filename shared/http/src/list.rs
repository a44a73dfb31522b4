//! List arguments: the query parameters of record lists ([`daybook_records::query`]) and of other paged lists.

use crate::call::{Call, query_pairs};
use crate::handler::Argument;
use crate::operation::Operation;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::read::escape;
use daybook_domain::view::{View, ViewOf};
use daybook_domain::{Error as Domain, Record, Rule, ViewId, Violations};
use daybook_records::query::{DEFAULT_LIMIT, ListQuery, Locality, Param, VIEW, limit_of, names_of, pairs_of};
use daybook_store::Result;
use serde_json::Value;
use std::marker::PhantomData;

const TRASHED: &str = "`true`: lists the records in the trash instead, in order of creation; not with `search`.";
const WITH_TOTAL: &str = "`true`: returns the number of records as `meta.total`, exact up to 10,000, then `10000+`. \
                          Not with `search` or filters without an index, nor for users who see only some owners' \
                          records.";

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
        operation.number_parameter("limit", "The maximum number of records per page; 50 by default.", (1, 200));
        operation.query_parameter("cursor", "`meta.next_cursor` of the previous page.");
        if T::SEARCHED {
            let text = "Words, an e-mail address or a number: Latin words match by prefix, Chinese by any part, \
                        numbers by all digits or the last four. Results are in the order of the matched words; \
                        not with `sort`.";
            operation.query_parameter("search", text);
        }
        if ViewOf::of(T::TYPE).is_some() {
            operation.query_parameter(
                "view_id",
                "A saved view. Its parameters apply where this query doesn't override them.",
            );
        }
        operation.query_parameter("fields", "The fields to return, separated by commas; `id` is always included.");
        operation.query_parameter("with_total", WITH_TOTAL);
        operation.query_parameter("trashed", TRASHED);
        let sorts = ["created_at"].into_iter().chain(T::DATE).flat_map(|field| [format!("-{field}"), field.to_owned()]);
        operation.choice_parameter("sort", &sorts_of::<T>(), sorts);
        if let Some((field, values)) = T::STATE {
            match values.is_empty() {
                true => operation.query_parameter(field, "Filters by index: one that the organisation defines."),
                false => {
                    let values = values.iter().map(|&value| value.to_owned());
                    operation.choice_parameter(field, "Filters by index.", values);
                }
            }
        }
        if let Some(field) = T::OWNER {
            operation.query_parameter(field, "Filters by index: the id of the user that the record is assigned to.");
        }
        for field in T::PARENTS {
            let text = "The id of the parent record. Strongly consistent: includes every acknowledged write.";
            operation.query_parameter(field, text);
        }
        operation.filter_parameter(&names_of::<T>());
    }
}

/// Adds the parameters of the view that is named, where the request doesn't override them.
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
        // Search results have an order of their own, so the view's sort doesn't apply.
        let is_sort = |param: &Param| param.op.is_none() && param.name == "sort";
        let searches = params[..asked].iter().any(|param| param.op.is_none() && param.name == "search");
        let is_given = params[..asked].iter().any(|param| param.about() == kept.about());
        let is_left_out = searches && is_sort(&kept);
        if !is_given && !is_left_out {
            params.push(kept);
        }
    }
    Ok(params)
}

/// The description of a type's sort orders.
fn sorts_of<T: Record>() -> String {
    match T::DATE {
        None => "`-created_at` (newest first) or `created_at`.".to_owned(),
        Some(date) => format!(
            "`created_at` or `{date}`, descending with `-`; `{date}` can't be combined with a parent. By default, \
             lists by state and by owner are sorted by `-{date}`, records without a date first, and all others by \
             `-created_at`."
        ),
    }
}

/// Reads the list query of a request, including its view; `wrong` turns violations into an error.
pub(crate) async fn asked<T: Record>(
    call: &Call,
    params: Vec<Param>,
    wrong: fn(Violations) -> Domain,
) -> Result<ListQuery<T>> {
    let params = with_view::<T>(call, params, wrong).await?;
    let organization = match params.iter().any(Param::depends_on_place) {
        true => call.cx.find_often::<Organization>(call.cx.org).await?,
        false => None,
    };
    let there = organization.map(|organization| Locality {
        zone: organization.timezone.clone(),
        phone_country: organization.phone_country.as_str().to_owned(),
    });
    let query = ListQuery::read(&params, &there.unwrap_or_default()).map_err(wrong)?;
    if query.asks_for_total() && !call.cx.counts::<T>(&query.ask()) {
        let rule = Rule::format(
            "left out with search, with filters without an index, and by users who see only their own records",
            "在使用 search、使用没有索引的筛选条件，或只能查看自己的记录时省略",
        );
        return Err(wrong(Violations::of("/with_total", rule)).into());
    }
    Ok(query)
}

/// The filter of a paged list: a query parameter with fixed values.
pub trait Narrowed: Send + Sync + 'static {
    /// The query parameter.
    const FIELD: &'static str;
    /// The allowed values; empty if there is no such parameter.
    const NAMES: &'static [&'static str];
}

impl Narrowed for () {
    const FIELD: &'static str = "";
    const NAMES: &'static [&'static str] = &[];
}

/// The page parameters of a list other than a list of records.
#[derive(Clone, Debug)]
pub struct PageQuery<S = ()> {
    /// The maximum number of entries.
    pub limit: usize,
    /// The cursor, if it isn't the first page.
    pub cursor: Option<String>,
    /// The value of the filter, if any.
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
        operation.number_parameter("limit", "The maximum number of entries per page; 50 by default.", (1, 200));
        operation.query_parameter("cursor", "`meta.next_cursor` of the previous page.");
        if !S::NAMES.is_empty() {
            operation.choice_parameter(S::FIELD, "", S::NAMES.iter().map(|&name| name.to_owned()));
        }
    }
}
