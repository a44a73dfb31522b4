//! Records of an organisation: lists of the newest, and one in full.

use super::{Shown, Times, Visit, lost, site};
use crate::DEFAULT_ORG;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use daybook_domain::charset::Charset;
use daybook_domain::customer::Customer;
use daybook_domain::label;
use daybook_domain::lead::Lead;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::submission::{Finding, Submission, Verdict};
use daybook_domain::task::Task;
use daybook_domain::{AnyId, Locale, OrgId, Record, RecordType, SubmissionId, Timestamp};
use daybook_http::{Problem, decoded};
use daybook_store::{Cx, PageAsk, Result};
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

/// The most records of a list.
const MOST: usize = 100;

type Rows<'a> = BoxFuture<'a, Result<Vec<Row>>>;
type InFull<'a> = BoxFuture<'a, Result<Option<(String, Value)>>>;

/// A list of records.
#[derive(Clone, Copy)]
struct List {
    /// Its name in the address.
    name: &'static str,
    /// Its records' path in the API.
    collection: &'static str,
    kind: RecordType,
    english: &'static str,
    chinese: &'static str,
    rows: for<'a> fn(&'a Cx, &'a Times) -> Rows<'a>,
    in_full: for<'a> fn(&'a Cx, AnyId) -> InFull<'a>,
}

impl List {
    fn title(&self, visit: &Visit) -> &'static str {
        visit.say(self.english, self.chinese)
    }
}

/// The list of a type's records.
const fn list_of<T: Told>(name: &'static str, collection: &'static str, titles: [&'static str; 2]) -> List {
    let [english, chinese] = titles;
    List {
        name,
        collection,
        kind: T::TYPE,
        english,
        chinese,
        rows: |cx, times| Box::pin(newest::<T>(cx, times)),
        in_full: |cx, id| Box::pin(in_full::<T>(cx, id)),
    }
}

const LISTS: [List; 5] = [
    list_of::<Lead>("leads", "leads", ["Leads", "线索"]),
    list_of::<Customer>("customers", "customers", ["Customers", "客户"]),
    list_of::<Opportunity>("opportunities", "opportunities", ["Opportunities", "商机"]),
    list_of::<Task>("tasks", "tasks", ["Tasks", "任务"]),
    list_of::<Submission>("held", "submissions", ["Held posts", "被拦截的提交"]),
];

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    visit: Visit,
    organization: String,
    org: OrgId,
    most: usize,
    kinds: [List; 5],
    of: List,
    rows: Vec<Row>,
}

/// A record in a list.
struct Row {
    id: AnyId,
    title: String,
    about: String,
    status: String,
    at: String,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    visit: Visit,
    org: OrgId,
    of: List,
    id: AnyId,
    title: String,
    fields: Vec<Field>,
    /// Whether it is a post that can be released or rejected.
    is_held: bool,
    /// In which charsets what couldn't be read can be.
    readings: Vec<Reading>,
}

#[derive(Deserialize)]
pub struct Asked {
    #[serde(rename = "type")]
    kind: Option<String>,
    org: Option<OrgId>,
    charset: Option<Charset>,
}

/// A list of an organisation's records; by default the leads of the default organisation.
pub async fn list(visit: Visit, State(shown): State<Shown>, Query(asked): Query<Asked>) -> Response {
    let wanted = asked.kind.as_deref().unwrap_or(LISTS[0].name);
    let is_wanted = |list: &List| list.name == wanted || list.collection == wanted;
    let Some(of) = LISTS.into_iter().find(is_wanted) else { return lost(visit) };
    let org = asked.org.unwrap_or(DEFAULT_ORG);
    let times = shown.times(org, &visit).await;
    let rows = match (of.rows)(&shown.env.system(org, "records page"), &times).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::error!(error = %error.chain(), "the records can't be read");
            Vec::new()
        }
    };
    site(&RecordsPage { visit, organization: times.name, org, most: MOST, kinds: LISTS, of, rows })
}

async fn newest<T: Told>(cx: &Cx, times: &Times) -> Result<Vec<Row>> {
    let page = cx.list::<T>(&PageAsk { state: T::LISTED, limit: MOST, ..PageAsk::default() }).await?;
    let row = |record: T| Row {
        id: record.id(),
        title: record.title(),
        about: record.about_it(times),
        status: record.status(times.locale),
        at: times.written(record.id().time()),
    };
    Ok(page.items.into_iter().map(row).collect())
}

