//! What can go wrong in a way that a client can act on. Knows nothing of HTTP or storage.

use crate::permission::Permission;
use crate::{AnyId, RecordType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// An error that the one who asked can do something about.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The request can't be read at all.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// The body's media type isn't one of those the route reads.
    #[error("unsupported media type, expected one of {}", .expected.join(", "))]
    MediaType {
        /// The media types it reads.
        expected: &'static [&'static str],
    },
    /// The input breaks rules; all of them are listed.
    #[error("invalid input: {0}")]
    Invalid(Violations),
    /// Query parameters break rules.
    #[error("invalid query: {0}")]
    Query(Violations),
    /// Who asks isn't known.
    #[error("not signed in: {0}")]
    Unauthenticated(Unauthenticated),
    /// Who asks is known and may not do this.
    #[error("missing permission {0}")]
    Forbidden(Permission),
    /// Their organisation takes no requests from where they are.
    #[error("requests from this network are refused")]
    Network,
    /// It is for people, not for programs.
    #[error("an API key can't do this")]
    NotAPerson,
    /// The form isn't for pages of this origin.
    #[error("the form takes no posts from {0}")]
    Origin(String),
    /// There is no such record, or none that the asker may know of.
    #[error("no such {0}")]
    NotFound(Thing),
    /// Another record holds a value that must be unique.
    #[error("{field} is taken")]
    Duplicate {
        /// The field whose value is taken.
        field: &'static str,
        /// Who holds it, where the asker may know.
        existing_id: Option<AnyId>,
    },
    /// The record was changed since it was read.
    #[error("the record is at version {version}")]
    Stale {
        /// The version it is at.
        version: u64,
        /// Its current values of the fields that the request would change.
        current: Map<String, Value>,
    },
    /// The request doesn't fit the state of things.
    #[error("conflict: {0}")]
    Conflict(Conflict),
    /// Something is larger than a limit.
    #[error("{what} is larger than {limit} {unit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// The unit of the limit.
        unit: &'static str,
    },
    /// A change takes more than one transaction has.
    #[error("the change takes {actions} items, a transaction has {limit}")]
    Unfit {
        /// How many items it takes.
        actions: usize,
        /// How many a transaction has.
        limit: usize,
    },
    /// Too many requests.
    #[error("limit reached, retry in {retry_after} s")]
    Limited {
        /// Seconds until the next request is taken.
        retry_after: u64,
    },
}

/// What was looked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A record.
    Record(RecordType),
    /// A session.
    Session,
    /// An entry of the audit log.
    Entry,
}

impl From<RecordType> for Thing {
    fn from(kind: RecordType) -> Thing {
        Thing::Record(kind)
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Thing::Record(kind) => kind.name(),
            Thing::Session => "session",
            Thing::Entry => "audit log entry",
        })
    }
}

/// Why a caller counts as unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// No credentials came with the request.
    #[error("no credentials")]
    Missing,
    /// The credentials are not valid, or not any more.
    #[error("the token is invalid or has expired")]
    Invalid,
    /// Name and password match; a code is asked for, too.
    #[error("a code is needed")]
    CodeNeeded,
    /// The code is wrong, or was used.
    #[error("wrong code")]
    Code,
    /// Name and password don't match.
    #[error("wrong user or password")]
    Password,
}

/// Why a request doesn't fit the state of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The idempotency key came with another input before.
    #[error("the idempotency key was used with another input")]
    KeyReused,
    /// The request was carried out before, and its answer held a secret, which isn't kept.
    #[error("the request was carried out already and its answer is not kept")]
    AnswerNotKept,
    /// Others changed the record again and again while this request tried to.
    #[error("the record is changed by others at the moment")]
    Contended,
    /// The record isn't in the trash.
    #[error("the record is not in the trash")]
    NotInTrash,
    /// The parent of the record is gone.
    #[error("the record this belongs to was deleted")]
    ParentGone,
    /// The lead is spam.
    #[error("the lead is spam")]
    SpamLead,
    /// A lead is converted by converting it, and stays so.
    #[error("the status of a lead becomes converted by converting it alone, and stays so")]
    Conversion,
    /// Other records belong to it.
    #[error("other records belong to it")]
    HasFamily,
    /// What went to the trash with it is still on its way there.
    #[error("what goes to the trash with it is still on its way")]
    CascadePending,
    /// The stage was removed, or its pipeline.
    #[error("the stage was removed")]
    StageGone,
    /// The pipeline is the default one, or opportunities are in it, or may come back to it from the trash.
    #[error("the pipeline or stage is in use")]
    StageInUse,
    /// The submission made or joined a lead already.
    #[error("the submission was accepted")]
    SubmissionAccepted,
    /// The other system isn't connected to this organisation.
    #[error("the organisation isn't connected to that system")]
    NotConnected,
    /// Nobody gives or takes away more than they have themselves.
    #[error("that goes beyond the asker's own role")]
    BeyondOwnRole,
    /// An organisation always has an owner.
    #[error("the organisation would have no owner")]
    LastOwner,
    /// Users have the role.
    #[error("users have the role")]
    RoleInUse,
    /// It changed nothing that can be made as it was.
    #[error("there is nothing to undo")]
    NothingToUndo,
    /// What was before was erased.
    #[error("what was before was erased")]
    Erased,
    /// The user has no second factor, or has one already.
    #[error("the second factor isn't in that state")]
    SecondFactor,
    /// The form is the organisation's default one.
    #[error("the form is the default one")]
    DefaultForm,
    /// The organisation is the default one.
    #[error("the organisation is the default one")]
    DefaultOrganization,
    /// The organisation has an owner.
    #[error("the organisation has an owner")]
    HasOwner,
    /// The invitation was accepted, taken back, or has expired; or it was for somebody else.
    #[error("the invitation can't be used")]
    InvitationUsed,
    /// The token of a mail was used, replaced by a newer one, or has expired.
    #[error("the token of the mail can't be used")]
    TicketUsed,
    /// A newer version of Daybook wrote it, in a form that this one can't write.
    #[error("it was written by a newer version")]
    NewerVersion,
    /// The deployment takes no registrations of this kind.
    #[error("registration needs an invitation")]
    RegistrationClosed,
}

