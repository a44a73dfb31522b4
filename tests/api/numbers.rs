//! Tests of leads with a phone number and no e-mail address: known by the number, on every way in.

use crate::privacy::{self, ADA, TURNS, all_there_is, asked_of, fetched};
use daybook_domain::{AnyId, FormId};
use daybook_local::DEFAULT_ORG;
use daybook_store::schema::Place;
use daybook_testing::hubspot::HubSpot;
use daybook_testing::{Answer, Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::time::Duration;

async fn post(world: &World, fields: Value) -> Answer {
    world.visitor().post(&format!("/f/{}", FormId::default_of(DEFAULT_ORG)), fields).await
}

async fn leads(world: &World, owner: &Person) -> Vec<Value> {
    world.work().await;
    world.leads(owner).await
}

#[tokio::test]
async fn a_number_is_a_lead_and_the_next_post_with_it_joins_that() {
    let world = World::new().await;
    let owner = world.owner().await;
    post(&world, json!({"name": "王芳", "tel": "010-65529988转801"})).await.expect(201);
    post(&world, json!({"phone": "+86 10 6552 9988 ext. 801", "company": "C"})).await.expect(201);
    let [lead] = &leads(&world, &owner).await[..] else { panic!("expected one lead") };
    assert_eq!((&lead["email"], &lead["company"], &lead["version"]), (&Value::Null, &json!("C"), &json!(2)));
    assert_eq!((&lead["phone_e164"], &lead["phone_extension"]), (&json!("+861065529988"), &json!("801")));
    let id = lead["id"].as_str().expect("an id").to_owned();

    // A switchboard has one number for many people.
    post(&world, json!({"phone": "010-65529988转802"})).await.expect(201);
    let differs = json!({"email": "eva@b.example", "phone": "010-65529988转804"});
    post(&world, differs).await.expect(201);
    let differs = json!({"email": "eva@b.example", "phone": "010-65529988转803"});
    post(&world, differs).await.expect(201);
    let newest = owner.get("/api/submissions?limit=1").await.expect(200).data()[0].clone();
    assert_eq!(newest["differs"], json!(["phone"]));
    // Who has an address is known by that: colleagues share a number.
    post(&world, json!({"email": "a@b.example", "phone": "13800138000"})).await.expect(201);
    post(&world, json!({"phone": "13800138000"})).await.expect(201);
    // A number that is none of any country is compared by its digits.
    post(&world, json!({"phone": "1-2-3"})).await.expect(201);
    post(&world, json!({"phone": "(123)"})).await.expect(201);
    assert_eq!(leads(&world, &owner).await.len(), 6);

    // An address completes the lead, and from then on it is known by that.
    post(&world, json!({"email": "wang@b.example", "phone": "01065529988 x801"})).await.expect(201);
    let lead = owner.get(&format!("/api/leads/{id}")).await.expect(200).data();
    assert_eq!((&lead["email"], &lead["first_name"]), (&json!("wang@b.example"), &json!("芳")));
    post(&world, json!({"email": "WANG@b.example", "job_title": "CTO"})).await.expect(201);
    let lead = owner.get(&format!("/api/leads/{id}")).await.expect(200).data();
    assert_eq!((&lead["job_title"], leads(&world, &owner).await.len()), (&json!("CTO"), 6));
}

#[tokio::test]
async fn posts_at_once_with_one_number_make_one_lead() {
    let world = World::new().await;
    let owner = world.owner().await;
    let all = (0..8).map(|n| post(&world, json!({"phone": "13800138000", "extra": {"n": n}})));
    for answer in futures::future::join_all(all).await {
        answer.expect(201);
    }
    assert_eq!(leads(&world, &owner).await.len(), 1);
}

#[tokio::test]
async fn nobody_is_a_lead_without_a_way_to_reach_them() {
    let world = World::new().await;
    let owner = world.owner().await;
    let refused = |answer: Answer| answer.expect_problem(422, "validation_error").violations();
    let is = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    assert_eq!(refused(post(&world, json!({"name": "Ada"})).await), is("/email", "required"));
    assert_eq!(refused(post(&world, json!({"phone": "call me"})).await), is("/phone", "invalid_format"));
    for path in ["/api/leads", "/api/contact", "/api/demos"] {
        let told = refused(world.visitor().post(path, json!({"message": "Hello"})).await);
        assert!(told.contains(&("/email".to_owned(), "required".to_owned())), "{path}: {told:?}");
    }
    for path in ["/api/leads", "/api/contact"] {
        world.visitor().post(path, json!({"message": "Hello", "phone": "13800138000"})).await.expect(201);
    }
    let [lead] = &leads(&world, &owner).await[..] else { panic!("expected one lead") };
    let path = format!("/api/leads/{}", lead["id"].as_str().expect("an id"));
    let told = refused(owner.patch(&path, json!({"phone": null})).await);
    assert_eq!(told, is("/email", "required"));
    assert_eq!(refused(owner.patch(&path, json!({"phone": "none"})).await), is("/phone", "invalid_format"));
    assert_eq!(owner.get(&path).await.expect(200).data()["version"], lead["version"]);
}

#[tokio::test]
async fn no_way_in_gives_two_leads_one_number() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = world.visitor().post("/api/leads", json!({"phone": "13800138000"})).await.expect(201).id();
    let other = world.visitor().post("/api/leads", json!({"phone": "13800138001"})).await.expect(201).id();
    let [path, other_path] = [&id, &other].map(|id| format!("/api/leads/{id}"));
    let taken = |answer: Answer| {
        let told = answer.expect_problem(409, "duplicate").json();
        assert_eq!((&told["errors"][0]["field"], &told["existing_id"]), (&json!("phone"), &json!(id)), "{told}");
    };
    taken(owner.patch(&other_path, json!({"phone": "+86 138 0013 8000"})).await);
    // With an address it may have the number, but not without.
    owner.patch(&other_path, json!({"phone": "+86 138 0013 8000", "email": "a@b.example"})).await.expect(200);
    taken(owner.patch(&other_path, json!({"email": null})).await);
    // From the trash it doesn't come back beside its successor.
    owner.delete(&path).await.expect(200);
    let next =
        world.visitor().post("/api/leads", json!({"phone": "13800138000", "company": "C"})).await.expect(201).id();
    let lead = owner.get(&format!("/api/leads/{next}")).await.expect(200).data();
    assert_eq!(lead["previous_lead_id"], json!(id));
    owner.post(&format!("{path}/restore"), json!({})).await.expect_problem(409, "duplicate");
    // Converted, it frees the number; its contact has the number, and a name to call it by.
    let made = owner.post(&format!("/api/leads/{next}/convert"), json!({})).await.expect(201).data();
    assert_eq!((&made["contact"]["name"], &made["contact"]["email"]), (&json!("13800138000"), &Value::Null));
    assert_eq!((&made["customer"]["name"], &made["opportunity"]["title"]), (&json!("C"), &json!("C")));
    owner.post(&format!("{path}/restore"), json!({})).await.expect(200);
}

