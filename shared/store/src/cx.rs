//! What a handler or worker gets: who asks, in which organisation, and the records they may reach.

use crate::item::expires_after;
use crate::json::object_of;
use crate::rows::cascade::Cascades;
use crate::schema::{DATA, Index, Key, Place, Question, SK};
use crate::settings::Settings;
use crate::table::{Item, Table, is_item_of, text};
use crate::{Clock, Error, Ids, Keyring, Once, Reach, Reply, Result, Secrets, Tx, sha256_hex};
use aws_sdk_dynamodb::types::AttributeValue;
use daybook_domain::permission::Grants;
use daybook_domain::{Actor, AnyId, Claim, Conflict, Error as Domain, OrgId, Record, Stamp, Stored, Timestamp, UserId};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How often a change without `If-Match` is decided anew when others were faster.
const DECISIONS: u32 = 10;

/// The parts of a running function that all requests share.
#[derive(Clone, Debug)]
pub struct Env {
    /// The table.
    pub table: Table,
    /// The time.
    pub clock: Clock,
    /// Fresh ids.
    pub ids: Ids,
    /// The deployment's secrets.
    pub keys: Keyring,
    /// The deployment's settings.
    pub settings: Settings,
    /// The settings that stand elsewhere.
    pub secrets: Secrets,
}

/// What is known of a request before anybody handles it.
#[derive(Debug)]
pub struct RequestInfo {
    /// Its id, from the client or ours.
    pub id: String,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The route that answers it, as in the table of routes.
    pub route: &'static str,
    /// The query string.
    pub query: Option<String>,
    /// The body, where it was JSON or a form.
    pub body: Option<Value>,
    /// The address it came from, as the gateway or the socket says.
    pub ip: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The trace it is part of: X-Ray's, or a `traceparent` (W3C).
    pub trace: Option<String>,
    /// When it arrived.
    pub started: Instant,
    /// What its commits have in common, where it is a batch of them.
    pub batch: Option<String>,
    /// How many commits it made.
    pub commits: AtomicU32,
    /// Whether its answer is that of an earlier request.
    pub replayed: AtomicBool,
    /// What it read of records that seldom change.
    pub seen: Mutex<HashMap<Key, Option<Item>>>,
}

impl RequestInfo {
    /// A piece of work that no request asked for.
    pub fn internal(id: String, route: &'static str) -> RequestInfo {
        RequestInfo {
            id,
            method: String::new(),
            path: String::new(),
            route,
            query: None,
            body: None,
            ip: None,
            user_agent: None,
            trace: None,
            started: Instant::now(),
            batch: None,
            commits: AtomicU32::new(0),
            replayed: AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }
}

/// The context of a request or job. Every read and write goes through it, and so stays within its
/// organisation and the actor's scope.
#[derive(Clone, Debug)]
pub struct Cx {
    /// The parts all requests share.
    pub env: Arc<Env>,
    /// The organisation.
    pub org: OrgId,
    /// Who asks.
    pub actor: Actor,
    /// How far the actor's permission reaches on this route.
    pub reach: Reach,
    /// All that the actor may do.
    pub grants: Arc<Grants>,
    /// The request.
    pub request: Arc<RequestInfo>,
    /// The idempotency of the request, if it has one.
    pub once: Option<Arc<Once>>,
    /// Whose teams were asked for first, and who is in them.
    pub mates: Arc<OnceCell<(OrgId, UserId, Reach)>>,
}

/// Who holds a unique value, and who held it last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The record that holds it.
    pub current: Option<AnyId>,
    /// The record that held it before it was deleted or converted.
    pub previous: Option<AnyId>,
}

impl Env {
    /// The context of work that Daybook does itself.
    pub fn system(self: &Arc<Self>, org: OrgId, route: &'static str) -> Cx {
        let request = RequestInfo::internal(format!("job_{}", self.ids.next().simple()), route);
        Cx {
            env: self.clone(),
            org,
            actor: Actor::System,
            reach: Reach::All,
            grants: Arc::new(Grants::default()),
            request: Arc::new(request),
            once: None,
            mates: Arc::default(),
        }
    }

