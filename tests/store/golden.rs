//! Golden file tests: the current code must read the stored items of each release, which are kept in `golden/`.
//!
//! `GOLDEN=write cargo test -p daybook-tests --test store golden` writes new ones, with an item of every kind. Those of an
//! earlier version stay, in a folder named after the last decision that it had.

use aws_sdk_dynamodb::types::AttributeValue;
use daybook_domain::permission::Role;
use daybook_domain::{
    AnyId, ApiKeyId, EmailAddress, EntryId, JobId, OrgId, RecordType, RunId, SessionId, Stored, Timestamp, UserId,
    for_each_record_type,
};
use daybook_http::Result;
use daybook_jobs::Message;
use daybook_local::DEFAULT_ORG;
use daybook_run_jobs::JobRun;
use daybook_send_mail::{MailJob, MailKind};
use daybook_store::chain::Anchor;
use daybook_store::rows::ai_keys::AiKeys;
use daybook_store::rows::alarm::Alarm;
use daybook_store::rows::cascade::Cascades;
use daybook_store::rows::chat::ChatState;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::data_subject::DataSubject;
use daybook_store::rows::key_secret::KeySecret;
use daybook_store::rows::ledger::{self, HUBSPOT};
use daybook_store::rows::run::{Run, RunCheck};
use daybook_store::rows::second_factor::SecondFactor;
use daybook_store::rows::session::Session;
use daybook_store::rows::suppression::Reason;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::rows::{attempts, bucket, checkpoint, delivery, due, spending, suppression, tally};
use daybook_store::{Detail, EntryRef, Kept, SignedFact, Tx};
use daybook_sync_hubspot::SyncJob;
use daybook_testing::hubspot::HubSpot;
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const PASSWORD: &str = "correct horse battery";

/// The data of a release: the items of its table, its messages, and their time.
struct Golden {
    at: Timestamp,
    items: Vec<Value>,
    messages: BTreeMap<String, String>,
    anchors: Vec<(Timestamp, String)>,
}

type Item = HashMap<String, AttributeValue>;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/store/golden"))
}

/// An attribute value from DynamoDB's JSON.
fn of_json(value: &Value) -> AttributeValue {
    let (kind, inner) = value.as_object().and_then(|map| map.iter().next()).expect("a typed value");
    match kind.as_str() {
        "S" => AttributeValue::S(inner.as_str().expect("a text").to_owned()),
        "N" => AttributeValue::N(inner.as_str().expect("a number").to_owned()),
        "BOOL" => AttributeValue::Bool(inner.as_bool().expect("a flag")),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(inner.as_array().expect("a list").iter().map(of_json).collect()),
        "M" => AttributeValue::M(item_of(inner)),
        other => panic!("{other} isn't stored"),
    }
}

fn item_of(json: &Value) -> Item {
    json.as_object().expect("an object").iter().map(|(name, value)| (name.clone(), of_json(value))).collect()
}

fn text<'i>(item: &'i Value, name: &str) -> &'i str {
    item[name]["S"].as_str().unwrap_or_default()
}

/// Every item of a world's table, ordered by key.
fn dumped(world: &World) -> Vec<Value> {
    let mut items = world.raw.everything();
    items.sort_by(|a, b| (text(a, "pk"), text(a, "sk")).cmp(&(text(b, "pk"), text(b, "sk"))));
    items
}

