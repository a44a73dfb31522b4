//! Demonstrations of products, requested by visitors and confirmed by staff.
//!
//! A request need not name a free time slot: the status is `requested` until staff confirm it.

use crate::choices;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{OnTimelines, Personal, Record, Reference};
use crate::{
    AnyId, Change, DemoId, Edit, Error, Event, LeadId, Line, Moment, Prose, RecordType, Rule, SubmissionId, Timestamp,
    Unit, UserId, Zone, record_head,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

choices! {
    /// Where a demonstration takes place.
    #[derive(Default)]
    DemoType {
        /// In a video call.
        #[default] Virtual = "virtual",
        /// At the visitor's site.
        Onsite = "onsite",
        /// In our showroom.
        Showroom = "showroom",
    }

    /// The status of a demonstration.
    #[derive(Default)]
    DemoStatus {
        /// It was requested.
        #[default] Requested = "requested",
        /// A time slot is reserved for a short while.
        Held = "held",
        /// It is confirmed.
        Confirmed = "confirmed",
        /// It was moved to another time.
        Rescheduled = "rescheduled",
        /// It took place.
        Completed = "completed",
        /// The visitor didn't come.
        NoShow = "no_show",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
}

/// The most people at a demonstration.
const MOST_ATTENDEES: u16 = 10_000;

/// The most products one demonstration shows.
const MOST_PRODUCTS: usize = 50;

/// The number of attendees: a number, or a text that holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Attendees(u16);

impl<'de> Deserialize<'de> for Attendees {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Attendees, D::Error> {
        let number = match Value::deserialize(from)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let count = number.and_then(|n| u16::try_from(n).ok()).filter(|n| (1..=MOST_ATTENDEES).contains(n));
        count
            .map(Attendees)
            .ok_or_else(|| serde::de::Error::custom(Rule::Range { min: 1, max: i64::from(MOST_ATTENDEES) }))
    }
}

impl fmt::Display for Attendees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The products to show: a list, or a comma-separated text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Products {
    list: Vec<Line<100>>,
    raw: Option<String>,
}

impl Products {
    fn split(text: &str) -> Result<Vec<Line<100>>, Rule> {
        let parts = text.split([',', '，', '、', ';', '；']).map(str::trim).filter(|part| !part.is_empty());
        Self::checked(parts.map(Line::parse).collect::<Result<_, _>>()?)
    }

    fn checked(list: Vec<Line<100>>) -> Result<Vec<Line<100>>, Rule> {
        if list.len() > MOST_PRODUCTS {
            return Err(Rule::TooLong { max: MOST_PRODUCTS, unit: Unit::Entries });
        }
        Ok(list)
    }

    /// The products as one text, with a separator between them.
    pub fn joined(&self, separator: &str) -> String {
        self.list.iter().map(Line::as_str).collect::<Vec<_>>().join(separator)
    }
}

/// Serialised as it was sent, so that it reads back the same.
impl Serialize for Products {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.raw {
            Some(raw) => raw.serialize(to),
            None => self.list.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Products {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Products, D::Error> {
        use serde::de::Error as _;
        match Value::deserialize(from)? {
            Value::String(text) => {
                let list = Products::split(&text).map_err(D::Error::custom)?;
                Ok(Products { list, raw: Some(text) })
            }
            Value::Array(values) => {
                let texts = values.iter().map(|value| value.as_str().ok_or_else(wrong_list).and_then(Line::parse));
                let list = texts.collect::<Result<_, _>>().and_then(Products::checked).map_err(D::Error::custom)?;
                Ok(Products { list, raw: None })
            }
            _ => Err(D::Error::custom(wrong_list())),
        }
    }
}

impl utoipa::PartialSchema for Products {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
        let text = || ObjectBuilder::new().schema_type(Type::String);
        OneOfBuilder::new().item(text()).item(ArrayBuilder::new().items(text())).into()
    }
}

impl utoipa::ToSchema for Products {}

fn wrong_list() -> Rule {
    Rule::of_type("a list of texts, or a comma-separated text", "文本列表，或以逗号分隔的文本")
}

/// The fields of a form that requests a demonstration, as posted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DemoFields {
    /// Where; in a video call unless given.
    pub demo_type: Option<DemoType>,
    /// The preferred time: RFC 3339, or without an offset a local time in `timezone`.
    pub preferred_date: Option<Moment>,
    /// The time zone of `preferred_date`; the organisation's unless given.
    pub timezone: Option<Zone>,
    /// The number of attendees, 1 to 10,000.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 10000)]
    pub attendees_count: Option<Attendees>,
    /// The products to show: a list, or a comma-separated text; at most 50.
    pub interested_products: Option<Products>,
    /// Special requirements.
    pub special_requirements: Option<Prose<10000>>,
}

/// A demonstration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Demo {
    /// The id.
    #[field(read_only)]
    pub id: DemoId,
    /// The version, for `If-Match`.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// How far it has come.
    pub status: DemoStatus,
    /// The lead it is for.
    #[field(read_only)]
    pub lead_id: LeadId,
    /// The submission that requested it; none if staff created it.
    #[field(read_only)]
    pub submission_id: Option<SubmissionId>,
    /// The user who gives it. Without one it is in the scope of its lead.
    pub owner_id: Option<UserId>,
    /// Where.
    pub demo_type: DemoType,
    /// The preferred time.
    pub preferred_date: Option<Timestamp>,
    /// The preferred time as a local time in `timezone`.
    #[field(read_only)]
    pub preferred_local: Option<String>,
    /// Whether the preferred time was already in the past when it was given.
    #[field(read_only)]
    pub preferred_in_past: bool,
    /// The visitor's time zone.
    pub timezone: Zone,
    /// The number of attendees.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 10000)]
    pub attendees_count: Option<Attendees>,
    /// The products to show.
    pub interested_products: Vec<Line<100>>,
    /// Special requirements.
    pub special_requirements: Option<Prose<10000>>,
    /// Notes by staff.
    pub notes: Option<Prose<10000>>,
    /// Fields as they were sent, if in another format than they are stored in.
    #[field(read_only)]
    pub raw: Raw,
}

/// Fields of a demonstration as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Raw {
    /// The date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_date: Option<String>,
    /// The products, if sent as one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interested_products: Option<String>,
}

