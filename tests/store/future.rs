//! Forward compatibility tests: this version reads, changes and reverts data of a newer version without losing any of
//! it, and a newer version reads the data of this one. Both happen during a deployment and after a rollback.
//!
//! The newer version is simulated by items with unknown attributes, and by record types with more fields in a higher
//! form number.

use aws_sdk_dynamodb::types::AttributeValue;
use daybook_domain::customer::Customer;
use daybook_domain::field::Fields;
use daybook_domain::permission::RoleRef;
use daybook_domain::record::{Claim, Record};
use daybook_domain::stored::FORM;
use daybook_domain::words::Words;
use daybook_domain::{Actor, AnyId, Audit, Change, CustomerId, Event, RecordType, Stamp, Timestamp, UserId};
use daybook_handlers::Removed;
use daybook_jobs::Message;
use daybook_local::DEFAULT_ORG;
use daybook_send_mail::MailJob;
use daybook_store::rows::session::Session;
use daybook_store::schema::Place;
use daybook_store::{Cx, Tx};
use daybook_sync_hubspot::SyncJob;
use daybook_testing::{Person, World, lead};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

type Item = HashMap<String, AttributeValue>;

async fn item(world: &World, place: Place<'_>) -> Item {
    world.system.env.table.get(&place.key()).await.expect("a read").expect("an item")
}

async fn put(world: &World, item: Item) {
    world.raw.put(item).await;
}

fn data_of(item: &Item) -> Value {
    serde_json::from_str(item["data"].as_s().expect("a text")).expect("JSON")
}

/// The stored JSON of a live record.
async fn stored(world: &World, id: AnyId) -> Value {
    data_of(&item(world, Place::Record(DEFAULT_ORG, id)).await)
}

/// Adds unknown fields to a stored record.
async fn extended(world: &World, id: AnyId, change: impl FnOnce(&mut Value)) {
    let mut item = item(world, Place::Record(DEFAULT_ORG, id)).await;
    let mut data = data_of(&item);
    change(&mut data);
    item.insert("data".to_owned(), AttributeValue::S(data.to_string()));
    put(world, item).await;
}

/// Asserts that the journal is intact and fully chained.
async fn intact(world: &World) {
    world.work().await;
    world.clock.advance(daybook_store::chain::UNCHAINED);
    let cx = world.cx(DEFAULT_ORG);
    let day = cx.now().minus(std::time::Duration::from_secs(3 * 86_400));
    let found = cx.verify(day, 5, &[]).await.expect("a look at the journal");
    assert_eq!((found.wrong, found.first_wrong, found.waiting), (0, None, 0));
    assert!(found.entries > 0);
}

fn id(text: &str) -> AnyId {
    text.parse().expect("an id")
}

/// Asserts that a lead still has all fields of the newer version.
fn whole(data: &Value) {
    assert_eq!(data["score"], json!({"value": 7, "reasons": ["budget"]}), "{data}");
    assert_eq!(data["consent"]["channels"], json!(["wechat"]), "{data}");
    assert_eq!(data["attribution"]["utm_id"], "u1", "{data}");
    assert_eq!(data["status"], "nurturing", "{data}");
}

/// A lead written by a newer version.
async fn newer_lead(world: &World, owner: &Person) -> AnyId {
    let mut body = lead("ada@example.com");
    body["consent"] = json!({"marketing": true});
    body["utm_source"] = "x".into();
    let lead = id(&owner.post("/api/leads", body).await.expect(201).id());
    extended(world, lead, |data| {
        data["score"] = json!({"value": 7, "reasons": ["budget"]});
        data["consent"]["channels"] = json!(["wechat"]);
        data["attribution"]["utm_id"] = "u1".into();
        data["status"] = "nurturing".into();
    })
    .await;
    lead
}

