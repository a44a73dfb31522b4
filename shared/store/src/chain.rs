//! The journal's hash chain, which makes tampering evident: one signed link per fact, in the order in which they were
//! added.
//!
//! A link holds the SHA-256 of its fact, the hash of the previous link, and a signature. A fact or link that was
//! altered, removed or inserted later is detected. The chain's head is updated by conditional writes (optimistic
//! concurrency). A chain that was cut off is detected by its anchors: the head at the end of a day, stored where it
//! can't be changed.

mod distant;
mod link;

pub use link::Link;

use crate::facts::entry_of;
use crate::journal::{Detail, RETENTION, SignedFact};
use crate::json::{object_of, text_of};
use crate::schema::{EXPIRES_AT, Place, Question, day_of};
use crate::table::{Condition, PutAll, attribute, parse_item, row_item};
use crate::{Cx, Env, Purpose, Result, sha256_hex};
use daybook_domain::{EntryId, Event, OrgId, Timestamp};
use distant::Distant;
use link::{Found, LinkRow, LinkWindow, Predecessor, has_expired, read};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a fact may lack a link before that is an error: an outage of the stream is over by then, or has been
/// noticed.
pub const UNCHAINED: Duration = Duration::from_secs(15 * 60);

/// The last link of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its sequence number; 0 where the chain is empty.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// The entry of its fact.
    pub entry: Option<EntryId>,
}

/// A stored head: its JSON text, and the sequence number as an attribute for the condition of the next update.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct HeadRow {
    json: String,
    seq: u64,
}

impl HeadRow {
    async fn read(env: &Env, org: OrgId) -> Result<Option<HeadRow>> {
        env.table.get(&Place::ChainHead(org).key()).await?.map(parse_item).transpose()
    }

    fn head(&self) -> Result<Head> {
        read(&self.json, "read the head of the chain")
    }

    /// The row of the next head; it keeps the fields that only a newer version of Daybook knows.
    fn followed_by(row: Option<&HeadRow>, head: &Head) -> Result<HeadRow> {
        let mut fields: Map<String, Value> = match row {
            Some(row) => read(&row.json, "read the head of the chain")?,
            None => Map::new(),
        };
        fields.extend(object_of(head)?);
        Ok(HeadRow { json: text_of(&fields)?, seq: head.seq })
    }
}

impl Head {
    /// The head of an organisation's chain.
    pub async fn read(env: &Env, org: OrgId) -> Result<Head> {
        HeadRow::read(env, org).await?.map_or_else(|| Ok(Head::default()), |row| row.head())
    }

    /// The next link, for a fact.
    fn link(&self, fact: &SignedFact) -> Link {
        Link {
            org: fact.org,
            seq: self.seq + 1,
            entry: fact.id,
            fact_sha256: fact.sha256(),
            previous_entry: self.entry,
            previous: self.hash.clone(),
        }
    }
}

/// The head of a chain at the end of a day, to be stored where it can't be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The organisation.
    pub org: OrgId,
    /// The day, in UTC.
    pub day: String,
    /// When it was taken: some time after the day.
    pub at: Timestamp,
    /// The head.
    pub head: Head,
    /// Whether its signature is valid and it belongs to its organisation and day.
    #[serde(skip)]
    genuine: bool,
}

/// The file of an anchor: its JSON text, and Daybook's signature of that.
#[derive(Serialize, Deserialize)]
struct AnchorFile {
    anchor: String,
    signature: String,
}

impl Anchor {
    /// The anchor of a day, from the current head.
    pub async fn of(env: &Env, org: OrgId, day: Timestamp) -> Result<Anchor> {
        let head = Head::read(env, org).await?;
        Ok(Anchor { org, day: day_of(day), at: env.clock.now(), head, genuine: true })
    }

    /// The content of its file.
    pub fn file(&self, env: &Env) -> Result<Vec<u8>> {
        let anchor = text_of(self)?;
        let signature = env.keys.sign(Purpose::Chain, signed(&anchor).as_bytes());
        Ok(text_of(&AnchorFile { anchor, signature })?.into_bytes())
    }

    /// Reads the anchor file of a day. One that can't be read, or is of another organisation or day, isn't genuine.
    pub fn parse(env: &Env, bytes: &[u8], org: OrgId, day: Timestamp) -> Anchor {
        let read = || {
            let file: AnchorFile = serde_json::from_slice(bytes).ok()?;
            let anchor: Anchor = serde_json::from_str(&file.anchor).ok()?;
            let genuine = env.keys.verify(Purpose::Chain, signed(&file.anchor).as_bytes(), &file.signature);
            let in_place = anchor.org == org && anchor.day == day_of(day);
            Some(Anchor { genuine: genuine && in_place, ..anchor })
        };
        read().unwrap_or_else(|| Anchor { org, day: day_of(day), at: day, head: Head::default(), genuine: false })
    }