    /// All organisations, the default one included.
    pub async fn organizations(&self) -> Result<Vec<OrgId>> {
        let items = self.table.query_all(&Question::Organizations.range()).await?;
        let named = items.iter().filter_map(|item| text(item, "org")?.parse().ok());
        let mut all: Vec<OrgId> = named.chain([self.settings.default_org]).collect();
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Who holds a value that is unique in the whole deployment, and in which organisation.
    pub async fn holder(&self, claim: &Claim) -> Result<Option<(OrgId, AnyId)>> {
        // The organisation and type of a global claim's key play no part in it.
        let place = Place::Claim(self.settings.default_org, daybook_domain::RecordType::User, claim);
        let Some(item) = self.table.get(&place.key()).await? else { return Ok(None) };
        Ok(text(&item, "org").and_then(|org| org.parse().ok()).zip(text(&item, "id").and_then(|id| id.parse().ok())))
    }
}

impl Cx {
    /// Now.
    pub fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// The facts a change starts from, with a fresh id.
    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.now(), actor: self.actor.clone(), id: self.env.ids.next() }
    }

    /// A record, unless there is none or the actor may not know of it.
    pub async fn find<T: Record>(&self, id: impl Into<AnyId>) -> Result<Option<Stored<T>>> {
        let key = Place::Record(self.org, id.into()).key();
        let record = match is_cascaded::<T>() {
            true => self.find_unless_cascading(key).await?,
            false => self.env.table.get_record(&key).await?.map(record_of::<T>).transpose()?,
        };
        Ok(record.filter(|record| self.reaches(record.owner())))
    }

    /// A record that may go with others, unless it is about to: with one call.
    async fn find_unless_cascading<T: Record>(&self, key: Key) -> Result<Option<Stored<T>>> {
        let items = self.env.table.get_all(&[key.clone(), Cascades::key(self.org)]).await?;
        let (found, cascades): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| is_item_of(item, &key));
        let cascades = Cascades::of(cascades.into_iter().next())?;
        let record = found.into_iter().next().map(record_of::<T>).transpose()?;
        Ok(record.filter(|record| !cascades.holds_any(&record.cascade_parents())))
    }

    /// What falls, where records of a type may.
    pub(crate) async fn cascades<T: Record>(&self) -> Result<Cascades> {
        if is_cascaded::<T>() { Cascades::read(&self.env, self.org).await } else { Ok(Cascades::default()) }
    }

    /// A record that is asked for again and again and seldom changes, as it was when this request first asked for it, unless
    /// there is none or the actor may not know of it.
    pub async fn find_often<T: Record>(&self, id: impl Into<AnyId>) -> Result<Option<Stored<T>>> {
        let key = Place::Record(self.org, id.into()).key();
        let seen = self.request.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let item = match seen {
            Some(item) => item,
            None => {
                let item = self.env.table.get(&key).await?;
                self.request.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key, item.clone());
                item
            }
        };
        let record = item.map(record_of::<T>).transpose()?;
        Ok(record.filter(|record| self.reaches(record.owner())))
    }

    /// A record, or the error that says there is none.
    pub async fn get<T: Record>(&self, id: impl Into<AnyId>) -> Result<Stored<T>> {
        self.find(id).await?.ok_or_else(|| Domain::not_found(T::TYPE).into())
    }

    /// Who holds a unique value of a type.
    pub async fn holder(&self, of: daybook_domain::RecordType, claim: &Claim) -> Result<Holder> {
        let item = self.env.table.get(&Place::Claim(self.org, of, claim).key()).await?;
        let Some(item) = item.filter(|item| expires_after(item, self.now().as_second())) else {
            return Ok(Holder::default());
        };
        let id = |name: &str| text(&item, name).and_then(|id| id.parse().ok());
        Ok(Holder { current: id("id"), previous: id("previous") })
    }

    /// Changes a record together with others: reads it, decides, commits, and decides anew when somebody else was
    /// faster with any of them. With `if_match` the record must be at that version.
    pub async fn alter<T: Record, R: Reply, W: Future<Output = Result<Decision<R>>>>(
        &self,
        id: impl Into<AnyId>,
        if_match: Option<u64>,
        alter: impl Fn(Stored<T>) -> W,
    ) -> Result<R> {
        self.decided(id.into(), if_match, |_| Ok(Map::new()), alter).await
    }

    /// The same; where the record isn't at the version that was named, the error tells these fields as they are.
    pub async fn decided<T: Record, R: Reply, W: Future<Output = Result<Decision<R>>>>(
        &self,
        id: AnyId,
        if_match: Option<u64>,
        conflicting: impl Fn(&T) -> Result<Map<String, Value>>,
        alter: impl Fn(Stored<T>) -> W,
    ) -> Result<R> {
        for attempt in 0..DECISIONS {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let before = self.get::<T>(id).await?;
            if if_match.is_some_and(|version| version != before.version()) {
                return Err(Domain::Stale { version: before.version(), current: conflicting(&before)? }.into());
            }
            let (tx, reply) = match alter(before).await? {
                Decision::Commit(tx, reply) => (tx, reply),
                Decision::Nothing(reply) => return Ok(reply),
            };
            match self.commit(tx, reply).await {
                Err(Error::Domain(Domain::Stale { .. })) if if_match.is_none() => {}
                outcome => return outcome,
            }
        }
        Err(Domain::Conflict(Conflict::Contended).into())
    }

    /// A part of the request, with a commit of its own; repeats of the request repeat it by itself.
    #[must_use]
    pub fn part(&self, batch: &str, number: usize) -> Cx {
        let of = &self.request;
        let request = RequestInfo {
            method: of.method.clone(),
            path: of.path.clone(),
            query: of.query.clone(),
            body: of.body.clone().filter(|_| number == 0),
            ip: of.ip,
            user_agent: of.user_agent.clone(),
            trace: of.trace.clone(),
            started: of.started,
            batch: Some(batch.to_owned()),
            ..RequestInfo::internal(of.id.clone(), of.route)
        };
        let numbered = |once: &Arc<Once>| Once {
            hash: sha256_hex(format!("{} {number}", once.hash).as_bytes()),
            ..(**once).clone()
        };
        Cx { request: Arc::new(request), once: self.once.as_ref().map(|once| Arc::new(numbered(once))), ..self.clone() }
    }

    /// Refused where one of the first parts of the request was carried out for another request with the same key.
    pub async fn same_parts(&self, batch: &str, count: usize) -> Result<()> {
        let Some(once) = &self.once else { return Ok(()) };
        let parts = (0..count).filter_map(|number| self.part(batch, number).once);
        let keys: Vec<Key> = parts.map(|part| Place::Once(part.org, &part.hash).key()).collect();
        let now = self.now().as_second();
        let others = self.env.table.get_all(&keys).await?.into_iter().filter(|item| expires_after(item, now));
        match others.into_iter().any(|item| text(&item, "fingerprint") != Some(&once.fingerprint)) {
            true => Err(Domain::Conflict(Conflict::KeyReused).into()),
            false => Ok(()),
        }
    }

    /// Whose records are; those that are gone are left out. Whoever asks isn't told more of them.
    pub async fn owners(&self, ids: &[AnyId]) -> Result<Vec<(AnyId, Option<UserId>)>> {
        let keys: Vec<Key> = ids.iter().map(|id| Place::Record(self.org, *id).key()).collect();
        let items = self.env.table.get_all(&keys).await?;
        let owner = |item: &Item| {
            let owner = text(item, Index::ByOwner.pk()).and_then(|pk| pk.rsplit_once('#')?.1.parse().ok());
            Some((text(item, SK)?.parse().ok()?, owner))
        };
        Ok(items.iter().filter_map(owner).collect())
    }

    /// The same request in another organisation. Only where something that was sent says which it
    /// is (a form, a token, a name to sign in with), or where one is made.
    pub fn in_organization(&self, org: OrgId) -> Cx {
        Cx { org, ..self.clone() }
    }

    /// The same request with an idempotency of our own making, unless the client gave it one.
    pub fn once_by(&self, scope: &str, content: &str, kept: Duration) -> Cx {
        let derived = Once {
            hash: sha256_hex(format!("{scope}\n{content}").as_bytes()),
            fingerprint: sha256_hex(content.as_bytes()),
            kept,
            from_client: false,
            org: self.org,
        };
        Cx { once: Some(self.once.clone().unwrap_or_else(|| Arc::new(derived))), ..self.clone() }
    }

    /// Whether the actor reaches a record of this owner.
    pub fn reaches(&self, owner: Option<UserId>) -> bool {
        self.reach.holds(owner)
    }

    /// Does something that reads and then commits, anew while others change what it read.
    pub async fn decide<R, W: Future<Output = Result<R>>>(&self, work: impl Fn() -> W) -> Result<R> {
        for attempt in 0..DECISIONS {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            match work().await {
                Err(Error::Domain(Domain::Stale { .. })) => {}
                outcome => return outcome,
            }
        }
        Err(Domain::Conflict(Conflict::Contended).into())
    }
}

