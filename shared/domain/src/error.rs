//! The errors that a client can act on, without reference to HTTP or storage.

use crate::ai::limit::{BudgetOf, Period, Quantity};
use crate::permission::Permission;
pub use crate::rule::{Requirement, Rule, Unit};
use crate::{AnyId, Locale, RecordType, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// An error that the client can act on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The request can't be read at all.
    #[error("malformed request: {0}")]
    Malformed(Malformed),
    /// The route doesn't accept the body's media type.
    #[error("unsupported media type, expected one of {}", .expected.join(", "))]
    MediaType {
        /// The media types that the route accepts.
        expected: &'static [&'static str],
    },
    /// The input breaks rules; all violations are listed.
    #[error("invalid input: {0}")]
    Invalid(Violations),
    /// Query parameters break rules.
    #[error("invalid query: {0}")]
    Query(Violations),
    /// The caller isn't authenticated.
    #[error("not signed in: {0}")]
    Unauthenticated(Unauthenticated),
    /// The caller is authenticated and lacks this permission.
    #[error("missing permission {0}")]
    Forbidden(Permission),
    /// The organisation refuses requests from the caller's network.
    #[error("requests from this network are refused")]
    Network,
    /// The operation is for signed-in users, not for API keys.
    #[error("an API key can't do this")]
    NotAPerson,
    /// The form doesn't accept posts from pages of this origin.
    #[error("the form doesn't accept posts from {0}")]
    Origin(String),
    /// There is no such record, or the caller may not see it.
    #[error("no such {0}")]
    NotFound(Thing),
    /// Another record has a value that must be unique.
    #[error("another record has the same {field}")]
    Duplicate {
        /// The field with the duplicate value.
        field: &'static str,
        /// The record with the same value, if the caller may see it.
        existing_id: Option<AnyId>,
    },
    /// The record was changed since the version that the request names (optimistic concurrency).
    #[error("the record is at version {version}")]
    Stale {
        /// The current version.
        version: u64,
        /// The current values of the fields that the request would change.
        current: Map<String, Value>,
    },
    /// The request conflicts with the current state.
    #[error("conflict: {0}")]
    Conflict(Conflict),
    /// Something is larger than a limit.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: Oversized,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A change needs more items than one transaction may have.
    #[error("the change needs {actions} items, a transaction may have {limit}")]
    Unfit {
        /// The number of items that the change needs.
        actions: usize,
        /// The most items of a transaction.
        limit: usize,
    },
    /// A budget for AI is exhausted.
    #[error("{0}")]
    Budget(Exceeded),
    /// There is no such model, or the caller may not use it.
    #[error("no model {model}, use one of {}", .allowed.join(", "))]
    UnknownModel {
        /// The requested model.
        model: String,
        /// The models that the caller may use.
        allowed: Vec<String>,
    },
    /// An answer is being generated in the conversation.
    #[error("the run {0} is in progress")]
    RunInProgress(RunId),
    /// Answers are streamed at another URL of the deployment.
    #[error("answers aren't streamed here")]
    StreamElsewhere {
        /// The URL, if it is known.
        url: Option<String>,
    },
    /// Another system failed to answer.
    #[error("the AI provider failed")]
    Upstream {
        /// The run that it failed in.
        run: RunId,
    },
    /// Too many requests.
    #[error("rate limit reached, retry in {retry_after} s")]
    Limited {
        /// Seconds until the next request is accepted.
        retry_after: u64,
    },
}

/// The kind of thing that wasn't found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A record.
    Record(RecordType),
    /// A session.
    Session,
    /// An entry of the audit log.
    Entry,
    /// An answer that is or was being generated.
    Run,
}

impl From<RecordType> for Thing {
    fn from(kind: RecordType) -> Thing {
        Thing::Record(kind)
    }
}

impl Thing {
    /// The name in texts for users.
    pub fn name_in(self, locale: Locale) -> &'static str {
        match self {
            Thing::Record(kind) => kind.name_in(locale),
            Thing::Session => locale.pick("session", "会话"),
            Thing::Entry => locale.pick("audit log entry", "审计日志条目"),
            Thing::Run => locale.pick("run", "生成任务"),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name_in(Locale::English))
    }
}

