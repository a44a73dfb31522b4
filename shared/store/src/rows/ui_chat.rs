//! The run of a chat that only its client keeps, by the client's id of that chat: so that the client can go on reading.

use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Result, sha256_hex};
use daybook_domain::{OrgId, RunId, UserId};
use serde::{Deserialize, Serialize};

/// The newest run of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UiChat {
    /// The run.
    pub run: RunId,
    /// When the row expires, in seconds since 1970: with the run.
    pub expires_at: i64,
}

impl UiChat {
    /// Stores it as the newest one of a user's chat.
    pub async fn keep(&self, env: &Env, org: OrgId, user: UserId, chat: &str) -> Result<()> {
        let place = Place::UiChat(org, user, &sha256_hex(chat.as_bytes())).key();
        env.table.put(&place, self, Condition::ALWAYS).await.map(drop)
    }

    /// The newest run of a user's chat.
    pub async fn read(env: &Env, org: OrgId, user: UserId, chat: &str) -> Result<Option<UiChat>> {
        let place = Place::UiChat(org, user, &sha256_hex(chat.as_bytes())).key();
        env.table.get(&place).await?.map(parse_item).transpose()
    }
}
