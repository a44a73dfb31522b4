//! The models that a caller may use, and where they are served.

use crate::Chat;
use daybook_connectors::ai::{AiProviders, key_name};
use daybook_connectors::llm::Endpoint;
use daybook_domain::ai::{Catalogue, Model, Provider};
use daybook_domain::ai_settings::AiSettings;
use daybook_domain::permission::RoleRef;
use daybook_domain::user::User;
use daybook_domain::{Error, Line, UserId};
use daybook_store::rows::ai_keys::AiKeys;
use daybook_store::{Cx, Result};

/// The most models that are tried for one answer.
const MOST_TRIED: usize = 3;

/// The name of the offline provider's model.
const OFFLINE: &str = "offline";

/// A model that the caller may use, and where it is served.
#[derive(Clone, Debug)]
pub struct AllowedModel {
    /// The model.
    pub model: Model,
    /// Where it is served.
    pub endpoint: Endpoint,
    /// The name of the model that answers: another one where no provider is configured.
    pub answers: String,
}

/// The models that a caller may use.
#[derive(Clone, Debug)]
pub struct Allowed<'a> {
    catalogue: &'a Catalogue,
    models: Vec<AllowedModel>,
    default: String,
}

/// The models that the caller may use: those whose provider has a key, and that the caller's role may use. Without any
/// key, all of them are answered by the offline provider.
pub async fn allowed<'a>(chat: &'a Chat, cx: &Cx, settings: &AiSettings) -> Result<Allowed<'a>> {
    let role = role_of(cx).await?;
    allowed_to(chat, cx, settings, role).await
}

/// The models that a user may use.
pub(crate) async fn allowed_to_user<'a>(
    chat: &'a Chat,
    cx: &Cx,
    settings: &AiSettings,
    user: UserId,
) -> Result<Allowed<'a>> {
    let role = role_of_user(cx, user).await?;
    allowed_to(chat, cx, settings, role).await
}

async fn allowed_to<'a>(chat: &'a Chat, cx: &Cx, settings: &AiSettings, role: Option<RoleRef>) -> Result<Allowed<'a>> {
    let keys = AiKeys::read(&cx.env, cx.org).await?;
    let uses_deployment = cx.org == cx.env.settings.default_org;
    let providers: &AiProviders = &chat.providers;
    let catalogue = &providers.catalogue;
    let mut models = Vec::new();
    for model in catalogue.models() {
        let own = match key_name(&model.provider) {
            Some(name) => keys.get(&cx.env, name)?,
            None => None,
        };
        if let Some(endpoint) = providers.endpoint(model, own, uses_deployment) {
            models.push(AllowedModel { model: model.clone(), endpoint, answers: model.name.clone() });
        }
    }
    let is_offline = |one: &AllowedModel| one.model.provider == Provider::Offline;
    if models.iter().all(is_offline)
        && let Some(offline) = catalogue.find(OFFLINE)
    {
        let rest = catalogue.models().filter(|model| model.provider != Provider::Offline);
        models.extend(rest.map(|model| AllowedModel {
            // It costs what the offline provider costs.
            model: Model { prices: offline.prices.clone(), next: None, ..model.clone() },
            endpoint: AiProviders::offline(),
            answers: OFFLINE.to_owned(),
        }));
    }
    // A user who is gone may use none.
    models.retain(|one| role.is_some_and(|role| settings.allows(role, &one.model.name)));
    let wanted = settings.default_model.as_ref().map(|name| name.as_str());
    let first = |name: &&str| models.iter().any(|one| one.model.name == *name);
    let preferred = [wanted, Some("claude-sonnet-5-5"), Some("gpt-6.1-terra")].into_iter().flatten().find(first);
    let default = preferred.map(str::to_owned).or_else(|| models.first().map(|one| one.model.name.clone()));
    Ok(Allowed { catalogue, models, default: default.unwrap_or_default() })
}

/// The requested model, as a message keeps it.
pub(crate) fn model_line(name: &str) -> Option<Line<100>> {
    Line::parse(name).ok()
}

/// The caller's role: a key's is that of its creator.
async fn role_of(cx: &Cx) -> Result<Option<RoleRef>> {
    match (cx.actor.role(), cx.actor.owner()) {
        (Some(role), _) => Ok(Some(role)),
        (None, Some(user)) => role_of_user(cx, user).await,
        (None, None) => Ok(None),
    }
}

/// The role of a user.
async fn role_of_user(cx: &Cx, user: UserId) -> Result<Option<RoleRef>> {
    Ok(cx.unscoped().find_often::<User>(user).await?.map(|user| user.role))
}

impl Allowed<'_> {
    /// The models, in the order of their names.
    pub fn models(&self) -> &[AllowedModel] {
        &self.models
    }

    /// The model that answers where none is named.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// The models to try for a name, the best first: the named one, and those that follow it after a failure.
    pub fn candidates(&self, name: &str) -> Result<Vec<AllowedModel>, Error> {
        let unknown = || Error::UnknownModel {
            model: name.to_owned(),
            allowed: self.models.iter().map(|one| one.model.name.clone()).collect(),
        };
        let first = self.find(name).ok_or_else(unknown)?;
        let mut all = vec![first.clone()];
        let mut next = first.model.next.as_deref();
        while let Some(name) = next.filter(|_| all.len() < MOST_TRIED) {
            let Some(model) = self.catalogue.find(name) else { break };
            if all.iter().any(|one| one.model.name == model.name) {
                break;
            }
            all.extend(self.find(name).cloned());
            next = model.next.as_deref();
        }
        Ok(all)
    }

    fn find(&self, name: &str) -> Option<&AllowedModel> {
        let known = self.catalogue.find(name)?;
        self.models.iter().find(|one| one.model.name == known.name)
    }
}
