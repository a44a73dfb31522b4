//! What budgets limit: money or tokens, of an organisation or a user, by day or by month.

use crate::choices;

choices! {
    /// Whose budget it is.
    BudgetOf {
        /// The organisation's.
        Organization = "organization",
        /// The user's.
        User = "user",
    }

    /// The period of a budget, in UTC.
    Period as "BudgetPeriod" {
        /// A day.
        Day = "day",
        /// A calendar month.
        Month = "month",
    }

    /// What a budget limits.
    Quantity as "BudgetQuantity" {
        /// US dollars.
        Usd = "usd",
        /// Tokens of requests and answers.
        Tokens = "tokens",
    }
}
