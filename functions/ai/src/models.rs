//! The models that the caller may use.

use daybook_domain::Timestamp;
use daybook_domain::ai::catalogue::Rate;
use daybook_http::{Cx, Data, Own, Result};
use daybook_runs::{AllowedModel, Chat, allowed};
use serde::{Deserialize, Serialize};

/// A model that the caller may use, with its price in US dollars per million tokens.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Model)]
pub struct ModelShown {
    /// The name.
    name: String,
    /// The model that answers: another one where no provider is configured.
    answers: String,
    /// Whether it answers where a request names no model.
    default: bool,
    /// The most tokens of a request and its answer together.
    context: u64,
    /// The most tokens of an answer.
    max_output: u32,
    /// The price of requests.
    #[schema(value_type = f64)]
    input_usd: Rate,
    /// The price of what is read from the provider's cache.
    #[schema(value_type = f64)]
    cached_usd: Rate,
    /// The price of answers.
    #[schema(value_type = f64)]
    output_usd: Rate,
    /// Since when these prices apply.
    since: daybook_domain::Day,
}

fn shown(one: &AllowedModel, default: &str, now: Timestamp) -> ModelShown {
    let price = one.model.prices.at(now);
    ModelShown {
        name: one.model.name.clone(),
        answers: one.answers.clone(),
        default: one.model.name == default,
        context: one.model.context,
        max_output: one.model.max_output,
        input_usd: price.input,
        cached_usd: price.cached,
        output_usd: price.output,
        since: price.from,
    }
}

/// Lists the models that the caller may use.
pub async fn list(cx: Cx, Own(chat): Own<Chat>) -> Result<Data<Vec<ModelShown>>> {
    let settings = daybook_records::ai_settings(&cx).await?;
    let allowed = allowed(&chat, &cx, &settings).await?;
    let models = allowed.models().iter().map(|one| shown(one, allowed.default_name(), cx.now()));
    Ok(Data(models.collect()))
}
