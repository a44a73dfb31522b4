//! The keys of AI providers that an organisation pays for.

use daybook_domain::{Audit, Error as Domain, Event, Line, Rule, Secret, Violations};
use daybook_http::{Cx, Data, Json, Own, Result};
use daybook_runs::Chat;
use daybook_store::Tx;
use daybook_store::rows::ai_keys::AiKeys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys to set, by provider; `null` removes one. Providers that aren't named keep theirs.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewAiKeys)]
pub struct NewKeys {
    /// The keys, by provider: `openai`, `anthropic`, or the name of one of the deployment's servers.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    api_keys: BTreeMap<String, Option<Secret>>,
}

/// The AI providers that an organisation can use.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AiKeys)]
pub struct KeysShown {
    /// The providers.
    providers: Vec<ProviderShown>,
}

/// An AI provider.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AiProvider)]
pub struct ProviderShown {
    /// The name.
    name: String,
    /// Whether the organisation has a key of its own.
    has_key: bool,
}

/// Lists the AI providers, and which of them the organisation has a key for. Keys are never shown.
pub async fn read(cx: Cx, Own(chat): Own<Chat>) -> Result<Data<KeysShown>> {
    Ok(Data(shown(&chat, &AiKeys::read(&cx.env, cx.org).await?)))
}

/// Sets or removes the organisation's own keys. They are stored encrypted, and take effect with the next question.
pub async fn update(cx: Cx, Own(chat): Own<Chat>, Json(new): Json<NewKeys>) -> Result<Data<KeysShown>> {
    let mut violations = Violations::default();
    for (name, key) in &new.api_keys {
        let place = format!("/api_keys/{}", daybook_domain::read::escape(name));
        if !chat.providers.names().any(|known| known == name) {
            violations.add(place, Rule::OneOf { allowed: chat.providers.names().map(str::to_owned).collect() });
        } else if let Some(key) = key
            && let Err(rule) = Line::<500>::parse(key.expose()).map(drop).and_then(|()| visible(key.expose()))
        {
            violations.add(place, rule);
        }
    }
    violations.into_result()?;
    if new.api_keys.is_empty() {
        return Err(Domain::invalid("/api_keys", Rule::Required).into());
    }
    cx.decide(|| changed(&cx, &chat, &new)).await
}

async fn changed(cx: &Cx, chat: &Chat, new: &NewKeys) -> Result<Data<KeysShown>> {
    let mut keys = AiKeys::read(&cx.env, cx.org).await?;
    for (name, key) in &new.api_keys {
        keys.set(&cx.env, name, key.as_ref())?;
    }
    let tx = Tx::happened(Event::AiKeysChanged, Audit::PermissionChange, cx.org).without_request();
    cx.commit(tx.with_row(keys.write(cx.org)?), Data(shown(chat, &keys))).await
}

/// Refuses a key that can't be sent in a header.
fn visible(key: &str) -> Result<(), Rule> {
    match key.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        true => Ok(()),
        false => Err(Rule::format("an API key, without spaces", "是不含空格的 API 密钥")),
    }
}

fn shown(chat: &Chat, keys: &AiKeys) -> KeysShown {
    let provider =
        |name: &str| ProviderShown { name: name.to_owned(), has_key: keys.providers().any(|known| known == name) };
    KeysShown { providers: chat.providers.names().map(provider).collect() }
}
