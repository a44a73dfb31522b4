//! The AI providers of a deployment: base URLs, keys and models, from environment variables.
//!
//! Base URLs are settings of the deployment alone, so that no user can make it call other hosts.

use crate::llm::{Api, Endpoint, Llm, Timeouts, base_url};
use daybook_domain::Secret;
use daybook_domain::ai::{Catalogue, Model, Provider};
use std::collections::BTreeMap;
use std::fmt;

/// The host of OpenAI itself, which has the Responses API.
const OPENAI: &str = "https://api.openai.com/v1";

/// The host of Anthropic itself.
const ANTHROPIC: &str = "https://api.anthropic.com";

/// Where a provider is, and the deployment's key for it.
#[derive(Clone)]
struct Site {
    api: Api,
    url: String,
    key: Option<Secret>,
}

/// The AI providers of a deployment.
#[derive(Clone)]
pub struct AiProviders {
    /// The client.
    pub llm: Llm,
    /// The models, with their prices.
    pub catalogue: Catalogue,
    openai: Site,
    anthropic: Site,
    servers: BTreeMap<String, Site>,
}

impl fmt::Debug for AiProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<&str> = [&self.openai, &self.anthropic]
            .into_iter()
            .chain(self.servers.values())
            .map(|site| site.url.as_str())
            .collect();
        f.debug_struct("AiProviders").field("urls", &urls).finish_non_exhaustive()
    }
}

impl AiProviders {
    /// The providers in these variables: `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_API` (`responses` or
    /// `chat_completions`), `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`, `AI_SERVERS` and `AI_SERVER_KEYS` (`name=value`,
    /// separated by commas) and `AI_MODELS` (JSON). Without any, there is only the offline provider. The error lists what
    /// is wrong.
    pub fn read(get: &dyn Fn(&str) -> Option<String>, timeouts: Timeouts) -> Result<AiProviders, Vec<String>> {
        let mut wrong = Vec::new();
        let get = |name: &str| get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut url = |name: &str, text: &str| {
            base_url(text).unwrap_or_else(|why| {
                wrong.push(format!("{name}: {why}"));
                String::new()
            })
        };
        let openai = url("OPENAI_BASE_URL", get("OPENAI_BASE_URL").as_deref().unwrap_or(OPENAI));
        let anthropic = url("ANTHROPIC_BASE_URL", get("ANTHROPIC_BASE_URL").as_deref().unwrap_or(ANTHROPIC));
        let listed = get("AI_SERVERS").unwrap_or_default();
        let keys = pairs(&get("AI_SERVER_KEYS").unwrap_or_default());
        let mut servers = BTreeMap::new();
        for (name, text) in pairs(&listed) {
            let key = keys.iter().find(|(of, _)| *of == name).map(|(_, key)| Secret::new(key.clone()));
            let site = Site { api: Api::ChatCompletions, url: url("AI_SERVERS", &text), key };
            servers.insert(name, site);
        }
        if let Some(name) = ["openai", "anthropic", "offline"].into_iter().find(|name| servers.contains_key(*name)) {
            wrong.push(format!("AI_SERVERS: {name} is the name of another provider"));
        }
        if let Some((name, _)) = keys.iter().find(|(name, _)| !servers.contains_key(name)) {
            wrong.push(format!("AI_SERVER_KEYS: there is no server {name} in AI_SERVERS"));
        }
        let api = match get("OPENAI_API").as_deref() {
            Some("responses") => Api::OpenAiResponses,
            Some("chat_completions") => Api::ChatCompletions,
            Some(_) => {
                wrong.push("OPENAI_API: must be responses or chat_completions".to_owned());
                Api::OpenAiResponses
            }
            // Servers that imitate OpenAI know the older API.
            None if openai == OPENAI => Api::OpenAiResponses,
            None => Api::ChatCompletions,
        };
        let catalogue = match get("AI_MODELS") {
            Some(json) => Catalogue::built_in().with(&json),
            None => Ok(Catalogue::built_in().clone()),
        };
        let catalogue = catalogue.map_err(|why| wrong.push(format!("AI_MODELS: {why}"))).ok();
        let llm = Llm::new(timeouts).map_err(|error| wrong.push(format!("the client of AI providers: {error}"))).ok();
        let secret = |name: &str| get(name).map(Secret::new);
        let openai = Site { api, url: openai, key: secret("OPENAI_API_KEY") };
        let anthropic = Site { api: Api::AnthropicMessages, url: anthropic, key: secret("ANTHROPIC_API_KEY") };
        match (catalogue, llm) {
            (Some(catalogue), Some(llm)) if wrong.is_empty() => {
                Ok(AiProviders { llm, catalogue, openai, anthropic, servers })
            }
            _ => Err(wrong),
        }
    }

    /// The names of the providers that organisations can have keys for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        ["openai", "anthropic"].into_iter().chain(self.servers.keys().map(String::as_str))
    }

    /// Where a model is served, with an organisation's own key, or the deployment's if the organisation may use that;
    /// `None` if there is no key, or the model's server isn't configured.
    pub fn endpoint(&self, model: &Model, own: Option<Secret>, uses_deployment: bool) -> Option<Endpoint> {
        let site = match &model.provider {
            Provider::OpenAi => &self.openai,
            Provider::Anthropic => &self.anthropic,
            Provider::Compatible(name) => self.servers.get(name.as_str())?,
            Provider::Offline => return Some(AiProviders::offline()),
        };
        let key = own.or_else(|| site.key.clone().filter(|_| uses_deployment));
        // A server on the local machine needs no key.
        let keyless = matches!(model.provider, Provider::Compatible(_)) && uses_deployment;
        (key.is_some() || keyless).then(|| Endpoint { api: site.api, base_url: site.url.clone(), key })
    }

    /// The endpoint of the offline provider.
    pub fn offline() -> Endpoint {
        Endpoint { api: Api::Offline, base_url: String::new(), key: None }
    }
}

/// The name under which a provider's key is stored.
pub fn key_name(provider: &Provider) -> Option<&str> {
    match provider {
        Provider::OpenAi => Some("openai"),
        Provider::Anthropic => Some("anthropic"),
        Provider::Compatible(name) => Some(name.as_str()),
        Provider::Offline => None,
    }
}

/// Pairs such as `a=1,b=2`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| part.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    text.split(',').filter_map(pair).collect()
}