#[tokio::test]
async fn what_is_stored_can_be_read_by_the_version_before() {
    let world = World::new().await;
    world.owner().await;
    let posted = world.visitor().post("/api/leads", json!({"phone": "13800138000"})).await.expect(201).data();
    let stored = async |id: &Value| {
        let id: AnyId = id.as_str().expect("an id").parse().expect("an id");
        let item = world.system.env.table.get(&Place::Record(DEFAULT_ORG, id).key()).await.expect("a read");
        let item = item.expect("an item");
        serde_json::from_str::<Value>(item["data"].as_s().expect("a text")).expect("JSON")
    };
    // It requires an address, and reads any text as one.
    assert_eq!(stored(&posted["id"]).await["email"], "");
    assert_eq!(stored(&posted["submission_id"]).await["enquiry"]["email"], "");
}

#[tokio::test]
async fn the_team_is_told_and_other_systems_get_what_there_is() {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    let options = WorldOptions { hubspot: Some(hubspot.clone()), ..WorldOptions::default() };
    let world = World::at(options, clock).await;
    let owner = world.owner().await;
    post(&world, json!({"name": "Ada Lovelace", "phone": "13800138000", "message": "Call me."})).await.expect(201);
    assert_eq!(leads(&world, &owner).await.len(), 1);
    let mails: Vec<_> = world.mails().into_iter().filter(|mail| mail.subject.contains("Ada")).collect();
    let [mail] = &mails[..] else { panic!("{} mails", mails.len()) };
    assert!(mail.text.contains("13800138000") && mail.text.contains("Call me."), "{}", mail.text);
    assert!(!mail.text.contains("E-mail:") && !mail.text.contains("邮箱"), "{}", mail.text);
    let [contact] = &hubspot.contacts()[..] else { panic!("expected one contact in HubSpot") };
    assert_eq!(contact.properties["phone"], "+8613800138000");
    assert!(contact.properties.get("email").is_none_or(String::is_empty), "{:?}", contact.properties);
}