    /// The name of its file.
    pub fn key(org: OrgId, day: Timestamp) -> String {
        format!("{org}/{}.json", day_of(day))
    }
}

/// The text of an anchor that is signed; its prefix tells it from links, which are signed with the same key.
fn signed(anchor: &str) -> String {
    format!("anchor|{anchor}")
}

/// Appends a fact to the chain. Idempotent: a fact is chained once.
pub async fn chain(env: &Arc<Env>, fact: &SignedFact) -> Result<()> {
    let cx = env.system(fact.org, "chain");
    let mut attempt = 0;
    loop {
        let before = HeadRow::read(env, fact.org).await?;
        let head = before.as_ref().map(HeadRow::head).transpose()?.unwrap_or_default();
        let json = text_of(&head.link(fact))?;
        let hash = sha256_hex(json.as_bytes());
        let signature = env.keys.sign(Purpose::Chain, hash.as_bytes());
        let next = Head { seq: head.seq + 1, hash, entry: Some(fact.id) };
        let mut row = row_item(&Place::ChainLink(fact.org, fact.id).key(), &LinkRow { json, signature })?;
        row.insert(EXPIRES_AT.to_owned(), attribute(fact.at.plus(RETENTION).as_second()));
        let same = before.as_ref().map_or_else(Condition::absent, |before| Condition::equal("seq", before.seq));
        let head_row = row_item(&Place::ChainHead(fact.org).key(), &HeadRow::followed_by(before.as_ref(), &next)?)?;
        match env.table.put_all(vec![(row, Condition::absent()), (head_row, same)]).await? {
            PutAll::Done => return Ok(()),
            PutAll::Refused(failed) if failed.first() == Some(&true) => return Ok(()),
            // Another fact was chained meanwhile, or the outcome is unknown: the next attempt finds out.
            PutAll::Refused(_) | PutAll::Again => {}
        }
        cx.pause(attempt).await;
        attempt += 1;
    }
}

/// What a verification found wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// The entry was altered.
    Altered,
    /// The entry's detail was altered.
    DetailAltered,
    /// The entry's detail is missing, and no entry records its erasure.
    DetailMissing,
    /// The entry is missing; its link is there.
    Missing,
    /// The entry has no link: it wasn't written by Daybook, or its link was removed.
    Unchained,
    /// The entry's link was altered, or the link before it is missing.
    ChainBroken,
    /// The chain was cut off: an anchor shows that it once reached this entry.
    CutOff,
    /// The chain up to this entry differs from the anchored one.
    Rewritten,
    /// The anchor of this entry was altered.
    AnchorAltered,
}

/// The result of verifying the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The number of entries verified.
    pub entries: usize,
    /// The first entry with a problem, and the problem.
    pub first_wrong: Option<(EntryId, Wrong)>,
    /// The number of problems.
    pub wrong: usize,
    /// The entries whose details were erased, each with the entry that records the erasure.
    pub erased: Vec<(EntryId, EntryId)>,
    /// The number of entries that wait for their link.
    pub waiting: usize,
}

impl Verified {
    fn note(&mut self, entry: EntryId, wrong: Wrong) {
        self.wrong += 1;
        if self.first_wrong.is_none_or(|(first, _)| entry < first) {
            self.first_wrong = Some((entry, wrong));
        }
    }
}

/// The number of days around the verified ones that are searched for neighbouring links: after an outage, a fact may be
/// chained this much later.
const LATE: u32 = 2;

const DAY: Duration = Duration::from_secs(86_400);

/// The number of details that are read at once; each may have 300 KB.
const DETAILS_AT_ONCE: usize = 16;

/// The number of entries after which a request verifies no further day.
const MOST_ENTRIES: usize = 10_000;

impl Cx {
    /// How many of these consecutive days a request verifies: as many as have some 10,000 entries together, and one at
    /// least.
    pub async fn verifiable_days(&self, first: Timestamp, days: u32) -> Result<u32> {
        let mut entries = 0;
        for n in 0..days {
            let day = first.start_of_day().plus(DAY * n);
            let (begin, end) = (EntryId::first_at(day), EntryId::first_at(day.plus(DAY)).before());
            let range = Question::Facts(self.org, day, begin, end).range();
            entries += self.env.table.count(&range, MOST_ENTRIES + 1).await?;
            if entries > MOST_ENTRIES {
                return Ok(n.max(1));
            }
        }
        Ok(days)
    }

