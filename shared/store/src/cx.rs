//! The context of a request or job: its actor, organisation and permissions, and access to the records within them.

use crate::item::{expires_after, key_of};
use crate::json::object_of;
use crate::rows::cascade::Cascades;
use crate::schema::{DATA, Key, Place, Question};
use crate::settings::Settings;
use crate::table::{Item, Table, is_item_of, text};
use crate::{Clock, Error, Ids, Keyring, Once, Reach, Reply, Result, Secrets, Tx, sha256_hex};
use aws_sdk_dynamodb::types::AttributeValue;
use daybook_domain::permission::Grants;
use daybook_domain::{
    Actor, AnyId, Claim, Conflict, Error as Domain, Locale, OrgId, Record, Stamp, Stored, Timestamp, UserId,
};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// The number of attempts of a change without `If-Match`, after concurrent changes.
const DECISIONS: u32 = 10;

/// The parts of a running process that all requests share.
#[derive(Clone, Debug)]
pub struct Env {
    /// The table.
    pub table: Table,
    /// The clock.
    pub clock: Clock,
    /// The generator of ids.
    pub ids: Ids,
    /// The deployment's secrets.
    pub keys: Keyring,
    /// The deployment's settings.
    pub settings: Settings,
    /// The settings kept in Parameter Store and Secrets Manager.
    pub secrets: Secrets,
}

/// What is known of a request before it is handled.
#[derive(Debug)]
pub struct RequestInfo {
    /// Its id, sent by the client or generated.
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
    /// The client's IP address, from the gateway or the socket.
    pub ip: Option<IpAddr>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The trace it is part of: X-Ray's, or a `traceparent` (W3C).
    pub trace: Option<String>,
    /// When it arrived.
    pub started: Instant,
    /// The id that its commits share, where it is a batch of them.
    pub batch: Option<String>,
    /// The number of its commits.
    pub commits: AtomicU32,
    /// Whether its response is the stored reply to an earlier request.
    pub replayed: AtomicBool,
    /// A cache of records that seldom change, for this request.
    pub seen: Mutex<HashMap<Key, Option<Item>>>,
    /// The language of errors: that of the page, or of the form where neither the page nor the browser names one.
    pub language: Mutex<Option<Locale>>,
}

impl RequestInfo {
    /// Has errors be in a language, whatever the client accepts.
    pub fn speak(&self, language: Locale) {
        *self.language.lock().unwrap_or_else(PoisonError::into_inner) = Some(language);
    }

    /// Work that no HTTP request asked for.
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
            language: Mutex::default(),
        }
    }
}

/// The context of a request or job. Every read and write goes through it, and so stays within its organisation and the
/// actor's scope.
#[derive(Clone, Debug)]
pub struct Cx {
    /// The parts all requests share.
    pub env: Arc<Env>,
    /// The organisation.
    pub org: OrgId,
    /// The actor.
    pub actor: Actor,
    /// The scope of the actor's permission on this route.
    pub reach: Reach,
    /// All permissions of the actor.
    pub grants: Arc<Grants>,
    /// The request.
    pub request: Arc<RequestInfo>,
    /// The idempotency of the request, if it has one.
    pub once: Option<Arc<Once>>,
    /// The first user whose teams were asked for, with the members of these teams (cached).
    pub mates: Arc<OnceCell<(OrgId, UserId, Reach)>>,
}

/// The holder of a unique value, and its previous holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The record that holds it.
    pub current: Option<AnyId>,
    /// The record that held it before it was deleted or converted.
    pub previous: Option<AnyId>,
}

impl Env {
    /// The context of Daybook's own background work.
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

    /// The holder of a value that is unique in the whole deployment, and the holder's organisation.
    pub async fn holder(&self, claim: &Claim) -> Result<Option<(OrgId, AnyId)>> {
        // The key of a deployment-wide claim doesn't depend on organisation and type.
        let place = Place::Claim(self.settings.default_org, daybook_domain::RecordType::User, claim);
        let Some(item) = self.table.get(&place.key()).await? else { return Ok(None) };
        Ok(text(&item, "org").and_then(|org| org.parse().ok()).zip(text(&item, "id").and_then(|id| id.parse().ok())))
    }
}