#[tokio::test]
async fn what_a_newer_version_wrote_of_a_lead_outlives_every_way_of_changing_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let lead = newer_lead(&world, &owner).await;
    let path = format!("/api/leads/{lead}");

    // The unknown status is shown, unknown fields aren't, and the record may be sent back as it was read.
    let shown = owner.get(&path).await.expect(200).data();
    assert_eq!((shown["status"].as_str(), shown.get("score")), (Some("nurturing"), None));
    assert_eq!(shown["consent"].get("channels"), None);
    owner.put(&path, shown).await.expect(200);
    owner.patch(&path, json!({"status": "meditating"})).await.expect_problem(422, "validation_error");
    owner.patch(&path, json!({"score": 8})).await.expect_problem(422, "validation_error");
    whole(&stored(&world, lead).await);

    owner.patch(&path, json!({"company": "Engines", "consent": {"marketing": false}})).await.expect(200);
    let data = stored(&world, lead).await;
    whole(&data);
    assert_eq!((data["company"].as_str(), &data["consent"]["marketing"]), (Some("Engines"), &json!(false)));

    // Reverted.
    let changed = world.journal(DEFAULT_ORG).await.pop().expect("an entry").id;
    owner.post(&format!("/api/audit-logs/{changed}/revert"), json!({})).await.expect(200);
    let data = stored(&world, lead).await;
    whole(&data);
    assert_eq!((data["company"].as_str(), &data["consent"]["marketing"]), (Some("示例科技有限公司"), &json!(true)));

    // Deleted and restored.
    owner.delete(&path).await.expect(200);
    whole(&data_of(&item(&world, Place::Trash(DEFAULT_ORG, lead)).await));
    owner.post(&format!("{path}/restore"), json!({})).await.expect(200);
    whole(&stored(&world, lead).await);

    // The list contains it, and the export of the person's data has all of its fields.
    let listed = owner.get("/api/leads?filter[status][eq]=nurturing").await;
    listed.expect_problem(400, "invalid_query");
    assert_eq!(owner.get("/api/leads?search=ada").await.expect(200).json()["meta"]["count"], 1);
    owner.post("/api/privacy/exports", json!({"email": "ada@example.com"})).await.expect(202);
    world.work().await;
    let job = owner.get("/api/jobs").await.expect(200).data()[0]["id"].as_str().expect("an id").to_owned();
    let url = owner.get(&format!("/api/jobs/{job}")).await.expect(200).data()["download_url"].clone();
    let path_of = url.as_str().expect("a link").split_once("/_local").map(|(_, rest)| format!("/_local{rest}"));
    let file = world.visitor().get(&path_of.expect("a path")).await.expect(200).text;
    assert!(file.contains("wechat") && file.contains("nurturing"), "{file}");

    // A conversion sets the status; the unknown fields stay.
    owner.post(&format!("{path}/convert"), json!({})).await.expect(201);
    let data = stored(&world, lead).await;
    assert_eq!((data["status"].as_str(), &data["score"]["value"]), (Some("converted"), &json!(7)));
    intact(&world).await;
}

#[tokio::test]
async fn entries_of_lists_keep_what_only_a_newer_version_knows() {
    let world = World::new().await;
    let owner = world.owner().await;
    let body = json!({"title": "Call", "checklist": [{"text": "one"}, {"text": "two"}, {"text": "three"}]});
    let task = id(&owner.post("/api/tasks", body).await.expect(201).id());
    extended(&world, task, |data| {
        for (n, step) in data["checklist"].as_array_mut().expect("a list").iter_mut().enumerate() {
            step["minutes"] = json!(n);
        }
        data["priority"] = "whenever".into();
    })
    .await;
    let steps = json!([{"text": "three"}, {"text": "two", "done": true}, {"text": "four"}]);
    let batch = json!({"items": [{"action": "update", "id": task, "data": {"checklist": steps}}]});
    for atomic in ["", "?atomic=true"] {
        owner.post(&format!("/api/tasks/batch{atomic}"), batch.clone()).await.expect(200);
        let data = stored(&world, task).await;
        let minutes: Vec<Value> =
            data["checklist"].as_array().expect("a list").iter().map(|step| step["minutes"].clone()).collect();
        assert_eq!((minutes[0].as_i64(), minutes[1].as_i64()), (Some(2), Some(1)), "{data}");
        assert_eq!(data["priority"], "whenever");
    }
    // Deleted and restored together with its customer.
    let customer = owner.post("/api/customers", json!({"name": "ABC"})).await.expect(201).id();
    let related = json!({"related_to": {"type": "customer", "id": customer}});
    owner.patch(&format!("/api/tasks/{task}"), related).await.expect(200);
    owner.delete(&format!("/api/customers/{customer}")).await.expect(200);
    owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(200);
    assert_eq!(stored(&world, task).await["priority"], "whenever");
    intact(&world).await;
}