/// Why a request can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body is in no charset that it names, nor in UTF-8.
    #[error("the body is neither in UTF-8 nor in the charset that its Content-Type names")]
    Charset,
    /// The body's content encoding isn't supported.
    #[error("the body's Content-Encoding must be gzip, or there must be none")]
    Encoding,
    /// The body isn't gzip, though its content encoding is.
    #[error("the body is not valid gzip")]
    Gzip,
    /// The body isn't valid JSON.
    #[error("the body is not valid JSON: {reason}")]
    Json {
        /// What is wrong, in the parser's words.
        reason: String,
        /// The line of the error, from 1.
        line: usize,
        /// The column of the error.
        column: usize,
    },
    /// The connection ended before the body did.
    #[error("the body is incomplete")]
    Incomplete,
    /// The body didn't arrive in time.
    #[error("the body did not arrive within {seconds} seconds; send it again over a faster connection")]
    Slow {
        /// The time that it had.
        seconds: u64,
    },
    /// The body isn't a valid form.
    #[error("the form can't be parsed")]
    Form,
    /// The header of a multipart form doesn't name the boundary of its parts.
    #[error("the multipart form has no boundary in its Content-Type")]
    Boundary,
    /// The path isn't valid UTF-8.
    #[error("the path is not valid UTF-8")]
    Path,
    /// The query string can't be parsed.
    #[error("the query string can't be read")]
    Query,
    /// The header `Idempotency-Key` is invalid, or was sent more than once.
    #[error("Idempotency-Key must be sent once, with 1 to 255 printable ASCII characters")]
    IdempotencyKey,
    /// The header `If-Match` isn't an ETag of a record.
    #[error("If-Match must be one ETag of this record, such as \"v7\"")]
    IfMatch,
    /// The record isn't a JSON object.
    #[error("the record is not an object")]
    Record,
}

/// What is larger than a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversized {
    /// The body of a request.
    Body,
    /// The URL of a request.
    Url,
    /// The response to a batch.
    Batch,
    /// A record.
    Record,
    /// A conversation.
    Conversation,
}

impl Oversized {
    /// The name in texts for users.
    pub fn name_in(self, locale: Locale) -> &'static str {
        match self {
            Oversized::Body => locale.pick("the body", "请求正文"),
            Oversized::Url => locale.pick("the URL", "网址"),
            Oversized::Batch => locale.pick("the batch", "批次"),
            Oversized::Record => locale.pick("the record", "记录"),
            Oversized::Conversation => locale.pick("the conversation", "对话"),
        }
    }
}

impl fmt::Display for Oversized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name_in(Locale::English))
    }
}

/// An exhausted budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, thiserror::Error)]
#[error("the {} budget of {} of the {} is exhausted until {resets_at}", .period.name(), .quantity.name(), .of.name())]
#[schema(as = ExceededBudget)]
pub struct Exceeded {
    /// Whose budget it is.
    pub of: BudgetOf,
    /// Its period.
    pub period: Period,
    /// What it limits.
    pub quantity: Quantity,
    /// When its next period begins.
    pub resets_at: Timestamp,
}

/// Why a caller isn't authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// The request has no credentials.
    #[error("no credentials")]
    Missing,
    /// The credentials are invalid or have expired.
    #[error("the token is invalid or has expired")]
    Invalid,
    /// Name and password match, but a second factor is required.
    #[error("a second factor is required")]
    CodeNeeded,
    /// The code is wrong, or was used before.
    #[error("wrong code")]
    Code,
    /// Name and password don't match.
    #[error("wrong user name or password")]
    Password,
}