    /// Verifies that the entries of consecutive days are unaltered, complete and chained. `anchors` are those of these
    /// days, as far as there are any.
    pub async fn verify(&self, first: Timestamp, days: u32, anchors: &[Anchor]) -> Result<Verified> {
        let first = first.start_of_day();
        let last = first.plus(DAY * days.saturating_sub(1));
        // Read first: links that are added meanwhile come after this head and are left for the next verification.
        let row = HeadRow::read(&self.env, self.org).await?;
        let head = row.as_ref().map(HeadRow::head).transpose()?.unwrap_or_default();
        let mut window = self.links_around(first, last).await?;
        window.links.retain(|seq, _| *seq <= head.seq);
        let links = &window.links;
        let of_entry: HashMap<EntryId, &Found> = links.values().map(|link| (link.entry, link)).collect();
        let mut found = Verified::default();
        if let Some(entry) = head.entry.filter(|_| row.is_some_and(|row| row.seq != head.seq)) {
            found.note(entry, Wrong::Altered);
        }
        self.compare(anchors, &head, &mut found).await?;
        let mut there = HashSet::new();
        for n in 0..days {
            self.verify_day(first.plus(DAY * n), &of_entry, &mut found, &mut there).await?;
        }
        let (begin, end) = (EntryId::first_at(first), EntryId::first_at(last.plus(DAY)));
        let within = |link: &&Found| (begin..end).contains(&link.entry);
        for link in links.values().filter(within).filter(|link| !there.contains(&link.entry)) {
            found.note(link.entry, Wrong::Missing);
        }
        let mut distant = Distant::default();
        let mut before: Option<&Found> = None;
        for link in links.values() {
            let follows = match before {
                Some(before) if before.seq + 1 == link.seq => link.previous == before.hash,
                _ => self.reaches_back(link.predecessor(), before, &window, &mut distant).await?,
            };
            if !follows || !link.genuine {
                found.note(link.entry, Wrong::ChainBroken);
            }
            before = Some(link);
        }
        let end_read = before.map(|link| (link.seq, link.hash.as_str())).unwrap_or_default();
        if window.to_head && end_read != (head.seq, head.hash.as_str()) {
            // The head's entry lies on another day, or links after the last one that was read are missing.
            let is_known = |entry: EntryId| before.is_some() || entry.time() >= window.since;
            let entry = head.entry.filter(|entry| is_known(*entry) && !has_expired(*entry, self.now()));
            let last = Predecessor { seq: head.seq, entry, hash: &head.hash };
            if entry.is_none() || !self.reaches_back(last, before, &window, &mut distant).await? {
                found.note(before.map_or(begin, |link| link.entry), Wrong::ChainBroken);
            }
        }
        Ok(found)
    }

    /// Compares the chain with its anchors.
    async fn compare(&self, anchors: &[Anchor], head: &Head, found: &mut Verified) -> Result<()> {
        for anchor in anchors {
            let Head { seq, hash, entry } = &anchor.head;
            if !anchor.genuine {
                found.note(entry.unwrap_or(EntryId::last_at(anchor.at)), Wrong::AnchorAltered);
                continue;
            }
            let Some(entry) = *entry else { continue };
            let link = self.env.table.get(&Place::ChainLink(self.org, entry).key()).await?;
            match link.map(|item| Found::of(&self.env, self.org, item)).transpose() {
                _ if *seq > head.seq => found.note(entry, Wrong::CutOff),
                Ok(None) if !has_expired(entry, self.now()) => found.note(entry, Wrong::CutOff),
                Ok(Some(link)) if link.seq == *seq && link.hash == *hash => {}
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => found.note(entry, Wrong::Rewritten),
            }
        }
        Ok(())
    }

    async fn verify_day(
        &self,
        day: Timestamp,
        links: &HashMap<EntryId, &Found>,
        found: &mut Verified,
        there: &mut HashSet<EntryId>,
    ) -> Result<()> {
        let (begin, end) = (EntryId::first_at(day), EntryId::first_at(day.plus(DAY)).before());
        let mut facts: Vec<(EntryId, SignedFact, bool)> = Vec::new();
        for item in self.env.table.query_all(&Question::Facts(self.org, day, begin, end).range()).await? {
            let Some(place) = entry_of(&item) else { continue };
            there.insert(place);
            // An expired item, or the link before it, may be deleted at any moment. Its TTL attribute isn't signed, so
            // the id decides.
            if has_expired(place, self.now()) {
                continue;
            }
            match SignedFact::from_item(item, &self.env.keys) {
                // The key of an entry is verified too.
                Ok((fact, genuine)) => {
                    let in_place = fact.id == place && fact.org == self.org;
                    facts.push((place, fact, genuine && in_place));
                }
                Err(_) => found.note(place, Wrong::Altered),
            }
        }
        let details = self.details_there(facts.iter().map(|(entry, ..)| *entry)).await?;
        let erasures = self.erasures(&details).await?;
        let now = self.now();
        for (entry, fact, genuine) in facts {
            found.entries += 1;
            let same = links.get(&entry).map(|link| link.fact_sha256 == fact.sha256());
            match (genuine, same, details.get(&entry)) {
                (false, ..) | (_, Some(false), _) => found.note(entry, Wrong::Altered),
                (.., Some(There::Whole(sha256))) if *sha256 != fact.detail_sha256 => {
                    found.note(entry, Wrong::DetailAltered);
                }
                (.., Some(There::Erased(by))) if !erasures.get(by).is_some_and(|of| of.contains(&entry)) => {
                    found.note(entry, Wrong::DetailMissing);
                }
                (.., None) => found.note(entry, Wrong::DetailMissing),
                // One that lies further ahead was committed before the clock was set back.
                (_, None, _) if fact.at.plus(UNCHAINED) > now && fact.at <= now.plus(UNCHAINED) => found.waiting += 1,
                (_, None, _) => found.note(entry, Wrong::Unchained),
                (_, Some(true), Some(There::Erased(by))) => found.erased.push((entry, *by)),
                (_, Some(true), Some(There::Whole(_))) => {}
            }
        }
        Ok(())
    }

