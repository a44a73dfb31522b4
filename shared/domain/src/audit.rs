//! Filters of the audit log, outcomes of its entries, and formats of its export.

use crate::choices;
use crate::{AnyId, Audit, Error, Event, RecordType, Rule, Timestamp, Violations};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A filter of audit log entries. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = AuditFilter)]
pub struct Filter {
    /// Entries from this time or day on.
    pub from: Option<String>,
    /// Entries up to this time, or the end of this day.
    pub to: Option<String>,
    /// Entries of this user or API key.
    #[serde(alias = "user_id")]
    #[schema(value_type = Option<String>)]
    pub actor_id: Option<AnyId>,
    /// Entries with this action.
    pub action: Option<Audit>,
    /// Entries published as this event.
    pub event: Option<Event>,
    /// Entries about records of this type.
    pub resource_type: Option<RecordType>,
    /// Entries about this record.
    #[schema(value_type = Option<String>)]
    pub resource_id: Option<AnyId>,
    /// Entries with this outcome.
    pub outcome: Option<Outcome>,
    /// Entries of this request.
    pub request_id: Option<String>,
}

choices! {
    /// The outcome of an audited action.
    Outcome as "Outcome" {
        /// The action was carried out.
        Success = "success",
        /// The caller has no permission for the action.
        Denied = "denied",
        /// The caller's credentials were wrong.
        Failed = "failed",
    }

    /// The file format of an export.
    #[derive(Default)]
    Format as "AuditExportFormat" {
        /// Comma-separated values, for spreadsheets.
        #[default] Csv = "csv",
        /// A JSON array of entries.
        Json = "json",
    }
}

impl Format {
    /// The file name extension.
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
    /// The start and end of the period; from `earliest` to now, unless the filter sets them.
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
            violations.add("/from", Rule::format("a time in the past, before `to`", "是过去的时间，且早于 to"));
        }
        violations.into_result().map(|()| (from, to))
    }
}

/// A time, or a time within a day in UTC. In a query an unescaped `+` of an offset arrives as a space.
fn moment(text: &str, of_day: Duration) -> Result<Timestamp, Rule> {
    if text.len() == "2026-11-20".len() {
        return format!("{text}T00:00:00Z").parse::<Timestamp>().map(|day| day.plus(of_day));
    }
    text.replace(' ', "+").parse()
}
