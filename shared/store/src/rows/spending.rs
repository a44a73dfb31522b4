//! Spending on AI: what organisations and users spent in a month and on each of its days, with what runs in progress hold.
//!
//! A run reserves the most that it can cost, and settles what it did cost. Each is one conditional update of one item for
//! the organisation and one for the user; a mark of the run in the item makes both happen once.

use super::RowWrite;
use crate::schema::EXPIRES_AT;
use crate::schema::{Place, Question, SK, day_of};
use crate::table::{Condition, Item, Update, Written, text};
use crate::{Env, Result};
use daybook_domain::ai::MicroUsd;
use daybook_domain::ai::budget::BudgetOf;
use daybook_domain::ai::budget::{Amount, Exceeded, Limits, Period, Quantity};
use daybook_domain::ai::usage::MessageUsage;
use daybook_domain::{Conflict, Error as Domain, OrgId, RunId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long spending and usage are kept.
const KEPT: Duration = Duration::from_secs(400 * 86_400);

/// What a run holds of the budgets, from its reservation until it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The run.
    pub run: RunId,
    /// The user.
    pub user: UserId,
    /// When it was reserved, which determines the day and the month.
    pub at: Timestamp,
    /// The amount.
    pub amount: Amount,
}

/// What was spent in a period, with what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// On the day.
    pub day: Amount,
    /// In the month.
    pub month: Amount,
}

impl Hold {
    /// Reserves the amount of an organisation and a user, or refuses with the budget that doesn't cover it.
    pub async fn reserve(&self, env: &Env, org: OrgId, whole: &Limits, per_user: &Limits) -> Result<()> {
        self.reserve_of(env, org, BudgetOf::Organization, whole).await?;
        let reserved = self.reserve_of(env, org, BudgetOf::User, per_user).await;
        if reserved.is_err() {
            self.settle_of(env, org, BudgetOf::Organization, Amount::default()).await?;
        }
        reserved
    }

    /// Replaces what is held by what was spent. Does nothing where it was done before.
    pub async fn settle(&self, env: &Env, org: OrgId, spent: Amount) -> Result<()> {
        for of in [BudgetOf::Organization, BudgetOf::User] {
            self.settle_of(env, org, of, spent).await?;
        }
        Ok(())
    }

    async fn reserve_of(&self, env: &Env, org: OrgId, of: BudgetOf, limits: &Limits) -> Result<()> {
        let mut covered = Condition::lacks(self.mark());
        for (period, quantity, limit) in limits.all() {
            let wanted = self.amount.of(quantity);
            let Some(room) = limit.checked_sub(wanted) else { return Err(self.exceeded(of, period, quantity)) };
            let name = self.name(period, quantity);
            covered = covered.and(Condition::lacks(name.clone()).or(Condition::at_most(name, room)));
        }
        let held = self
            .added(self.amount, Amount::default())
            .and_set(self.mark(), 1)
            .and_set(EXPIRES_AT, self.at.plus(KEPT).as_second());
        match env.table.update(&self.place(org, of).key(), held, covered).await? {
            Written::Done(_) => Ok(()),
            // An earlier attempt whose answer was lost.
            Written::Refused(item) if item.contains_key(&self.mark()) => Ok(()),
            Written::Refused(item) => {
                let is_short = |(period, quantity, limit): &(Period, Quantity, u64)| {
                    let spent = number(&item, &self.name(*period, *quantity));
                    spent.saturating_add(self.amount.of(*quantity)) > *limit
                };
                // Where the counts have gone down since, the caller may try again; the first limit is named.
                let mut limits: Vec<_> = limits.all().collect();
                limits.sort_by_key(|limit| !is_short(limit));
                let (period, quantity, _) = limits.first().copied().unwrap_or((Period::Day, Quantity::Usd, 0));
                Err(self.exceeded(of, period, quantity))
            }
        }
    }

    async fn settle_of(&self, env: &Env, org: OrgId, of: BudgetOf, spent: Amount) -> Result<()> {
        let settled = self.added(spent, self.amount).and_remove(self.mark());
        let key = self.place(org, of).key();
        env.table.update(&key, settled, Condition::has(self.mark())).await.map(drop)
    }