    /// The links of some days and of the days around them, until there is one before and one after.
    async fn links_around(&self, first: Timestamp, last: Timestamp) -> Result<LinkWindow> {
        let mut window = LinkWindow { links: BTreeMap::new(), days: HashSet::new(), since: first, to_head: false };
        let now = self.now();
        let earliest = self.org.time().max(now.minus(RETENTION)).start_of_day();
        let mut day = first;
        while day <= last {
            self.add_links(day, &mut window).await?;
            day = day.plus(DAY);
        }
        let (mut day, mut found) = (first, 0);
        for n in 1.. {
            day = day.minus(DAY);
            if day < earliest || (n > LATE && found > 0) {
                break;
            }
            found += self.add_links(day, &mut window).await?;
        }
        window.since = day.plus(DAY);
        let (mut day, mut found) = (last, 0);
        for n in 1.. {
            day = day.plus(DAY);
            if day > now || (n > LATE && found > 0) {
                break;
            }
            found += self.add_links(day, &mut window).await?;
        }
        window.to_head = day > now;
        Ok(window)
    }

    async fn add_links(&self, day: Timestamp, window: &mut LinkWindow) -> Result<usize> {
        window.days.insert(day);
        let mut items = self.env.table.query_all(&Question::Links(self.org, day).range()).await?;
        items.retain(|item| entry_of(item).is_some_and(|entry| !has_expired(entry, self.now())));
        let count = items.len();
        for item in items {
            let link = Found::of(&self.env, self.org, item)?;
            window.links.insert(link.seq, link);
        }
        Ok(count)
    }

    /// The stored state of the entries' details; missing ones are left out.
    async fn details_there(&self, entries: impl Iterator<Item = EntryId>) -> Result<HashMap<EntryId, There>> {
        let keys: Vec<_> = entries.map(|entry| Place::Detail(self.org, entry).key()).collect();
        let mut there = HashMap::new();
        for some in keys.chunks(DETAILS_AT_ONCE) {
            for item in self.env.table.get_all(some).await? {
                if let Some(id) = entry_of(&item) {
                    let whole = || There::Whole(Detail::sha256_in(&item));
                    there.insert(id, Detail::erased_by(&item).map_or_else(whole, There::Erased));
                }
            }
        }
        Ok(there)
    }

    /// The erased entries, by the entry that records their erasure, where that one is genuine.
    async fn erasures(&self, details: &HashMap<EntryId, There>) -> Result<HashMap<EntryId, HashSet<EntryId>>> {
        let by = |there: &There| match there {
            There::Erased(by) => Some(*by),
            There::Whole(_) => None,
        };
        let mut erasures = HashMap::new();
        for eraser in details.values().filter_map(by).collect::<HashSet<_>>() {
            let fact = self.env.table.get(&Place::Fact(self.org, eraser).key()).await?;
            let detail = self.env.table.get(&Place::Detail(self.org, eraser).key()).await?;
            let (Some(fact), Some(detail)) = (fact, detail) else { continue };
            let Ok((fact, true)) = SignedFact::from_item(fact, &self.env.keys) else { continue };
            let same = fact.id == eraser && fact.event == Event::AuditErased;
            if same && fact.org == self.org && fact.detail_sha256 == Detail::sha256_in(&detail) {
                erasures.insert(eraser, Detail::from_item(&detail)?.0.erased());
            }
        }
        Ok(erasures)
    }
}

/// The stored state of a detail.
enum There {
    /// The detail, by its SHA-256.
    Whole(String),
    /// A tombstone that names the entry which erased the detail.
    Erased(EntryId),
}