/// Creates an item of every kind.
async fn written() -> Golden {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    let world = World::at(WorldOptions { hubspot: Some(hubspot), ..WorldOptions::default() }, clock).await;
    let owner = world.owner().await;
    let env = &world.system.env;
    let made = async |path: &str, body: Value| owner.post(path, body).await.expect(201).id();

    let demo = world.visitor().post("/api/demos", lead("ada@example.com")).await.expect(201).id();
    owner.patch(&demo.replace("demo_", "/api/leads/lead_"), json!({"status": "contacted"})).await.expect(200);
    let customer = made("/api/customers", json!({"name": "ABC", "tags": ["vip"]})).await;
    let group = made("/api/groups", json!({"name": "VIP"})).await;
    let contact = json!({"name": "Eva", "customer_id": customer, "group_ids": [group], "email": "eva@example.com"});
    made("/api/contacts", contact).await;
    made("/api/interactions", json!({"customer_id": customer, "interaction_type": "call", "notes": "Talked"})).await;
    let opportunity = made("/api/opportunities", json!({"customer_id": customer, "title": "ERP", "value": 5.5})).await;
    owner.patch(&format!("/api/opportunities/{opportunity}"), json!({"stage": "proposal"})).await.expect(200);
    let stage = json!({"key": "new_one", "name": "New", "type": "open", "probability": 10});
    made("/api/pipelines", json!({"name": "Partners", "stages": [stage]})).await;
    let task = json!({
        "title": "Call Eva", "related_to": {"type": "opportunity", "id": opportunity}, "due_date": "2026-11-25",
        "reminders": [{"offset_minutes": 60}], "checklist": [{"text": "Dial"}],
    });
    owner.post("/api/tasks", task).header("idempotency-key", "golden").await.expect(201);
    made("/api/views", json!({"name": "Active", "resource": "customers", "query": "status=active"})).await;
    made("/api/roles", json!({"name": "Reader", "permissions": ["leads:read:all"]})).await;
    made("/api/teams", json!({"name": "North", "member_ids": [owner.user]})).await;
    made("/api/invitations", json!({"email": "new@example.com", "role": "sales"})).await;
    made("/api/api-keys", json!({"name": "Import", "permissions": ["leads:create:all"]})).await;
    made("/api/forms", json!({"name": "Campaign"})).await;
    let trashed = made("/api/customers", json!({"name": "Gone"})).await;
    owner.delete(&format!("/api/customers/{trashed}")).await.expect(200);

    // Users: a refreshed session, a second factor, a forgotten password, a wrong password.
    let body = json!({"email": "secret@example.com", "password": PASSWORD});
    let tokens = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    let person = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
    world.confirm("secret@example.com").await;
    person.post("/api/auth/mfa/setup", json!({"current_password": PASSWORD})).await.expect(200);
    let forgotten = json!({"email": "secret@example.com"});
    world.visitor().post("/api/auth/forgot-password", forgotten).await.expect(202);
    let wrong = json!({"email": "secret@example.com", "password": "wrong password"});
    world.visitor().post("/api/auth/login", wrong).await.expect(401);
    let viewer = world.person(Role::Viewer).await;
    for _ in 0..25 {
        viewer.post("/api/customers", json!({"name": "No"})).await.expect(403);
    }
    let bounced = EmailAddress::parse("bounced@example.com").expect("an address");
    suppression::add(env, DEFAULT_ORG, &bounced, Reason::Bounce).await.expect("a row");
    world.work().await;
    checkpoint::keep(env, world.clock.now()).await.expect("a row");

    // A person is erased, and the day's anchor is written.
    world.visitor().post("/api/leads", lead("erased@example.com")).await.expect(201);
    owner.post("/api/privacy/erasures", json!({"email": "erased@example.com"})).await.expect(202);
    world.work().await;
    let day = world.clock.now();
    world.clock.advance(DAY);
    world.system.workers.anchor().await.expect("an anchor");

    // A waiting job, and a cascade delete in progress.
    let owner = world.owner().await;
    owner.post("/api/privacy/exports", json!({"email": "ada@example.com"})).await.expect(202);
    let run = chat(&owner).await;
    let hold = Run::read(env, DEFAULT_ORG, run).await.expect("a read").expect("a run").hold;
    let cx = world.cx(DEFAULT_ORG);
    let falls: AnyId = customer.parse().expect("an id");
    let job = daybook_domain::job::Job::new(daybook_domain::job::Work::Removal { record: falls }, &cx.stamp());
    let row = Cascades::default().and(DEFAULT_ORG, falls, (job.id, job.created_at)).expect("a row");
    cx.commit(Tx::create(&job).with_row(row), ()).await.expect("a commit");
    let facts = world.journal(DEFAULT_ORG).await;
    for fact in &facts {
        daybook_store::chain::chain(env, fact).await.expect("a link");
    }

    let entry = EntryRef { org: DEFAULT_ORG, entry: facts[0].id };
    let job: JobId = job.id;
    let mail = MailJob { entry, kind: MailKind::Confirmation, about: None };
    let sync = SyncJob { org: DEFAULT_ORG, record: falls, erased: false };
    let alarm = Alarm { org: DEFAULT_ORG, record: falls, at: world.clock.now() };
    let check = RunCheck { org: DEFAULT_ORG, hold: Some(hold), entry: Some(entry.entry), run };
    let json = |message: serde_json::Result<String>| message.expect("JSON");
    let messages = BTreeMap::from([
        ("mail".to_owned(), json(serde_json::to_string(&Message::new(mail)))),
        ("sync".to_owned(), json(serde_json::to_string(&Message::new(sync)))),
        ("job".to_owned(), json(serde_json::to_string(&Message::new(JobRun { entry, job, long: false })))),
        ("alarm".to_owned(), json(serde_json::to_string(&Message::new(alarm)))),
        ("run".to_owned(), json(serde_json::to_string(&Message::new(check)))),
    ]);
    let file = world.folder().join("anchors").join(Anchor::key(DEFAULT_ORG, day));
    let anchors = vec![(day, std::fs::read_to_string(file).expect("an anchor"))];
    Golden { at: world.clock.now(), items: dumped(&world), messages, anchors }
}

