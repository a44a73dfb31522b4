//! The lock of grants: of two concurrent changes by which users reach further, each allowed alone, one fails.

use super::RowWrite;
use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Result, Tx};
use daybook_domain::{Conflict, Error as Domain, OrgId};
use serde::{Deserialize, Serialize};

/// The number of grants in an organisation by callers who can't grant everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerLock {
    grants: u64,
}

impl PowerLock {
    /// The lock of an organisation; to be read before the users and teams that a decision relies on.
    pub async fn read(env: &Env, org: OrgId) -> Result<PowerLock> {
        let item = env.table.get(&Place::Power(org).key()).await?;
        Ok(item.map(parse_item).transpose()?.unwrap_or_default())
    }

    /// Adds to a transaction that no other grant was made since the lock was read.
    pub fn taken(&self, org: OrgId, tx: Tx) -> Result<Tx> {
        let same = match self.grants {
            0 => Condition::absent(),
            grants => Condition::equal("grants", grants),
        };
        let next = PowerLock { grants: self.grants + 1 };
        let refusal = Domain::Conflict(Conflict::Contended);
        Ok(tx.with_row_once(RowWrite::following(&Place::Power(org).key(), &next, same, refusal)?))
    }
}
