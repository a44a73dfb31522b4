//! Budgets for AI: limits of money and tokens, of an organisation and of each of its users, by day and by month.

pub use crate::ai::limit::{BudgetOf, Period, Quantity};
pub use crate::ai::usage::Usd;
pub use crate::error::Exceeded;

use crate::ai::usage::MicroUsd;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The largest budget, in tokens.
pub const MOST_TOKENS: u64 = 1_000_000_000_000_000;

/// The limits of a budget; a limit that isn't set doesn't apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = BudgetLimits)]
pub struct Limits {
    /// US dollars a day.
    pub daily_usd: Option<Usd>,
    /// US dollars a month.
    pub monthly_usd: Option<Usd>,
    /// Tokens a day, at most 10¹⁵.
    #[schema(maximum = 1_000_000_000_000_000_i64)]
    pub daily_tokens: Option<u64>,
    /// Tokens a month, at most 10¹⁵.
    #[schema(maximum = 1_000_000_000_000_000_i64)]
    pub monthly_tokens: Option<u64>,
}

/// Money and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Money.
    pub cost: MicroUsd,
    /// Tokens of requests and answers.
    pub tokens: u64,
}

impl Amount {
    /// The number of a quantity: millionths of a US dollar, or tokens.
    pub fn of(self, quantity: Quantity) -> u64 {
        match quantity {
            Quantity::Usd => self.cost.millionths(),
            Quantity::Tokens => self.tokens,
            Quantity::Unknown(_) => 0,
        }
    }
}

impl Limits {
    /// The limits that are set: millionths of a US dollar, or tokens.
    pub fn all(&self) -> impl Iterator<Item = (Period, Quantity, u64)> {
        let usd = |amount: Option<Usd>| amount.map(|amount| amount.0.millionths());
        let limits = [
            (Period::Day, Quantity::Usd, usd(self.daily_usd)),
            (Period::Month, Quantity::Usd, usd(self.monthly_usd)),
            (Period::Day, Quantity::Tokens, self.daily_tokens),
            (Period::Month, Quantity::Tokens, self.monthly_tokens),
        ];
        limits.into_iter().filter_map(|(period, quantity, limit)| Some((period, quantity, limit?)))
    }
}

impl Period {
    /// When the period after the one of this moment begins.
    pub fn ends_after(self, at: Timestamp) -> Timestamp {
        let day = at.start_of_day();
        let next = |day: Timestamp| day.plus(Duration::from_secs(86_400)).start_of_day();
        match self {
            Period::Month => {
                let month = |at: Timestamp| at.to_string()[..7].to_owned();
                let mut end = next(day);
                while month(end) == month(day) {
                    end = next(end);
                }
                end
            }
            Period::Day | Period::Unknown(_) => next(day),
        }
    }
}

crate::as_text!(Limits);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_ends_at_midnight_or_at_the_first_of_the_next_month() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let check = |period: Period, now: &str, end: &str| assert_eq!(period.ends_after(at(now)), at(end), "{now}");
        check(Period::Day, "2026-11-20T12:00:00Z", "2026-11-21T00:00:00Z");
        check(Period::Day, "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z");
        check(Period::Month, "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z");
        check(Period::Month, "2028-02-01T08:00:00Z", "2028-03-01T00:00:00Z");
    }

    #[test]
    fn dollars_are_numbers_with_six_decimals() {
        let read = |text: &str| serde_json::from_str::<Usd>(text);
        assert_eq!(read("0.000001").expect("an amount").0.millionths(), 1);
        assert_eq!(read("12.5").expect("an amount").0.millionths(), 12_500_000);
        assert_eq!(serde_json::to_string(&read("0.1").expect("an amount")).expect("JSON"), "0.1");
        for bad in ["-1", "1000000001", "\"5\"", "1e300"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
