//! Small value types: percentages, currencies and calendar days.

use crate::{Rule, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};

/// A whole percentage, 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Percent(u8);

impl Percent {
    /// 0 percent.
    pub const NONE: Percent = Percent(0);
    /// 100 percent.
    pub const ALL: Percent = Percent(100);

    /// The percentage, if the number is at most 100.
    pub const fn new(number: u8) -> Option<Percent> {
        if number <= 100 { Some(Percent(number)) } else { None }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(from)?;
        let percent = u8::try_from(number).ok().and_then(Percent::new);
        percent.ok_or_else(|| serde::de::Error::custom(Rule::Range { min: 0, max: 100 }))
    }
}

impl utoipa::PartialSchema for Percent {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let object = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::Integer);
        object.minimum(Some(0)).maximum(Some(100)).into()
    }
}

impl utoipa::ToSchema for Percent {}

/// The codes of ISO 4217 that are in use for payments.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD \
    HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL \
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD \
    RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD \
    UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";

/// A currency code of ISO 4217, three capital letters; `CNY` by default.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Parses a currency code in upper or lower case.
    pub fn parse(code: &str) -> Result<Currency, Rule> {
        let code = code.trim().to_ascii_uppercase();
        let known = code.len() == 3 && CURRENCIES.split_ascii_whitespace().any(|one| one == code);
        let letters = code.as_bytes().try_into().ok().filter(|_| known);
        let rule = || Rule::format("a currency of ISO 4217, such as CNY", "是 ISO 4217 货币代码，例如 CNY");
        letters.map(Currency).ok_or_else(rule)
    }

    /// The number of decimal places of its amounts (ISO 4217).
    pub fn places(self) -> u32 {
        match self.code() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
            | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }

    fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("CNY")
    }
}

impl Default for Currency {
    fn default() -> Currency {
        Currency(*b"CNY")
    }
}

/// A calendar day, `2026-11-20`. Lists are sorted by its start in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(jiff::civil::Date);

impl Day {
    /// Parses a date, `2026-11-20` or `20261120`, or takes the date of a time.
    pub fn parse(text: &str) -> Result<Day, Rule> {
        let text = text.trim();
        let date = |text: &str| text.parse::<jiff::civil::Date>().ok();
        let of_time = || text.get(..10).and_then(date).or_else(|| text.get(..8).and_then(date));
        let day = date(text).or_else(of_time);
        let whole = date(text).is_some() || crate::Moment::parse(text).is_ok();
        let within = |day: &jiff::civil::Date| (1900..=9000).contains(&day.year());
        let rule = || Rule::format("a day, such as 2026-11-20", "是日期，例如 2026-11-20");
        day.filter(within).filter(|_| whole).map(Day).ok_or_else(rule)
    }

    /// The start of the day in UTC.
    pub fn begin(self) -> Timestamp {
        format!("{}T00:00:00Z", self.0).parse().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

macro_rules! as_text {
    ($name:ident, $pattern:literal, $example:literal, $format:expr) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let object = utoipa::openapi::ObjectBuilder::new();
                let object = object.schema_type(utoipa::openapi::schema::Type::String).pattern(Some($pattern));
                object.format($format).examples([serde_json::json!($example)]).into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

as_text!(Currency, "^[A-Z]{3}$", "CNY", None);
as_text!(Day, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "2026-11-20", Some(SchemaFormat::KnownFormat(KnownFormat::Date)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_within_their_bounds() {
        fn read<T: for<'de> Deserialize<'de>>(json: &str) -> Option<T> {
            serde_json::from_str(json).ok()
        }
        assert_eq!(read::<Percent>("100"), Some(Percent::ALL));
        assert_eq!((read::<Percent>("101"), read::<Percent>("-1")), (None, None));
        assert_eq!(read::<Currency>("\"eur\"").map(|c| c.to_string()).as_deref(), Some("EUR"));
        assert_eq!(read::<Currency>("\"XYZ\""), None);
        assert_eq!(read::<Day>("\"2026-02-29\""), None);
        for day in ["20261120", "20261120T100000Z", "2026-11-20T10:00", " 2026-11-20 "] {
            let read = read::<Day>(&format!("\"{day}\"")).map(|day| day.to_string());
            assert_eq!(read.as_deref(), Some("2026-11-20"), "{day}");
        }
        let day = read::<Day>("\"2026-11-20T10:00:00Z\"").expect("a day");
        assert_eq!(
            (day.to_string().as_str(), day.begin().to_string().as_str()),
            ("2026-11-20", "2026-11-20T00:00:00.000Z")
        );
        assert_eq!(read::<Day>("\"2026-11-20x\""), None);
    }
}
