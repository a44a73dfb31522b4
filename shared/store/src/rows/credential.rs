//! Password hashes, stored separately from the users they belong to.

use super::RowWrite;
use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Result};
use daybook_domain::{Error as Domain, OrgId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// The hash of a user's password.
#[derive(Serialize, Deserialize)]
pub struct Credential {
    /// The hash, as a PHC string: algorithm, parameters, salt, hash.
    pub phc: String,
    /// When the password was set.
    pub set_at: Timestamp,
}

impl Credential {
    /// The row for a new user.
    pub fn write(&self, org: OrgId, user: UserId) -> Result<RowWrite> {
        RowWrite::new(&Place::Credential(org, user).key(), self, Domain::Duplicate { field: "id", existing_id: None })
    }

    /// The row that replaces an older one.
    pub fn replace(&self, org: OrgId, user: UserId) -> Result<RowWrite> {
        RowWrite::replacing(&Place::Credential(org, user).key(), self)
    }

    /// Stores a hash of the same password with other parameters, unless the password was changed since.
    pub async fn upgrade(&self, env: &Env, org: OrgId, user: UserId, old: &Credential) -> Result<()> {
        let same = Condition::equal("phc", &old.phc);
        env.table.follow(&Place::Credential(org, user).key(), self, same).await.map(|_| ())
    }

    /// Removes the credential of a user.
    pub async fn remove(env: &Env, org: OrgId, user: UserId) -> Result<()> {
        env.table.delete(&Place::Credential(org, user).key()).await
    }

    /// The credential of a user.
    pub async fn read(env: &Env, org: OrgId, user: UserId) -> Result<Option<Credential>> {
        env.table.get(&Place::Credential(org, user).key()).await?.map(parse_item).transpose()
    }
}
