//! Query parameters of the audit log: the filter, the sort order and the page.

use daybook_audit::AuditQuery;
use daybook_domain::audit::Filter;
use daybook_domain::read::{escape, read};
use daybook_domain::{Error as Domain, Rule, Violations};
use daybook_http::{Argument, Call, DEFAULT_LIMIT, Operation, Result, limit_of, query_pairs};
use serde_json::{Map, Value};

/// The page of entries that a query string asks for.
#[derive(Clone, Debug)]
pub struct Asked(pub AuditQuery);

/// The period that a query string asks for: `from` and `to`.
#[derive(Clone, Debug)]
pub struct Period(pub Filter);

impl Argument for Period {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut period = Filter::default();
        let mut violations = Violations::default();
        for (name, value) in query_pairs(call)? {
            match name.as_str() {
                "from" => period.from = Some(value),
                "to" => period.to = Some(value),
                _ => violations.add(format!("/{}", escape(&name)), Rule::Unknown { nearest: None }),
            }
        }
        if violations.0.is_empty() { Ok(Period(period)) } else { Err(Domain::Query(violations).into()) }
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.query_parameter("from", "Only entries from this moment or day on (UTC).");
        operation.query_parameter("to", "Only entries until this moment, or the end of this day (UTC).");
    }
}

impl Argument for Asked {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut fields = Map::new();
        let mut query = AuditQuery { filter: Filter::default(), limit: DEFAULT_LIMIT, ascending: false, cursor: None };
        let mut violations = Violations::default();
        for (name, value) in query_pairs(call)? {
            match name.as_str() {
                "limit" => match limit_of(&value) {
                    Ok(limit) => query.limit = limit,
                    Err(rule) => violations.add("/limit", rule),
                },
                "sort" => match value.as_str() {
                    "occurred_at" => query.ascending = true,
                    "-occurred_at" => query.ascending = false,
                    _ => {
                        let allowed = ["-occurred_at", "occurred_at"].map(str::to_owned).to_vec();
                        violations.add("/sort", Rule::OneOf { allowed });
                    }
                },
                "cursor" => query.cursor = Some(value),
                _ => _ = fields.insert(name, Value::from(value)),
            }
        }
        match read::<Filter>(Value::Object(fields)) {
            Ok(filter) => query.filter = filter,
            Err(Domain::Invalid(more)) => violations.extend(more),
            Err(other) => return Err(other.into()),
        }
        if violations.0.is_empty() { Ok(Asked(query)) } else { Err(Domain::Query(violations).into()) }
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.number_parameter("limit", "The most entries per page; 50 by default.", (1, 200));
        let sorts = ["-occurred_at", "occurred_at"].map(str::to_owned);
        operation.choice_parameter("sort", "`-occurred_at`, the newest first, or `occurred_at`.", sorts);
        let lines = [
            ("cursor", "`meta.next_cursor` of the previous page."),
            ("from", "Only entries from this moment or day on (UTC)."),
            ("to", "Only entries until this moment, or the end of this day (UTC)."),
            ("actor_id", "Only entries of this user or API key; `user_id` is an alias."),
            ("action", "Only entries with this action, such as `update` or `login_failed`."),
            ("event", "Only entries with this event, such as `lead.created`."),
            ("resource_type", "Only entries about records of this type."),
            ("resource_id", "Only entries about this record."),
            ("outcome", "Only entries with this outcome: `success`, `denied` or `failed`."),
            ("request_id", "Only entries of this request."),
        ];
        for (name, text) in lines {
            operation.query_parameter(name, text);
        }
    }
}
