//! Second factors: the secret of a user's authenticator app, and recovery codes for when the app is lost.

use super::RowWrite;
use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Result};
use daybook_domain::{Conflict, Error as Domain, OrgId, UserId};
use serde::{Deserialize, Serialize};

/// A user's second factor. It is in force once the user's record says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The secret that codes are generated from, encrypted.
    pub sealed: String,
    /// The last time step whose code was used: a code works once.
    pub last_step: u64,
    /// SHA-256 of the unused recovery codes.
    pub recovery_sha256: Vec<String>,
}

impl SecondFactor {
    /// The row of a new one; replaces an older one.
    pub fn write(&self, org: OrgId, user: UserId) -> Result<RowWrite> {
        RowWrite::replacing(&Place::SecondFactor(org, user).key(), self)
    }

    /// The row that replaces one which is unchanged since it was read.
    pub fn follow(&self, org: OrgId, user: UserId, before: &SecondFactor) -> Result<RowWrite> {
        let same = Condition::All(vec![
            Condition::equal("sealed", &before.sealed),
            Condition::equal("last_step", before.last_step),
            Condition::equal("recovery_sha256", &before.recovery_sha256),
        ]);
        let refusal = Domain::Conflict(Conflict::Contended);
        RowWrite::following(&Place::SecondFactor(org, user).key(), self, same, refusal)
    }

    /// Removes the second factor of a user.
    pub async fn remove(env: &Env, org: OrgId, user: UserId) -> Result<()> {
        env.table.delete(&Place::SecondFactor(org, user).key()).await
    }

    /// The second factor of a user.
    pub async fn read(env: &Env, org: OrgId, user: UserId) -> Result<Option<SecondFactor>> {
        env.table.get(&Place::SecondFactor(org, user).key()).await?.map(parse_item).transpose()
    }
}
