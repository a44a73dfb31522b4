//! Amounts of money: exact decimals, serialised as JSON numbers.

use crate::{Currency, Rule};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An exact amount with at most four decimals and an absolute value below 10¹¹.
///
/// A JSON number in requests and responses. Within these bounds an amount has at most 15 significant digits, so a double
/// holds it without loss (IEEE 754).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(Decimal);

impl Money {
    /// The amount, if it is within the bounds.
    pub fn new(amount: Decimal) -> Result<Money, Rule> {
        let amount = amount.normalize();
        let small = amount.abs() < Decimal::from(100_000_000_000_i64);
        if small && amount.scale() <= 4 {
            Ok(Money(amount))
        } else {
            Err(Rule::format(
                "an amount below 100000000000 with at most 4 decimal places",
                "是小于 100000000000 的金额，且最多 4 位小数",
            ))
        }
    }

    /// Checks that the amount has no more decimal places than its currency: none in yen, three in dinars.
    pub fn check_in(self, currency: Currency) -> Result<(), Rule> {
        let places = currency.places();
        match self.0.scale() <= places {
            true => Ok(()),
            false => Err(Rule::format(
                format!("an amount in {currency} with at most {places} decimal places"),
                format!("是最多 {places} 位小数的 {currency} 金额"),
            )),
        }
    }

    /// The amount as a decimal.
    pub fn amount(self) -> Decimal {
        self.0
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.to_i64() {
            Some(whole) if self.0.is_integer() => to.serialize_i64(whole),
            _ => to.serialize_f64(self.0.to_f64().unwrap_or_default()),
        }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?;
        // The shortest notation of a double has the digits that were sent.
        let amount = number.to_string().parse().map_err(|_| serde::de::Error::custom("expected an amount"))?;
        Money::new(amount).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Number)
            .multiple_of(Some(0.0001))
            .exclusive_minimum(Some(-1e11))
            .exclusive_maximum(Some(1e11))
            .into()
    }
}

impl utoipa::ToSchema for Money {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_amount_survives_json(units in -999_999_999_999_999_i64..999_999_999_999_999) {
            let money = Money::new(Decimal::new(units, 4)).expect("within bounds");
            let json = serde_json::to_string(&money).expect("a number");
            prop_assert_eq!(serde_json::from_str::<Money>(&json).expect("reads back"), money);
        }
    }

    #[test]
    fn currencies_have_their_decimal_places() {
        let check = |amount: &str, currency: &str, expected: bool| {
            let money = Money::new(amount.parse().expect("a number")).expect("within bounds");
            let fits = money.check_in(Currency::parse(currency).expect("a currency")).is_ok();
            assert_eq!(fits, expected, "{amount} {currency}");
        };
        check("1000", "JPY", true);
        check("1000.5", "JPY", false);
        check("1000.50", "CNY", true);
        check("1000.505", "CNY", false);
        check("1000.505", "KWD", true);
    }

    #[test]
    fn amounts_out_of_bounds_are_refused() {
        for bad in ["100000000000", "0.00001", "1e400", "\"5\""] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
    }
}