/// AI settings, a conversation with a question and its answer, and a key of a provider; returns the run of the answer.
async fn chat(owner: &Person) -> RunId {
    owner.put("/api/ai/budgets", json!({"per_user": {"daily_tokens": 1_000_000}})).await.expect(200);
    let conversation = json!({"title": "Offer", "tags": ["offers"], "temporary": true});
    let conversation = owner.post("/api/conversations", conversation).await.expect(201).id();
    let turn =
        json!({"id": "msg1", "role": "user", "content": "What is an offer?", "timestamp": 1_697_467_200_000_i64});
    let question = json!({"messages": [turn], "model": "gpt-3.5-turbo", "conversation_id": conversation});
    let answer = owner.post("/api/chat", question).await.expect(200).json();
    // Questions after this one would be sent to the provider.
    owner.put("/api/integrations/ai", json!({"api_keys": {"openai": "golden"}})).await.expect(200);
    answer["run_id"].as_str().expect("an id").parse().expect("an id")
}

impl Golden {
    fn write(&self) {
        let lines = self.items.iter().map(|item| item.to_string() + "\n");
        std::fs::write(folder().join("items.jsonl"), lines.collect::<String>()).expect("a file");
        let rest = json!({"at": self.at, "messages": self.messages, "anchors": self.anchors});
        let rest = serde_json::to_string_pretty(&rest).expect("JSON") + "\n";
        std::fs::write(folder().join("rest.json"), rest).expect("a file");
    }

    fn read(folder: &Path) -> Golden {
        let file = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .expect("a golden file; GOLDEN=write cargo test -p daybook-tests --test store golden makes it")
        };
        let rest: Value = serde_json::from_str(&file("rest.json")).expect("JSON");
        let part = |name: &str| rest[name].clone();
        Golden {
            at: serde_json::from_value(part("at")).expect("a time"),
            items: file("items.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(),
            messages: serde_json::from_value(part("messages")).expect("messages"),
            anchors: serde_json::from_value(part("anchors")).expect("anchors"),
        }
    }

    /// A world with these items, at the time of their release.
    async fn world(&self) -> World {
        let world = World::at(WorldOptions::default(), daybook_store::Clock::fake(self.at)).await;
        for item in &self.items {
            world.raw.put(item_of(item)).await;
        }
        world
    }
}

/// The kinds of items, by partition key: the second part of an organisation's key, or a global key.
fn kinds(items: &[Value]) -> BTreeSet<String> {
    let kind = |item: &Value| {
        let pk = text(item, "pk");
        match pk.strip_prefix('~') {
            Some(global) => format!("~{}", global.split('#').next().unwrap_or_default()),
            None => pk.split('#').nth(1).unwrap_or_default().to_owned(),
        }
    };
    items.iter().map(kind).collect()
}

