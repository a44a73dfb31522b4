//! The budgets of an organisation, with what is spent of them; and its other AI settings.

use daybook_domain::ai::budget::{Amount, Usd};
use daybook_domain::ai_settings::AiSettings;
use daybook_domain::{AiSettingsId, Rule};
use daybook_http::{Cx, Data, IfMatch, Own, Patch, Result};
use daybook_records::{ai_settings, amended, stored_first};
use daybook_runs::Chat;
use daybook_store::rows::spending::{Spent, spent};
use daybook_store::{Tx, is_at};
use serde::{Deserialize, Serialize};

/// An organisation's AI settings, with what it has spent.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Budgets {
    /// The settings.
    #[serde(flatten)]
    settings: AiSettings,
    /// What the organisation has spent, with what answers in progress may cost.
    spent: SpentShown,
}

/// What was spent today and this month, in UTC.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AiSpending)]
pub struct SpentShown {
    /// US dollars today.
    daily_usd: Usd,
    /// US dollars this month.
    monthly_usd: Usd,
    /// Tokens today.
    daily_tokens: u64,
    /// Tokens this month.
    monthly_tokens: u64,
}

impl SpentShown {
    fn of(Spent { day, month }: Spent) -> SpentShown {
        let usd = |amount: Amount| Usd(amount.cost);
        SpentShown {
            daily_usd: usd(day),
            monthly_usd: usd(month),
            daily_tokens: day.tokens,
            monthly_tokens: month.tokens,
        }
    }
}

/// Returns the budgets of the organisation and its users, with what the organisation has spent.
pub async fn read(cx: Cx) -> Result<Data<Budgets>> {
    let settings = ai_settings(&cx).await?;
    let spent = SpentShown::of(spent(&cx.env, cx.org, None, cx.now()).await?);
    Ok(Data(Budgets { settings, spent }))
}

/// Changes budgets and other AI settings: the given ones; `null` removes a limit.
pub async fn update(
    cx: Cx,
    Own(chat): Own<Chat>,
    IfMatch(version): IfMatch,
    changes: Patch<AiSettings>,
) -> Result<Data<Budgets>> {
    check_models(&chat, &changes)?;
    let spent = SpentShown::of(spent(&cx.env, cx.org, None, cx.now()).await?);
    let id = AiSettingsId::of(cx.org);
    let with_spent = |settings| Data(Budgets { settings, spent });
    if cx.find::<AiSettings>(id).await?.is_some() {
        return daybook_records::amend(&cx, id, version, changes.fields, with_spent).await;
    }
    let default = AiSettings { created_at: cx.now(), ..AiSettings::default_of(cx.org) };
    is_at(&default, version)?;
    let draft = amended(&cx, &default, changes.fields).await?;
    let (first, tx) = stored_first(&cx, Tx::default(), &default, draft).await?;
    cx.commit(tx, with_spent(first)).await
}

/// Refuses names of models that Daybook doesn't know.
fn check_models(chat: &Chat, changes: &Patch<AiSettings>) -> Result<()> {
    let catalogue = &chat.providers.catalogue;
    let mut violations = daybook_domain::Violations::default();
    let mut check = |place: String, name: Option<&str>| {
        if name.is_some_and(|name| catalogue.find(name).is_none()) {
            violations.add(place, Rule::OneOf { allowed: catalogue.names().map(str::to_owned).collect() });
        }
    };
    check("/default_model".to_owned(), changes.fields.get("default_model").and_then(|name| name.as_str()));
    for (n, role) in changes.fields.get("models").and_then(|list| list.as_array()).into_iter().flatten().enumerate() {
        for (m, name) in role["models"].as_array().into_iter().flatten().enumerate() {
            check(format!("/models/{n}/models/{m}"), name.as_str());
        }
    }
    Ok(violations.into_result()?)
}
