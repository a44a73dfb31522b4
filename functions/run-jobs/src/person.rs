//! All that is known of a person: whose address it is says which records, and which entries.

use daybook_domain::api_key::ApiKey;
use daybook_domain::demo::Demo;
use daybook_domain::form::Form;
use daybook_domain::invitation::Invitation;
use daybook_domain::job::{Job, MOST_MENTIONS};
use daybook_domain::lead::Lead;
use daybook_domain::organization::Organization;
use daybook_domain::role::CustomRole;
use daybook_domain::submission::Submission;
use daybook_domain::team::Team;
use daybook_domain::user::User;
use daybook_domain::{AnyId, EmailAddress, EntryId, Record, RecordType, Timestamp};
use daybook_store::{Cx, Kept, Result};
use std::collections::BTreeSet;

/// A record of a person.
pub enum Of {
    /// A lead.
    Lead(Lead),
    /// A posted form.
    Submission(Submission),
    /// A demonstration.
    Demo(Demo),
    /// An invitation.
    Invitation(Invitation),
    /// Somebody who signs in.
    User(User),
    /// An earlier job about the same person.
    Job(Job),
}

/// All that is known of a person.
#[derive(Default)]
pub struct Known {
    /// Their records.
    pub records: Vec<(Of, Kept)>,
    /// Records about others that mention their address, as far as they are named.
    pub mentions: Vec<AnyId>,
    /// Entries about their records, and entries that mention their address.
    pub entries: Vec<EntryId>,
}

/// Looks at all there is of an organisation until a moment.
pub async fn known(cx: &Cx, address: &EmailAddress, until: Timestamp) -> Result<Known> {
    let mut looking = Looking {
        cx,
        address,
        normalized: address.normalized(),
        pseudonym: cx.env.pseudonym(cx.org, address),
        until,
        ids: BTreeSet::new(),
        known: Known::default(),
    };
    // Parents before their children.
    for kind in RecordType::ALL {
        looking.at(*kind).await?;
    }
    let Looking { ids, mut known, .. } = looking;
    known.entries = cx.entries_where(&|id| ids.contains(&id), until, &|text| address.is_in(text)).await?;
    Ok(known)
}

struct Looking<'a> {
    cx: &'a Cx,
    address: &'a EmailAddress,
    normalized: String,
    pseudonym: String,
    until: Timestamp,
    ids: BTreeSet<AnyId>,
    known: Known,
}

impl Looking<'_> {
    async fn at(&mut self, kind: RecordType) -> Result<()> {
        match kind {
            RecordType::Lead => self.own(Of::Lead).await,
            RecordType::Submission => self.own(Of::Submission).await,
            RecordType::Demo => self.own(Of::Demo).await,
            RecordType::Invitation => self.own(Of::Invitation).await,
            RecordType::User => self.own(Of::User).await,
            RecordType::Job => self.own(Of::Job).await,
            RecordType::Organization => self.others::<Organization>().await,
            RecordType::Role => self.others::<CustomRole>().await,
            RecordType::Team => self.others::<Team>().await,
            RecordType::ApiKey => self.others::<ApiKey>().await,
            RecordType::Form => self.others::<Form>().await,
        }
    }

    /// Records that may be the person's, live and in the trash.
    async fn own<T: Record>(&mut self, of: fn(T) -> Of) -> Result<()> {
        for kept in [Kept::Live, Kept::InTrash] {
            let cx = self.cx;
            cx.each::<T>(kept, |record, json| {
                let theirs = record.person().is_some_and(|person| person == self.normalized)
                    || record.parents().iter().any(|parent| self.ids.contains(parent))
                    || json.contains(&self.pseudonym);
                if theirs && record.date() <= self.until {
                    // That somebody asked for a job is about whoever asked.
                    if T::TYPE != RecordType::Job {
                        self.ids.insert(record.id());
                    }
                    self.known.records.push((of(record), kept));
                } else {
                    self.mentioned(record.id(), json);
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Records that are nobody's in particular.
    async fn others<T: Record>(&mut self) -> Result<()> {
        for kept in [Kept::Live, Kept::InTrash] {
            let cx = self.cx;
            cx.each::<T>(kept, |record, json| self.mentioned(record.id(), json)).await?;
        }
        Ok(())
    }

    fn mentioned(&mut self, id: AnyId, json: &str) {
        if self.known.mentions.len() < MOST_MENTIONS && self.address.is_in(json) {
            self.known.mentions.push(id);
        }
    }
}
