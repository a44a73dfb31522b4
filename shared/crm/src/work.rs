//! From the fields that somebody sends to a record: moments without an offset, defaults, rules, and whether they may know
//! of the records it names.

use daybook_domain::field::FieldKind;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Resource, Scope};
use daybook_domain::read::without_empty;
use daybook_domain::{
    Actor, AnyId, Error as Domain, Moment, NamedId, Record, RecordType, Rule, Stamp, Timestamp, Violations, Zone,
    with_record_type,
};
use daybook_http::{Cx, Result};
use daybook_store::object_of;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The fields that somebody sends.
pub type Fields = Map<String, Value>;

/// A type of record that people work with.
pub trait Work: Record {
    /// Its ids.
    type Id: NamedId + Into<AnyId>;
    /// What else a change depends on.
    type Setting: Send + Sync;

    /// The values of the fields that are left out, where that isn't nothing.
    fn defaults(by: &Stamp, setting: &Self::Setting) -> Fields {
        let _ = (by, setting);
        Fields::new()
    }

    /// What a change with these fields depends on.
    fn setting(cx: &Cx, fields: &Fields, is_new: bool) -> impl Future<Output = Result<Self::Setting>> + Send;

    /// The states that its records are in, where an organisation names its own.
    fn states(cx: &Cx) -> impl Future<Output = Result<Vec<String>>> + Send {
        let _ = cx;
        std::future::ready(Ok(Vec::new()))
    }

    /// The record with what follows from its fields, or the rules that they break.
    fn settled(
        self,
        before: Option<&Self>,
        fields: &Fields,
        setting: &Self::Setting,
        at: Timestamp,
    ) -> Result<Self, Domain> {
        let _ = (before, fields, setting, at);
        Ok(self)
    }
}

/// Fields as a record has them: empty texts are nothing, and moments have an offset. Those that are no moments are left out, and
/// told of with all else that is wrong.
pub(crate) async fn prepared<T: Work>(cx: &Cx, fields: Fields) -> Result<(Fields, Violations)> {
    let mut fields = without_empty(fields);
    let mut violations = Violations::default();
    if T::MOMENTS.is_empty() {
        return Ok((fields, violations));
    }
    let zone = match fields.remove("timezone") {
        Some(Value::String(name)) => {
            Zone::parse(&name).map_err(|rule| violations.add("/timezone", rule)).ok().or(Some(Zone::default()))
        }
        Some(Value::Null) | None => None,
        Some(_) => {
            violations.add("/timezone", Rule::Zone);
            Some(Zone::default())
        }
    };
    let mut clock = Clock { cx, zone, is_deadline: false };
    for name in T::MOMENTS {
        clock.is_deadline = T::DEADLINES.contains(name);
        match fields.get_mut(*name) {
            Some(Value::Array(list)) => {
                for (n, one) in list.iter_mut().enumerate() {
                    if let Some(at) = one.get_mut("at") {
                        clock.set(at, &format!("/{name}/{n}/at"), &mut violations).await?;
                    }
                }
            }
            Some(value) => clock.set(value, &format!("/{name}"), &mut violations).await?,
            None => {}
        }
    }
    Ok((fields, violations))
}

/// What is wrong with moments, and with everything else.
pub(crate) fn all_of<T>(wrong: Violations, read: Result<T, Domain>) -> Result<T, Domain> {
    match read {
        Err(Domain::Invalid(more)) => {
            let mut all = wrong;
            all.extend(more);
            Err(Domain::Invalid(all))
        }
        Ok(read) => wrong.into_result().map(|()| read),
        other => other,
    }
}

/// What gives moments an offset.
struct Clock<'a> {
    cx: &'a Cx,
    /// The zone, once it is known.
    zone: Option<Zone>,
    /// Whether a day alone is over when it ends.
    is_deadline: bool,
}