/// The lead and submission of a new demonstration.
#[derive(Clone, Debug)]
pub struct DemoOrigin<'a> {
    /// Its id.
    pub id: DemoId,
    /// The lead.
    pub lead: LeadId,
    /// The submission that requests it.
    pub submission: Option<SubmissionId>,
    /// The organisation's zone.
    pub zone: &'a Zone,
}

impl Demo {
    /// The demonstration that these fields request. A date in the past is kept and flagged.
    pub fn requested(fields: &DemoFields, origin: DemoOrigin<'_>, now: Timestamp) -> Result<Demo, Error> {
        let timezone = fields.timezone.clone().unwrap_or_else(|| origin.zone.clone());
        let products = fields.interested_products.clone().unwrap_or_default();
        let mut demo = Demo {
            id: origin.id,
            version: 1,
            created_at: now,
            updated_at: now,
            status: DemoStatus::Requested,
            lead_id: origin.lead,
            submission_id: origin.submission,
            owner_id: None,
            demo_type: fields.demo_type.unwrap_or_default(),
            preferred_date: None,
            preferred_local: None,
            preferred_in_past: false,
            timezone,
            attendees_count: fields.attendees_count,
            interested_products: products.list,
            special_requirements: fields.special_requirements.clone(),
            notes: None,
            raw: Raw { preferred_date: None, interested_products: products.raw },
        };
        if let Some(date) = &fields.preferred_date {
            demo.prefer(date, now)?;
        }
        Ok(demo)
    }

