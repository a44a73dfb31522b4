//! The search for all personal data of a person: finds records and journal entries by e-mail address or phone number. It goes page by page,
//! and a search that takes longer than a turn goes on from its page in the next one.

use crate::turn::Turn;
use daybook_domain::job::{Job, MOST_MENTIONS};
use daybook_domain::record::Personal;
use daybook_domain::registry::boxed;
use daybook_domain::{
    AnyId, Conflict, EmailAddress, EntryId, Error as Domain, Identity, LeadId, Phone, Record, RecordType, Stored,
    Timestamp, with_record_type,
};
use daybook_store::rows::data_subject::DataSubject;
use daybook_store::rows::{is_too_far_ahead, paused_job};
use daybook_store::{Cx, Fact, JournalPosition, Kept, Position, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::any::Any;
use std::collections::BTreeSet;
use std::time::Duration;

/// A record about the person, as it was found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Its id.
    pub id: AnyId,
    /// Whether it was live or in the trash.
    pub kept: Kept,
    /// Its version.
    pub version: u64,
}

/// A record about the person, as it is stored.
pub struct PersonalRecord {
    /// Its id.
    pub id: AnyId,
    /// Whether it is live or in the trash.
    pub kept: Kept,
    /// Its version.
    pub version: u64,
    /// The lead it was created from, if it names one.
    pub lead_id: Option<LeadId>,
    /// The record as stored.
    pub text: String,
    record: Box<dyn Any + Send + Sync>,
}

impl PersonalRecord {
    fn of<T: Record>(record: Stored<T>, kept: Kept) -> PersonalRecord {
        let text = record.text().to_owned();
        let lead = serde_json::from_str::<Value>(&text).ok().and_then(|json| json["lead_id"].as_str()?.parse().ok());
        let (id, version) = (record.id(), record.version());
        PersonalRecord { id, kept, version, lead_id: lead, text, record: Box::new(record) }
    }

    async fn read<T: Record>(cx: &Cx, id: AnyId, kept: Kept) -> Result<Option<PersonalRecord>> {
        let record = cx.every::<T>(kept).find(id).await?;
        Ok(record.map(|record| PersonalRecord::of(record, kept)))
    }

    /// The record, if it is of this type.
    pub fn record<T: Record>(&self) -> Option<&Stored<T>> {
        self.record.downcast_ref()
    }
}

