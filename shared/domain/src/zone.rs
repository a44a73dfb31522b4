//! IANA time zones, and times with or without an offset.

use crate::{Locale, Rule, Timestamp};
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::LazyLock;

/// The IANA database compiled in, so that every machine interprets times in the same way.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone of the IANA database; `Asia/Shanghai` by default.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Zone(String);

impl Zone {
    /// Parses a zone's name in upper or lower case.
    pub fn parse(name: &str) -> Result<Zone, Rule> {
        let zone = ZONES.get(name.trim()).map_err(|_| Rule::Zone)?;
        zone.iana_name().map(|name| Zone(name.to_owned())).ok_or(Rule::Zone)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The local time in the zone: `2024-02-15T14:00:00`.
    pub fn wall_time(&self, at: Timestamp) -> String {
        let instant = jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap_or_default();
        self.rules().to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// The local time in the zone as a text for users, with the zone: `2024-02-15 14:00 (Asia/Shanghai)`.
    pub fn written_time(&self, at: Timestamp, locale: Locale) -> String {
        let instant = jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap_or_default();
        let time = written(self.rules().to_datetime(instant), false, locale);
        with_zone(&time, self.name(), locale)
    }

    /// The end of a time's day in the zone.
    pub fn next_midnight(&self, at: Timestamp) -> Timestamp {
        let instant = jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap_or_default();
        let tomorrow = instant.to_zoned(self.rules()).tomorrow().and_then(|day| day.start_of_day());
        let end = tomorrow.ok().and_then(|day| Timestamp::from_millisecond(day.timestamp().as_millisecond()).ok());
        end.unwrap_or_else(|| at.plus(std::time::Duration::from_secs(86_400)))
    }

    fn utc() -> Zone {
        Zone("UTC".to_owned())
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

/// A local time as a text for users: `2024-02-15 14:00`, in Chinese `2024年2月15日 14:00`; a day without the time of day.
fn written(at: DateTime, is_day: bool, locale: Locale) -> String {
    let (year, month, day) = (at.year(), at.month(), at.day());
    let date = locale.pick(format!("{year:04}-{month:02}-{day:02}"), format!("{year}年{month}月{day}日"));
    if is_day { date } else { format!("{date} {:02}:{:02}", at.hour(), at.minute()) }
}

/// A time with its zone in brackets.
fn with_zone(time: &str, zone: &str, locale: Locale) -> String {
    locale.pick(format!("{time} ({zone})"), format!("{time}（{zone}）"))
}

/// A time as a client gave it: with an offset from UTC, or as a local time.
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
    /// Parses `2024-02-15T14:00:00Z`, `…+08:00`, `2024-02-15T14:00:00`, `2024-02-15T14:00`, `2024-02-15 14:00`
    /// or a date, which means its midnight.
    pub fn parse(text: &str) -> Result<Moment, Rule> {
        let text = text.trim();
        if text.len() > 64 {
            return Err(Rule::Time);
        }
        let given = match text.parse::<Timestamp>() {
            Ok(instant) => Given::Instant(instant),
            Err(_) => Given::Wall(text.parse().map_err(|_| Rule::Time)?),
        };
        // These years are far enough within the range of timestamps that no zone's offset leads out of it.
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

    /// The time as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The time as a text for users: the local time in the zone, if it is known; else as it was given, in UTC if it has an
    /// offset.
    pub fn written(&self, zone: Option<&Zone>, locale: Locale) -> String {
        match (self.given, zone) {
            (Given::Instant(at), Some(zone)) => zone.written_time(at, locale),
            (Given::Instant(at), None) => Zone::utc().written_time(at, locale),
            (Given::Wall(wall), Some(zone)) => with_zone(&written(wall, self.is_day, locale), zone.name(), locale),
            (Given::Wall(wall), None) => written(wall, self.is_day, locale),
        }
    }

    /// Whether it is a date without a time.
    pub fn is_day(&self) -> bool {
        self.is_day
    }

    /// The point in time; in this zone, if it has no offset. A local time that daylight saving skips is moved past the gap.
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

// A zone that this version's database doesn't know is kept by name, and treated as UTC.
as_text!(Zone, name, |name| Some(Zone(name.to_owned())), "Asia/Shanghai", "A time zone of the IANA database.");
as_text!(
    Moment,
    as_str,
    |_| None,
    "2024-02-15T14:00:00",
    "A time: RFC 3339, or without an offset a local time in the accompanying time zone."
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
        // Clocks went forward from 2 to 3 that night.
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
        assert_eq!(Zone::default().written_time(at, Locale::English), "2024-02-15 14:00 (Asia/Shanghai)");
        assert_eq!(Zone::default().written_time(at, Locale::Chinese), "2024年2月15日 14:00（Asia/Shanghai）");
    }

    #[test]
    fn a_time_of_a_client_is_written_in_its_zone() {
        let zone = Zone::default();
        let check = |text: &str, zone: Option<&Zone>, locale: Locale, expected: &str| {
            assert_eq!(Moment::parse(text).expect("a time").written(zone, locale), expected, "{text}");
        };
        check("2026-11-29T14:30", Some(&zone), Locale::English, "2026-11-29 14:30 (Asia/Shanghai)");
        check("2026-11-29 14:30", None, Locale::Chinese, "2026年11月29日 14:30");
        check("2026-11-29T06:30:00Z", Some(&zone), Locale::Chinese, "2026年11月29日 14:30（Asia/Shanghai）");
        check("2026-11-29T14:30:00+08:00", None, Locale::English, "2026-11-29 06:30 (UTC)");
        check("2026-11-29", Some(&zone), Locale::Chinese, "2026年11月29日（Asia/Shanghai）");
    }
}
