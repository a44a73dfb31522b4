//! Pages of the journal, by filter.

use daybook_domain::audit::{Filter, Outcome};
use daybook_domain::{EntryId, Error as Domain, OrgId, Rule, Timestamp};
use daybook_store::facts::{FactsAsk, FactsPage, Source};
use daybook_store::journal::RETENTION;
use daybook_store::{Answer, Cx, Fact, Result};

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

impl AuditQuery {
    /// The page, with where the next one begins.
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
        let next = page.more.map(|more| self.cursor_behind(cx, more));
        Ok((page, next))
    }

    /// The cursor of a page that begins behind an entry.
    pub fn cursor_behind(&self, cx: &Cx, entry: EntryId) -> String {
        cx.cursors().seal(&entry.to_string(), &self.binding(cx))
    }

    fn binding(&self, cx: &Cx) -> String {
        format!("{}|audit|{:?}|{}", cx.org, self.filter, self.ascending)
    }
}

/// What is wrong with a query rather than with a body.
pub fn as_query(error: Domain) -> Domain {
    match error {
        Domain::Invalid(violations) => Domain::Query(violations),
        other => other,
    }
}

/// The outcome of what was answered so.
pub fn outcome_of(answer: Answer) -> Outcome {
    match answer {
        // What was refused says so; a newer answer is to something that was done.
        Answer::Ok | Answer::Created | Answer::Accepted | Answer::SeeOther | Answer::Unknown(_) => Outcome::Success,
        Answer::Unauthenticated => Outcome::Failed,
        Answer::Forbidden => Outcome::Denied,
    }
}

/// The time that a filter asks for: as long as entries are kept, unless it is said.
pub fn bounds(filter: &Filter, org: OrgId, now: Timestamp) -> Result<(Timestamp, Timestamp), Domain> {
    filter.bounds(now.minus(RETENTION).max(org.time()), now)
}

/// Whether an entry meets the conditions.
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

/// Where to look: the narrowest there is.
fn source(filter: &Filter) -> Source {
    match (&filter.request_id, filter.resource_id, filter.actor_id) {
        (Some(id), ..) => Source::Request(id.clone()),
        (None, Some(record), _) => Source::Record(record),
        (None, None, Some(actor)) => Source::Actor(actor),
        (None, None, None) => Source::All,
    }
}