#[tokio::test]
async fn a_role_with_a_permission_of_a_newer_version_works_and_keeps_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let body = json!({"name": "Reader", "permissions": ["customers:read:all"]});
    let role = id(&owner.post("/api/roles", body).await.expect(201).id());
    extended(&world, role, |data| {
        data["permissions"] = json!(["forecasts:use", "customers:read:all"]);
    })
    .await;
    let reader = world.person(role.to_string().parse::<RoleRef>().expect("a role")).await;

    reader.get("/api/customers").await.expect(200);
    reader.post("/api/customers", json!({"name": "No"})).await.expect_problem(403, "forbidden");
    owner.patch(&format!("/api/roles/{role}"), json!({"name": "Readers"})).await.expect(200);
    let data = stored(&world, role).await;
    assert_eq!(data["permissions"], json!(["customers:read:all", "forecasts:use"]));
    let unknown = json!({"permissions": ["ai:abuse"]});
    owner.patch(&format!("/api/roles/{role}"), unknown).await.expect_problem(422, "validation_error");
    // A built-in role known only to a newer version grants no permission here.
    let user = AnyId::from(reader.user.expect("a user"));
    extended(&world, user, |data| data["role"] = "partner".into()).await;
    owner.patch(&format!("/api/users/{user}"), json!({"name": "Eva"})).await.expect(200);
    assert_eq!(stored(&world, user).await["role"], "partner");
    reader.get("/api/customers").await.expect_problem(403, "forbidden");
    intact(&world).await;
}

/// A context whose actor is of a kind known only to a newer version.
fn newer_cx(world: &World) -> Cx {
    let fields = json!({"type": "agent", "id": UserId::new(world.system.env.ids.next()), "model": "m"});
    let actor: Actor = serde_json::from_value(fields).expect("an actor");
    assert!(matches!(actor, Actor::Unknown(_)));
    Cx { actor, ..world.cx(DEFAULT_ORG) }
}

#[tokio::test]
async fn entries_of_a_newer_version_are_chained_shown_by_name_and_dispatched_to_nobody() {
    let world = World::new().await;
    let owner = world.owner().await;
    let word = |text: &str| daybook_domain::Unknown::of(text).expect("a word");
    let order: AnyId = serde_json::from_value(json!("ord_01m7wjas70ec3sttn163jbej2c")).expect("an id");
    assert_eq!(order.kind, RecordType::Unknown(word("ord")));
    let tx = Tx::happened(Event::Unknown(word("order.shipped")), Audit::Unknown(word("ship")), order);
    newer_cx(&world).commit(tx, ()).await.expect("a commit");
    let mails = world.mails().len();
    world.work().await;

    assert_eq!(world.mails().len(), mails);
    let entry = owner.get("/api/audit-logs?limit=1").await.expect(200).data()[0].clone();
    assert_eq!(
        [&entry["event"], &entry["action"], &entry["resource"]["type"], &entry["actor"]["type"]],
        ["order.shipped", "ship", "ord", "agent"],
        "{entry}"
    );
    let undo = format!("/api/audit-logs/{}/revert", entry["id"].as_str().expect("an id"));
    owner.post(&undo, json!({})).await.expect_problem(409, "conflict");
    owner.post("/api/audit-logs/export", json!({"format": "csv"})).await.expect(200);
    intact(&world).await;

    // A fact with unknown fields, correctly signed.
    let fact = world.journal(DEFAULT_ORG).await.pop().expect("an entry");
    let mut raw = item(&world, Place::Fact(fact.org, fact.id)).await;
    let mut json: Value = serde_json::from_str(raw["json"].as_s().expect("a text")).expect("JSON");
    json["region"] = "eu".into();
    let hmac = world.system.env.keys.sign(daybook_store::Purpose::Journal, json.to_string().as_bytes());
    raw.insert("json".to_owned(), AttributeValue::S(json.to_string()));
    raw.insert("hmac".to_owned(), AttributeValue::S(hmac));
    let (read, genuine) = daybook_store::SignedFact::from_item(raw, &world.system.env.keys).expect("a fact");
    assert_eq!((genuine, read.id), (true, fact.id));
}

