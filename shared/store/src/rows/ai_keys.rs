//! Keys of AI providers that an organisation pays for, encrypted with the deployment's secret.

use super::RowWrite;
use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Error, Purpose, Result};
use daybook_domain::{Error as Domain, OrgId, Secret};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::collections::BTreeMap;

/// The keys of an organisation, encrypted, by provider: `openai`, `anthropic`, or the name of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiKeys {
    /// Grows by one with each change.
    #[serde(default)]
    version: u64,
    /// The encrypted keys.
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

impl AiKeys {
    /// The keys of an organisation.
    pub async fn read(env: &Env, org: OrgId) -> Result<AiKeys> {
        Ok(env.table.get(&Place::AiKeys(org).key()).await?.map(parse_item).transpose()?.unwrap_or_default())
    }

    /// The row as the next version of the one that was read; refused if there is a newer one.
    pub fn write(&self, org: OrgId) -> Result<RowWrite> {
        let next = AiKeys { version: self.version + 1, keys: self.keys.clone() };
        let same = Condition::absent().or(Condition::equal("version", self.version));
        let stale = Domain::Stale { version: self.version, current: Map::new() };
        RowWrite::following(&Place::AiKeys(org).key(), &next, same, stale)
    }

    /// Removes the keys of an organisation.
    pub async fn remove(env: &Env, org: OrgId) -> Result<()> {
        env.table.delete(&Place::AiKeys(org).key()).await
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
