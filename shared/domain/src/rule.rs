//! Rules of values: which one a value breaks, told to clients by a stable code and a message.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A rule for input. Displays as JSON, so that it can be read back from the message of a serde error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// The field is required.
    Required,
    /// There is no such field.
    Unknown {
        /// The known name with the nearest spelling.
        nearest: Option<String>,
    },
    /// The value has the wrong type or format.
    Type {
        /// The expected type.
        expected: Requirement,
    },
    /// The text is too short.
    TooShort {
        /// The fewest characters.
        min: usize,
    },
    /// The value is too long, counted in characters, entries or bytes.
    TooLong {
        /// The maximum.
        max: usize,
        /// The unit of the maximum.
        unit: Unit,
    },
    /// Control characters aren't allowed.
    ControlCharacter,
    /// The value must be an e-mail address.
    Email,
    /// The value must be one of a list.
    OneOf {
        /// The allowed values.
        allowed: Vec<String>,
    },
    /// The value must be the id of an existing record.
    Id {
        /// The prefix of ids of the required type; empty if the type doesn't matter.
        prefix: String,
    },
    /// The field can't be changed.
    ReadOnly,
    /// The value must be a date and time.
    Time,
    /// The value must be a time zone of the IANA database.
    Zone,
    /// The value must be a user name: 3 to 64 letters, digits, `.`, `_` or `-`.
    Username,
    /// The password is a common one.
    CommonPassword,
    /// The password isn't the user's current one.
    WrongPassword,
    /// The code isn't one of the user's, or was used before.
    WrongCode,
    /// The cursor was tampered with, or belongs to another query.
    Cursor,
    /// The value must be a whole number within bounds.
    Range {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// The value doesn't have the expected format.
    Format {
        /// The expected format.
        expected: Requirement,
    },
}

/// What a value must be, in each language of messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// In English, to follow "must be": "a day, such as 2026-11-20".
    pub english: Cow<'static, str>,
    /// In Chinese: of a format, to follow "必须"; of a type, to follow "应为".
    pub chinese: Cow<'static, str>,
}

impl Requirement {
    /// A requirement in English and in Chinese.
    pub fn new(english: impl Into<Cow<'static, str>>, chinese: impl Into<Cow<'static, str>>) -> Requirement {
        Requirement { english: english.into(), chinese: chinese.into() }
    }
}

/// The longest name, in bytes, for which a suggestion is searched.
const LONGEST_NAME: usize = 64;

/// Names that other systems have for parameters of lists.
const SAME: [(&[&str], &str); 4] = [
    (&["page", "offset", "skip", "after", "page_token"], "cursor"),
    (&["per_page", "page_size", "pageSize", "size", "take", "count", "max"], "limit"),
    (&["q", "query", "keyword", "keywords"], "search"),
    (&["order", "order_by", "orderBy", "sort_by", "sortBy", "ordering"], "sort"),
];

/// The name with the nearest spelling, if it is near enough to suggest.
fn nearest(name: &str, names: &[String]) -> Option<String> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let same = |known: &String| SAME.iter().any(|(names, meant)| known == meant && names.contains(&name));
    if let Some(meant) = names.iter().find(|known| same(known)) {
        return Some(meant.clone());
    }
    let length = name.chars().count();
    let distance = |known: &String| {
        let its = known.chars().count();
        // In a short name two other letters make another word.
        let most = 1 + its / 6;
        // A distance is never less than the difference of the lengths, which costs nothing.
        let near = length.abs_diff(its) <= most;
        near.then(|| strsim::osa_distance(name, known)).filter(|distance| *distance <= most)
    };
    // A known name that is refused here is no advice.
    let others = names.iter().filter(|known| *known != name);
    others.filter_map(|known| Some((distance(known)?, known))).min().map(|(_, known)| known.clone())
}

/// The unit of a length limit.
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
    /// The rule for an unknown field, with the nearest of the known names.
    pub fn unknown(name: &str, names: &[String]) -> Rule {
        Rule::Unknown { nearest: nearest(name, names) }
    }

    /// The rule for a value in the wrong format: "must be {english}", "必须{chinese}".
    pub fn format(english: impl Into<Cow<'static, str>>, chinese: impl Into<Cow<'static, str>>) -> Rule {
        Rule::Format { expected: Requirement::new(english, chinese) }
    }

    /// The rule for a value of the wrong type: "must be {english}", "类型错误，应为{chinese}".
    pub fn of_type(english: impl Into<Cow<'static, str>>, chinese: impl Into<Cow<'static, str>>) -> Rule {
        Rule::Type { expected: Requirement::new(english, chinese) }
    }

    /// The rule for a value that must be a JSON object.
    pub fn object() -> Rule {
        Rule::of_type("an object", "对象")
    }

    /// The stable code that clients can test for.
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