#[tokio::test]
async fn the_head_s_counter_agrees_with_what_the_head_says() {
    let world = World::new().await;
    world.owner().await;
    intact(&world).await;
    let mut head = item(&world, Place::ChainHead(DEFAULT_ORG)).await;
    let kept = head.clone();
    head.insert("seq".to_owned(), AttributeValue::N("99".to_owned()));
    put(&world, head).await;
    let cx = world.cx(DEFAULT_ORG);
    let found = cx.verify(cx.now(), 1, &[]).await.expect("a look at the journal");
    assert_eq!(found.first_wrong.map(|(_, what)| what), Some(daybook_store::chain::Wrong::Altered));
    put(&world, kept).await;
    intact(&world).await;
}

/// The customer type of a newer version: form number 2, where `name` is called `title`, with a rating.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct NewerCustomer {
    #[serde(flatten)]
    customer: Customer,
    title: String,
    rating: Option<u8>,
}

impl utoipa::PartialSchema for NewerCustomer {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        <Customer as utoipa::PartialSchema>::schema()
    }
}

impl utoipa::ToSchema for NewerCustomer {}

impl Fields for NewerCustomer {
    const FIELDS: &'static [daybook_domain::field::Field] = Customer::FIELDS;
    const READ_ONLY: &'static [&'static str] = Customer::READ_ONLY;
    const FIXED: &'static [&'static str] = Customer::FIXED;
    const REQUIRED: &'static [&'static str] = Customer::REQUIRED;
    const MOMENTS: &'static [&'static str] = Customer::MOMENTS;
    const DEADLINES: &'static [&'static str] = Customer::DEADLINES;

    fn defaults(by: &Stamp) -> Map<String, Value> {
        <Customer as Fields>::defaults(by)
    }
}

impl Record for NewerCustomer {
    const TYPE: RecordType = RecordType::Customer;
    type Id = CustomerId;
    type Context = ();
    const RESOURCE: daybook_domain::permission::Resource = Customer::RESOURCE;
    const SAMPLE: &'static str = Customer::SAMPLE;
    const FORM: u32 = 2;

    fn upgrade(form: u32, fields: &mut Map<String, Value>) {
        if form == 1
            && let Some(name) = fields.get("name").cloned()
        {
            fields.insert("title".to_owned(), name);
        }
    }

    fn id(&self) -> AnyId {
        self.customer.id.into()
    }

    fn version(&self) -> u64 {
        self.customer.version
    }

    fn revise(&mut self, version: u64, at: Timestamp) {
        self.customer.revise(version, at);
    }

    fn event(_: Change<'_, Self>) -> Event {
        Event::CustomerUpdated
    }

    fn date(&self) -> Timestamp {
        self.customer.date()
    }

    fn claims(&self) -> Vec<Claim> {
        self.customer.claims()
    }

    fn words(&self) -> Words {
        self.customer.words()
    }
}

#[tokio::test]
async fn an_older_form_is_upgraded_when_it_is_read_and_a_newer_one_is_read_and_not_written() {
    let world = World::new().await;
    let owner = world.owner().await;
    let customer = id(&owner.post("/api/customers", json!({"name": "ABC", "tags": ["vip"]})).await.expect(201).id());
    let path = format!("/api/customers/{customer}");

    // The newer version reads the record of this one, and writes it in its own form.
    let cx = world.cx(DEFAULT_ORG);
    let before = cx.get::<NewerCustomer>(customer).await.expect("a customer");
    assert_eq!((before.title.as_str(), before.rating), ("ABC", None));
    let after = NewerCustomer { rating: Some(5), ..NewerCustomer::clone(&before) }.following(&before, cx.now());
    cx.commit(Tx::update(&before, &after), ()).await.expect("a commit");
    let data = stored(&world, customer).await;
    assert_eq!((&data[FORM], &data["rating"], &data["title"]), (&json!(2), &json!(5), &json!("ABC")));

    // This version reads it, and refuses every request to change it.
    assert_eq!(owner.get(&path).await.expect(200).data()["name"], "ABC");
    assert_eq!(owner.get("/api/customers").await.expect(200).json()["meta"]["count"], 1);
    let refused = |answer: daybook_testing::Answer| {
        let problem = answer.expect_problem(409, "conflict").text;
        assert!(problem.contains("newer version"), "{problem}");
    };
    refused(owner.patch(&path, json!({"name": "Other"})).await);
    refused(owner.delete(&path).await);
    let update = json!({"items": [{"action": "update", "id": customer, "data": {"name": "Other"}}]});
    refused(owner.post("/api/customers/batch?atomic=true", update).await);
    let made = world.journal(DEFAULT_ORG).await;
    let made = made.iter().find(|fact| fact.record == customer).expect("an entry").id;
    owner.post(&format!("/api/audit-logs/{made}/revert"), json!({})).await.expect_problem(412, "precondition_failed");
    let updated = world.journal(DEFAULT_ORG).await.pop().expect("an entry");
    assert_eq!(updated.event, Event::CustomerUpdated);
    refused(owner.post(&format!("/api/audit-logs/{}/revert", updated.id), json!({})).await);
    assert_eq!(stored(&world, customer).await, data);

    // An optional field whose type has changed reads as null, and the rest of the record as it is.
    extended(&world, customer, |data| data["tags"] = json!({"vip": true})).await;
    assert_eq!(owner.get(&path).await.expect_problem(500, "internal").status.as_u16(), 500);
    extended(&world, customer, |data| {
        data["tags"] = json!([]);
        data["industry"] = json!({"code": 7});
    })
    .await;
    assert_eq!(owner.get(&path).await.expect(200).data()["industry"], Value::Null);
    intact(&world).await;
}