/// Why a request conflicts with the current state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The idempotency key was used before with a different input.
    #[error("the idempotency key was used before with a different input")]
    KeyReused,
    /// The request was carried out before, and its response isn't stored because it held a secret.
    #[error("the request was already carried out and its response is not stored")]
    AnswerNotKept,
    /// Concurrent changes of the record won every retry of this request.
    #[error("concurrent changes of the record")]
    Contended,
    /// The record isn't in the trash.
    #[error("the record is not in the trash")]
    NotInTrash,
    /// A mail that is to be sent again hasn't failed, or was sent again since.
    #[error("the mail has not failed")]
    NotFailed,
    /// The record's parent was deleted.
    #[error("the record this belongs to was deleted")]
    ParentGone,
    /// The lead is spam.
    #[error("the lead is spam")]
    SpamLead,
    /// The status `converted` is only set by converting the lead, and can't be changed afterwards.
    #[error("the status converted is only set by converting the lead, and can't be changed")]
    Conversion,
    /// The record has children.
    #[error("the record has children")]
    HasFamily,
    /// The cascade delete of the record's children is still in progress.
    #[error("the cascade delete of its children is still in progress")]
    CascadePending,
    /// The stage or its pipeline was removed.
    #[error("the stage was removed")]
    StageGone,
    /// The pipeline is the default one, or has opportunities, or some may be restored to it from the trash.
    #[error("the pipeline or stage is in use")]
    StageInUse,
    /// The submission was already accepted into a lead.
    #[error("the submission was already accepted")]
    SubmissionAccepted,
    /// The organisation isn't connected to the other system.
    #[error("the organisation isn't connected to that system")]
    NotConnected,
    /// The caller can't grant or revoke permissions that it doesn't have.
    #[error("the caller can't grant or revoke permissions it doesn't have")]
    BeyondOwnRole,
    /// An organisation must have at least one owner.
    #[error("the organisation would have no owner")]
    LastOwner,
    /// Users or pending invitations have the role.
    #[error("users or invitations have the role")]
    RoleInUse,
    /// The entry has no change that can be undone.
    #[error("there is nothing to undo")]
    NothingToUndo,
    /// The earlier values were erased.
    #[error("the earlier values were erased")]
    Erased,
    /// The user has no second factor, or already has one.
    #[error("the second factor is already set up, or isn't set up")]
    SecondFactor,
    /// The form is the organisation's default form.
    #[error("the form is the default one")]
    DefaultForm,
    /// The organisation is the default one.
    #[error("the organisation is the default one")]
    DefaultOrganization,
    /// The organisation already has an owner.
    #[error("the organisation already has an owner")]
    HasOwner,
    /// The invitation was accepted, revoked or has expired, or is for another address.
    #[error("the invitation can't be used")]
    InvitationUsed,
    /// The token sent by mail was used, was replaced by a newer one, or has expired.
    #[error("the token sent by mail can't be used")]
    TicketUsed,
    /// The caller hasn't confirmed their own e-mail address.
    #[error("the caller's e-mail address isn't confirmed")]
    AddressUnconfirmed,
    /// A newer version of Daybook wrote the record in a schema that this version can't write.
    #[error("the record was written by a newer version of Daybook")]
    NewerVersion,
    /// The deployment accepts registration only by invitation.
    #[error("registration needs an invitation")]
    RegistrationClosed,
}

impl Error {
    /// The error for a thing that wasn't found.
    pub fn not_found(what: impl Into<Thing>) -> Error {
        Error::NotFound(what.into())
    }

    /// A single violation.
    pub fn invalid(pointer: impl Into<String>, rule: Rule) -> Error {
        Error::Invalid(Violations(vec![Violation { pointer: pointer.into(), rule }]))
    }

    /// A single violation in a query parameter.
    pub fn query(parameter: &str, rule: Rule) -> Error {
        Error::Query(Violations(vec![Violation { pointer: format!("/{parameter}"), rule }]))
    }
}

/// The violations of an input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Violations(pub Vec<Violation>);

impl Violations {
    /// The most violations that are listed; further ones are dropped.
    pub const MOST: usize = 100;

    /// Adds a violation, unless its place already has one or the list is full.
    pub fn add(&mut self, pointer: impl Into<String>, rule: Rule) {
        let pointer = pointer.into();
        if self.0.len() < Self::MOST && !self.0.iter().any(|known| known.pointer == pointer) {
            self.0.push(Violation { pointer, rule });
        }
    }

    /// A single violation.
    pub fn of(pointer: &str, rule: Rule) -> Violations {
        Violations(vec![Violation { pointer: pointer.to_owned(), rule }])
    }

    /// Adds the other violations, up to the limit.
    pub fn extend(&mut self, others: Violations) {
        others.0.into_iter().for_each(|one| self.add(one.pointer, one.rule));
    }

    /// The same violations with their pointers prefixed with a place.
    #[must_use]
    pub fn under(self, place: &str) -> Violations {
        let placed = |one: Violation| Violation { pointer: format!("{place}{}", one.pointer), ..one };
        Violations(self.0.into_iter().map(placed).collect())
    }

    /// `Ok` if there are no violations.
    pub fn into_result(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, violation) in self.0.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{} {}", violation.pointer, violation.rule.code())?;
        }
        Ok(())
    }
}

/// A broken rule and its place in the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// JSON pointer (RFC 6901) into the input.
    pub pointer: String,
    /// The broken rule.
    pub rule: Rule,
}
