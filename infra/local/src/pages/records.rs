//! Records of an organisation: lists of the newest, and one in full.

use super::{Shown, Times, Visit, lost, site};
use crate::DEFAULT_ORG;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use daybook_domain::charset::Charset;
use daybook_domain::customer::Customer;
use daybook_domain::label::{self, Labelled};
use daybook_domain::lead::Lead;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::submission::{Finding, Submission, Verdict};
use daybook_domain::task::Task;
use daybook_domain::{AnyId, Locale, OrgId, Record, RecordType, SubmissionId, Timestamp};
use daybook_http::Problem;
use daybook_intake::{Reading, readings};
use daybook_store::{Cx, Error, PageAsk, Result};
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

/// A field of a record, as a page shows it.
struct Field {
    label: String,
    value: String,
    /// The page of the record that it names.
    link: Option<AnyId>,
}

#[derive(Deserialize)]
pub struct Asked {
    #[serde(rename = "type")]
    kind: Option<String>,
    org: Option<OrgId>,
    charset: Option<Charset>,
}

/// A list of an organisation's records; by default the leads of the default organisation.
pub async fn list(
    visit: Visit,
    State(shown): State<Shown>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let wanted = asked.kind.as_deref().unwrap_or(LISTS[0].name);
    let is_wanted = |list: &List| list.name == wanted || list.collection == wanted;
    let Some(of) = LISTS.into_iter().find(is_wanted) else { return lost(visit) };
    let org = asked.org.unwrap_or(DEFAULT_ORG);
    let times = shown.times(org, &visit).await;
    let rows = match (of.rows)(&shown.env.system(org, "records page"), &times).await {
        Ok(rows) => rows,
        Err(error) => return unread(&error, &headers),
    };
    site(&RecordsPage { visit, organization: times.name, org, most: MOST, kinds: LISTS, of, rows })
}

async fn newest<T: Told>(cx: &Cx, times: &Times) -> Result<Vec<Row>> {
    let page = cx.list::<T>(&PageAsk { state: T::listed(), limit: MOST, ..PageAsk::default() }).await?;
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
    headers: HeaderMap,
) -> Response {
    let Ok(id) = id.parse::<AnyId>() else { return lost(visit) };
    let Some(of) = LISTS.into_iter().find(|list| list.kind == id.kind) else { return lost(visit) };
    let org = asked.org.unwrap_or(DEFAULT_ORG);
    let times = shown.times(org, &visit).await;
    let cx = shown.env.system(org, "records page");
    match (of.in_full)(&cx, id).await {
        Ok(Some((title, json))) => {
            let is_held = of.kind == RecordType::Submission && json["status"] == Verdict::Held.name();
            let field = |Labelled { name, label, value }: Labelled| {
                let other = value.parse::<AnyId>().ok().filter(|id| LISTS.iter().any(|list| list.kind == id.kind));
                Field { label, link: other.filter(|_| name != "id"), value }
            };
            let written = |at: Timestamp| times.written(at);
            let fields = label::labelled(&json, times.locale, &written).into_iter().map(field).collect();
            let unreadable = json["unreadable"].as_object().filter(|_| is_held);
            let readings = unreadable.map(readings).unwrap_or_default();
            site(&RecordPage { visit, org, of, id, title, fields, is_held, readings })
        }
        Ok(None) => lost(visit),
        Err(error) => unread(&error, &headers),
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
        Err(error) => unread(&error, &headers),
    }
}

/// The answer where the table refuses or can't be read.
fn unread(error: &Error, headers: &HeaderMap) -> Response {
    tracing::error!(error = %error.chain(), "a page of records can't be shown");
    Problem::of(error, "", headers).answer("", headers)
}

async fn in_full<T: Told>(cx: &Cx, id: AnyId) -> Result<Option<(String, Value)>> {
    let record = cx.find::<T>(id).await?;
    Ok(record.map(|record| (record.title(), serde_json::from_str(record.text()).unwrap_or_default())))
}

/// What a list tells of a record.
trait Told: Record {
    /// The state of the records that are listed; `None` for all.
    fn listed() -> Option<&'static str> {
        None
    }

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
    fn listed() -> Option<&'static str> {
        Some(Verdict::Held.name())
    }

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
