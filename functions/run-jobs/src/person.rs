//! The search for all personal data of a person: finds records and journal entries by e-mail address.

use daybook_domain::job::{Job, MOST_MENTIONS};
use daybook_domain::record::Personal;
use daybook_domain::registry::boxed;
use daybook_domain::{AnyId, EmailAddress, EntryId, LeadId, Record, RecordType, Stored, Timestamp, with_record_type};
use daybook_store::rows::is_too_far_ahead;
use daybook_store::{Cx, Fact, Kept, Result};
use serde_json::Value;
use std::any::Any;
use std::collections::BTreeSet;
use std::time::Duration;

/// A record about the person, as it was read.
pub struct PersonalRecord {
    /// Its id.
    pub id: AnyId,
    /// Whether it is live or in the trash.
    pub kept: Kept,
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
        PersonalRecord { id: record.id(), kept, lead_id: lead, text, record: Box::new(record) }
    }

    /// The record, if it is of this type.
    pub fn record<T: Record>(&self) -> Option<&Stored<T>> {
        self.record.downcast_ref()
    }
}

/// All data about a person.
#[derive(Default)]
pub struct Known {
    /// The records about the person.
    pub records: Vec<PersonalRecord>,
    /// Leads of the person that were purged from the trash.
    pub gone: Vec<AnyId>,
    /// Records about others that mention the address: at most `MOST_MENTIONS`.
    pub mentions: Vec<AnyId>,
    /// Entries about the person's records.
    pub entries: Vec<EntryId>,
    /// Entries about others that mention the address.
    pub mentioning: Vec<EntryId>,
    /// Earlier addresses in the person's records.
    pub former: BTreeSet<String>,
}

/// Searches all records and entries of an organisation up to a moment.
pub async fn known(cx: &Cx, address: &EmailAddress, until: Timestamp) -> Result<Known> {
    let mut search = PersonSearch {
        cx,
        address,
        normalized: address.normalized(),
        period: Period { until, now: cx.now() },
        ids: BTreeSet::new(),
        seen: BTreeSet::new(),
        known: Known::default(),
    };
    search.search_purged().await?;
    // Parents before children.
    for kind in RecordType::ALL {
        search.search_type(*kind).await?;
    }
    search.search_entries().await?;
    Ok(search.known)
}

struct PersonSearch<'a> {
    cx: &'a Cx,
    address: &'a EmailAddress,
    normalized: String,
    period: Period,
    /// The person's records.
    ids: BTreeSet<AnyId>,
    /// The records searched so far.
    seen: BTreeSet<AnyId>,
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
    /// Finds records that were purged from the trash by the entries that hold their address.
    async fn search_purged(&mut self) -> Result<()> {
        let mut mentioned = BTreeSet::new();
        self.cx
            .journal()
            .each(|fact, detail| {
                let theirs = ["before", "after"].map(|side| is_of(&detail[side], &self.normalized));
                if theirs.contains(&true) {
                    mentioned.insert(fact.record);
                    let lead = detail["after"]["lead_id"].as_str().and_then(|id| id.parse::<AnyId>().ok());
                    mentioned.extend(lead);
                }
            })
            .await?;
        for id in mentioned {
            if !self.cx.erasure().exists(id).await? {
                self.ids.insert(id);
                self.known.gone.extend(Some(id).filter(|id| id.kind == RecordType::Lead));
            }
        }
        Ok(())
    }

    async fn search_type(&mut self, kind: RecordType) -> Result<()> {
        if kind == RecordType::Job {
            return self.jobs().await;
        }
        // Types that only a newer version knows are searched by that version.
        let looked = with_record_type!(kind, T => match T::PERSONAL {
            Personal::No => boxed(|| self.others::<T>()),
            Personal::Yes | Personal::Unique(_) => boxed(|| self.own::<T>()),
        });
        match looked {
            Some(looked) => looked.await,
            None => Ok(()),
        }
    }

    /// Searches records that may be about the person: live, in the trash, and live again, so that one that is restored
    /// meanwhile isn't missed.
    async fn own<T: Record>(&mut self) -> Result<()> {
        for kept in [Kept::Live, Kept::InTrash, Kept::Live] {
            let cx = self.cx;
            cx.every::<T>(kept)
                .each(|record| {
                    let id = record.id();
                    if !self.seen.insert(id) {
                        return;
                    }
                    let theirs = record.person().is_some_and(|person| person == self.normalized)
                        || record.about().iter().any(|other| self.ids.contains(other));
                    // The time of its id, as a held post creates its lead later.
                    if theirs && self.period.includes(id.time()) {
                        self.ids.insert(id);
                        self.known.records.push(PersonalRecord::of(record, kept));
                    } else {
                        self.mentioned(id, record.text());
                    }
                })
                .await?;
        }
        Ok(())
    }

    /// Finds jobs about the person. That they were requested is data about the requesting user.
    async fn jobs(&mut self) -> Result<()> {
        let cx = self.cx;
        cx.every::<Job>(Kept::Live)
            .each(|job| {
                let of = job.work.person().is_some_and(|person| cx.env.is_pseudonym(cx.org, self.address, person));
                if of && self.period.includes(job.created_at) {
                    self.known.records.push(PersonalRecord::of(job, Kept::Live));
                }
            })
            .await
    }

    /// Searches records that are about no person for mentions.
    async fn others<T: Record>(&mut self) -> Result<()> {
        for kept in [Kept::Live, Kept::InTrash] {
            let cx = self.cx;
            cx.every::<T>(kept).each(|record| self.mentioned(record.id(), record.text())).await?;
        }
        Ok(())
    }

    fn mentioned(&mut self, id: AnyId, json: &str) {
        // A record created from the person's lead may hold their words without the address.
        let was_theirs = |json: &Value| {
            let lead = json["lead_id"].as_str().and_then(|id| id.parse::<AnyId>().ok());
            lead.is_some_and(|lead| self.ids.contains(&lead))
        };
        let names = || {
            let json = serde_json::from_str::<Value>(json);
            json.is_ok_and(|json| was_theirs(&json) || self.address.is_in_json(&json))
        };
        if self.known.mentions.len() < MOST_MENTIONS && names() {
            self.known.mentions.push(id);
        }
    }

    /// Finds entries about the person's records, including those of refused requests, and other entries that mention
    /// the address.
    async fn search_entries(&mut self) -> Result<()> {
        let (ids, period) = (&self.ids, self.period);
        let Known { entries, mentioning, former, .. } = &mut self.known;
        let asks_for = |detail: &Value| {
            let path = detail["request"]["path"].as_str().unwrap_or_default();
            path.split('/').any(|part| part.parse().is_ok_and(|id: AnyId| ids.contains(&id)))
        };
        self.cx
            .journal()
            .each(|fact: &Fact, detail| {
                if ids.contains(&fact.record) {
                    entries.push(fact.id);
                    former.extend(["before", "after"].iter().filter_map(|side| address_in(&detail[side])));
                } else if asks_for(detail) {
                    entries.push(fact.id);
                } else if period.includes(fact.id.time()) && self.address.is_in_json(detail) {
                    mentioning.push(fact.id);
                }
            })
            .await
    }
}

/// The normalised address of the person that a record is about.
fn address_in(record: &Value) -> Option<String> {
    let address = record["email"].as_str().or(record["enquiry"]["email"].as_str())?;
    EmailAddress::parse(address).ok().map(|address| address.normalized())
}

fn is_of(record: &Value, address: &str) -> bool {
    address_in(record).is_some_and(|found| found == address)
}