#[tokio::test]
async fn golden_items_are_read_and_verified() {
    if std::env::var("GOLDEN").is_ok_and(|how| how == "write") {
        written().await.write();
    }
    let golden = Golden::read(&folder());
    let found = kinds(&golden.items);
    let rows = [
        "ai-keys",
        "ai-spending",
        "ai-usage",
        "attempts",
        "bucket",
        "chain",
        "chat",
        "claim",
        "credential",
        "delivery",
        "detail",
        "errand",
        "falling",
        "journal",
        "key-secret",
        "ledger",
        "of",
        "once",
        "request",
        "run",
        "second-factor",
        "session",
        "suppression",
        "tally",
        "ticket",
        "trash",
        "~due",
        "~feed",
        "~form",
        "~login",
        "~orgs",
    ];
    let wanted = rows.into_iter().chain(RecordType::ALL.iter().map(|kind| kind.name()));
    let missing: Vec<&str> = wanted.filter(|kind| !found.contains(*kind)).collect();
    assert!(missing.is_empty(), "there is no golden {missing:?}; let `written` make one");

    let world = records_are_read(&golden).await;
    rows_are_read(&world, &golden).await.expect("golden rows");
    messages_are_read(&golden);
}

#[tokio::test]
async fn golden_items_of_earlier_versions_are_read_and_verified() {
    let folders = std::fs::read_dir(folder()).expect("a folder").map(|entry| entry.expect("an entry").path());
    let earlier: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    assert!(!earlier.is_empty());
    for folder in earlier {
        records_are_read(&Golden::read(&folder)).await;
    }
}

/// Asserts that all records are read, and written back unchanged, and that the journals are intact. Returns a world with
/// the items.
async fn records_are_read(golden: &Golden) -> World {
    let world = golden.world().await;
    let orgs: BTreeSet<OrgId> =
        golden.items.iter().filter_map(|item| text(item, "pk").split('#').next()?.parse().ok()).collect();
    let mut records = 0;
    for &org in &orgs {
        let cx = world.cx(org);
        for_each_record_type!(T => {
            for kept in [Kept::Live, Kept::InTrash] {
                let mut all: Vec<Stored<T>> = Vec::new();
                cx.every::<T>(kept).each(|record| all.push(record)).await.expect("golden records");
                for record in &all {
                    let written = daybook_store::fields_of(record, record).expect("fields");
                    let stored: Map<String, Value> = serde_json::from_str(record.text()).expect("JSON");
                    let written: Map<String, Value> =
                        // Fields added later have their default.
                        written.into_iter().filter(|(name, _)| stored.contains_key(name)).collect();
                    assert_eq!(written, stored, "a record changes when it is written back");
                }
                records += all.len();
            }
        });
        verified(&world, org, golden).await;
    }
    let stored = golden.items.iter().filter(|item| text(item, "kind") == "record").count();
    assert_eq!(records, stored);
    world
}

/// Asserts that an organisation's journal is intact.
async fn verified(world: &World, org: OrgId, golden: &Golden) {
    let cx = world.cx(org);
    let anchors: Vec<Anchor> = golden
        .anchors
        .iter()
        .filter(|_| org == DEFAULT_ORG)
        .map(|(day, file)| Anchor::parse(&world.system.env, file.as_bytes(), org, *day))
        .collect();
    let found = cx.verify(golden.at.minus(5 * DAY), 7, &anchors).await.expect("a look at the journal");
    assert_eq!((found.wrong, found.first_wrong), (0, None), "{org}");
    assert!(found.entries > 0 || org != DEFAULT_ORG);
}