/// What is to become of a record.
#[derive(Debug)]
pub enum Decision<R> {
    /// This change, with this answer.
    Commit(Tx, R),
    /// It is as it should be.
    Nothing(R),
}

/// The fields that a decision would change, with their current values.
pub fn overlap<T: Record>(before: &T, wanted: &T) -> Result<Map<String, Value>> {
    Ok(crate::journal::difference(&object_of(before)?, &object_of(wanted)?).0)
}

/// The fields that a decision would change, with the values they would have.
pub fn changed_fields<T: Record>(before: &T, wanted: &T) -> Result<Map<String, Value>> {
    Ok(crate::journal::difference(&object_of(before)?, &object_of(wanted)?).1)
}

/// The record in an item.
pub fn record_of<T: Record>(mut item: Item) -> Result<Stored<T>> {
    let Some(AttributeValue::S(data)) = item.remove(DATA) else {
        return Err(Error::internal("read a record", "its item has no data"));
    };
    Stored::read(data).map_err(|error| Error::internal("read a record", error))
}

/// Refused where a record must be at a version and isn't.
pub fn is_at<T: Record>(record: &T, version: Option<u64>) -> Result<(), Domain> {
    match version {
        Some(version) if version != record.version() => {
            Err(Domain::Stale { version: record.version(), current: Map::new() })
        }
        _ => Ok(()),
    }
}

/// Whether records of a type go with others when these are removed.
pub(crate) fn is_cascaded<T: Record>() -> bool {
    !T::CASCADES_FROM.is_empty()
}

/// How many bytes of JSON a record's item holds.
pub(crate) fn data_bytes(item: &Item) -> usize {
    text(item, DATA).map_or(0, String::len)
}

/// The version and data of a record's item, if it is one.
pub(crate) fn data_of(item: &Item) -> Option<(u64, Map<String, Value>)> {
    let version = item.get("version")?.as_n().ok()?.parse().ok()?;
    Some((version, serde_json::from_str(text(item, DATA)?).ok()?))
}