/// A record in full.
pub async fn one(
    visit: Visit,
    State(shown): State<Shown>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let Ok(id) = id.parse::<AnyId>() else { return lost(visit) };
    let Some(of) = LISTS.into_iter().find(|list| list.kind == id.kind) else { return lost(visit) };
    let org = asked.org.unwrap_or(DEFAULT_ORG);
    let times = shown.times(org, &visit).await;
    let cx = shown.env.system(org, "records page");
    match (of.in_full)(&cx, id).await {
        Ok(Some((title, json))) => {
            let is_held = of.kind == RecordType::Submission && json["status"] == Verdict::Held.name();
            let mut fields = Vec::new();
            add_fields(&mut fields, "", &json, &times);
            fields.sort_by_key(|field| field.place);
            let readings = if is_held { readings(&json) } else { Vec::new() };
            site(&RecordPage { visit, org, of, id, title, fields, is_held, readings })
        }
        Ok(None) => lost(visit),
        Err(error) => {
            tracing::error!(error = %error.chain(), "a record can't be read");
            lost(visit)
        }
    }
}

/// What becomes of a held post.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Release,
    Reject,
}

/// Releases or rejects a held post, and shows its lead, or else the list again.
pub async fn decide(
    visit: Visit,
    State(shown): State<Shown>,
    Path((id, fate)): Path<(SubmissionId, Fate)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let org = asked.org.unwrap_or(DEFAULT_ORG);
    let cx = shown.env.system(org, "records page");
    let decided = async {
        match fate {
            Fate::Release => daybook_intake::release(&cx, id, None, asked.charset, |_| ()).await?,
            Fate::Reject => daybook_records::change(&cx, id, None, Submission::as_spam, |_: Submission| ()).await?,
        }
        Ok(cx.find::<Submission>(id).await?.and_then(|submission| submission.lead_id))
    };
    let lang = visit.lang();
    match decided.await {
        Ok(Some(lead)) => Redirect::to(&format!("/_local/records/{lead}?org={org}&lang={lang}")).into_response(),
        Ok(None) => Redirect::to(&format!("/_local/records?type=held&org={org}&lang={lang}")).into_response(),
        Err(error) => Problem::of(&error, &cx.request.id, &headers).answer("", &headers),
    }
}

async fn in_full<T: Told>(cx: &Cx, id: AnyId) -> Result<Option<(String, Value)>> {
    let record = cx.find::<T>(id).await?;
    Ok(record.map(|record| (record.title(), serde_json::from_str(record.text()).unwrap_or_default())))
}

/// A field of a record, as a page shows it.
struct Field {
    /// Its place: labelled ones come first, in the order of the labels, and those of the page's own form before what only
    /// programs read.
    place: usize,
    name: String,
    value: String,
    /// The page of the record that it names.
    link: Option<AnyId>,
}

/// The place of a form's own fields: after what the visitor wrote in the known ones.
const OWN_FIELDS: &str = "special_requirements";

/// Adds the fields of a JSON object that have a value, by their labels. Those of inner objects stand beside them.
fn add_fields(fields: &mut Vec<Field>, inside: &str, json: &Value, times: &Times) {
    for (name, value) in json.as_object().into_iter().flatten() {
        let label = label::of_field(name, times.locale).filter(|_| inside != "extra");
        let wanted = if inside == "extra" { OWN_FIELDS } else { name };
        let place = label::FIELDS.iter().position(|(known, ..)| *known == wanted).unwrap_or(label::FIELDS.len());
        let value = match value {
            Value::Null => continue,
            Value::Object(_) => {
                add_fields(fields, name, value, times);
                continue;
            }
            Value::Array(all) if all.is_empty() => continue,
            Value::Array(all) => all.iter().map(|one| in_list(one, times)).collect::<Vec<_>>().join("\n"),
            other => shown(name, other, times),
        };
        let name = label.map_or_else(|| name.replace('_', " "), str::to_owned);
        let link = value.parse::<AnyId>().ok().filter(|id| LISTS.iter().any(|list| list.kind == id.kind));
        fields.push(Field { place, name, value, link });
    }
}

fn shown(name: &str, value: &Value, times: &Times) -> String {
    match value {
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(at) if text.len() >= 20 => times.written(at),
            _ => label::of_value(name, text, times.locale).to_owned(),
        },
        Value::Bool(is) => label::of_value(name, if *is { "true" } else { "false" }, times.locale).to_owned(),
        other => other.to_string(),
    }
}

