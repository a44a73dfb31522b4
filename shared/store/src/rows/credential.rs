//! Hashes of passwords, apart from the users they belong to.

use super::RowWrite;
use crate::schema::Place;
use crate::table::parse_item;
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

    /// The credential of a user.
    pub async fn read(env: &Env, org: OrgId, user: UserId) -> Result<Option<Credential>> {
        env.table.get(&Place::Credential(org, user).key()).await?.map(parse_item).transpose()
    }
}
