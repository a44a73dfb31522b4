//! Timelines: the child records, mails and changes of a record in one list, the newest first.

use daybook_domain::record::OnTimelines;
use daybook_domain::registry::boxed;
use daybook_domain::{
    AnyId, EntryId, Error as Domain, Event, Record, RecordType, Rule, Timestamp, for_each_record_type, with_record_type,
};
use daybook_http::{Cx, Error, Listed, PageQuery, Path, Result};
use daybook_records::Model;
use daybook_store::facts::{FactsAsk, Source};
use daybook_store::journal::CLOCK_AHEAD;
use daybook_store::rows::delivery::{self, State};
use daybook_store::turn::handled;
use daybook_store::{Fact, PAGE_BYTES, Page, Reach, bytes_of};
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::Duration;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema as _, ToSchema as _};

/// The maximum number of changes on a timeline: the newest ones.
const MOST_CHANGES: usize = 500;

/// The most children of a type that a page looks at, where the caller may not see all of them.
const MOST_LOOKED_AT: usize = 1_000;

/// The number of records that are read first; each may have 64 KB.
const AT_ONCE: usize = 32;

/// An entry of a timeline: a child record was created, a mail was sent, or the record changed.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The type of the created record, `mail` or `change`; also the name of the field with the details.
    kind: String,
    /// When it happened.
    at: Timestamp,
    /// The details.
    what: Value,
}

/// The types of entries other than child records.
const MAIL: &str = "mail";
const CHANGE: &str = "change";

impl Moment {
    fn of(kind: &str, at: Timestamp, what: &impl Serialize) -> Result<Moment> {
        let what = serde_json::to_value(what).map_err(|error| Error::internal("write a timeline", error))?;
        Ok(Moment { kind: kind.to_owned(), at, what })
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(3))?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry(&self.kind, &self.what)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = Map::<String, Value>::deserialize(from)?;
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        let read = |value: Value| serde_json::from_value(value).map_err(D::Error::custom);
        let kind: String = serde_json::from_value(take("type")).map_err(D::Error::custom)?;
        let what = take(&kind);
        Ok(Moment { at: read(take("at"))?, kind, what })
    }
}

/// The record types that timelines show, with the description of each.
fn shown_types() -> Vec<(RecordType, &'static str)> {
    let mut types = Vec::new();
    for_each_record_type!(T => if let OnTimelines::Yes(tells) = T::ON_TIMELINES {
        types.push((T::TYPE, tells));
    });
    types
}

impl utoipa::PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let mut all = OneOfBuilder::new();
        let named = |name: &str, text: &str| {
            let mut named = Ref::from_schema_name(name);
            named.description = text.to_owned();
            RefOr::Ref(named)
        };
        let mut add = |kind: &str, tells: &str, what: RefOr<Schema>| {
            let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind]));
            let object = ObjectBuilder::new()
                .description(Some(tells))
                .property("at", named("Timestamp", "When it happened."))
                .required("at")
                .property(kind, what)
                .required(kind)
                .property("type", name)
                .required("type");
            all = std::mem::take(&mut all).item(object);
        };
        for_each_record_type!(T => if let OnTimelines::Yes(tells) = T::ON_TIMELINES {
            add(T::TYPE.name(), tells, named(&T::name(), "The current state of the record."));
        });
        add(MAIL, "A mail about the record was sent, or failed.", named(&SentMail::name(), "The mail."));
        add(CHANGE, "The record changed.", named(&Happened::name(), "The change."));
        all.into()
    }
}

impl utoipa::ToSchema for Moment {
    fn name() -> std::borrow::Cow<'static, str> {
        "TimelineEntry".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        for_each_record_type!(T => if T::ON_TIMELINES != OnTimelines::No {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        });
        schemas.push((SentMail::name().into_owned(), SentMail::schema()));
        SentMail::schemas(schemas);
        schemas.push((Happened::name().into_owned(), Happened::schema()));
        Happened::schemas(schemas);
        schemas.push((Timestamp::name().into_owned(), Timestamp::schema()));
    }
}

/// A change of a record, from the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Happened {
    /// The entry of the audit log, which has the values.
    pub entry_id: EntryId,
    /// The event.
    pub event: Event,
    /// The user or API key that made the change; none for an anonymous client or Daybook itself.
    #[schema(value_type = Option<String>)]
    pub actor_id: Option<AnyId>,
    /// The fields that changed.
    pub fields: Vec<String>,
}

