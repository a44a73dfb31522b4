//! Timelines: what belongs to a record, what was mailed about it and what became of it, the newest first.

use crate::work::Work;
use daybook_domain::contact::Contact;
use daybook_domain::demo::Demo;
use daybook_domain::interaction::Interaction;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::submission::Submission;
use daybook_domain::task::Task;
use daybook_domain::{AnyId, EntryId, Error as Domain, Event, Record, RecordType, Rule, Timestamp};
use daybook_http::{Cx, Listed, PageQuery, Path, Result};
use daybook_store::facts::{FactsAsk, Source};
use daybook_store::rows::delivery::{self, State};
use daybook_store::{Fact, PAGE_BYTES, Page, bytes_of};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// So many changes of a record are told, the newest.
const MOST_CHANGES: usize = 500;

/// Something that happened with a record.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TimelineEntry)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Moment {
    /// A form was posted.
    Submission {
        /// When.
        at: Timestamp,
        /// The post.
        submission: Box<Submission>,
    },
    /// A demonstration was asked for.
    Demo {
        /// When.
        at: Timestamp,
        /// The demonstration, as it is now.
        demo: Box<Demo>,
    },
    /// Somebody to talk to was added.
    Contact {
        /// When.
        at: Timestamp,
        /// The contact, as it is now.
        contact: Box<Contact>,
    },
    /// Something was talked about.
    Interaction {
        /// When it was written down.
        at: Timestamp,
        /// The interaction.
        interaction: Box<Interaction>,
    },
    /// An opportunity was seen.
    Opportunity {
        /// When.
        at: Timestamp,
        /// The opportunity, as it is now.
        opportunity: Box<Opportunity>,
    },
    /// A task was set.
    Task {
        /// When.
        at: Timestamp,
        /// The task, as it is now.
        task: Box<Task>,
    },
    /// A mail went out, or didn't.
    Mail {
        /// When its state last changed.
        at: Timestamp,
        /// The mail.
        mail: SentMail,
    },
    /// The record changed.
    Change {
        /// When.
        at: Timestamp,
        /// What happened.
        change: Happened,
    },
}

/// A change of a record, as the audit log has it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Happened {
    /// The entry of the audit log, which tells more.
    pub entry_id: EntryId,
    /// What happened.
    pub event: Event,
    /// The user or key that did it; none where nobody known did.
    #[schema(value_type = Option<String>)]
    pub actor_id: Option<AnyId>,
    /// The fields that changed.
    pub fields: Vec<String>,
}

/// A mail about a record.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SentMail {
    /// Which mail: `mail-confirmation` to the visitor, `mail-notification` to the team.
    pub kind: String,
    /// How far it has come.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// What the mail service calls it.
    pub remote_id: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// Something on the timeline, before it is read.
enum Mark {
    Child(AnyId),
    Mail(SentMail),
    Change(Box<Fact>),
}

impl Mark {
    /// The timeline's order among things of one millisecond: what follows from another comes after it.
    fn name(&self) -> String {
        match self {
            Mark::Change(fact) => format!("0 {}", fact.id),
            Mark::Child(id) if id.kind == RecordType::Submission => format!("1 {id}"),
            Mark::Child(id) => format!("2 {id}"),
            Mark::Mail(mail) => format!("3 {} {}", mail.kind, mail.remote_id.as_deref().unwrap_or_default()),
        }
    }
}

/// The types of children that timelines show, with the permission to see them where it isn't that for their parent.
const CHILDREN: [(RecordType, Option<Resource>); 6] = [
    (RecordType::Submission, None),
    (RecordType::Demo, None),
    (RecordType::Contact, Some(Resource::Contacts)),
    (RecordType::Interaction, Some(Resource::Interactions)),
    (RecordType::Opportunity, Some(Resource::Opportunities)),
    (RecordType::Task, Some(Resource::Tasks)),
];

/// Lists what happened with a record, the newest first.
pub async fn timeline<T: Work>(cx: Cx, Path(id): Path<T::Id>, query: PageQuery) -> Result<Listed<Moment>> {
    let record = cx.get::<T>(id).await?;
    timeline_of(&cx, &*record, &query).await
}

