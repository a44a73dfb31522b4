//! What is asked of a list: limit, cursor, sort and filters, checked against what the type offers.

use crate::call::Call;
use crate::fields::{condition, field_of, names_of};
use crate::handler::Argument;
use crate::input::{pairs_of, query_pairs};
use crate::openapi::Operation;
use crate::param::{Operand, Param};
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::read::escape;
use daybook_domain::view::{View, ViewOf};
use daybook_domain::words::Terms;
use daybook_domain::{AnyId, Error as Domain, Record, Rule, Unit, UserId, ViewId, Violations, Zone};
use daybook_store::filter::{Filter, Op};
use daybook_store::{Order, PageAsk, Result};
use serde_json::Value;
use std::marker::PhantomData;

/// The records of a page unless the query says how many.
pub const USUAL_LIMIT: usize = 50;

/// The most records of a page.
const MOST: usize = 200;

/// The most bytes of a text to search for.
const LONGEST_SEARCH: usize = 400;

const PARAMETERS: [&str; 7] = ["limit", "cursor", "sort", "search", "fields", "with_total", "trashed"];
const MADE: &str = "created_at";
const TRASHED: &str = "`true`: what is in the trash instead, in the order in which it was made; not with `search`.";
const WITH_TOTAL: &str = "`true`: `meta.total` counts the list, exactly up to 10,000, then it is `10000+`. Not with \
                          `search`, with filters that no index answers, nor for who sees only some owners' records.";
const VIEW: &str = "view_id";

/// Which page of which list.
#[derive(Clone, Debug)]
pub struct ListQuery<T> {
    limit: usize,
    cursor: Option<String>,
    order: Order,
    ascending: bool,
    state: Option<String>,
    owner: Option<UserId>,
    parents: Vec<AnyId>,
    search: Option<Terms>,
    filters: Vec<Filter>,
    fields: Vec<String>,
    with_total: bool,
    trashed: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: Record> ListQuery<T> {
    /// The page to ask the store for.
    pub fn ask(&self) -> PageAsk<'_> {
        PageAsk {
            state: self.state.as_deref(),
            owner: self.owner,
            parents: &self.parents,
            states: &[],
            search: self.search.as_ref(),
            filters: self.filters.clone(),
            fields: &self.fields,
            with_total: self.with_total,
            trashed: self.trashed,
            order: self.order,
            ascending: self.ascending,
            limit: self.limit,
            bytes_before: 0,
            cursor: self.cursor.as_deref(),
        }
    }
}

impl<T: Record> Argument for ListQuery<T> {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let params = query_pairs(call)?.into_iter().map(Param::of_query).collect();
        ListQuery::asked(call, params, Domain::Query).await
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
    let seeing = call.cx.reaching(Resource::Views, Action::Read).await?;
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

/// Sorts, each way.
fn signed(fields: &[&str]) -> Vec<String> {
    fields.iter().flat_map(|field| [format!("-{field}"), (*field).to_owned()]).collect()
}

impl<T: Record> ListQuery<T> {
    /// The page that a query asks for, or everything that is wrong with it.
    pub fn of(pairs: Vec<(String, String)>) -> Result<Self, Domain> {
        let params: Vec<Param> = pairs.into_iter().map(Param::of_query).collect();
        ListQuery::read(&params, &Zone::default()).map_err(Domain::Query)
    }

    /// The page that a request asks for, by a view too; `wrong` says what is wrong with it.
    pub(crate) async fn asked(call: &Call, params: Vec<Param>, wrong: fn(Violations) -> Domain) -> Result<Self> {
        let params = with_view::<T>(call, params, wrong).await?;
        let zone = match params.iter().any(Param::names_a_day) {
            true => {
                call.cx.find_often::<Organization>(call.cx.org).await?.map(|organization| organization.timezone.clone())
            }
            false => None,
        };
        let query = ListQuery::read(&params, &zone.unwrap_or_default()).map_err(wrong)?;
        if query.with_total && !call.cx.counts::<T>(&query.ask()) {
            let expected =
                "left out with search, with filters that no index answers, and by who sees only their own records";
            return Err(wrong(Violations::of("/with_total", Rule::Format { expected: expected.to_owned() })).into());
        }
        Ok(query)
    }

    fn read(params: &[Param], zone: &Zone) -> Result<Self, Violations> {
        let mut query = ListQuery {
            limit: USUAL_LIMIT,
            cursor: None,
            order: Order::Usual,
            ascending: false,
            state: None,
            owner: None,
            parents: Vec::new(),
            search: None,
            filters: Vec::new(),
            fields: Vec::new(),
            with_total: false,
            trashed: false,
            of: PhantomData,
        };
        let mut violations = Violations::default();
        for (n, param) in params.iter().enumerate() {
            // Of the parents of a record there may be several; anything else said twice would find nothing.
            let is_twice = params[..n].iter().any(|other| other.is_about(param));
            if is_twice && !T::PARENTS.contains(&param.name.as_str()) {
                let expected = "given once; filter[field][in] takes several values, with commas".to_owned();
                violations.add(param.pointer.clone(), Rule::Format { expected });
            } else if let Err(rule) = query.add(param, zone) {
                violations.add(param.pointer.clone(), rule);
            }
        }
        if query.order != Order::Usual && query.search.is_some() {
            let expected = "left out with search, whose hits come in the order of their words".to_owned();
            violations.add("/sort", Rule::Format { expected });
        } else if query.order == Order::Date && !query.parents.is_empty() {
            violations.add("/sort", Rule::OneOf { allowed: signed(&[MADE]) });
        }
        if query.trashed && (query.search.is_some() || query.order == Order::Date) {
            let expected = "left out with search, and with a sort by another date than created_at".to_owned();
            violations.add("/trashed", Rule::Format { expected });
        }
        if violations.0.is_empty() { Ok(query) } else { Err(violations) }
    }