impl Cx {
    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// The time, actor and new id of a change.
    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.now(), actor: self.actor.clone(), id: self.env.ids.next() }
    }

    /// A record; `None` where it doesn't exist or is outside the actor's scope.
    pub async fn find<T: Record>(&self, id: impl Into<AnyId>) -> Result<Option<Stored<T>>> {
        let key = Place::Record(self.org, id.into()).key();
        let record = match is_cascaded::<T>() {
            true => self.find_unless_cascading(key).await?,
            false => self.env.table.get_record(&key).await?.map(record_of::<T>).transpose()?,
        };
        self.within_reach(record).await
    }

    /// The record, if there is one and it is within the actor's scope.
    pub(crate) async fn within_reach<T: Record>(&self, record: Option<Stored<T>>) -> Result<Option<Stored<T>>> {
        Ok(match record {
            Some(record) if self.reaches(&*record).await? => Some(record),
            Some(_) | None => None,
        })
    }

    /// A record of a type with cascade parents; `None` while a cascade delete of a parent is in progress. One call.
    async fn find_unless_cascading<T: Record>(&self, key: Key) -> Result<Option<Stored<T>>> {
        let items = self.env.table.get_all(&[key.clone(), Cascades::key(self.org)]).await?;
        let (found, cascades): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| is_item_of(item, &key));
        let cascades = Cascades::of(cascades.into_iter().next())?;
        let record = found.into_iter().next().map(record_of::<T>).transpose()?;
        Ok(record.filter(|record| !cascades.holds_any(&record.cascade_parents())))
    }

    /// The cascade deletes in progress; empty for types that have no cascade parents.
    pub(crate) async fn cascades<T: Record>(&self) -> Result<Cascades> {
        if is_cascaded::<T>() { Cascades::read(&self.env, self.org).await } else { Ok(Cascades::default()) }
    }

    /// A record that is read often and changes seldom, cached for this request; `None` where it doesn't exist or is
    /// outside the actor's scope.
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
        self.within_reach(record).await
    }

    /// A record, or the error that it isn't found.
    pub async fn get<T: Record>(&self, id: impl Into<AnyId>) -> Result<Stored<T>> {
        self.find(id).await?.ok_or_else(|| Domain::not_found(T::TYPE).into())
    }

    /// The holder of a unique value of a type.
    pub async fn holder(&self, of: daybook_domain::RecordType, claim: &Claim) -> Result<Holder> {
        let item = self.env.table.get(&Place::Claim(self.org, of, claim).key()).await?;
        Ok(item.map(|item| self.holder_in(&item)).unwrap_or_default())
    }

    /// The holders of several unique values of a type, in the order of the values.
    pub async fn holders(&self, of: daybook_domain::RecordType, claims: &[Claim]) -> Result<Vec<Holder>> {
        let keys: Vec<Key> = claims.iter().map(|claim| Place::Claim(self.org, of, claim).key()).collect();
        let items = self.env.table.get_all(&keys).await?;
        let item_of = |key: &Key| items.iter().find(|item| key_of(item).as_ref() == Some(key));
        Ok(keys.iter().map(|key| item_of(key).map(|item| self.holder_in(item)).unwrap_or_default()).collect())
    }

    fn holder_in(&self, item: &Item) -> Holder {
        if !expires_after(item, self.now().as_second()) {
            return Holder::default();
        }
        let id = |name: &str| text(item, name).and_then(|id| id.parse().ok());
        Holder { current: id("id"), previous: id("previous") }
    }

    /// Changes a record, with others if need be: reads it, decides, commits, and decides anew after a concurrent change
    /// of any of them. With `if_match` the record must be at that version.
    pub async fn alter<T: Record, R: Reply, W: Future<Output = Result<Decision<R>>>>(
        &self,
        id: impl Into<AnyId>,
        if_match: Option<u64>,
        alter: impl Fn(Stored<T>) -> W,
    ) -> Result<R> {
        self.decided(id.into(), if_match, |_| Ok(Map::new()), alter).await
    }

    /// Like [`Cx::alter`]; where the record isn't at the version of `if_match`, the error has the current values of the
    /// `conflicting` fields.
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

    /// A part of a batch request, with its own commit and an idempotency key derived from the request's.
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

    /// Refuses the request where one of its first parts was committed by a different request with the same idempotency
    /// key.
    pub async fn same_parts(&self, batch: &str, count: usize) -> Result<()> {
        let Some(once) = &self.once else { return Ok(()) };
        let parts = (0..count).filter_map(|number| self.part(batch, number).once);
        let keys: Vec<Key> = parts.map(|part| Place::Once(part.org, &part.hash).key()).collect();
        let others = self.env.table.get_all(&keys).await?.into_iter().filter(|item| self.remembers(once, item));
        match others.into_iter().any(|item| text(&item, "fingerprint") != Some(&once.fingerprint)) {
            true => Err(Domain::Conflict(Conflict::KeyReused).into()),
            false => Ok(()),
        }
    }

    /// The same request in another organisation. Only where the request identifies that organisation (by a form, a
    /// token, or a user name), or creates it.
    pub fn in_organization(&self, org: OrgId) -> Cx {
        Cx { org, ..self.clone() }
    }

    /// The same request, with a key that the client chose for this content: other content with the same key is refused.
    pub fn once_for(&self, scope: &str, key: &str, content: &str, kept: Duration) -> Cx {
        let chosen = Once {
            hash: sha256_hex(format!("{scope}\n{key}").as_bytes()),
            fingerprint: sha256_hex(content.as_bytes()),
            kept,
            from_client: true,
            org: self.org,
        };
        Cx { once: Some(Arc::new(chosen)), ..self.clone() }
    }

    /// The same request with a derived idempotency key, unless the client sent one.
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

    /// Runs work that reads and then commits; runs it again after concurrent changes of what it read.
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

/// The outcome of a decision about a record.
#[derive(Debug)]
pub enum Decision<R> {
    /// Commit this change, with this reply.
    Commit(Tx, R),
    /// Change nothing; the reply.
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

/// Deserialises the record in an item.
pub fn record_of<T: Record>(mut item: Item) -> Result<Stored<T>> {
    let Some(AttributeValue::S(data)) = item.remove(DATA) else {
        return Err(Error::internal("read a record", "its item has no data"));
    };
    Stored::read(data).map_err(|error| Error::internal("read a record", error))
}

/// Refuses a record that isn't at the required version.
pub fn is_at<T: Record>(record: &T, version: Option<u64>) -> Result<(), Domain> {
    match version {
        Some(version) if version != record.version() => {
            Err(Domain::Stale { version: record.version(), current: Map::new() })
        }
        _ => Ok(()),
    }
}

/// Whether records of a type are deleted by cascade with a parent.
pub(crate) fn is_cascaded<T: Record>() -> bool {
    !T::CASCADES_FROM.is_empty()
}

/// The bytes of JSON in a record's item.
pub(crate) fn data_bytes(item: &Item) -> usize {
    text(item, DATA).map_or(0, String::len)
}

/// The version and data of a record's item, if it is one.
pub(crate) fn data_of(item: &Item) -> Option<(u64, Map<String, Value>)> {
    let version = item.get("version")?.as_n().ok()?.parse().ok()?;
    Some((version, serde_json::from_str(text(item, DATA)?).ok()?))
}