/// What happened with a record, the newest first.
pub async fn timeline_of<T: Record>(cx: &Cx, record: &T, query: &PageQuery) -> Result<Listed<Moment>> {
    let binding = format!("{}|timeline|{}", cx.org, record.id());
    let mut marks = marks(cx, record.id()).await?;
    if let Some(cursor) = &query.cursor {
        let place = cx.open_place(cursor, &binding)?;
        let (at, name) = place.split_once('|').ok_or_else(|| Domain::query("cursor", Rule::Cursor))?;
        marks.retain(|(when, mark)| (when.to_string().as_str(), mark.name().as_str()) < (at, name));
    }
    let mut more = marks.len() > query.limit;
    marks.truncate(query.limit);
    let places: Vec<String> = marks.iter().map(|(at, mark)| format!("{at}|{}", mark.name())).collect();
    let (mut moments, mut bytes, mut last) = (Vec::new(), 0, places.len());
    for (n, moment) in shown(cx, marks).await?.into_iter().enumerate() {
        let Some(moment) = moment else { continue };
        bytes += bytes_of(&moment)?;
        if bytes > PAGE_BYTES && !moments.is_empty() {
            (more, last) = (true, n);
            break;
        }
        moments.push(moment);
    }
    let next = places.get(last.wrapping_sub(1)).filter(|_| more).map(|place| cx.seal_place(place, &binding));
    Ok(Listed(Page::of(moments, query.limit, next)))
}

async fn marks(cx: &Cx, record: AnyId) -> Result<Vec<(Timestamp, Mark)>> {
    let mut marks = Vec::new();
    for (kind, _) in CHILDREN {
        marks.extend(cx.children(record, kind).await?.into_iter().map(|id| (id.time(), Mark::Child(id))));
    }
    let now = cx.now().plus(Duration::from_secs(1));
    let source = Source::Record(record);
    let ask = FactsAsk {
        source: &source,
        from: record.time(),
        to: now,
        ascending: false,
        after: None,
        limit: MOST_CHANGES,
        keep: &|fact| fact.version > 0 || is_told(fact.event),
    };
    let (mails, facts) = tokio::try_join!(delivery::about(&cx.env, cx.org, record), cx.facts(&ask))?;
    marks.extend(mails.into_iter().map(|(kind, row)| {
        let mail = SentMail {
            kind,
            state: row.state,
            attempts: row.attempts,
            remote_id: row.remote_id,
            last_error: row.last_error,
        };
        (row.updated_at, Mark::Mail(mail))
    }));
    marks.extend(facts.facts.into_iter().map(|fact| (fact.at, Mark::Change(Box::new(fact)))));
    marks.sort_by_cached_key(|(at, mark)| std::cmp::Reverse((*at, mark.name())));
    Ok(marks)
}

/// Whether a timeline tells of an event that changed nothing, or that a change is announced as besides.
fn is_told(event: Event) -> bool {
    use Event::{OpportunityLost, OpportunityWon, TaskCompleted, TaskDue, TaskOverdue};
    matches!(event, TaskDue | TaskOverdue | TaskCompleted | OpportunityWon | OpportunityLost)
}

/// Reads what a page shows. What was deleted meanwhile, and what whoever asks may not see, is left out.
async fn shown(cx: &Cx, marks: Vec<(Timestamp, Mark)>) -> Result<Vec<Option<Moment>>> {
    let mut children: HashMap<AnyId, Moment> = HashMap::new();
    for (kind, resource) in CHILDREN {
        let ids = marks.iter().filter_map(|(_, mark)| match mark {
            Mark::Child(id) if id.kind == kind => Some(*id),
            _ => None,
        });
        let ids: Vec<AnyId> = ids.collect();
        if ids.is_empty() {
            continue;
        }
        let seeing = match resource {
            None => cx.clone(),
            Some(resource) => match cx.reaching(resource, Action::Read).await {
                Ok(seeing) => seeing,
                Err(_) => continue,
            },
        };
        macro_rules! read {
            ($Type:ty, $variant:ident, $field:ident) => {
                for (id, record) in seeing.records::<$Type>(ids.into_iter()).await? {
                    children.insert(id, Moment::$variant { at: id.time(), $field: Box::new(record) });
                }
            };
        }
        match kind {
            RecordType::Submission => read!(Submission, Submission, submission),
            RecordType::Demo => read!(Demo, Demo, demo),
            RecordType::Contact => read!(Contact, Contact, contact),
            RecordType::Interaction => read!(Interaction, Interaction, interaction),
            RecordType::Opportunity => read!(Opportunity, Opportunity, opportunity),
            RecordType::Task => read!(Task, Task, task),
            _ => {}
        }
    }
    let moment = |(at, mark)| match mark {
        Mark::Child(id) => children.remove(&id),
        Mark::Mail(mail) => Some(Moment::Mail { at, mail }),
        Mark::Change(fact) => {
            let Fact { id, event, actor, fields, .. } = *fact;
            Some(Moment::Change { at, change: Happened { entry_id: id, event, actor_id: actor.id(), fields } })
        }
    };
    Ok(marks.into_iter().map(moment).collect())
}
