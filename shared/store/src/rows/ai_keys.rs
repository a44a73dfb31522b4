//! Keys of AI providers that an organisation pays for, encrypted with the deployment's secret.

use super::RowWrite;
use crate::schema::Place;
use crate::table::parse_item;
use crate::{Env, Error, Purpose, Result};
use daybook_domain::{OrgId, Secret};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The keys of an organisation, encrypted, by provider: `openai`, `anthropic`, or the name of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiKeys {
    /// The encrypted keys.
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

impl AiKeys {
    /// The keys of an organisation.
    pub async fn read(env: &Env, org: OrgId) -> Result<AiKeys> {
        Ok(env.table.get(&Place::AiKeys(org).key()).await?.map(parse_item).transpose()?.unwrap_or_default())
    }

    /// The row; replaces an earlier one.
    pub fn write(&self, org: OrgId) -> Result<RowWrite> {
        RowWrite::replacing(&Place::AiKeys(org).key(), self)
    }

    /// Sets the key of a provider, or removes it.
    pub fn set(&mut self, env: &Env, provider: &str, key: Option<&Secret>) -> Result<()> {
        match key {
            Some(key) => {
                let sealed = env.keys.seal(Purpose::AiKey, key.expose().as_bytes())?;
                self.keys.insert(provider.to_owned(), sealed);
            }
            None => _ = self.keys.remove(provider),
        }
        Ok(())
    }

    /// The key of a provider.
    pub fn get(&self, env: &Env, provider: &str) -> Result<Option<Secret>> {
        let Some(sealed) = self.keys.get(provider) else { return Ok(None) };
        let lost =
            || Error::internal("read a key of an AI provider", "the secret that it was encrypted with is missing");
        let key = env.keys.open(Purpose::AiKey, sealed).ok_or_else(lost)?;
        String::from_utf8(key).map(|key| Some(Secret::new(key))).map_err(|_| lost())
    }

    /// The providers with a key.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}
