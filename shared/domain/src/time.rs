//! Timestamps: points in time in UTC with millisecond precision.

use crate::Rule;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A point in time in UTC, to the millisecond. Written as RFC 3339, always with milliseconds and `Z`, so that timestamps
/// sort as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp(jiff::Timestamp::UNIX_EPOCH);

    /// 9999-01-01T00:00:00.000Z: the sort position of records without a date.
    pub const END: Timestamp = Timestamp(jiff::Timestamp::constant(253_370_764_800, 0));

    /// The time this many milliseconds after 1970, if it is between the years -9999 and 9999.
    pub fn from_millisecond(millis: i64) -> Result<Timestamp, jiff::Error> {
        jiff::Timestamp::from_millisecond(millis).map(Timestamp)
    }

    /// Milliseconds since 1970.
    pub fn as_millisecond(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Seconds since 1970.
    pub fn as_second(self) -> i64 {
        self.0.as_second()
    }

    /// The time plus a duration, at most the latest timestamp.
    pub fn plus(self, by: Duration) -> Timestamp {
        Timestamp(self.0.checked_add(by).unwrap_or(jiff::Timestamp::MAX))
    }

    /// The time minus a duration, at least the earliest timestamp.
    pub fn minus(self, by: Duration) -> Timestamp {
        Timestamp(self.0.checked_sub(by).unwrap_or(jiff::Timestamp::MIN))
    }

    /// The start of its day in UTC.
    pub fn start_of_day(self) -> Timestamp {
        const DAY: i64 = 86_400_000;
        Timestamp::from_millisecond(self.as_millisecond().div_euclid(DAY) * DAY).unwrap_or(self)
    }

    /// The duration until a later time; zero if that is earlier.
    pub fn until(self, later: Timestamp) -> Duration {
        Duration::from_millis(later.as_millisecond().saturating_sub(self.as_millisecond()).max(0) as u64)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl FromStr for Timestamp {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Timestamp, Rule> {
        let at: jiff::Timestamp = text.parse().map_err(|_| Rule::Time)?;
        Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| Rule::Time)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .examples([serde_json::json!("2026-11-20T09:30:00.000Z")])
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_always_written_with_milliseconds() {
        let check = |text: &str, written: &str| {
            assert_eq!(text.parse::<Timestamp>().map(|at| at.to_string()), Ok(written.to_owned()));
        };
        check("2026-11-20T09:30:00Z", "2026-11-20T09:30:00.000Z");
        check("2026-11-20T17:30:00.123456+08:00", "2026-11-20T09:30:00.123Z");
    }
}