/// A mail about a record.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SentMail {
    /// The kind of mail: `mail-confirmation` to the visitor, `mail-notification` to the team.
    pub kind: String,
    /// The state of the delivery.
    pub state: State,
    /// The number of attempts.
    pub attempts: u32,
    /// The mail service's id of the message.
    pub remote_id: Option<String>,
    /// The last error.
    pub last_error: Option<String>,
}

/// A timeline entry before its record is read.
enum Mark {
    Child(AnyId),
    Mail(SentMail),
    Change(Box<Fact>),
}

impl Mark {
    /// The sort key among entries of the same millisecond: an effect comes after its cause.
    fn name(&self) -> String {
        match self {
            Mark::Change(fact) => format!("0 {}", fact.id),
            Mark::Child(id) if id.kind == RecordType::Submission => format!("1 {id}"),
            Mark::Child(id) => format!("2 {id}"),
            Mark::Mail(mail) => format!("3 {} {}", mail.kind, mail.remote_id.as_deref().unwrap_or_default()),
        }
    }
}

/// Lists the timeline of a record, the newest first.
pub async fn timeline<T: Model>(cx: Cx, Path(id): Path<T::Id>, query: PageQuery) -> Result<Listed<Moment>> {
    let record = cx.get::<T>(id).await?;
    timeline_of(&cx, &*record, &query).await
}

/// Returns a page of a record's timeline, the newest first.
pub async fn timeline_of<T: Record>(cx: &Cx, record: &T, query: &PageQuery) -> Result<Listed<Moment>> {
    let binding = format!("{}|timeline|{}", cx.org, record.id());
    let begin = query.cursor.as_deref().map(|cursor| place_of(&cx.cursors().open(cursor, &binding)?)).transpose()?;
    let Marks { list: mut marks, mut next } = marks(cx, record.id(), begin.as_ref(), query.limit).await?;
    let mut is_cut = marks.len() > query.limit;
    marks.truncate(query.limit);
    let places: Vec<Place> = marks.iter().map(|(at, mark)| (*at, mark.name())).collect();
    let (mut moments, mut bytes, mut last, mut at_once) = (Vec::new(), 0, 0, AT_ONCE);
    let mut marks = marks.into_iter();
    'page: while last < places.len() {
        for moment in shown(cx, marks.by_ref().take(at_once).collect()).await? {
            if let Some(moment) = moment {
                let size = bytes_of(&moment)?;
                handled(size).await;
                if bytes + size > PAGE_BYTES && !moments.is_empty() {
                    is_cut = true;
                    break 'page;
                }
                bytes += size;
                moments.push(moment);
            }
            last += 1;
        }
        // As many as probably fit the page.
        at_once = (PAGE_BYTES.saturating_sub(bytes) / (bytes / last + 1)).clamp(1, 4 * AT_ONCE);
    }
    if is_cut {
        next = places.into_iter().nth(last.wrapping_sub(1));
    }
    let next = next.map(|(at, name)| cx.cursors().seal(&format!("{at}|{name}"), &binding)).transpose()?;
    Ok(Listed(Page::of(moments, query.limit, next)))
}

/// The place of an entry on a timeline: its time, and its name among those of the same millisecond.
type Place = (Timestamp, String);

fn place_of(text: &str) -> Result<Place> {
    let read = || {
        let (at, name) = text.split_once('|')?;
        Some((at.parse().ok()?, name.to_owned()))
    };
    read().ok_or_else(|| Domain::query("cursor", Rule::Cursor).into())
}

/// The newest entries of a timeline.
struct Marks {
    list: Vec<(Timestamp, Mark)>,
    /// The place behind which there may be older ones, besides those in the list.
    next: Option<Place>,
}

/// The entries before a place, the newest first: some more than `limit`, if there are as many.
async fn marks(cx: &Cx, record: AnyId, begin: Option<&Place>, limit: usize) -> Result<Marks> {
    let mut marks = Vec::new();
    // Of a type whose children weren't read to the end, older ones may be missing: nothing older is shown.
    let mut horizon: Option<Place> = None;
    for (kind, _) in shown_types() {
        let Some(seeing) = seeing(cx, kind).await? else { continue };
        let Children { ids, unread } = newest_children(&seeing, record, kind, begin, limit).await?;
        marks.extend(ids.into_iter().map(|id| (id.time(), Mark::Child(id))));
        horizon = horizon.max(unread.map(|id| (id.time(), Mark::Child(id).name())));
    }
    let source = Source::Record(record);
    let ask = FactsAsk {
        source: &source,
        // All of them: they aren't dated in order where the clock was ahead for a time.
        from: Timestamp::UNIX_EPOCH,
        to: cx.now().plus(CLOCK_AHEAD),
        ascending: false,
        after: None,
        limit: MOST_CHANGES,
        keep: &|fact| fact.version > 0 || is_shown(fact.event),
    };
    let (mails, facts) = tokio::try_join!(delivery::about(&cx.env, cx.org, record), cx.journal().page(&ask))?;
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
    marks.retain(|(at, mark)| {
        let place = (*at, mark.name());
        begin.is_none_or(|begin| place < *begin) && horizon.as_ref().is_none_or(|horizon| place >= *horizon)
    });
    marks.sort_by_cached_key(|(at, mark)| std::cmp::Reverse((*at, mark.name())));
    Ok(Marks { list: marks, next: horizon })
}

