//! Model-based test of leads: random operations run against the API and an in-memory model, and each step must have the
//! same result in both.
//!
//! The model knows the rules but not how they are stored: who holds an address and who held it last, what a
//! patch changes, which words find which lead. A sequence with different results is shrunk to a short one.

mod plain;

use daybook_domain::lead::Status;
use daybook_testing::{Answer, Call, Person, World, is_full};
use plain::{Guard, Model, Outcome, PHONE, is_found, refusal, text};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::fmt::Debug;
use std::time::Duration;

const EMAILS: &[&str] =
    &["ada@example.com", "ADA@Example.com", "eva@example.com", "li.si@example.com", "bob@sales.example"];

/// Given name, family name, company and phone number of the visitors; empty where they leave a field empty.
const PEOPLE: &[[&str; 4]] = &[
    ["Ada", "Lovelace", "Analytical Engines", PHONE],
    ["三", "张", "示例科技有限公司", ""],
    ["Adam", "", "ABC 科技", "call me"],
    ["", "", "", ""],
];
const SEARCHES: &[&str] =
    &["ada", "lovel", "张三", "科技", "abc", "8000", "ada@example.com", "analytical engines", "unknown"];
const LIMITS: &[usize] = &[1, 2, 3, 200];

/// An operation. Numbers refer to one of the ids answered so far.
#[derive(Clone, Debug)]
enum Op {
    Post { staff: bool, email: &'static str, who: [&'static str; 4] },
    DoubleClick,
    Patch { id: usize, guard: Guard, fields: Map<String, Value> },
    Delete { id: usize, guard: Guard },
    Restore { id: usize, guard: Guard },
    Read { id: usize },
    List { status: Option<&'static str>, ascending: bool, limit: usize },
    Search { words: &'static str, status: Option<&'static str>, limit: usize },
    Demo { id: usize, staff: bool },
    Wait,
}

const GUARDS: &[Guard] = &[Guard::Anything, Guard::Anything, Guard::Anything, Guard::Current, Guard::Stale];

fn op() -> impl Strategy<Value = Op> {
    let id = || 0..40_usize;
    let guard = || prop::sample::select(GUARDS);
    let status = || prop::option::of(prop::sample::select(Status::NAMES));
    let limit = || prop::sample::select(LIMITS);
    let known_by = prop_oneof![
        4 => (prop::sample::select(EMAILS), prop::sample::select(PEOPLE)),
        // By number alone.
        1 => Just(("", PEOPLE[0])),
    ];
    let person = (any::<bool>(), known_by);
    let fields = prop::collection::vec(prop::sample::select(changes()), 0..=3_usize)
        .prop_map(|all| all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>());
    prop_oneof![
        8 => person.prop_map(|(staff, (email, who))| Op::Post { staff, email, who }),
        1 => Just(Op::DoubleClick),
        8 => (id(), guard(), fields).prop_map(|(id, guard, fields)| Op::Patch { id, guard, fields }),
        3 => (id(), guard()).prop_map(|(id, guard)| Op::Delete { id, guard }),
        3 => (id(), guard()).prop_map(|(id, guard)| Op::Restore { id, guard }),
        2 => id().prop_map(|id| Op::Read { id }),
        3 => (status(), any::<bool>(), limit())
            .prop_map(|(status, ascending, limit)| Op::List { status, ascending, limit }),
        3 => (prop::sample::select(SEARCHES), status(), limit())
            .prop_map(|(words, status, limit)| Op::Search { words, status, limit }),
        3 => (id(), any::<bool>()).prop_map(|(id, staff)| Op::Demo { id, staff }),
        1 => Just(Op::Wait),
    ]
}

/// The possible contents of a patch, valid and invalid.
fn changes() -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("company", json!("ABC 科技")),
        ("company", Value::Null),
        ("company", json!("a\nb")),
        ("email", Value::Null),
        ("email", json!("nope")),
        ("emial", json!("eva@example.com")),
        ("extra", json!({"note": "x"})),
        ("extra", json!({"note": null})),
        ("extra", Value::Null),
        ("first_name", json!("三")),
        ("first_name", Value::Null),
        ("first_name", json!("")),
        ("last_name", json!("张")),
        ("phone", json!(PHONE)),
        ("phone", json!("call me")),
        ("phone", Value::Null),
        ("requirements", Value::Null),
        ("source", json!("fair")),
        ("status", json!("unqualified")),
        ("status", json!("nw")),
        ("version", json!(99)),
    ];
    all.extend(EMAILS.iter().map(|email| ("email", json!(email))));
    // Only a conversion sets the status `converted`.
    let by_hand = Status::NAMES.iter().filter(|status| **status != "converted");
    all.extend(by_hand.map(|status| ("status", json!(status))));
    all
}

