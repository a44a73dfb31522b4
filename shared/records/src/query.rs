//! List queries: parsing and validation of limit, cursor, sort, search and filters for a record type.

mod condition;
mod param;

pub use condition::{Locality, names_of};
use condition::{condition, field_of};
use daybook_domain::field::FieldKind;
use daybook_domain::view::ViewOf;
use daybook_domain::words::Terms;
use daybook_domain::{AnyId, Error as Domain, Malformed, Phone, Record, Rule, Unit, UserId, Violations};
use daybook_store::filter::{Filter, Op};
use daybook_store::{Order, PageAsk, Result};
pub use param::{Operand, Param};
use std::collections::HashSet;
use std::marker::PhantomData;

/// The default number of records of a page.
pub const DEFAULT_LIMIT: usize = 50;

/// The most records of a page.
const MOST: usize = 200;

/// The most parameters and conditions of a query.
const MOST_PARAMS: usize = 100;

/// The most bytes of all their values.
const MOST_BYTES: usize = 40_000;

/// The most bytes of a search text.
const LONGEST_SEARCH: usize = 400;

const PARAMETERS: [&str; 7] = ["limit", "cursor", "sort", "search", "fields", "with_total", "trashed"];
const MADE: &str = "created_at";
const EXTENSION: &str = "phone_extension";

/// The parameter with the id of a view.
pub const VIEW: &str = "view_id";

/// A validated query for a page of a list.
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
    /// The query for the store.
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

/// The values of `sort` for these fields, descending and ascending.
fn signed(fields: &[&str]) -> Vec<String> {
    fields.iter().flat_map(|field| [format!("-{field}"), (*field).to_owned()]).collect()
}

impl<T: Record> ListQuery<T> {
    /// Parses the parameters of a URL's query, or returns all violations.
    pub fn of(pairs: Vec<(String, String)>) -> Result<Self, Domain> {
        let params: Vec<Param> = pairs.into_iter().map(Param::of_query).collect();
        ListQuery::read(&params, &Locality::default()).map_err(Domain::Query)
    }

    /// Whether the query asks for the total number of records.
    pub fn asks_for_total(&self) -> bool {
        self.with_total
    }

    /// Parses parameters, or returns all violations, as an organisation there means them.
    pub fn read(params: &[Param], there: &Locality) -> Result<Self, Violations> {
        let mut query = ListQuery {
            limit: DEFAULT_LIMIT,
            cursor: None,
            order: Order::Default,
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
        let mut given = HashSet::new();
        if params.len() > MOST_PARAMS {
            let rule = Rule::TooLong { max: MOST_PARAMS, unit: Unit::Entries };
            return Err(Violations::of("", rule));
        }
        if params.iter().map(|param| param.value.bytes()).sum::<usize>() > MOST_BYTES {
            return Err(Violations::of("", Rule::TooLong { max: MOST_BYTES, unit: Unit::Bytes }));
        }
        for param in params {
            // Several parents may be given; any other condition given twice would match nothing.
            let is_twice = !given.insert(param.about());
            if is_twice && !T::PARENTS.contains(&param.name.as_str()) {
                let rule = Rule::format(
                    "given once; for several values use filter[field][in] with commas",
                    "只提供一次；多个值请使用 filter[field][in]，以英文逗号分隔",
                );
                violations.add(param.pointer.clone(), rule);
            } else if let Err(rule) = query.add(param, there) {
                violations.add(param.pointer.clone(), rule);
            }
        }
        if query.order != Order::Default && query.search.is_some() {
            let rule = Rule::format(
                "left out with search: search results have a fixed order",
                "在使用 search 时省略：搜索结果的顺序固定",
            );
            violations.add("/sort", rule);
        } else if query.order == Order::Date && !query.parents.is_empty() {
            violations.add("/sort", Rule::OneOf { allowed: signed(&[MADE]) });
        }
        if query.trashed && (query.search.is_some() || query.order == Order::Date) {
            let rule = Rule::format(
                "left out with search, and with a sort by a date other than created_at",
                "在使用 search 或按 created_at 以外的日期排序时省略",
            );
            violations.add("/trashed", rule);
        }
        if violations.0.is_empty() { Ok(query) } else { Err(violations) }
    }

    /// Adds a parameter, or a condition on a field.
    fn add(&mut self, param: &Param, there: &Locality) -> Result<(), Rule> {
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
                self.add_filter(field, filter, there)?;
            }
        }
        Ok(())
    }

    fn set_search(&mut self, text: &str) -> Result<(), Rule> {
        if text.len() > LONGEST_SEARCH {
            return Err(Rule::TooLong { max: LONGEST_SEARCH, unit: Unit::Bytes });
        }
        // Clients also send the search parameter when it is empty.
        if !text.trim().is_empty() {
            let rule = || Rule::format("a text with a letter or digit", "是含有文字或数字的文本");
            self.search = Some(Terms::of(text).ok_or_else(rule)?);
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
            (MADE, _) => Order::Created,
            (field, Some(date)) if field == date => Order::Date,
            (_, date) => return Err(Rule::OneOf { allowed: signed(&[&[MADE], date.as_slice()].concat()) }),
        };
        Ok(())
    }

    fn add_filter(&mut self, field: &str, (op, value): (&str, &Operand), there: &Locality) -> Result<(), Rule> {
        let is_parent = T::PARENTS.contains(&field);
        if is_parent && op == "eq" {
            self.parents.push(value.one()?.parse().map_err(|_| Rule::format("an id", "是记录的标识"))?);
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
        self.filters.push(condition(known, op, value, there)?);
        // A switchboard has one number for many people.
        if known.kind == FieldKind::Phone
            && op == Op::Eq
            && let Some(extension) = Phone::parse(value.one()?).ok().and_then(|phone| phone.extension())
        {
            self.filters.push(Filter::new(EXTENSION, Op::Eq, extension.into()));
        }
        Ok(())
    }
}

fn flag(text: &str) -> Result<bool, Rule> {
    text.parse().map_err(|_| Rule::OneOf { allowed: vec!["true".to_owned(), "false".to_owned()] })
}

/// Parses the limit of a page, from 1 to 200.
pub fn limit_of(text: &str) -> Result<usize, Rule> {
    let limit = text.parse::<usize>().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or(Rule::Range { min: 1, max: MOST as i64 })
}

/// Parses a query string into pairs.
pub fn pairs_of(query: &str) -> Result<Vec<(String, String)>, Domain> {
    serde_urlencoded::from_str(query).map_err(|_| Domain::Malformed(Malformed::Query))
}