/// The newest children of a record, of one type.
struct Children {
    /// Those that the caller may see.
    ids: Vec<AnyId>,
    /// The last one that was looked at, if there may be older ones.
    unread: Option<AnyId>,
}

/// Reads children made before a place or at its time until there are more than `limit` that the caller may see.
async fn newest_children(
    seeing: &Cx,
    record: AnyId,
    kind: RecordType,
    begin: Option<&Place>,
    limit: usize,
) -> Result<Children> {
    let newest = begin.map_or(seeing.now().plus(CLOCK_AHEAD), |(at, _)| *at);
    let mut before = AnyId::first_at(kind, newest.plus(Duration::from_millis(1)));
    let mut ids = Vec::new();
    let mut looked_at = 0;
    loop {
        let (mut some, more) = seeing.children_before(record, before, limit + 1).await?;
        let Some(last) = some.last().copied() else { return Ok(Children { ids, unread: None }) };
        some.retain(|id| begin.is_none_or(|begin| (id.time(), Mark::Child(*id).name()) < *begin));
        looked_at += some.len();
        match seeing.reach {
            Reach::All => ids.extend(some),
            // Before they are counted: a page is full of what the caller may see.
            _ => {
                let reached = seeing.reached_by_id(&some).await?;
                ids.extend(some.into_iter().filter(|id| reached.get(id) == Some(&true)));
            }
        }
        if !more {
            return Ok(Children { ids, unread: None });
        }
        if ids.len() > limit || looked_at >= MOST_LOOKED_AT {
            return Ok(Children { ids, unread: Some(last) });
        }
        before = last;
    }
}

/// The request, scoped to the caller's permission to read records of a type.
async fn seeing(cx: &Cx, kind: RecordType) -> Result<Option<Cx>> {
    match with_record_type!(kind, T => T::READING) {
        Some(reading) => daybook_records::seeing(cx, reading).await,
        None => Ok(None),
    }
}

/// Whether timelines show an event that changes no record, or that is published in addition to a change.
fn is_shown(event: Event) -> bool {
    use Event::{OpportunityLost, OpportunityWon, TaskCompleted, TaskDue, TaskOverdue};
    matches!(event, TaskDue | TaskOverdue | TaskCompleted | OpportunityWon | OpportunityLost)
}

/// Reads the records of a page. Records deleted meanwhile, and records the caller may not see, are left out.
async fn shown(cx: &Cx, marks: Vec<(Timestamp, Mark)>) -> Result<Vec<Option<Moment>>> {
    let mut children: HashMap<AnyId, Moment> = HashMap::new();
    for (kind, _) in shown_types() {
        let ids = marks.iter().filter_map(|(_, mark)| match mark {
            Mark::Child(id) if id.kind == kind => Some(*id),
            Mark::Child(_) | Mark::Mail(_) | Mark::Change(_) => None,
        });
        let ids: Vec<AnyId> = ids.collect();
        if ids.is_empty() {
            continue;
        }
        let Some(seeing) = seeing(cx, kind).await? else { continue };
        with_record_type!(kind, T => for (id, record) in boxed(|| seeing.records::<T>(ids.into_iter())).await? {
            children.insert(id, Moment::of(kind.name(), id.time(), &record)?);
        });
    }
    let moment = |(at, mark)| match mark {
        Mark::Child(id) => Ok(children.remove(&id)),
        Mark::Mail(mail) => Moment::of(MAIL, at, &mail).map(Some),
        Mark::Change(fact) => {
            let Fact { id, event, actor, fields, .. } = *fact;
            Moment::of(CHANGE, at, &Happened { entry_id: id, event, actor_id: actor.id(), fields }).map(Some)
        }
    };
    marks.into_iter().map(moment).collect()
}
