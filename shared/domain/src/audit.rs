//! What of the audit log somebody wants to see, and how it is written down.

use crate::choices;
use crate::{AnyId, Audit, Error, Event, RecordType, Rule, Timestamp, Violations};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which entries; all conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
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

choices! {
    /// How something ended that is on record.
    Outcome as "Outcome" {
        /// It was done.
        Success = "success",
        /// Whoever asked may not do it.
        Denied = "denied",
        /// Whoever asked isn't who they said.
        Failed = "failed",
    }

    /// How a file of entries is written.
    #[derive(Default)]
    Format as "AuditExportFormat" {
        /// A table, for spreadsheets.
        #[default] Csv = "csv",
        /// A list of entries.
        Json = "json",
    }
}

impl Format {
    /// What names of such files end with.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Unknown(_) => "bin",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Json => "application/json",
            Format::Unknown(_) => "application/octet-stream",
        }
    }
}

impl Filter {
    /// The time asked for: all there is since the earliest moment, unless it is said.
    pub fn bounds(&self, earliest: Timestamp, now: Timestamp) -> Result<(Timestamp, Timestamp), Error> {
        let mut violations = Violations::default();
        let mut bound = |name: &str, text: &Option<String>, of_day: Duration, otherwise: Timestamp| match text {
            None => otherwise,
            Some(text) => moment(text, of_day).unwrap_or_else(|rule| {
                violations.add(format!("/{name}"), rule);
                otherwise
            }),
        };
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