    /// The demonstration with the fields derived from its date, zone and products as given.
    fn following_from(mut self, before: &Demo, given: &Map<String, Value>, at: Timestamp) -> Result<Demo, Error> {
        let text = |name: &str| given.get(name).and_then(Value::as_str);
        let is_new = |text: &&str| before.preferred_date.is_none_or(|date| date.to_string() != *text);
        match (text("preferred_date").filter(is_new), self.preferred_date) {
            (Some(date), _) => {
                let date = Moment::parse(date).map_err(|rule| Error::invalid("/preferred_date", rule))?;
                self.prefer(&date, at)?;
            }
            (None, Some(date)) => self.preferred_local = Some(self.timezone.wall_time(date)),
            (None, None) => {
                (self.preferred_local, self.preferred_in_past, self.raw.preferred_date) = (None, false, None)
            }
        }
        match text("interested_products") {
            Some(text) => self.raw.interested_products = Some(text.to_owned()),
            // The text as posted no longer matches the list.
            None if self.interested_products != before.interested_products => self.raw.interested_products = None,
            None => {}
        }
        Ok(self)
    }

    fn prefer(&mut self, date: &Moment, now: Timestamp) -> Result<(), Error> {
        let at = date.in_zone(&self.timezone).map_err(|rule| Error::invalid("/preferred_date", rule))?;
        self.preferred_date = Some(at);
        self.preferred_local = Some(self.timezone.wall_time(at));
        self.preferred_in_past = at < now;
        self.raw.preferred_date = Some(date.as_str().to_owned());
        Ok(())
    }
}

impl Record for Demo {
    const TYPE: RecordType = RecordType::Demo;
    type Id = DemoId;
    type Context = ();
    const RESOURCE: Resource = Resource::Demos;
    const PERSONAL: Personal = Personal::Yes;
    const ON_TIMELINES: OnTimelines = OnTimelines::Yes("A demonstration was requested.");
    const IN_SCOPE_OF: &'static [RecordType] = &[RecordType::Lead];
    const SAMPLE: &'static str = r#"{"status": "requested", "lead_id": "lead_{id}", "demo_type": "virtual", "preferred_in_past": false, "timezone": "Asia/Shanghai", "interested_products": [], "raw": {}}"#;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", DemoStatus::NAMES));
    const OWNER: Option<&'static str> = Some("owner_id");

    record_head!();

    fn event(change: Change<'_, Demo>) -> Event {
        match change {
            Change::Create(_) => Event::DemoRequested,
            Change::Update(before, after) if before.status != after.status => match after.status {
                DemoStatus::Requested | DemoStatus::Unknown(_) => Event::DemoUpdated,
                DemoStatus::Held => Event::DemoHeld,
                DemoStatus::Confirmed => Event::DemoConfirmed,
                DemoStatus::Rescheduled => Event::DemoRescheduled,
                DemoStatus::Completed => Event::DemoCompleted,
                DemoStatus::NoShow => Event::DemoNoShow,
                DemoStatus::Cancelled => Event::DemoCancelled,
            },
            Change::Update(..) => Event::DemoUpdated,
            Change::Delete(_) => Event::DemoDeleted,
            Change::Restore(_) => Event::DemoRestored,
        }
    }

    /// Accepts dates and products in the same formats as public forms do.
    fn as_kept(fields: &mut Map<String, Value>, before: Option<&Demo>) -> Result<(), Error> {
        let zone = match fields.get("timezone").and_then(Value::as_str) {
            // An invalid zone is reported later, together with the other violations.
            Some(name) => Zone::parse(name).ok(),
            None => before.map(|demo| demo.timezone.clone()),
        };
        if let Some(Value::String(text)) = fields.get_mut("preferred_date") {
            let date = Moment::parse(text).and_then(|date| date.in_zone(&zone.unwrap_or_default()));
            *text = date.map_err(|rule| Error::invalid("/preferred_date", rule))?.to_string();
        }
        if let Some(products @ Value::String(_)) = fields.get_mut("interested_products") {
            let list = Products::split(products.as_str().unwrap_or_default());
            let list = list.map_err(|rule| Error::invalid("/interested_products", rule))?;
            *products = list.into_iter().map(|line| Value::from(line.as_str())).collect();
        }
        Ok(())
    }

    fn settle(edit: Edit<'_, Demo>, (): &()) -> Result<Demo, Error> {
        Products::checked(edit.wanted.interested_products.clone())
            .map_err(|rule| Error::invalid("/interested_products", rule))?;
        match edit.before {
            Some(before) if !edit.again => edit.wanted.following_from(before, edit.given, edit.at),
            _ => Ok(edit.wanted),
        }
    }