impl Clock<'_> {
    async fn set(&mut self, value: &mut Value, pointer: &str, violations: &mut Violations) -> Result<()> {
        let Some(text) = value.as_str().filter(|text| text.parse::<Timestamp>().is_err()) else { return Ok(()) };
        let moment = match Moment::parse(text) {
            Ok(moment) => moment,
            Err(rule) => {
                violations.add(pointer, rule);
                *value = Value::Null;
                return Ok(());
            }
        };
        let zone = match self.zone.take() {
            Some(zone) => zone,
            None => {
                let organization = self.cx.find_often::<Organization>(self.cx.org).await?;
                organization.map(|organization| organization.timezone.clone()).unwrap_or_default()
            }
        };
        // A day alone is over when it ends.
        let whole_day = self.is_deadline && moment.is_day();
        match moment.in_zone(&zone) {
            Ok(at) if whole_day => {
                *value = Value::from(zone.next_midnight(at).minus(Duration::from_secs(1)).to_string());
            }
            Ok(at) => *value = Value::from(at.to_string()),
            Err(rule) => violations.add(pointer, rule),
        }
        self.zone = Some(zone);
        Ok(())
    }
}

/// A new record of these fields.
pub async fn make<T: Work>(cx: &Cx, fields: Fields) -> Result<T> {
    let (fields, wrong) = prepared::<T>(cx, fields).await?;
    let setting = T::setting(cx, &fields, true).await?;
    let stamp = cx.stamp();
    let mut defaults = T::defaults(&stamp, &setting);
    // Nobody's, where that was said.
    if let Some(owner) = T::OWNER.filter(|owner| fields.get(*owner).is_some_and(Value::is_null)) {
        defaults.remove(owner);
    }
    defaults.extend(object_of(&json!({
        "id": AnyId::new(T::TYPE, stamp.id), "version": 1, "created_at": stamp.at, "updated_at": stamp.at,
    }))?);
    let record: T = all_of(wrong, daybook_domain::read::fresh(defaults, fields.clone(), T::READ_ONLY))?;
    known(cx, &named::<T>(&fields)).await?;
    daybook_records::dialled(cx, None, record.settled(None, &fields, &setting, stamp.at)?).await
}

/// Whether somebody may know of the records that fields name, as far as they see only some owners' records. Whether the
/// records are there at all is a condition of the change itself.
pub(crate) async fn known(cx: &Cx, named: &[(String, AnyId)]) -> Result<()> {
    let owned = |id: &AnyId| {
        resource_of(id.kind).filter(|resource| cx.grants.scope(*resource, Action::Read) != Some(Scope::All))
    };
    let mut asked: Vec<AnyId> = named.iter().map(|(_, id)| *id).filter(|id| owned(id).is_some()).collect();
    asked.sort();
    asked.dedup();
    if asked.is_empty() || cx.actor == Actor::System {
        return Ok(());
    }
    let owners = cx.owners(&asked).await?;
    let mut violations = Violations::default();
    for (pointer, id) in named {
        let (Some(resource), Some((_, owner))) = (owned(id), owners.iter().find(|(known, _)| known == id)) else {
            continue;
        };
        let reaches = match cx.reaching(resource, Action::Read).await {
            Ok(seeing) => seeing.reaches(*owner),
            // A program that makes children may have no permission to read their parents.
            Err(_) => true,
        };
        if !reaches {
            violations.add(pointer.clone(), Rule::Id { prefix: id.kind.prefix().to_owned() });
        }
    }
    Ok(violations.into_result()?)
}

/// The records that fields name, with their places.
pub(crate) fn named<T: Record>(fields: &Fields) -> Vec<(String, AnyId)> {
    let mut named = Vec::new();
    for field in T::FIELDS {
        let Some(value) = fields.get(field.name) else { continue };
        let place = format!("/{}", field.name);
        match (field.kind, value) {
            (FieldKind::Id, Value::String(text)) => named.extend(id_at(place, text)),
            (FieldKind::Ids, Value::Array(list)) => {
                let ids = list.iter().enumerate().filter_map(|(n, one)| id_at(format!("{place}/{n}"), one.as_str()?));
                named.extend(ids);
            }
            (FieldKind::Named, Value::Object(related)) => {
                named.extend(related.get("id").and_then(Value::as_str).and_then(|id| id_at(format!("{place}/id"), id)));
            }
            _ => {}
        }
    }
    named
}

fn id_at(place: String, text: &str) -> Option<(String, AnyId)> {
    Some((place, text.parse().ok()?))
}

/// What permissions call records of a type, where they have owners.
fn resource_of(kind: RecordType) -> Option<Resource> {
    with_record_type!(kind, T => T::OWNER.map(|_| T::RESOURCE)).flatten()
}