#[tokio::test]
async fn who_gave_a_number_alone_is_exported_and_erased_by_it() {
    for turn in TURNS {
        let (world, hubspot) = privacy::world(turn).await;
        let owner = world.owner().await;
        let posted = json!({"first_name": "Canarybert", "phone": "+49 30 998877665", "requirements": "A canaryengine"});
        let id = world.visitor().post("/api/leads", posted.clone()).await.expect(201).id();
        world
            .visitor()
            .post("/api/contact", json!({"phone": "0049 30 998877665", "message": "Canary"}))
            .await
            .expect(201);
        let other = world.visitor().post("/api/leads", lead("panda@example.com")).await.expect(201).id();
        let mention = json!({"requirements": "Ask +49 (30) 9988-77665, too"});
        owner.patch(&format!("/api/leads/{other}"), mention).await.expect(200);
        world.work().await;

        let bad = |fields: Value| owner.post("/api/privacy/exports", fields);
        for fields in [json!({}), json!({"phone": "none"}), json!({"email": ADA, "phone": "13800138000"})] {
            bad(fields).await.expect(422);
        }
        let job = asked_of(&world, &owner, "exports", json!({"phone": "+49 30 998877665"})).await;
        let told = fetched(&world, &job).await.expect(200).json();
        assert_eq!((&told["phone"], told.get("email")), (&json!("+4930998877665"), None));
        let records = told["records"].as_array().expect("a list");
        let kinds: Vec<&str> = records.iter().map(|one| one["type"].as_str().expect("a type")).collect();
        assert_eq!(kinds, ["lead", "submission", "submission"]);
        assert_eq!(told["mentioned_by"], json!([other]));

        let job = asked_of(&world, &owner, "erasures", json!({"phone": "+49 30 998877665"})).await;
        assert_eq!((&job["status"], &job["erased"]["mentions"]), (&json!("done"), &json!([other])), "{job}");
        owner.get(&format!("/api/leads/{id}")).await.expect(404);
        let left = all_there_is(&world).join("\n");
        assert!(!left.contains("anary"), "{left}");
        assert!(!left.contains("4930998877665"), "the number is left");
        assert!(
            hubspot
                .contacts()
                .iter()
                .all(|contact| contact.archived || contact.properties["firstname"] != "Canarybert")
        );
    }
}

#[tokio::test]
async fn a_purged_lead_with_an_address_is_not_erased_by_its_number() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = world.visitor().post("/api/leads", lead("panda@example.com")).await.expect(201).id();
    owner
        .patch(&format!("/api/leads/{id}"), json!({"phone": "+49 30 998877665", "job_title": "Pandakeeper"}))
        .await
        .expect(200);
    owner.delete(&format!("/api/leads/{id}")).await.expect(200);
    let alone = world.visitor().post("/api/leads", json!({"phone": "+49 30 998877665"})).await.expect(201).id();
    owner.delete(&format!("/api/leads/{alone}")).await.expect(200);
    world.work().await;
    world.clock.advance(Duration::from_secs(31 * 86_400));
    world.pass(Duration::from_secs(60)).await;
    let owner = world.owner().await;
    let job = asked_of(&world, &owner, "erasures", json!({"phone": "+49 30 998877665"})).await;
    assert_eq!(job["status"], "done", "{job}");
    let left = all_there_is(&world);
    assert!(left.iter().any(|item| item.contains("Pandakeeper")), "it is another person's");
    for item in left.iter().filter(|item| item.contains("998877665")) {
        assert!(item.contains("Pandakeeper"), "{item}");
    }
}
