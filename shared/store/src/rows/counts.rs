//! How many live records an organisation has of the types that are counted. A commit changes the numbers together with its
//! records.
//!
//! The records of an organisation that are older than its numbers are counted once, when the numbers are first asked for; an
//! attribute tells that this was done.

use crate::engine::Action;
use crate::schema::{Place, Question};
use crate::table::{Condition, Item, Update, Written, is_item_of};
use crate::{Env, Result};
use daybook_domain::{OrgId, RecordType};

/// The number of changes of a row.
const CHANGES: &str = "changes";

/// The most records that are counted for the first time.
const MOST: usize = 1_000_000;

/// How many organisations are read with one call.
const AT_ONCE: usize = 100;

/// How often the first count of an organisation is tried while its records change.
const ATTEMPTS: u32 = 3;

/// The action that changes an organisation's numbers by these differences, if any.
pub(crate) fn change(org: OrgId, by: &[(RecordType, i64)]) -> Option<Action> {
    let changed = by.iter().filter(|(_, difference)| *difference != 0);
    let update = changed.fold(Update::default(), |update, (of, difference)| update.and_add(of.prefix(), *difference));
    (update != Update::default())
        .then(|| Action::update(Place::Counts(org).key(), update.and_add(CHANGES, 1), Condition::ALWAYS))
}

/// The numbers of live records of these types in all organisations.
pub async fn of_all<const N: usize>(env: &Env, types: [RecordType; N]) -> Result<[u64; N]> {
    let orgs = env.organizations().await?;
    let mut totals = [0; N];
    for some in orgs.chunks(AT_ONCE) {
        let keys: Vec<_> = some.iter().map(|org| Place::Counts(*org).key()).collect();
        let rows = env.table.get_all(&keys).await?;
        for (org, key) in some.iter().zip(&keys) {
            let row = rows.iter().find(|row| is_item_of(row, key));
            for (total, of) in totals.iter_mut().zip(types) {
                let counted =
                    row.filter(|row| row.contains_key(&complete(of))).and_then(|row| number(row, of.prefix()));
                *total += match counted {
                    Some(count) => count,
                    None => first(env, *org, of).await?,
                };
            }
        }
    }
    Ok(totals.map(|total| total.max(0) as u64))
}

/// Counts an organisation's records for the first time, unless they change meanwhile.
async fn first(env: &Env, org: OrgId, of: RecordType) -> Result<i64> {
    let key = Place::Counts(org).key();
    let mut counted = 0;
    for _ in 0..ATTEMPTS {
        let before = env.table.get(&key).await?.and_then(|row| number(&row, CHANGES));
        counted = env.table.count(&Question::Records(org, of).range(), MOST).await? as i64;
        let unchanged = match before {
            Some(before) => Condition::equal(CHANGES, before),
            None => Condition::lacks(CHANGES),
        };
        let update = Update::set(of.prefix(), counted).and_set(complete(of), true);
        if let Written::Done(_) = env.table.update(&key, update, unchanged).await? {
            break;
        }
    }
    Ok(counted)
}

/// The attribute that tells that all records of a type are counted.
fn complete(of: RecordType) -> String {
    format!("{}_complete", of.prefix())
}

fn number(row: &Item, name: &str) -> Option<i64> {
    row.get(name)?.as_n().ok()?.parse().ok()
}