/// An entry of a list: a text, or the values of an object. Of a failed check its name alone says enough.
fn in_list(value: &Value, times: &Times) -> String {
    match value {
        Value::Object(parts) => match parts.get("check") {
            Some(check) => shown("check", check, times),
            None => parts.iter().map(|(name, part)| shown(name, part, times)).collect::<Vec<_>>().join(", "),
        },
        other => shown("", other, times),
    }
}

/// The charsets that pages are likely to be in, for fields whose charset is unknown.
const LIKELY: [Charset; 8] = [
    Charset::Gb18030,
    Charset::Big5,
    Charset::ShiftJis,
    Charset::EucJp,
    Charset::EucKr,
    Charset::Windows1251,
    Charset::Windows1252,
    Charset::Windows1250,
];

/// A charset in which a post's unreadable fields are text, and what they say in it.
struct Reading {
    charset: &'static str,
    says: String,
}

/// What the unreadable fields of a post may say.
fn readings(json: &Value) -> Vec<Reading> {
    let Some(unreadable) = json["unreadable"].as_object().filter(|fields| !fields.is_empty()) else {
        return Vec::new();
    };
    let reading = |charset: &Charset| {
        let texts = decoded(unreadable, charset.name())?;
        let says = texts.values().filter_map(Value::as_str).collect::<Vec<_>>().join(" · ");
        Some(Reading { charset: charset.name(), says: says.chars().take(80).collect() })
    };
    LIKELY.iter().filter_map(reading).collect()
}

/// What a list tells of a record.
trait Told: Record {
    /// The state of the records that are listed; `None` for all.
    const LISTED: Option<&'static str> = None;

    fn title(&self) -> String;
    fn about_it(&self, times: &Times) -> String;
    fn status(&self, locale: Locale) -> String;
}

/// The texts that there are, with dots between them.
fn joined(all: [Option<String>; 2]) -> String {
    all.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

impl Told for Lead {
    fn title(&self) -> String {
        self.display_name()
    }

    fn about_it(&self, _: &Times) -> String {
        joined([self.company.as_ref().map(ToString::to_string), self.email.as_ref().map(ToString::to_string)])
    }

    fn status(&self, locale: Locale) -> String {
        label::of_value("status", self.status.name(), locale).to_owned()
    }
}

impl Told for Customer {
    fn title(&self) -> String {
        self.name.to_string()
    }

    fn about_it(&self, _: &Times) -> String {
        joined([self.company.as_ref().map(ToString::to_string), self.email.as_ref().map(ToString::to_string)])
    }

    fn status(&self, locale: Locale) -> String {
        label::of_value("status", self.status.name(), locale).to_owned()
    }
}

impl Told for Opportunity {
    fn title(&self) -> String {
        self.title.to_string()
    }

    fn about_it(&self, _: &Times) -> String {
        let value = self.value.as_ref().and_then(|value| serde_json::to_string(value).ok());
        let value = value.map(|value| format!("{value} {}", self.currency));
        joined([Some(self.stage.as_str().to_owned()), value])
    }

    fn status(&self, locale: Locale) -> String {
        label::of_value("status", self.status.name(), locale).to_owned()
    }
}

impl Told for Task {
    fn title(&self) -> String {
        self.title.to_string()
    }

    fn about_it(&self, times: &Times) -> String {
        self.due_date.map(|due| times.written(due)).unwrap_or_default()
    }

    fn status(&self, locale: Locale) -> String {
        label::of_value("status", self.status.name(), locale).to_owned()
    }
}

impl Told for Submission {
    const LISTED: Option<&'static str> = Some("held");

    fn title(&self) -> String {
        let enquiry = &self.enquiry;
        enquiry.display_name()
    }

    fn about_it(&self, _: &Times) -> String {
        joined([
            self.enquiry.company.as_ref().map(ToString::to_string),
            self.enquiry.email.as_ref().map(ToString::to_string),
        ])
    }

    fn status(&self, locale: Locale) -> String {
        let called = |finding: &Finding| label::of_value("check", finding.check.name(), locale).to_owned();
        let checks: Vec<String> = self.screening.iter().map(called).collect();
        match checks.is_empty() {
            true => label::of_value("status", self.status.name(), locale).to_owned(),
            false => checks.join(locale.pick(", ", "、")),
        }
    }
}