/// Whether a step had the result of the model, and if not, how they differ.
type Checked = Result<(), String>;

fn same<T: PartialEq + Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Checked {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

fn has_status(answer: &Answer, expected: u16) -> Checked {
    same(&answer.text, &answer.status.as_u16(), &expected)
}

fn compare(answer: &Answer, expected: Outcome) -> Checked {
    let body = answer.json();
    match expected {
        Ok(lead) => {
            has_status(answer, 200)?;
            same("lead", &body["data"], &lead)?;
            same("etag", answer.header("etag"), format!("\"v{}\"", lead["version"]).as_str())
        }
        Err(refusal) => {
            has_status(answer, refusal.status)?;
            same("code", &body["code"], &json!(refusal.code))?;
            same("violations", &answer.violations(), &refusal.violations)?;
            refusal.members.iter().try_for_each(|(name, value)| same(name, &body[*name], value))
        }
    }
}

/// The API and the model, side by side.
struct Case {
    owner: Person,
    visitor: Person,
    world: World,
    model: Model,
}

impl Case {
    async fn step(&mut self, op: &Op) -> Checked {
        let now = self.world.clock.now().to_string();
        match op {
            Op::Post { staff, email, who } => self.post(*staff, email, who, &now).await,
            Op::DoubleClick => self.double_click().await,
            Op::Patch { id, guard, fields } => {
                let (path, lead) = self.model.find(*id);
                let call = self.owner.patch(&path, Value::Object(fields.clone()));
                let answer = self.guarded(call, lead, *guard).await;
                compare(&answer, self.model.patch(lead, *guard, fields, &now))
            }
            Op::Delete { id, guard } => {
                let (path, lead) = self.model.find(*id);
                let answer = self.guarded(self.owner.delete(&path), lead, *guard).await;
                compare(&answer, self.model.delete(lead, *guard))
            }
            Op::Restore { id, guard } => {
                let (path, lead) = self.model.find(*id);
                let call = self.owner.post(&format!("{path}/restore"), json!({}));
                let answer = self.guarded(call, lead, *guard).await;
                compare(&answer, self.model.restore(lead, *guard, &now))
            }
            Op::Read { id } => self.read(*id).await,
            Op::List { status, ascending, limit } => self.list(*status, *ascending, *limit).await,
            Op::Search { words, status, limit } => self.search(words, *status, *limit).await,
            Op::Demo { id, staff: true } => self.arrange(*id).await,
            Op::Demo { id, staff: false } => self.ask_for_demo(*id, &now).await,
            Op::Wait => {
                self.world.clock.advance(Duration::from_secs(1));
                Ok(())
            }
        }
    }

    fn guarded(&self, call: Call, lead: Option<usize>, guard: Guard) -> Call {
        let version = lead.and_then(|lead| self.model.leads[lead].data["version"].as_u64()).unwrap_or(1);
        match guard {
            Guard::Anything => call,
            Guard::Current => call.header("if-match", &format!("\"v{version}\"")),
            Guard::Stale => call.header("if-match", &format!("\"v{}\"", version + 1)),
        }
    }

    async fn post(&mut self, staff: bool, email: &str, who: &[&str; 4], now: &str) -> Checked {
        let [first, last, company, phone] = *who;
        let wanted = format!("Post {}", self.model.told.len());
        let body = json!({
            "email": email, "first_name": first, "last_name": last, "company": company, "phone": phone,
            "requirements": wanted, "locale": "en", "favourite": "X30",
        });
        let filled = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let enquiry = json!({
            "email": filled(email), "first_name": filled(first), "last_name": filled(last), "company": filled(company),
            "phone": filled(phone), "requirements": wanted, "extra": {"favourite": "X30"},
        });
        let person = if staff { &self.owner } else { &self.visitor };
        let answer = person.post("/api/leads", body.clone()).await;
        has_status(&answer, 201)?;
        let receipt = answer.data();
        let before = self.model.leads.len();
        let lead = self.model.take(&text(&receipt["submission_id"]), enquiry, None, now);
        let (told, known) = (self.model.told.len() - 1, &self.model.leads[lead].data);
        let mut expected = receipt.clone();
        expected["created_at"] = json!(now);
        if staff {
            (expected["id"], expected["status"]) = (known["id"].clone(), known["status"].clone());
        } else {
            expected["id"] = json!(self.model.told[told].id);
            self.model.last = Some((body, answer.text));
        }
        same("receipt", &receipt, &expected)?;
        let duplicate_of = (staff && lead < before).then(|| expected["id"].clone());
        same("duplicate_of", &receipt.get("duplicate_of").cloned(), &duplicate_of)?;
        same("the visitor's answer has a status", &receipt.get("status").is_some(), &staff)?;
        self.read(told).await
    }

    /// An identical post within ten minutes has no effect and gets the same answer.
    async fn double_click(&self) -> Checked {
        let Some((body, text)) = &self.model.last else { return Ok(()) };
        let answer = self.visitor.post("/api/leads", body.clone()).await;
        same("answer to a double click", &answer.text, text)?;
        same("idempotency-replayed", answer.header("idempotency-replayed"), "true")
    }

    async fn read(&self, id: usize) -> Checked {
        let (path, lead) = self.model.find(id);
        let answer = self.owner.get(&path).await;
        compare(&answer, self.model.live(lead).map(|lead| self.model.leads[lead].data.clone()))
    }

    async fn list(&self, status: Option<&str>, ascending: bool, limit: usize) -> Checked {
        let sort = if ascending { "created_at" } else { "-created_at" };
        let found = self.walk(&format!("sort={sort}"), status, limit).await?;
        let mut expected = self.model.listed(status);
        if !ascending {
            expected.reverse();
        }
        same("list", &found, &expected)
    }

    /// Hits are sorted by the words found, so they are compared as a set.
    async fn search(&self, words: &str, status: Option<&str>, limit: usize) -> Checked {
        let escaped: String = words.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let mut found = self.walk(&format!("search={escaped}"), status, limit).await?;
        found.sort_by_key(|lead| text(&lead["id"]));
        let mut expected = self.model.listed(status);
        expected.retain(|lead| is_found(lead, words));
        same(&format!("hits of {words}"), &found, &expected)
    }

    /// All pages of a list. Only the last one may have fewer items.
    async fn walk(&self, query: &str, status: Option<&str>, limit: usize) -> Result<Vec<Value>, String> {
        let only = status.map(|status| format!("&status={status}")).unwrap_or_default();
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = self.owner.get(&format!("/api/leads?{query}{only}&limit={limit}{cursor}")).await;
            has_status(&answer, 200)?;
            let page = answer.json();
            let data = page["data"].as_array().expect("a list");
            let next = page["meta"]["next_cursor"].as_str();
            if data.len() > limit || (next.is_some() && data.len() < limit) {
                return Err(format!("{} records on a page of {limit}, next {next:?}", data.len()));
            }
            all.extend(data.iter().cloned());
            match next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    async fn arrange(&self, id: usize) -> Checked {
        let (path, lead) = self.model.find(id);
        let answer = self.owner.post(&format!("{path}/demo"), json!({"attendees_count": 3})).await;
        match self.model.live(lead) {
            Ok(lead) => {
                has_status(&answer, 201)?;
                same("lead of a demo", &answer.data()["lead_id"], &self.model.leads[lead].data["id"])
            }
            Err(refusal) => compare(&answer, Err(refusal)),
        }
    }

    /// A demonstration request is a submission too: if its lead no longer exists, it makes a new one.
    async fn ask_for_demo(&mut self, id: usize, now: &str) -> Checked {
        let (path, lead) = self.model.find(id);
        let wish = json!({"special_requirements": format!("Demo {}", self.model.told.len())});
        let answer = self.visitor.post(&format!("{path}/demo"), wish).await;
        let Some(lead) = lead else { return compare(&answer, Err(refusal(404, "not_found"))) };
        has_status(&answer, 201)?;
        let receipt = answer.data();
        let mut enquiry = self.model.told[id % self.model.told.len()].enquiry.clone();
        enquiry["extra"] = json!({});
        let lead = self.model.take(&text(&receipt["submission_id"]), enquiry, Some(lead), now);
        let demo = self.owner.get(&format!("/api/demos/{}", text(&receipt["id"]))).await;
        has_status(&demo, 200)?;
        same("lead of a demo", &demo.data()["lead_id"], &self.model.leads[lead].data["id"])?;
        self.read(self.model.told.len() - 1).await
    }
}

async fn play(ops: &[Op]) -> Checked {
    let world = World::new().await;
    let (owner, visitor) = (world.owner().await, world.visitor());
    let mut case = Case { owner, visitor, world, model: Model::default() };
    for (n, op) in ops.iter().enumerate() {
        case.step(op).await.map_err(|wrong| format!("step {n}, {op:?}: {wrong}"))?;
    }
    case.list(None, false, 200).await?;
    for words in SEARCHES {
        case.search(words, None, 200).await?;
    }
    for id in 0..case.model.told.len() {
        case.read(id).await?;
    }
    Ok(())
}

#[test]
fn leads_do_what_a_plain_model_of_them_does() {
    let (cases, steps) = if is_full() { (420, 50..=60_usize) } else { (24, 8..=40_usize) };
    let config = Config { cases, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
    let done = Cell::new(0);
    let outcome = TestRunner::new(config).run(&prop::collection::vec(op(), steps), |ops| {
        done.set(done.get() + ops.len());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(play(&ops)).map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(!is_full() || done.get() >= 20_000, "{} operations", done.get());
}
