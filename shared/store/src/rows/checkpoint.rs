//! Checkpoint of the local feed: the moment up to which every consumer has processed every journal entry.

use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Result};
use daybook_domain::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    at: Timestamp,
}

/// Stores the moment up to which every consumer has processed every entry.
pub async fn keep(env: &Env, at: Timestamp) -> Result<()> {
    env.table.put(&Place::Feed.key(), &Checkpoint { at }, Condition::ALWAYS).await.map(|_| ())
}

/// The stored moment, if there is one.
pub async fn read(env: &Env) -> Result<Option<Timestamp>> {
    let item = env.table.get(&Place::Feed.key()).await?;
    item.map(|item| parse_item::<Checkpoint>(item).map(|checkpoint| checkpoint.at)).transpose()
}