    fn parents(&self) -> Vec<AnyId> {
        vec![self.lead_id.into()]
    }

    fn references(&self) -> Vec<Reference> {
        self.owner_id.map(|id| Reference { id: id.into(), pointer: "/owner_id" }).into_iter().collect()
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}

crate::as_text!(Raw);

impl crate::field::FieldType for Attendees {
    const KIND: crate::field::FieldKind = crate::field::FieldKind::Number;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::patched;
    use serde_json::json;

    fn fields(value: Value) -> Result<DemoFields, Error> {
        crate::read::read(value)
    }

    fn demo(value: Value) -> Demo {
        let nil = uuid::Uuid::nil();
        let zone = Zone::default();
        let origin = DemoOrigin { id: DemoId::new(nil), lead: LeadId::new(nil), submission: None, zone: &zone };
        let now = "2026-11-20T12:00:00Z".parse().expect("a time");
        Demo::requested(&fields(value).expect("valid"), origin, now).expect("a demo")
    }

    fn patch(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    fn seed() -> Value {
        json!({
            "demo_type": "virtual", "preferred_date": "2024-02-15T14:00:00", "attendees_count": 5,
            "interested_products": "x30,x20", "special_requirements": "需要中文演示"
        })
    }

    #[test]
    fn a_naive_date_is_kept_in_utc_and_as_the_wall_shows_it() {
        let demo = demo(seed());
        assert_eq!(demo.preferred_date.map(|at| at.to_string()).as_deref(), Some("2024-02-15T06:00:00.000Z"));
        assert_eq!(demo.preferred_local.as_deref(), Some("2024-02-15T14:00:00"));
        assert!(demo.preferred_in_past);
        assert_eq!(demo.raw.interested_products.as_deref(), Some("x30,x20"));
        let products: Vec<&str> = demo.interested_products.iter().map(Line::as_str).collect();
        assert_eq!(products, ["x30", "x20"]);
    }

    #[test]
    fn what_was_posted_reads_back_the_same() {
        for value in [seed(), json!({"interested_products": ["a", "b"], "attendees_count": "7"}), json!({})] {
            let posted = fields(value).expect("valid");
            assert_eq!(fields(serde_json::to_value(&posted).expect("serialises")), Ok(posted));
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let wrong = json!({
            "demo_type": "x", "preferred_date": "soon", "timezone": "Mars", "attendees_count": 0,
            "interested_products": 5
        });
        let Err(Error::Invalid(found)) = fields(wrong) else { panic!("expected violations") };
        let mut places: Vec<_> = found.0.iter().map(|v| (v.pointer.as_str(), v.rule.code())).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                ("/attendees_count", "out_of_range"),
                ("/demo_type", "not_allowed"),
                ("/interested_products", "wrong_type"),
                ("/preferred_date", "invalid_time"),
                ("/timezone", "invalid_timezone"),
            ]
        );
    }

    #[test]
    fn a_demo_may_be_sent_back_as_it_was_read_and_changed_as_forms_write() {
        let before = demo(seed());
        let now = "2026-11-20T12:00:00Z".parse().expect("a time");
        let whole = serde_json::to_value(&before).expect("serialises");
        assert_eq!(patched(&before, &patch(whole), now), Ok(before.clone()));
        let posted =
            json!({"preferred_date": "2027-01-05T09:00", "timezone": "Europe/Berlin", "interested_products": "a，b"});
        let after = patched(&before, &patch(posted), now).expect("valid");
        assert_eq!(after.preferred_date.map(|at| at.to_string()).as_deref(), Some("2027-01-05T08:00:00.000Z"));
        assert_eq!((after.preferred_in_past, after.interested_products.len()), (false, 2));
        assert_eq!(after.raw.interested_products.as_deref(), Some("a，b"));
        let listed = patched(&after, &patch(json!({"interested_products": ["c"]})), now).expect("valid");
        assert_eq!((listed.interested_products.len(), listed.raw.interested_products), (1, None));
        let none = patched(&after, &patch(json!({"preferred_date": null})), now).expect("valid");
        assert_eq!((none.preferred_date, none.preferred_local), (None, None));
    }
}
