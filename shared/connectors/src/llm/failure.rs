//! Failures of providers, classified by the statuses and error codes that their API references and own clients have.

use daybook_domain::Secret;
use daybook_domain::masking::MASK;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// The longest wait that is taken from an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The maximum length of a message and of a code, in characters.
const LONGEST: usize = 300;

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The provider is overloaded, down or unreachable.
    Busy,
    /// Too many requests or tokens in a short time.
    Limited,
    /// The provider's account has no credit left, or reached its spending limit.
    Quota,
    /// The API key is missing, invalid or lacks a permission.
    Key,
    /// The provider refuses this request: the model doesn't exist, the context is too long, or a value is invalid.
    Refused,
    /// The answer ended without its terminator.
    Cut,
    /// No byte, or no first event, came within the time-out.
    Silent,
    /// The answer isn't in the wire format.
    Garbled,
}

/// A failed call, or an answer that failed midway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The provider's error code.
    pub code: Option<String>,
    /// The wait that the provider asks for, at most 120 seconds.
    pub retry_after: Option<Duration>,
    /// The provider's message, or a description. At most 300 characters; never holds the API key.
    pub message: String,
}

impl Failure {
    /// Whether the same call may succeed when it is repeated. The caller may repeat only before the first text.
    pub fn is_retryable(&self) -> bool {
        match self.kind {
            FailureKind::Busy | FailureKind::Limited | FailureKind::Silent | FailureKind::Cut => true,
            FailureKind::Quota | FailureKind::Key | FailureKind::Refused | FailureKind::Garbled => false,
        }
    }

    /// A failure of this class.
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, status: None, code: None, retry_after: None, message: message.into() }
    }

    /// A time-out.
    pub(super) fn silent(after: Duration) -> Failure {
        Failure::new(FailureKind::Silent, format!("no answer within {after:?}"))
    }

    /// An answer with an error status.
    pub(super) fn answered(status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = Reported::in_body(&body);
        let kind = if error.kind() == Some(FailureKind::Quota) { FailureKind::Quota } else { kind_of_status(status) };
        Failure {
            kind,
            status: Some(status),
            code: error.code(),
            retry_after: retry_after(headers, Timestamp::now()),
            message: format!("the provider answered {status}: {}", error.message()),
        }
    }

    /// An error that a provider reports inside of a stream.
    pub(super) fn reported(event: &Value) -> Failure {
        let error = Reported::in_body(event);
        Failure {
            kind: error.kind().unwrap_or(FailureKind::Refused),
            status: None,
            code: error.code(),
            retry_after: None,
            message: format!("the provider reported an error: {}", error.message()),
        }
    }

    /// The failure without the API key, should the provider have repeated it, and with texts of bounded length.
    pub(super) fn without(self, key: Option<&Secret>) -> Failure {
        let key = key.map(Secret::expose).filter(|key| !key.is_empty());
        let clean = |text: String| -> String {
            let text = match key {
                Some(key) => text.replace(key, MASK),
                None => text,
            };
            text.chars().take(LONGEST).collect()
        };
        Failure { message: clean(self.message), code: self.code.map(clean), ..self }
    }
}

/// An error as a provider reports it, in an answer or inside of a stream.
struct Reported<'v>(&'v Value);

impl<'v> Reported<'v> {
    /// The error of a body. OpenAI and Anthropic have it in `error`; others have a text there, or its fields on top.
    fn in_body(body: &'v Value) -> Reported<'v> {
        Reported(body.get("error").filter(|error| error.is_object()).unwrap_or(body))
    }

    /// Its codes, most specific first.
    fn codes(&self) -> impl Iterator<Item = &'v str> {
        let error = self.0;
        let paths = ["/details/error_code", "/code", "/type"].into_iter();
        let codes = paths.filter_map(move |path| error.pointer(path)?.as_str());
        // This is the type of the event that reports the error.
        codes.filter(|code| *code != "error")
    }

    fn code(&self) -> Option<String> {
        self.codes().next().map(str::to_owned)
    }

    /// The class by the codes. Compatible servers have a status for a code.
    fn kind(&self) -> Option<FailureKind> {
        let status = self.0["code"].as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
        self.codes().find_map(kind_of_code).or(status.map(kind_of_status))
    }

    fn message(&self) -> &'v str {
        let names = ["message", "Message", "error", "detail"].into_iter();
        let mut texts = names.filter_map(|name| self.0.get(name)?.as_str());
        texts.find(|text| !text.is_empty()).unwrap_or("no reason given")
    }
}

fn kind_of_status(status: u16) -> FailureKind {
    match status {
        401 | 403 => FailureKind::Key,
        402 => FailureKind::Quota,
        408 | 409 | 500.. => FailureKind::Busy,
        429 => FailureKind::Limited,
        _ => FailureKind::Refused,
    }
}

fn kind_of_code(code: &str) -> Option<FailureKind> {
    match code {
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "billing_error"
        | "enforced_spend_limit_reached"
        | "contract_spend_limit_reached"
        | "linked_organization_spend_limit_reached"
        | "linked_organization_billing_unavailable" => Some(FailureKind::Quota),
        "rate_limit_exceeded" | "rate_limit_error" => Some(FailureKind::Limited),
        "invalid_api_key" | "authentication_error" | "permission_error" => Some(FailureKind::Key),
        "overloaded_error" | "api_error" | "timeout_error" | "server_error" | "service_unavailable" => {
            Some(FailureKind::Busy)
        }
        _ => None,
    }
}

/// The wait that an answer asks for: in milliseconds, in seconds, or until a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let capped = |seconds: f64| Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64()));
    if let Some(milliseconds) = value("retry-after-ms").and_then(number) {
        return Some(capped(milliseconds / 1000.0));
    }
    let text = value("retry-after")?;
    number(text).map(capped).or_else(|| {
        let date = DateTimeParser::new().parse_timestamp(text).ok()?;
        let wait = Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO);
        Some(wait.min(LONGEST_WAIT))
    })
}
