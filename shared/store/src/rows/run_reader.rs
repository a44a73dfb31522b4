//! Readers of a run whose connections another process has: the process that generates the answer sends them its text.

use crate::schema::{Place, Question};
use crate::table::{Condition, Update, parse_item};
use crate::{Env, Result};
use daybook_domain::{Locale, OrgId, RunId};
use serde::{Deserialize, Serialize};

/// A reader of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReader {
    /// Its connection.
    pub connection: String,
    /// The number of characters that were sent.
    pub seq: u64,
    /// The language of errors.
    pub locale: Locale,
    /// When the row expires, in seconds since 1970: with the run.
    pub expires_at: i64,
}

impl RunReader {
    /// Stores it. A connection reads a run once: its newest position holds.
    pub async fn begin(&self, env: &Env, org: OrgId, run: RunId) -> Result<()> {
        let place = Place::RunReader(org, run, &self.connection).key();
        env.table.put(&place, self, Condition::ALWAYS).await.map(drop)
    }

    /// The readers of a run.
    pub async fn all_of(env: &Env, org: OrgId, run: RunId) -> Result<Vec<RunReader>> {
        let items = env.table.query_all(&Question::RunReaders(org, run).range()).await?;
        items.into_iter().map(parse_item).collect()
    }

    /// Stores up to where the text was sent, unless the reader began anew meanwhile.
    pub async fn advance(&self, env: &Env, org: OrgId, run: RunId, seq: u64) -> Result<()> {
        let place = Place::RunReader(org, run, &self.connection).key();
        env.table.update(&place, Update::set("seq", seq), Condition::equal("seq", self.seq)).await.map(drop)
    }

    /// Removes it.
    pub async fn end(&self, env: &Env, org: OrgId, run: RunId) -> Result<()> {
        env.table.delete(&Place::RunReader(org, run, &self.connection).key()).await
    }
}
