//! A link of the journal's chain: its stored form, its verification, and the links of a window of days.

use crate::facts::entry_of;
use crate::journal::RETENTION;
use crate::table::{Item, parse_item};
use crate::{Env, Error, Purpose, Result, sha256_hex};
use daybook_domain::{EntryId, OrgId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::ops::Deref;

/// A link of an organisation's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The organisation.
    pub org: OrgId,
    /// Its sequence number; the first is 1.
    pub seq: u64,
    /// The entry of its fact.
    pub entry: EntryId,
    /// SHA-256 of the fact.
    pub fact_sha256: String,
    /// The entry of the previous link's fact; none for the first.
    pub previous_entry: Option<EntryId>,
    /// The hash of the previous link; empty for the first.
    pub previous: String,
}

/// A stored link: its JSON text, whose hash the next link holds, and Daybook's signature of that hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LinkRow {
    pub json: String,
    pub signature: String,
}

/// A link that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub link: Link,
    /// SHA-256 of its text.
    pub hash: String,
    /// Whether its signature is valid and its key is that of its entry.
    pub genuine: bool,
}

impl Deref for Found {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Found {
    pub fn of(env: &Env, org: OrgId, item: Item) -> Result<Found> {
        let place = entry_of(&item);
        let row: LinkRow = parse_item(item)?;
        let link: Link = read(&row.json, "read a link of the chain")?;
        let hash = sha256_hex(row.json.as_bytes());
        let signed = env.keys.verify(Purpose::Chain, hash.as_bytes(), &row.signature);
        let genuine = signed && link.org == org && Some(link.entry) == place;
        Ok(Found { link, hash, genuine })
    }
}

/// The links of some days, and of the days around them.
pub(super) struct LinkWindow {
    pub links: BTreeMap<u64, Found>,
    /// The starts of the days that were read.
    pub days: HashSet<Timestamp>,
    /// The start of the first of them.
    pub since: Timestamp,
    /// Whether the chain's last link must be among them.
    pub to_head: bool,
}

/// What a link says about the one before it, or the chain's head about the last one.
pub(super) struct Predecessor<'a> {
    pub seq: u64,
    pub entry: Option<EntryId>,
    pub hash: &'a str,
}

impl Link {
    pub(super) fn predecessor(&self) -> Predecessor<'_> {
        Predecessor { seq: self.seq.saturating_sub(1), entry: self.previous_entry, hash: &self.previous }
    }
}

/// Whether an entry is past its retention, by the time in its id, which its link and signature cover.
pub(super) fn has_expired(entry: EntryId, now: Timestamp) -> bool {
    entry.time().plus(RETENTION) <= now
}

/// Reads the JSON text of a stored link or head.
pub(super) fn read<T: DeserializeOwned>(json: &str, operation: &'static str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::internal(operation, error))
}