impl Found {
    /// The record as it is now, if it is still there.
    pub async fn read(self, cx: &Cx) -> Result<Option<PersonalRecord>> {
        let other = if self.kept == Kept::Live { Kept::InTrash } else { Kept::Live };
        for kept in [self.kept, other] {
            let found = with_record_type!(self.id.kind, T => boxed(|| PersonalRecord::read::<T>(cx, self.id, kept)));
            if let Some(found) = found
                && let Some(record) = found.await?
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

/// All data about a person.
#[derive(Default, Serialize, Deserialize)]
pub struct Known {
    /// The records about the person.
    pub records: Vec<Found>,
    /// Leads of the person that were purged from the trash.
    pub gone: Vec<AnyId>,
    /// Records about others that mention the address: at most `MOST_MENTIONS`.
    pub mentions: Vec<AnyId>,
    /// Entries about the person's records.
    pub entries: Vec<EntryId>,
    /// Entries about others that mention the address.
    pub mentioning: Vec<EntryId>,
    /// Earlier addresses and numbers in the person's records.
    pub former: BTreeSet<String>,
    /// The ids of the person's records, including purged ones.
    ids: BTreeSet<AnyId>,
    /// Leads that posts name, but that weren't there when the search came by.
    #[serde(default)]
    sought: BTreeSet<AnyId>,
    /// Whether to search the records once more.
    #[serde(default)]
    again: bool,
}

/// What a job about a person needs to go on: the search, and what was done with what it found.
#[derive(Default, Serialize, Deserialize)]
struct State<D> {
    next: Step,
    known: Known,
    done: D,
}

/// The next page of a search.
#[derive(Serialize, Deserialize)]
enum Step {
    /// Of the journal, for records that were purged from the trash.
    Purged { after: Option<JournalPosition>, mentioned: BTreeSet<AnyId> },
    /// Of the records of a type.
    Records { kind: RecordType, pass: usize, after: Option<Position> },
    /// Of the journal, for entries about the person's records.
    Entries { after: Option<JournalPosition> },
    /// There is none.
    Over,
}

impl Default for Step {
    fn default() -> Step {
        Step::Purged { after: None, mentioned: BTreeSet::new() }
    }
}

/// Searches all records and entries of an organisation up to the job's request, or goes on with that; returns what is known
/// and what was done with it in earlier turns, or `None` if the turn ended first.
///
/// What was stored for going on is removed before anything is done with the result: a try that fails begins anew.
pub async fn known<D>(cx: &Cx, subject: &DataSubject, job: &Job, turn: Turn) -> Result<Option<(Known, D)>>
where
    D: Default + Serialize + DeserializeOwned,
{
    let paused: Option<State<D>> = paused_job::read(&cx.env, cx.org, job.id).await?;
    let was_paused = paused.is_some();
    let State { mut next, known, done } = paused.unwrap_or_default();
    let period = Period { until: job.created_at, now: cx.now() };
    let person = subject.person();
    let normalized = person.normalized();
    let mut search = PersonSearch { cx, person, normalized, period, known };
    loop {
        next = search.page(next).await?;
        if matches!(next, Step::Over) {
            break;
        }
        if turn.is_over() {
            paused_job::keep(&cx.env, cx.org, job.id, &State { next, known: search.known, done }).await?;
            return Ok(None);
        }
    }
    if was_paused {
        paused_job::remove(&cx.env, cx.org, job.id).await?;
    }
    Ok(Some((search.known, done)))
}

/// Stores what is known of a person and what was done with it, for the next turn.
pub async fn pause<D>(cx: &Cx, job: &Job, known: Known, done: D) -> Result<()>
where
    D: Serialize,
{
    paused_job::keep(&cx.env, cx.org, job.id, &State { next: Step::Over, known, done }).await
}

struct PersonSearch<'a> {
    cx: &'a Cx,
    person: Identity,
    normalized: String,
    period: Period,
    known: Known,
}

/// The time up to which data belongs to a search.
#[derive(Clone, Copy)]
struct Period {
    until: Timestamp,
    now: Timestamp,
}

impl Period {
    /// Whether something of this time belongs to it. What lies ahead was stored earlier, while the clock was ahead.
    fn includes(self, at: Timestamp) -> bool {
        at <= self.until || is_too_far_ahead(at, self.now, Duration::ZERO)
    }
}

impl PersonSearch<'_> {
    /// Searches a page; returns the next one.
    async fn page(&mut self, step: Step) -> Result<Step> {
        Ok(match step {
            Step::Purged { after, mut mentioned } => match self.purged(after, &mut mentioned).await? {
                Some(after) => Step::Purged { after: Some(after), mentioned },
                None => {
                    self.add_purged(mentioned).await?;
                    of_records(RecordType::ALL.first())
                }
            },
            Step::Records { kind, pass, after } => {
                let searched = with_record_type!(kind, T => boxed(|| self.records::<T>(pass, after)));
                // A newer version began this search: it goes on with it.
                let (passes, after) = searched.ok_or(Domain::Conflict(Conflict::NewerVersion))?.await?;
                match after {
                    Some(after) => Step::Records { kind, pass, after: Some(after) },
                    None if pass + 1 < passes => Step::Records { kind, pass: pass + 1, after: None },
                    // Parents before children. A post that was released meanwhile made a lead of an earlier page.
                    None if kind == *RecordType::ALL.last().unwrap_or(&kind)
                        && std::mem::take(&mut self.known.again) =>
                    {
                        of_records(RecordType::ALL.first())
                    }
                    None => of_records(RecordType::ALL.iter().skip_while(|other| **other != kind).nth(1)),
                }
            }
            Step::Entries { after } => match self.entries(after).await? {
                Some(after) => Step::Entries { after: Some(after) },
                None => Step::Over,
            },
            Step::Over => Step::Over,
        })
    }

    /// Finds records by the entries that hold their address.
    async fn purged(
        &self,
        after: Option<JournalPosition>,
        mentioned: &mut BTreeSet<AnyId>,
    ) -> Result<Option<JournalPosition>> {
        let see = |fact: &Fact, detail: &Value| {
            let [before, after] = [&detail["before"], &detail["after"]];
            let is_empty = |side: &Value| side.as_object().is_none_or(|fields| fields.is_empty());
            let is_whole = is_empty(before) || is_empty(after);
            if [before, after].iter().any(|side| is_of(side, &self.person, is_whole)) {
                mentioned.insert(fact.record);
                let lead = detail["after"]["lead_id"].as_str().and_then(|id| id.parse::<AnyId>().ok());
                mentioned.extend(lead);
            }
        };
        self.cx.journal().each_of_page(after, see).await
    }

    /// Adds the records that were purged from the trash.
    async fn add_purged(&mut self, mentioned: BTreeSet<AnyId>) -> Result<()> {
        for id in mentioned {
            if !self.cx.erasure().exists(id).await? {
                self.known.ids.insert(id);
                self.known.gone.extend(Some(id).filter(|id| id.kind == RecordType::Lead));
            }
        }
        Ok(())
    }

    /// Searches a page of a type's records; returns the number of passes that the type takes, and where the page ends.
    async fn records<T: Record>(&mut self, pass: usize, after: Option<Position>) -> Result<(usize, Option<Position>)> {
        let passes: &[Kept] = match (T::TYPE, T::PERSONAL) {
            (RecordType::Job, _) => &[Kept::Live],
            (_, Personal::No) => &[Kept::Live, Kept::InTrash],
            // The live ones again, so that one that is restored meanwhile isn't missed.
            (_, Personal::Yes | Personal::Unique(_)) => &[Kept::Live, Kept::InTrash, Kept::Live],
        };
        let Some(&kept) = passes.get(pass) else { return Ok((0, None)) };
        let cx = self.cx;
        let after = cx.every::<T>(kept).each_of_page(after, |record| self.see(&record, kept)).await?;
        Ok((passes.len(), after))
    }

    fn see<T: Record>(&mut self, record: &Stored<T>, kept: Kept) {
        let id = record.id();
        if self.known.ids.contains(&id) {
            return;
        }
        let found = Found { id, kept, version: record.version() };
        if let Some(job) = (&**record as &dyn Any).downcast_ref::<Job>() {
            // That they were requested is data about the requesting user.
            let (env, org) = (&self.cx.env, self.cx.org);
            let theirs = job.work.person().is_some_and(|person| env.is_pseudonym(org, &self.person, person));
            self.known.records.extend(Some(found).filter(|_| theirs && self.period.includes(job.created_at)));
            return;
        }
        let theirs = record.person().is_some_and(|person| person == self.normalized)
            || record.about().iter().any(|other| self.known.ids.contains(other));
        // The time of its id, as a held post creates its lead later.
        if theirs && self.period.includes(id.time()) {
            self.known.ids.insert(id);
            self.known.records.push(found);
            let lead = serde_json::from_str::<Value>(record.text())
                .ok()
                .and_then(|json| json["lead_id"].as_str()?.parse().ok());
            if let Some(lead) =
                lead.filter(|lead: &AnyId| self.period.includes(lead.time()) && !self.known.ids.contains(lead))
            {
                self.known.again |= self.known.sought.insert(lead);
            }
        } else {
            self.mentioned(id, record.text());
        }
    }

    fn mentioned(&mut self, id: AnyId, json: &str) {
        let known = &self.known;
        // A record created from the person's lead may hold their words without the address.
        let was_theirs = |json: &Value| {
            let lead = json["lead_id"].as_str().and_then(|id| id.parse::<AnyId>().ok());
            lead.is_some_and(|lead| known.ids.contains(&lead))
        };
        let names = || {
            let json = serde_json::from_str::<Value>(json);
            json.is_ok_and(|json| was_theirs(&json) || self.person.is_in_json(&json))
        };
        if known.mentions.len() < MOST_MENTIONS && !known.mentions.contains(&id) && names() {
            self.known.mentions.push(id);
        }
    }

    /// Finds entries about the person's records, including those of refused requests, and other entries that mention
    /// the address.
    async fn entries(&mut self, after: Option<JournalPosition>) -> Result<Option<JournalPosition>> {
        let Known { entries, mentioning, former, ids, .. } = &mut self.known;
        let (identity, period) = (&self.person, self.period);
        let asks_for = |detail: &Value| {
            let path = detail["request"]["path"].as_str().unwrap_or_default();
            path.split('/').any(|part| part.parse().is_ok_and(|id: AnyId| ids.contains(&id)))
        };
        let see = |fact: &Fact, detail: &Value| {
            if ids.contains(&fact.record) {
                entries.push(fact.id);
                former.extend(["before", "after"].iter().flat_map(|side| identities_in(&detail[side])));
            } else if asks_for(detail) {
                entries.push(fact.id);
            } else if period.includes(fact.id.time()) && identity.is_in_json(detail) {
                mentioning.push(fact.id);
            }
        };
        self.cx.journal().each_of_page(after, see).await
    }
}

/// The step that begins with the records of a type; after the last type, with the entries.
fn of_records(kind: Option<&RecordType>) -> Step {
    match kind {
        Some(kind) => Step::Records { kind: *kind, pass: 0, after: None },
        None => Step::Entries { after: None },
    }
}

/// The normalised address, and the number in the form in which it is compared, of the person that a record is about.
fn identities_in(record: &Value) -> Vec<String> {
    let fields = if record["enquiry"].is_object() { &record["enquiry"] } else { record };
    let address = fields["email"].as_str().and_then(|address| EmailAddress::parse(address).ok());
    let phone = fields["phone"].as_str().and_then(|phone| Phone::parse(phone).ok());
    let number = phone.and_then(|phone| phone.compared(record["phone_e164"].as_str()));
    address.map(|address| address.normalized()).into_iter().chain(number).collect()
}

/// Whether a version of a record is of a person: known by the address, or by the number if it has no address. An entry of a
/// change has only what changed, so it can't say that there was no address.
fn is_of(version: &Value, person: &Identity, is_whole: bool) -> bool {
    let found = identities_in(version);
    match person {
        Identity::Address(address) => found.contains(&address.normalized()),
        Identity::Number(number) => is_whole && found.len() == 1 && found.contains(number),
    }
}