    /// Takes a parameter, or a condition on a field.
    fn add(&mut self, param: &Param, zone: &Zone) -> Result<(), Rule> {
        let value = &param.value;
        match (param.name.as_str(), &param.op) {
            ("limit", None) => self.limit = limit_of(value.one()?)?,
            ("cursor", None) => self.cursor = Some(value.one()?.to_owned()),
            ("sort", None) => self.set_sort(value.one()?)?,
            ("search", None) if T::SEARCHED => self.set_search(value.one()?)?,
            ("fields", None) => self.set_fields(value.one()?)?,
            ("with_total", None) => self.with_total = flag(value.one()?)?,
            ("trashed", None) => self.trashed = flag(value.one()?)?,
            (field, op) => {
                let filter = (op.as_deref().unwrap_or("eq"), value);
                self.add_filter(field, filter, zone)?;
            }
        }
        Ok(())
    }

    fn set_search(&mut self, text: &str) -> Result<(), Rule> {
        if text.len() > LONGEST_SEARCH {
            return Err(Rule::TooLong { max: LONGEST_SEARCH, unit: Unit::Bytes });
        }
        // Clients send the field of a search along when it is empty.
        if !text.trim().is_empty() {
            let expected = "a text with a letter or digit".to_owned();
            self.search = Some(Terms::of(text).ok_or(Rule::Format { expected })?);
        }
        Ok(())
    }

    fn set_fields(&mut self, text: &str) -> Result<(), Rule> {
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if field_of::<T>(name).is_none() {
                return Err(Rule::OneOf { allowed: names_of::<T>() });
            }
            self.fields.push(name.to_owned());
        }
        Ok(())
    }

    fn set_sort(&mut self, text: &str) -> Result<(), Rule> {
        let field = text.strip_prefix('-').unwrap_or(text);
        self.ascending = field == text;
        self.order = match (field, T::DATE) {
            (MADE, _) => Order::Made,
            (field, Some(date)) if field == date => Order::Date,
            (_, date) => return Err(Rule::OneOf { allowed: signed(&[&[MADE], date.as_slice()].concat()) }),
        };
        Ok(())
    }

    fn add_filter(&mut self, field: &str, (op, value): (&str, &Operand), zone: &Zone) -> Result<(), Rule> {
        let is_parent = T::PARENTS.contains(&field);
        if is_parent && op == "eq" {
            self.parents.push(value.one()?.parse().map_err(|_| Rule::Format { expected: "an id".to_owned() })?);
            return Ok(());
        }
        let Some(known) = field_of::<T>(field) else {
            if is_parent {
                return Err(Rule::OneOf { allowed: vec!["eq".to_owned()] });
            }
            let mut names = names_of::<T>();
            names.extend(T::PARENTS.iter().map(|&name| name.to_owned()));
            names.extend(PARAMETERS.into_iter().filter(|name| *name != "search" || T::SEARCHED).map(str::to_owned));
            names.extend(ViewOf::of(T::TYPE).map(|_| VIEW.to_owned()));
            return Err(Rule::unknown(field, &names));
        };
        let op =
            Op::of(op).ok_or_else(|| Rule::OneOf { allowed: Op::NAMES.map(|(name, _)| name.to_owned()).to_vec() })?;
        if let Some((state_field, values)) = T::STATE
            && state_field == field
            && op == Op::Eq
        {
            let value = value.one()?;
            if !values.is_empty() && !values.contains(&value) {
                return Err(Rule::OneOf { allowed: values.iter().map(|&value| value.to_owned()).collect() });
            }
            if self.state.is_none() {
                self.state = Some(value.to_owned());
                return Ok(());
            }
        }
        if T::OWNER == Some(field) && op == Op::Eq && self.owner.is_none() {
            let owner = value.one()?.parse().map_err(|_| Rule::Id { prefix: UserId::PREFIX.to_owned() })?;
            self.owner = Some(owner);
            return Ok(());
        }
        self.filters.push(condition(known, op, value, zone)?);
        Ok(())
    }
}

fn flag(text: &str) -> Result<bool, Rule> {
    text.parse().map_err(|_| Rule::OneOf { allowed: vec!["true".to_owned(), "false".to_owned()] })
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
        let mut query = PageQuery { limit: USUAL_LIMIT, cursor: None, only: None, of: PhantomData };
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

/// A limit in a query: from 1 to the most.
pub fn limit_of(text: &str) -> Result<usize, Rule> {
    let limit = text.parse::<usize>().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or(Rule::Range { min: 1, max: MOST as i64 })
}
