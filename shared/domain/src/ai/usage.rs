//! What answers of models use: tokens, and their cost in millionths of a US dollar.

use crate::Rule;
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The tokens of a request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct TokenCount {
    /// All tokens of the request, including those read from and written to the provider's cache.
    pub input: u64,
    /// Those of the input that were read from the cache.
    pub cached: u64,
    /// Those of the input that were written to the cache.
    pub cache_written: u64,
    /// The tokens of the answer.
    pub output: u64,
}

/// The largest budget, in US dollars.
const MOST_USD: u32 = 1_000_000_000;

/// An amount of US dollars with six decimals; a JSON number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(pub MicroUsd);

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.0.usd_as_f64())
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?;
        let amount = Decimal::from_f64(number).filter(|amount| (0.into()..=MOST_USD.into()).contains(amount));
        let rule = || Rule::format("an amount of US dollars from 0 to 1000000000", "是 0 至 1000000000 的美元金额");
        let amount = amount.ok_or_else(|| serde::de::Error::custom(rule()))?;
        Ok(Usd(MicroUsd::rounded_up((amount * Decimal::from(1_000_000)).round())))
    }
}

impl utoipa::PartialSchema for Usd {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Number)
            .minimum(Some(0))
            .maximum(Some(MOST_USD))
            .description(Some("US dollars, with up to six decimals."))
            .into()
    }
}

impl utoipa::ToSchema for Usd {}

/// What an answer used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MessageUsage {
    /// The tokens of the request, those read from the provider's cache included.
    pub input: u64,
    /// Those of the input that were read from the provider's cache.
    #[serde(default)]
    pub cached: u64,
    /// The tokens of the answer.
    pub output: u64,
    /// The cost.
    pub cost_usd: Usd,
}

/// An amount in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(u64);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: MicroUsd = MicroUsd(0);

    /// The amount of this many millionths of a US dollar.
    pub const fn new(millionths: u64) -> MicroUsd {
        MicroUsd(millionths)
    }

    /// The amount of this many millionths of a US dollar, rounded up. A negative amount is zero, and one out of bounds the
    /// largest.
    pub fn rounded_up(millionths: Decimal) -> MicroUsd {
        MicroUsd(millionths.max(Decimal::ZERO).ceil().to_u64().unwrap_or(u64::MAX))
    }

    /// Millionths of a US dollar.
    pub const fn millionths(self) -> u64 {
        self.0
    }

    /// US dollars.
    pub fn usd(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), 6).normalize()
    }

    /// US dollars as a floating-point number, for JSON. Exact when written in decimal, below nine billion dollars.
    pub fn usd_as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The sum, at most the largest amount.
    pub const fn saturating_add(self, other: MicroUsd) -> MicroUsd {
        MicroUsd(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    pub const fn saturating_sub(self, other: MicroUsd) -> MicroUsd {
        MicroUsd(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "US${}", self.usd())
    }
}

impl utoipa::PartialSchema for MicroUsd {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Integer)
            .description(Some("Millionths of a US dollar."))
            .minimum(Some(0))
            .into()
    }
}

impl utoipa::ToSchema for MicroUsd {}

/// An upper bound of a text's tokens: its bytes, as a byte-level tokenizer makes a token of at least one byte.
pub fn token_bound(text: &str) -> u64 {
    text.len() as u64
}

/// An estimate of a text's tokens: one for four ASCII characters, and one for each other character.
pub fn token_estimate(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let others = text.chars().filter(|c| !c.is_ascii()).count() as u64;
    ascii.div_ceil(4) + others
}

crate::as_text!(MessageUsage);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_up_and_stay_within_bounds() {
        assert_eq!(MicroUsd::rounded_up(Decimal::new(12_001, 3)), MicroUsd::new(13));
        assert_eq!(MicroUsd::rounded_up(Decimal::new(-1, 0)), MicroUsd::ZERO);
        assert_eq!(MicroUsd::rounded_up(Decimal::MAX), MicroUsd::new(u64::MAX));
        assert_eq!(MicroUsd::new(u64::MAX).saturating_add(MicroUsd::new(1)), MicroUsd::new(u64::MAX));
        assert_eq!(MicroUsd::new(1).saturating_sub(MicroUsd::new(2)), MicroUsd::ZERO);
    }

    #[test]
    fn an_amount_is_written_in_dollars() {
        assert_eq!(MicroUsd::new(1_234_500).to_string(), "US$1.2345");
        assert_eq!(MicroUsd::new(7).usd(), Decimal::new(7, 6));
        assert_eq!(MicroUsd::new(30).usd_as_f64().to_string(), "0.00003");
    }

    #[test]
    fn tokens_are_estimated_below_their_bound() {
        let check = |text: &str, estimate: u64, bound: u64| {
            assert_eq!((token_estimate(text), token_bound(text)), (estimate, bound), "{text:?}");
        };
        check("", 0, 0);
        check("a", 1, 1);
        check("hello", 2, 5);
        check("客户", 2, 6);
        check("客户 ok", 3, 9);
    }
}
