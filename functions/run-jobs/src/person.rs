//! All that is known of a person: whose address it is says which records, and which entries.

use daybook_domain::job::{Job, MOST_MENTIONS};
use daybook_domain::record::Personal;
use daybook_domain::registry::boxed;
use daybook_domain::{AnyId, EmailAddress, EntryId, LeadId, Record, RecordType, Stored, Timestamp, with_record_type};
use daybook_store::{Cx, Fact, Kept, Result};
use serde_json::Value;
use std::any::Any;
use std::collections::BTreeSet;

/// A record of a person, as it was looked at.
pub struct PersonalRecord {
    /// Its id.
    pub id: AnyId,
    /// Where it is kept.
    pub kept: Kept,
    /// The lead it came of, where it says so.
    pub lead_id: Option<LeadId>,
    /// The record as it is stored.
    pub text: String,
    record: Box<dyn Any + Send + Sync>,
}

impl PersonalRecord {
    fn of<T: Record>(record: Stored<T>, kept: Kept) -> PersonalRecord {
        let text = record.text().to_owned();
        let lead = serde_json::from_str::<Value>(&text).ok().and_then(|json| json["lead_id"].as_str()?.parse().ok());
        PersonalRecord { id: record.id(), kept, lead_id: lead, text, record: Box::new(record) }
    }

    /// The record, where it is of this type.
    pub fn record<T: Record>(&self) -> Option<&Stored<T>> {
        self.record.downcast_ref()
    }
}

/// All that is known of a person.
#[derive(Default)]
pub struct Known {
    /// Their records.
    pub records: Vec<PersonalRecord>,
    /// Leads of theirs that have left the trash.
    pub gone: Vec<AnyId>,
    /// Records about others that mention their address, as far as they are named.
    pub mentions: Vec<AnyId>,
    /// Entries about their records.
    pub entries: Vec<EntryId>,
    /// Entries about others that mention their address.
    pub mentioning: Vec<EntryId>,
    /// Addresses that their records had before.
    pub former: BTreeSet<String>,
}

/// Looks at all there is of an organisation until a moment.
pub async fn known(cx: &Cx, address: &EmailAddress, until: Timestamp) -> Result<Known> {
    let mut looking = Looking {
        cx,
        address,
        normalized: address.normalized(),
        until,
        ids: BTreeSet::new(),
        seen: BTreeSet::new(),
        known: Known::default(),
    };
    looking.what_is_gone().await?;
    // Parents before their children.
    for kind in RecordType::ALL {
        looking.at(*kind).await?;
    }
    looking.at_entries().await?;
    Ok(looking.known)
}

struct Looking<'a> {
    cx: &'a Cx,
    address: &'a EmailAddress,
    normalized: String,
    until: Timestamp,
    /// The person's records.
    ids: BTreeSet<AnyId>,
    /// Records that were looked at.
    seen: BTreeSet<AnyId>,
    known: Known,
}

impl Looking<'_> {
    /// Records that have left the trash are known by the entries that tell of their address.
    async fn what_is_gone(&mut self) -> Result<()> {
        let mut told = BTreeSet::new();
        self.cx
            .journal()
            .each(|fact, detail| {
                let theirs = ["before", "after"].map(|side| is_of(&detail[side], &self.normalized));
                if theirs.contains(&true) {
                    told.insert(fact.record);
                    let lead = detail["after"]["lead_id"].as_str().and_then(|id| id.parse::<AnyId>().ok());
                    told.extend(lead);
                }
            })
            .await?;
        for id in told {
            if !self.cx.erasure().exists(id).await? {
                self.ids.insert(id);
                self.known.gone.extend(Some(id).filter(|id| id.kind == RecordType::Lead));
            }
        }
        Ok(())
    }

    async fn at(&mut self, kind: RecordType) -> Result<()> {
        if kind == RecordType::Job {
            return self.jobs().await;
        }
        // Those that only a newer version knows are its own to look at.
        let looked = with_record_type!(kind, T => match T::PERSONAL {
            Personal::No => boxed(|| self.others::<T>()),
            Personal::Yes | Personal::Unique(_) => boxed(|| self.own::<T>()),
        });
        match looked {
            Some(looked) => looked.await,
            None => Ok(()),
        }
    }

    /// Records that may be the person's: live and in the trash, and live once more, so that one that is taken back from the
    /// trash meanwhile isn't missed.
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
                    // By its id: a post that was held makes its lead later.
                    if theirs && id.time() <= self.until {
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

    /// Jobs about the person. That somebody asked for them is about whoever asked.
    async fn jobs(&mut self) -> Result<()> {
        let cx = self.cx;
        cx.every::<Job>(Kept::Live)
            .each(|job| {
                let of = job.work.person().is_some_and(|person| cx.env.is_pseudonym(cx.org, self.address, person));
                if of && job.created_at <= self.until {
                    self.known.records.push(PersonalRecord::of(job, Kept::Live));
                }
            })
            .await
    }

    /// Records that are nobody's in particular.
    async fn others<T: Record>(&mut self) -> Result<()> {
        for kept in [Kept::Live, Kept::InTrash] {
            let cx = self.cx;
            cx.every::<T>(kept).each(|record| self.mentioned(record.id(), record.text())).await?;
        }
        Ok(())
    }

    fn mentioned(&mut self, id: AnyId, json: &str) {
        // What a lead of theirs became may hold their words without their address.
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

    /// Entries about the person's records, among them those of requests that were refused; and what names them besides.
    async fn at_entries(&mut self) -> Result<()> {
        let (ids, until) = (&self.ids, EntryId::last_at(self.until));
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
                } else if fact.id <= until && self.address.is_in_json(detail) {
                    mentioning.push(fact.id);
                }
            })
            .await
    }
}

/// The address of the person that a record is about, in the form in which addresses are compared.
fn address_in(record: &Value) -> Option<String> {
    let address = record["email"].as_str().or(record["enquiry"]["email"].as_str())?;
    EmailAddress::parse(address).ok().map(|address| address.normalized())
}

fn is_of(record: &Value, address: &str) -> bool {
    address_in(record).is_some_and(|found| found == address)
}
