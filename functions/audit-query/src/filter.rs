//! Which entries of the audit log somebody wants to see.

use daybook_domain::read::{escape, read};
use daybook_domain::{AnyId, Audit, EntryId, Error as Domain, Event, OrgId, RecordType, Rule, Timestamp, Violations};
use daybook_http::{Argument, Call, Cx, Operation, Result, USUAL_LIMIT, limit_of, query_pairs};
use daybook_store::facts::{FactsAsk, FactsPage, Source};
use daybook_store::journal::RETENTION;
use daybook_store::{Answer, Fact};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// Which entries; all conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AuditFilter)]
pub struct Filter {
    /// From this moment or day on.
    pub from: Option<String>,
    /// Until this moment, or the end of this day.
    pub to: Option<String>,
    /// What this user or API key did.
    #[serde(alias = "user_id")]
    #[schema(value_type = Option<String>)]
    pub actor_id: Option<AnyId>,
    /// What was done.
    pub action: Option<Audit>,
    /// The event it was announced as.
    pub event: Option<Event>,
    /// What was done to records of this type.
    pub resource_type: Option<RecordType>,
    /// What was done to this record.
    #[schema(value_type = Option<String>)]
    pub resource_id: Option<AnyId>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What this request did.
    pub request_id: Option<String>,
}

/// How something ended that is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// Whoever asked may not do it.
    Denied,
    /// Whoever asked isn't who they said.
    Failed,
}

impl Outcome {
    /// The outcome of what was answered so.
    pub fn of(answer: Answer) -> Outcome {
        match answer {
            Answer::Ok | Answer::Created | Answer::Accepted | Answer::SeeOther => Outcome::Success,
            Answer::Unauthenticated => Outcome::Failed,
            Answer::Forbidden => Outcome::Denied,
        }
    }
}

/// Which page of which entries.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// Which entries.
    pub filter: Filter,
    /// The most entries.
    pub limit: usize,
    /// The oldest first, rather than the newest.
    pub ascending: bool,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl Filter {
    /// Whether an entry meets the conditions.
    pub fn holds(&self, fact: &Fact) -> bool {
        fn is<T: PartialEq>(wanted: &Option<T>, actual: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == actual)
        }
        is(&self.action, &fact.action)
            && is(&self.event, &fact.event)
            && is(&self.resource_type, &fact.record.kind)
            && is(&self.resource_id, &fact.record)
            && is(&self.outcome, &Outcome::of(fact.answer))
            && is(&self.request_id, &fact.request_id)
            && self.actor_id.is_none_or(|wanted| fact.actor.id() == Some(wanted))
    }

    /// Where to look: the narrowest there is.
    pub fn source(&self) -> Source {
        match (&self.request_id, self.resource_id, self.actor_id) {
            (Some(id), ..) => Source::Request(id.clone()),
            (None, Some(record), _) => Source::Record(record),
            (None, None, Some(actor)) => Source::Actor(actor),
            (None, None, None) => Source::All,
        }
    }

    /// The time asked for: as long as entries are kept, unless it is said.
    pub fn bounds(&self, org: OrgId, now: Timestamp) -> Result<(Timestamp, Timestamp), Domain> {
        let mut violations = Violations::default();
        let mut bound = |name: &str, text: &Option<String>, of_day: Duration, usual: Timestamp| match text {
            None => usual,
            Some(text) => moment(text, of_day).unwrap_or_else(|rule| {
                violations.add(format!("/{name}"), rule);
                usual
            }),
        };
        let earliest = now.minus(RETENTION).max(org.time());
        let from = bound("from", &self.from, Duration::ZERO, earliest).max(earliest);
        let to = bound("to", &self.to, Duration::from_millis(86_399_999), now).min(now);
        if from > to && self.from.is_some() {
            violations.add("/from", Rule::Format { expected: "a time that has come, before `to`".to_owned() });
        }
        violations.into_result().map(|()| (from, to))
    }
}

/// A moment, or one of a day in UTC. In a query the sign of an offset comes as a space unless it is escaped.
fn moment(text: &str, of_day: Duration) -> Result<Timestamp, Rule> {
    if text.len() == "2026-11-20".len() {
        return format!("{text}T00:00:00Z").parse::<Timestamp>().map(|day| day.plus(of_day));
    }
    text.replace(' ', "+").parse()
}

impl AuditQuery {
    /// The page, with where the next one begins.
    pub async fn page(&self, cx: &Cx) -> Result<(FactsPage, Option<String>)> {
        let altered = || Domain::query("cursor", Rule::Cursor);
        let after = match &self.cursor {
            Some(cursor) => Some(cx.open_place(cursor, &self.binding(cx))?.parse::<EntryId>().map_err(|_| altered())?),
            None => None,
        };
        let (from, to) = self.filter.bounds(cx.org, cx.now()).map_err(as_query)?;
        let source = self.filter.source();
        let keep = |fact: &Fact| self.filter.holds(fact);
        let ask =
            FactsAsk { source: &source, from, to, ascending: self.ascending, after, limit: self.limit, keep: &keep };
        let page = cx.facts(&ask).await?;
        let next = page.more.map(|more| self.cursor_behind(cx, more));
        Ok((page, next))
    }

    /// The cursor of a page that begins behind an entry.
    pub fn cursor_behind(&self, cx: &Cx, entry: EntryId) -> String {
        cx.seal_place(&entry.to_string(), &self.binding(cx))
    }

    fn binding(&self, cx: &Cx) -> String {
        format!("{}|audit|{:?}|{}", cx.org, self.filter, self.ascending)
    }
}

/// A time, from a query: `from` and `to`.
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
        operation.query_parameter("from", "From this moment or day on (UTC).");
        operation.query_parameter("to", "Until this moment, or the end of this day (UTC).");
    }
}

/// What is wrong with a query rather than with a body.
pub fn as_query(error: Domain) -> Domain {
    match error {
        Domain::Invalid(violations) => Domain::Query(violations),
        other => other,
    }
}

impl Argument for AuditQuery {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut fields = Map::new();
        let mut query = AuditQuery { filter: Filter::default(), limit: USUAL_LIMIT, ascending: false, cursor: None };
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
            Err(Domain::Invalid(more)) => more.0.into_iter().for_each(|one| violations.add(one.pointer, one.rule)),
            Err(other) => return Err(other.into()),
        }
        if violations.0.is_empty() { Ok(query) } else { Err(Domain::Query(violations).into()) }
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        let lines = [
            ("limit", "The most entries of a page: 1 to 200, usually 50."),
            ("cursor", "`meta.next_cursor` of the page before."),
            ("sort", "`-occurred_at`, the newest first, or `occurred_at`."),
            ("from", "From this moment or day on (UTC)."),
            ("to", "Until this moment, or the end of this day (UTC)."),
            ("actor_id", "What this user or API key did. `user_id` is the same."),
            ("action", "What was done, such as `update` or `login_failed`."),
            ("event", "The event it was announced as, such as `lead.created`."),
            ("resource_type", "What was done to records of this type."),
            ("resource_id", "What was done to this record."),
            ("outcome", "`success`, `denied` or `failed`."),
            ("request_id", "What this request did."),
        ];
        for (name, text) in lines {
            operation.query_parameter(name, text);
        }
    }
}