async fn rows_are_read(world: &World, golden: &Golden) -> Result<()> {
    let env = &world.system.env;
    let mut read = BTreeMap::<&str, usize>::new();
    for item in &golden.items {
        let parts: Vec<&str> = text(item, "pk").split('#').collect();
        let [org, kind, ..] = parts[..] else { continue };
        let Ok(org) = org.parse::<OrgId>() else { continue };
        let id = || parts.get(2).copied().unwrap_or_default();
        let there = match kind {
            "session" => Session::read(env, org, id().parse::<SessionId>().expect("an id")).await?.is_some(),
            "credential" => Credential::read(env, org, id().parse::<UserId>().expect("an id")).await?.is_some(),
            "second-factor" => SecondFactor::read(env, org, id().parse::<UserId>().expect("an id")).await?.is_some(),
            "key-secret" => KeySecret::read(env, org, id().parse::<ApiKeyId>().expect("an id")).await?.is_some(),
            "ticket" => {
                let user: UserId = id().parse().expect("an id");
                let uses = [Use::ResetPassword, Use::VerifyEmail];
                let to = uses.into_iter().find(|to| to.name() == text(item, "sk")).expect("a use");
                Ticket::read(env, org, user, to).await?.is_some()
            }
            "errand" => DataSubject::read(env, org, id().parse().expect("an id")).await?.is_some(),
            "ledger" => ledger::read(env, org, HUBSPOT, text(item, "sk").parse().expect("an id")).await?.is_some(),
            "delivery" => !delivery::of_entry(env, org, id().parse().expect("an id")).await?.is_empty(),
            "falling" => !Cascades::read(env, org).await?.is_empty(),
            "journal" => {
                let entry: EntryId = text(item, "sk").parse().expect("an id");
                SignedFact::read(env, EntryRef { org, entry }).await?.is_some_and(|fact| fact.id == entry)
            }
            "detail" if item["json"].is_object() => Detail::from_item(&item_of(item)).is_ok(),
            "attempts" => attempts::take(env, org, "ada").await?.is_ok(),
            "run" => Run::read(env, org, id().parse().expect("an id")).await?.is_some_and(|run| run.is_over()),
            "chat" => ChatState::read(env, org, id().parse().expect("an id")).await?.messages > 0,
            "ai-keys" => AiKeys::read(env, org).await?.get(env, "openai")?.is_some_and(|key| key.expose() == "golden"),
            _ => true,
        };
        assert!(there, "{} {}", text(item, "pk"), text(item, "sk"));
        *read.entry(kind).or_default() += 1;
    }
    let bounced = EmailAddress::parse("bounced@example.com").expect("an address");
    assert!(suppression::holds(env, DEFAULT_ORG, &bounced).await?);
    assert!(!tally::since(env, DEFAULT_ORG, golden.at.minus(2 * DAY)).await?.is_empty());
    assert!(!spending::usage_on(env, DEFAULT_ORG, golden.at, None).await?.is_empty());
    assert!(spending::spent(env, DEFAULT_ORG, None, golden.at).await?.day.tokens > 0);
    assert!(!due::all(env).await?.is_empty());
    assert!(checkpoint::read(env).await?.is_some());
    let rate = bucket::Rate { burst: 5, per: Duration::from_secs(60) };
    for item in golden.items.iter().filter(|item| text(item, "pk").contains("#bucket#")) {
        let class = text(item, "pk").rsplit('#').next().expect("a class").to_owned();
        bucket::take(env, DEFAULT_ORG, &class, text(item, "sk"), rate).await?;
    }
    assert!(read.len() > 20, "{read:?}");
    Ok(())
}

fn messages_are_read(golden: &Golden) {
    let body = |kind: &str| golden.messages.get(kind).expect("a message").clone();
    let good = [
        serde_json::from_str::<Message<MailJob>>(&body("mail")).is_ok(),
        serde_json::from_str::<Message<SyncJob>>(&body("sync")).is_ok(),
        serde_json::from_str::<Message<JobRun>>(&body("job")).is_ok(),
        serde_json::from_str::<Message<Alarm>>(&body("alarm")).is_ok(),
        serde_json::from_str::<Message<RunCheck>>(&body("run")).is_ok(),
    ];
    assert_eq!(good, [true; 5]);
}