    /// The change of the counts by an amount less another.
    fn added(&self, more: Amount, less: Amount) -> Update {
        let mut update = Update::default();
        for period in [Period::Day, Period::Month] {
            for quantity in [Quantity::Usd, Quantity::Tokens] {
                let number = signed(more.of(quantity)).saturating_sub(signed(less.of(quantity)));
                update = update.and_add(self.name(period, quantity), number);
            }
        }
        update
    }

    fn exceeded(&self, of: BudgetOf, period: Period, quantity: Quantity) -> crate::Error {
        Domain::Budget(Exceeded { of, period, quantity, resets_at: period.ends_after(self.at) }).into()
    }

    fn mark(&self) -> String {
        format!("held_{}", self.run)
    }

    fn name(&self, period: Period, quantity: Quantity) -> String {
        name(self.at, period, quantity)
    }

    fn place(&self, org: OrgId, of: BudgetOf) -> OwnedPlace {
        let user = Some(self.user).filter(|_| of == BudgetOf::User);
        OwnedPlace { org, month: month_of(self.at), user }
    }
}

/// The place of a spending item, with its month.
struct OwnedPlace {
    org: OrgId,
    month: String,
    user: Option<UserId>,
}

impl OwnedPlace {
    fn key(&self) -> crate::schema::Key {
        Place::AiSpending(self.org, &self.month, self.user).key()
    }
}

/// What an organisation, or one of its users, has spent on the day and in the month of a moment.
pub async fn spent(env: &Env, org: OrgId, user: Option<UserId>, at: Timestamp) -> Result<Spent> {
    let place = OwnedPlace { org, month: month_of(at), user };
    let item = env.table.get(&place.key()).await?.unwrap_or_default();
    let amount = |period| Amount {
        cost: MicroUsd::new(number(&item, &name(at, period, Quantity::Usd))),
        tokens: number(&item, &name(at, period, Quantity::Tokens)),
    };
    Ok(Spent { day: amount(Period::Day), month: amount(Period::Month) })
}

/// What a user used of a model on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The user.
    pub user: Option<UserId>,
    /// The model.
    pub model: String,
    /// The number of answers.
    pub answers: u64,
    /// The tokens of requests.
    pub input: u64,
    /// Those of the input that were read from the provider's cache.
    pub cached: u64,
    /// The tokens of answers.
    pub output: u64,
    /// The cost.
    pub cost: MicroUsd,
}

/// The row of a day's usage with one more answer.
pub fn used(org: OrgId, at: Timestamp, user: UserId, model: &str, usage: &MessageUsage) -> RowWrite {
    let more = Update::add("answers", 1)
        .and_add("input", signed(usage.input))
        .and_add("cached", signed(usage.cached))
        .and_add("output", signed(usage.output))
        .and_add("cost", signed(usage.cost_usd.0.millionths()))
        .and_set("model", model)
        .and_set(EXPIRES_AT, at.plus(KEPT).as_second());
    let key = Place::AiUsage(org, at, user, model).key();
    RowWrite::changing(key, more, Condition::ALWAYS, Domain::Conflict(Conflict::Contended))
}

/// The usage of a day, of all users or one, by user and model.
pub async fn usage_on(env: &Env, org: OrgId, day: Timestamp, user: Option<UserId>) -> Result<Vec<Usage>> {
    let items = env.table.query_all(&Question::AiUsageOn(org, day, user).range()).await?;
    let usage = |item: &Item| Usage {
        user: text(item, SK).and_then(|sk| sk.split('#').next()?.parse().ok()),
        model: text(item, "model").cloned().unwrap_or_default(),
        answers: number(item, "answers"),
        input: number(item, "input"),
        cached: number(item, "cached"),
        output: number(item, "output"),
        cost: MicroUsd::new(number(item, "cost")),
    };
    Ok(items.iter().map(usage).collect())
}

fn name(at: Timestamp, period: Period, quantity: Quantity) -> String {
    let quantity = quantity.name();
    match period {
        Period::Month | Period::Unknown(_) => quantity.to_owned(),
        Period::Day => format!("{quantity}_{}", &day_of(at)[8..]),
    }
}

fn month_of(at: Timestamp) -> String {
    let mut month = day_of(at);
    month.truncate(7);
    month
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(|value| value.as_n().ok()?.parse::<i64>().ok()).map_or(0, |number| number.max(0) as u64)
}