impl Error {
    /// There is no such thing.
    pub fn not_found(what: impl Into<Thing>) -> Error {
        Error::NotFound(what.into())
    }

    /// One violation at one place.
    pub fn invalid(pointer: impl Into<String>, rule: Rule) -> Error {
        Error::Invalid(Violations(vec![Violation { pointer: pointer.into(), rule }]))
    }

    /// One violation of one query parameter.
    pub fn query(parameter: &str, rule: Rule) -> Error {
        Error::Query(Violations(vec![Violation { pointer: format!("/{parameter}"), rule }]))
    }
}

/// The rules that an input broke, each with its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Violations(pub Vec<Violation>);

impl Violations {
    /// The most violations that are listed; what comes later is left out.
    pub const MOST: usize = 100;

    /// Adds a violation unless its place has one already, or the list is full.
    pub fn add(&mut self, pointer: impl Into<String>, rule: Rule) {
        let pointer = pointer.into();
        if self.0.len() < Self::MOST && !self.0.iter().any(|known| known.pointer == pointer) {
            self.0.push(Violation { pointer, rule });
        }
    }

    /// One violation at one place.
    pub fn of(pointer: &str, rule: Rule) -> Violations {
        Violations(vec![Violation { pointer: pointer.to_owned(), rule }])
    }

    /// Adds others, as far as there is room.
    pub fn extend(&mut self, others: Violations) {
        others.0.into_iter().for_each(|one| self.add(one.pointer, one.rule));
    }

    /// The same violations, of what stands at a place in something larger.
    #[must_use]
    pub fn under(self, place: &str) -> Violations {
        let placed = |one: Violation| Violation { pointer: format!("{place}{}", one.pointer), ..one };
        Violations(self.0.into_iter().map(placed).collect())
    }

    /// `Ok` when nothing was added.
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

/// A broken rule and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// JSON pointer (RFC 6901) into the input.
    pub pointer: String,
    /// The rule that is broken there.
    pub rule: Rule,
}

/// A rule for input. Displays as JSON, so that it survives the way through a serde error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// The field must be there.
    Required,
    /// There is no such field.
    Unknown {
        /// The name that was perhaps meant.
        nearest: Option<String>,
    },
    /// The value has the wrong type or form.
    Type {
        /// What was expected, in English.
        expected: String,
    },
    /// At least this many characters.
    TooShort {
        /// The least number of characters.
        min: usize,
    },
    /// At most this many characters (or entries, or bytes, as the unit says).
    TooLong {
        /// The greatest number.
        max: usize,
        /// What is counted.
        unit: Unit,
    },
    /// No control characters.
    ControlCharacter,
    /// An e-mail address.
    Email,
    /// One of these values.
    OneOf {
        /// The values allowed.
        allowed: Vec<String>,
    },
    /// An id of a type.
    Id {
        /// What such ids begin with.
        prefix: String,
    },
    /// The field can't be changed.
    ReadOnly,
    /// A date and time.
    Time,
    /// A time zone of the IANA database.
    Zone,
    /// A user name: 3 to 64 letters, digits, `.`, `_` or `-`.
    Username,
    /// A password that many others have.
    CommonPassword,
    /// Not the password they have.
    WrongPassword,
    /// Not a code of theirs, or one that was used.
    WrongCode,
    /// The cursor was altered, or belongs to another query.
    Cursor,
    /// A whole number within bounds.
    Range {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A value that breaks a rule of its format.
    Format {
        /// What the format is, in English.
        expected: String,
    },
}

/// Longer names than this aren't misspelt ones.
const LONGEST_NAME: usize = 64;

/// The name of a list that comes nearest to a misspelt one.
fn nearest(name: &str, names: &[String]) -> Option<String> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    names
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.chars().count() / 4)
        .min()
        .map(|(_, known)| known.clone())
}

/// What a limit on length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Characters (Unicode scalar values).
    Characters,
    /// Bytes of UTF-8.
    Bytes,
    /// Entries of a list or object.
    Entries,
}

impl Rule {
    /// There is no such field, but perhaps one of these was meant.
    pub fn unknown(name: &str, names: &[String]) -> Rule {
        Rule::Unknown { nearest: nearest(name, names) }
    }

    /// The stable code a client can test for.
    pub fn code(&self) -> &'static str {
        match self {
            Rule::Required => "required",
            Rule::Unknown { .. } => "unknown_field",
            Rule::Type { .. } => "wrong_type",
            Rule::TooShort { .. } => "too_short",
            Rule::TooLong { .. } => "too_long",
            Rule::ControlCharacter => "control_character",
            Rule::Email => "invalid_email",
            Rule::OneOf { .. } => "not_allowed",
            Rule::Id { .. } => "invalid_id",
            Rule::ReadOnly => "read_only",
            Rule::Time => "invalid_time",
            Rule::Zone => "invalid_timezone",
            Rule::Username => "invalid_username",
            Rule::CommonPassword => "too_common",
            Rule::WrongPassword => "wrong_password",
            Rule::WrongCode => "wrong_code",
            Rule::Cursor => "invalid_cursor",
            Rule::Range { .. } => "out_of_range",
            Rule::Format { .. } => "invalid_format",
        }
    }
}

impl std::error::Error for Rule {}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
