//! What was used of AI, by day, user and model.

use daybook_domain::ai::budget::Usd;
use daybook_domain::permission::{Action, Permission, Resource};
use daybook_domain::{Day, Error as Domain, Rule, Timestamp, UserId, Violations};
use daybook_http::{Argument, Call, Cx, Data, Operation, Result, query_pairs};
use daybook_store::rows::spending::{Usage, usage_on};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// The most days of a report.
const MOST_DAYS: i64 = 31;

/// Which usage is asked for.
#[derive(Clone, Debug, Default)]
pub struct UsageQuery {
    from: Option<Day>,
    to: Option<Day>,
    user: Option<UserId>,
}

impl Argument for UsageQuery {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let (mut query, mut violations) = (UsageQuery::default(), Violations::default());
        for (name, value) in query_pairs(call)? {
            let rule = match name.as_str() {
                "from" => Day::parse(&value).map(|day| query.from = Some(day)).err(),
                "to" => Day::parse(&value).map(|day| query.to = Some(day)).err(),
                "user_id" => {
                    let id = value.parse().map_err(|_| Rule::Id { prefix: UserId::PREFIX.to_owned() });
                    id.map(|id| query.user = Some(id)).err()
                }
                _ => Some(Rule::unknown(&name, &["from", "to", "user_id"].map(str::to_owned))),
            };
            if let Some(rule) = rule {
                violations.add(format!("/{name}"), rule);
            }
        }
        if violations.0.is_empty() { Ok(query) } else { Err(Domain::Query(violations).into()) }
    }

    fn fingerprint(&self) -> Value {
        json!([self.from, self.to, self.user])
    }

    fn describe(operation: &mut Operation) {
        operation.query_parameter("from", "The first day in UTC, such as 2026-11-20; 30 days ago unless given.");
        operation.query_parameter("to", "The last day in UTC; today unless given. At most 31 days.");
        operation.query_parameter("user_id", "One user. Users without the permission `ai:admin` see their own usage.");
    }
}

/// What a user used of a model on a day.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AiUsage)]
pub struct UsageShown {
    /// The day in UTC.
    day: Day,
    /// The user.
    user_id: Option<UserId>,
    /// The model that answered.
    model: String,
    /// The number of answers.
    answers: u64,
    /// The tokens of requests.
    input: u64,
    /// Those of the input that were read from the provider's cache.
    cached: u64,
    /// The tokens of answers.
    output: u64,
    /// The cost.
    cost_usd: Usd,
}

/// Returns what was used, by day, user and model: by all users for a caller with the permission `ai:admin`, else by the caller.
pub async fn read(cx: Cx, query: UsageQuery) -> Result<Data<Vec<UsageShown>>> {
    let sees_all = cx.grants.scope(Resource::Ai, Action::Admin).is_some();
    let user = match (sees_all, query.user) {
        (true, user) => user,
        (false, Some(user)) if Some(user) != cx.actor.owner() => {
            return Err(Domain::Forbidden(Permission::least(Resource::Ai, Action::Admin)).into());
        }
        (false, _) => cx.actor.owner(),
    };
    let day = Duration::from_secs(86_400);
    let start = |day: Day| format!("{day}T00:00:00Z").parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
    let to = query.to.map_or_else(|| cx.now().start_of_day(), start);
    let from = query.from.map_or_else(|| to.minus(day * 30), start);
    let days = (to.as_second() - from.as_second()).div_euclid(86_400) + 1;
    if !(1..=MOST_DAYS).contains(&days) {
        let rule = Rule::format("at most 30 days before to, and not after it", "不晚于 to，且最多早 30 天");
        return Err(Domain::query("from", rule).into());
    }
    let mut all = Vec::new();
    let mut at = from;
    while at <= to {
        let usages = usage_on(&cx.env, cx.org, at, user).await?;
        all.extend(usages.into_iter().map(|usage| shown(at, usage)).collect::<Result<Vec<_>>>()?);
        at = at.plus(day);
    }
    Ok(Data(all))
}

fn shown(at: Timestamp, usage: Usage) -> Result<UsageShown> {
    let Usage { user, model, answers, input, cached, output, cost } = usage;
    let day = Day::parse(&at.to_string()[..10]).map_err(|rule| Domain::query("from", rule))?;
    Ok(UsageShown { day, user_id: user, model, answers, input, cached, output, cost_usd: Usd(cost) })
}
