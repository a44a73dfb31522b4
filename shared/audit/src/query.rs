//! Queries of the audit log: pages of journal facts by filter, with cursors.

use daybook_domain::audit::{Filter, Outcome};
use daybook_domain::{EntryId, Error as Domain, OrgId, Rule, Timestamp};
use daybook_store::facts::{FactsAsk, FactsPage, Source};
use daybook_store::journal::RETENTION;
use daybook_store::{Answer, Cx, Fact, Result};

/// A query for one page of the audit log.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// The filter.
    pub filter: Filter,
    /// The maximum number of entries.
    pub limit: usize,
    /// Whether the oldest entries come first, rather than the newest.
    pub ascending: bool,
    /// The cursor, if it isn't the first page.
    pub cursor: Option<String>,
}

impl AuditQuery {
    /// Reads the page; returns it with the cursor of the next one.
    pub async fn page(&self, cx: &Cx) -> Result<(FactsPage, Option<String>)> {
        let altered = || Domain::query("cursor", Rule::Cursor);
        let after = match &self.cursor {
            Some(cursor) => {
                Some(cx.cursors().open(cursor, &self.binding(cx))?.parse::<EntryId>().map_err(|_| altered())?)
            }
            None => None,
        };
        let (from, to) = bounds(&self.filter, cx.org, cx.now()).map_err(as_query)?;
        let source = source(&self.filter);
        let keep = |fact: &Fact| holds(&self.filter, fact);
        let ask =
            FactsAsk { source: &source, from, to, ascending: self.ascending, after, limit: self.limit, keep: &keep };
        let page = cx.journal().page(&ask).await?;
        let next = page.more.map(|more| self.cursor_behind(cx, more)).transpose()?;
        Ok((page, next))
    }

    /// The cursor of the page that begins after an entry.
    pub fn cursor_behind(&self, cx: &Cx, entry: EntryId) -> Result<String> {
        cx.cursors().seal(&entry.to_string(), &self.binding(cx))
    }

    fn binding(&self, cx: &Cx) -> String {
        format!("{}|audit|{:?}|{}", cx.org, self.filter, self.ascending)
    }
}

/// Turns violations of a body into violations of a query.
pub fn as_query(error: Domain) -> Domain {
    match error {
        Domain::Invalid(violations) => Domain::Query(violations),
        other => other,
    }
}

/// The audit outcome of an answer.
pub fn outcome_of(answer: Answer) -> Outcome {
    match answer {
        // Refusals have answers of their own; an answer that only a newer version knows is a success.
        Answer::Ok | Answer::Created | Answer::Accepted | Answer::SeeOther | Answer::NoContent | Answer::Unknown(_) => {
            Outcome::Success
        }
        Answer::Unauthenticated => Outcome::Failed,
        Answer::Forbidden => Outcome::Denied,
    }
}

/// The time range of a filter; by default the whole retention period.
pub fn bounds(filter: &Filter, org: OrgId, now: Timestamp) -> Result<(Timestamp, Timestamp), Domain> {
    // An organisation that was created while the clock was ahead has its entries since then.
    let begun = org.time().min(now.start_of_day());
    filter.bounds(now.minus(RETENTION).max(begun), now)
}

/// Whether an entry matches the filter.
fn holds(filter: &Filter, fact: &Fact) -> bool {
    fn is<T: PartialEq>(wanted: &Option<T>, actual: &T) -> bool {
        wanted.as_ref().is_none_or(|wanted| wanted == actual)
    }
    is(&filter.action, &fact.action)
        && is(&filter.event, &fact.event)
        && is(&filter.resource_type, &fact.record.kind)
        && is(&filter.resource_id, &fact.record)
        && is(&filter.outcome, &outcome_of(fact.answer))
        && is(&filter.request_id, &fact.request_id)
        && filter.actor_id.is_none_or(|wanted| fact.actor.id() == Some(wanted))
}

/// The source to read: the most selective one that the filter allows.
fn source(filter: &Filter) -> Source {
    match (&filter.request_id, filter.resource_id, filter.actor_id) {
        (Some(id), ..) => Source::Request(id.clone()),
        (None, Some(record), _) => Source::Record(record),
        (None, None, Some(actor)) => Source::Actor(actor),
        (None, None, None) => Source::All,
    }
}
