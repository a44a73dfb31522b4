//! Time zones, and times as people write them.

use crate::{Rule, Timestamp};
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::LazyLock;

/// The IANA database as it was built in, so that every machine reads a time alike.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone of the IANA database, `Asia/Shanghai` unless said otherwise.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Zone(String);

impl Zone {
    /// The zone of this name, whatever its case.
    pub fn parse(name: &str) -> Result<Zone, Rule> {
        let zone = ZONES.get(name.trim()).map_err(|_| Rule::Zone)?;
        zone.iana_name().map(|name| Zone(name.to_owned())).ok_or(Rule::Zone)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// What clocks on a wall there show at a moment: `2024-02-15T14:00:00`.
    pub fn wall_time(&self, at: Timestamp) -> String {
        let instant = jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap_or_default();
        self.rules().to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// When the day of a moment ends there.
    pub fn next_midnight(&self, at: Timestamp) -> Timestamp {
        let instant = jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap_or_default();
        let tomorrow = instant.to_zoned(self.rules()).tomorrow().and_then(|day| day.start_of_day());
        let end = tomorrow.ok().and_then(|day| Timestamp::from_millisecond(day.timestamp().as_millisecond()).ok());
        end.unwrap_or_else(|| at.plus(std::time::Duration::from_secs(86_400)))
    }

    fn rules(&self) -> TimeZone {
        ZONES.get(&self.0).unwrap_or(TimeZone::UTC)
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone("Asia/Shanghai".to_owned())
    }
}

/// A time as somebody wrote it: with its offset from UTC, or as a clock on a wall shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    text: String,
    given: Given,
    is_day: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Instant(Timestamp),
    Wall(DateTime),
}

impl Moment {
    /// Reads `2024-02-15T14:00:00Z`, `…+08:00`, `2024-02-15T14:00:00`, `2024-02-15T14:00`, `2024-02-15 14:00`
    /// or a date alone, which means its midnight.
    pub fn parse(text: &str) -> Result<Moment, Rule> {
        let text = text.trim();
        if text.len() > 64 {
            return Err(Rule::Time);
        }
        let given = match text.parse::<Timestamp>() {
            Ok(instant) => Given::Instant(instant),
            Err(_) => Given::Wall(text.parse().map_err(|_| Rule::Time)?),
        };
        // So far within what a clock can show that no zone leads out of it.
        let year = match given {
            Given::Instant(at) => at.as_second().div_euclid(31_556_952) + 1970,
            Given::Wall(wall) => i64::from(wall.year()),
        };
        if !(1900..=9000).contains(&year) {
            return Err(Rule::Time);
        }
        let is_day = matches!(given, Given::Wall(_)) && !text.contains(['T', 't', ' ']);
        Ok(Moment { text: text.to_owned(), given, is_day })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a day alone.
    pub fn is_day(&self) -> bool {
        self.is_day
    }

    /// The moment it means, in a zone where it names none. Where clocks skip it, the time after the gap.
    pub fn in_zone(&self, zone: &Zone) -> Result<Timestamp, Rule> {
        match self.given {
            Given::Instant(at) => Ok(at),
            Given::Wall(wall) => {
                let at = zone.rules().to_timestamp(wall).map_err(|_| Rule::Time)?;
                Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| Rule::Time)
            }
        }
    }
}

macro_rules! as_text {
    ($name:ident, $show:ident, $kept:expr, $example:literal, $description:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.$show())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.$show())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                crate::open::read(from, Self::parse, $kept)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($description))
                    .examples([serde_json::json!($example)])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

// A zone that this version's database doesn't know is kept by its name; its clocks show UTC.
as_text!(Zone, name, |name| Some(Zone(name.to_owned())), "Asia/Shanghai", "A time zone of the IANA database.");
as_text!(
    Moment,
    as_str,
    |_| None,
    "2024-02-15T14:00:00",
    "A time: RFC 3339, or without an offset as clocks show it in the zone that goes with it."
);

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_mean_what_their_zone_says() {
        let check = |text: &str, zone: &str, expected: &str| {
            let zone = Zone::parse(zone).expect("a zone");
            let at = Moment::parse(text).expect("a time").in_zone(&zone).expect("a moment");
            assert_eq!(at.to_string(), expected, "{text} in {zone}");
        };
        check("2024-02-15T14:00:00", "Asia/Shanghai", "2024-02-15T06:00:00.000Z");
        check("2024-02-15T14:00", "asia/shanghai", "2024-02-15T06:00:00.000Z");
        check("2024-02-15 14:00:00", "Europe/Berlin", "2024-02-15T13:00:00.000Z");
        check("2024-02-15", "UTC", "2024-02-15T00:00:00.000Z");
        check("2024-02-15T14:00:00Z", "Asia/Shanghai", "2024-02-15T14:00:00.000Z");
        check("2024-02-15T14:00:00+08:00", "UTC", "2024-02-15T06:00:00.000Z");
        // Clocks skipped from 2 to 3 that night.
        check("2024-03-31T02:30:00", "Europe/Berlin", "2024-03-31T01:30:00.000Z");
    }

    #[test]
    fn what_is_no_time_or_zone_is_refused() {
        for text in
            ["", "tomorrow", "2024-02-30", "2024-13-01T00:00:00", "14:00", "x2024-02-15", "9999-12-31", "0001-01-01"]
        {
            assert_eq!(Moment::parse(text), Err(Rule::Time), "{text}");
        }
        for name in ["", "Mars/Olympus", "+08:00", "../etc/passwd"] {
            assert_eq!(Zone::parse(name), Err(Rule::Zone), "{name}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight_there() {
        let at: Timestamp = "2024-02-15T20:00:00Z".parse().expect("a time");
        assert_eq!(Zone::default().next_midnight(at).to_string(), "2024-02-16T16:00:00.000Z");
    }

    #[test]
    fn a_wall_shows_the_time_there() {
        let at: Timestamp = "2024-02-15T06:00:00Z".parse().expect("a time");
        assert_eq!(Zone::default().wall_time(at), "2024-02-15T14:00:00");
    }
}