#[tokio::test]
async fn rows_and_messages_of_a_newer_version_keep_what_it_says() {
    let world = World::new().await;
    let body = json!({"email": "ada@example.com", "password": "correct horse battery"});
    let tokens = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    let user: UserId = tokens["user"]["id"].as_str().expect("an id").parse().expect("an id");
    let env = &world.system.env;
    let org = daybook_records::admission::login(env, "ada@example.com").await.expect("a read").expect("a user").0;
    let cx = world.cx(org);
    let ada = cx.get::<daybook_domain::user::User>(user).await.expect("a user");
    let session = Session::all_of(env, org, ada.epoch()).await.expect("a read")[0].id;
    let mut row = item(&world, Place::Session(org, session)).await;
    row.insert("passkey".to_owned(), AttributeValue::S("pk1".to_owned()));
    put(&world, row).await;

    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    world.visitor().post("/api/auth/refresh", refresh).await.expect(200);
    let row = item(&world, Place::Session(org, session)).await;
    assert_eq!(row["passkey"], AttributeValue::S("pk1".to_owned()));

    let mail = r#"{"job":{"org":"org_01kdvpaw00fpgv030000000001","entry":"aud_01kdvpayhhfn98m42vdhyrx7r1",
        "kind":"confirmation","about":null,"lane":"fast"},"attempt":0,"due":null,"since":"2026-11-20"}"#;
    serde_json::from_str::<Message<MailJob>>(mail).expect("a message");
    let sync = r#"{"job":{"org":"org_01kdvpaw00fpgv030000000001","record":"ord_01m7wjas70ec3sttn163jbej2c"}}"#;
    let sync: Message<SyncJob> = serde_json::from_str(sync).expect("a message");
    assert!(matches!(sync.job.record.kind, RecordType::Unknown(_)));
}

/// A repeat gets the reply that was kept with the change, also from the version before: its variants keep their names.
#[test]
fn kept_replies_keep_the_names_of_their_variants() {
    let variants = |error: serde_json::Error| error.to_string().split(" at line").next().map(str::to_owned);
    let removed = serde_json::from_str::<Removed<Customer>>(r#"{"?":1}"#).expect_err("a variant");
    assert_eq!(variants(removed).as_deref(), Some("unknown variant `?`, expected `Done` or `Begun`"));
}

#[tokio::test]
async fn a_job_that_only_a_newer_version_can_do_waits_for_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let work = serde_json::from_value(json!({"kind": "import", "rows": 7})).expect("work");
    let cx = world.cx(DEFAULT_ORG);
    let job = daybook_domain::job::Job::new(work, &cx.stamp());
    cx.commit(Tx::create(&job), ()).await.expect("a commit");
    world.work().await;
    let shown = owner.get("/api/jobs").await.expect(200).data()[0].clone();
    assert_eq!((shown["status"].as_str(), &shown["work"]), (Some("queued"), &json!({"kind": "import", "rows": 7})));
}
