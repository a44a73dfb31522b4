//! Commit tests: the items that a commit writes and derives, and the changes it refuses.

use aws_sdk_dynamodb::types::AttributeValue;
use daybook_domain::lead::Lead;
use daybook_domain::{
    Claim, ClaimKind, Edit, EmailAddress, Error as Domain, LeadId, Record, RecordType, Stored, UserId,
};
use daybook_http::Error;
use daybook_local::DEFAULT_ORG;
use daybook_store::schema::{Place, Question};
use daybook_store::{Cx, Detail, Tx};
use daybook_testing::{World, lead};
use serde_json::{Value, json};
use uuid::Uuid;

async fn stored_lead(world: &World, email: &str) -> Stored<Lead> {
    let visitor = world.visitor();
    let id: LeadId = visitor.post("/api/leads", lead(email)).await.expect(201).id().parse().expect("a lead id");
    world.cx(DEFAULT_ORG).get(id).await.expect("a lead")
}

fn email_claim(email: &str) -> Claim {
    Claim { kind: ClaimKind::Email, value: EmailAddress::parse(email).expect("an address").normalized() }
}

fn patched(lead: &Lead, cx: &Cx, change: Value) -> Lead {
    let patch = change.as_object().cloned().expect("an object");
    let wanted = daybook_domain::edit::merged(lead, patch.clone()).expect("valid");
    let edit = Edit { before: Some(lead), wanted, given: &patch, again: false, at: cx.now() };
    Lead::settle(edit, &()).expect("valid").following(lead, cx.now())
}

async fn words(cx: &Cx, word: &str) -> usize {
    let items = cx.env.table.query_all(&Question::Word(cx.org, RecordType::Lead, word).range()).await.expect("a query");
    items.len()
}

#[tokio::test]
async fn an_update_moves_claims_and_words_with_the_fields() {
    let world = World::new().await;
    let cx = world.cx(DEFAULT_ORG);
    let before = stored_lead(&world, "ada@example.com").await;

    let after = patched(&before, &cx, json!({"email": "ada@new.example", "last_name": "King"}));
    cx.commit(Tx::update(&before, &after), ()).await.expect("a commit");

    let old = cx.holder(RecordType::Lead, &email_claim("ada@example.com")).await.expect("a read");
    let new = cx.holder(RecordType::Lead, &email_claim("ADA@new.example")).await.expect("a read");
    assert_eq!((old.current, old.previous), (None, Some(before.id())));
    assert_eq!(new.current, Some(before.id()));
    assert_eq!((words(&cx, "lovelace").await, words(&cx, "king").await), (0, 1));
}

#[tokio::test]
async fn an_update_that_changes_no_name_writes_no_token() {
    let world = World::new().await;
    let cx = world.cx(DEFAULT_ORG);
    let before = stored_lead(&world, "ada@example.com").await;
    let facts = world.journal(DEFAULT_ORG).await.len();

    let after = patched(&before, &cx, json!({"status": "contacted"}));
    cx.commit(Tx::update(&before, &after), ()).await.expect("a commit");

    assert_eq!(words(&cx, "lovelace").await, 1);
    assert_eq!(world.journal(DEFAULT_ORG).await.len(), facts + 1);
}

#[tokio::test]
async fn a_stale_version_is_refused_with_the_current_values() {
    let world = World::new().await;
    let before = stored_lead(&world, "ada@example.com").await;
    let first = world.cx(DEFAULT_ORG);
    first
        .commit(Tx::update(&before, &patched(&before, &first, json!({"status": "contacted"}))), ())
        .await
        .expect("a commit");

    let second = world.cx(DEFAULT_ORG);
    let late = patched(&before, &second, json!({"status": "qualified"}));
    let refused = second.commit(Tx::update(&before, &late), ()).await.expect_err("stale");

    let Error::Domain(Domain::Stale { version, current }) = refused else { panic!("{refused:?}") };
    assert_eq!((version, current["status"].as_str()), (2, Some("contacted")));
}

#[tokio::test]
async fn a_request_commits_once() {
    let world = World::new().await;
    let cx = world.cx(DEFAULT_ORG);
    let before = stored_lead(&world, "ada@example.com").await;
    let after = patched(&before, &cx, json!({"status": "contacted"}));
    cx.commit(Tx::update(&before, &after), ()).await.expect("a commit");

    let after = cx.get::<Lead>(before.id).await.expect("a lead");
    let again = cx.commit(Tx::delete(&after), ()).await;

    assert!(matches!(again, Err(Error::Internal { .. })), "{again:?}");
    assert!(world.cx(DEFAULT_ORG).find::<Lead>(before.id).await.expect("a read").is_some());
}

#[tokio::test]
async fn a_reference_to_nobody_is_refused() {
    let world = World::new().await;
    let cx = world.cx(DEFAULT_ORG);
    let before = stored_lead(&world, "ada@example.com").await;
    let missing = UserId::new(Uuid::from_u128(5));

    let after = patched(&before, &cx, json!({"owner_id": missing}));
    let refused = cx.commit(Tx::update(&before, &after), ()).await.expect_err("an unknown owner");

    assert!(
        matches!(&refused, Error::Domain(Domain::Invalid(found)) if found.0[0].pointer == "/owner_id"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn deleting_frees_the_address_and_restoring_takes_it_back() {
    let world = World::new().await;
    let live = stored_lead(&world, "ada@example.com").await;
    world.cx(DEFAULT_ORG).commit(Tx::delete(&live), ()).await.expect("a commit");
    let cx = world.cx(DEFAULT_ORG);
    assert_eq!(cx.find::<Lead>(live.id).await.expect("a read"), None);
    assert_eq!(words(&cx, "lovelace").await, 0);

    let trashed = cx.trash().find::<Lead>(live.id).await.expect("a read").expect("in the trash");
    let restored = Lead::clone(&trashed).following(&trashed, cx.now());
    cx.commit(Tx::restore(&trashed, &restored), ()).await.expect("a commit");

    let cx = world.cx(DEFAULT_ORG);
    assert_eq!(cx.get::<Lead>(live.id).await.expect("a lead").version, 2);
    assert_eq!(cx.trash().find::<Lead>(live.id).await.expect("a read"), None);
    assert_eq!(
        cx.holder(RecordType::Lead, &email_claim("ada@example.com")).await.expect("a read").current,
        Some(live.id())
    );
    assert_eq!(words(&cx, "lovelace").await, 1);
}

#[tokio::test]
async fn a_record_larger_than_64_kb_is_refused_and_nothing_is_written() {
    let world = World::new().await;
    let cx = world.cx(DEFAULT_ORG);
    let before = stored_lead(&world, "ada@example.com").await;
    let mut after = patched(&before, &cx, json!({"status": "contacted"}));
    after.extra.insert("big".to_owned(), Value::from("x".repeat(65 * 1024)));

    let refused = cx.commit(Tx::update(&before, &after), ()).await.expect_err("too large");

    assert!(matches!(refused, Error::Domain(Domain::TooLarge { limit: 65_536, .. })), "{refused:?}");
    assert_eq!(world.cx(DEFAULT_ORG).get::<Lead>(before.id).await.expect("a lead"), before);
}

#[tokio::test]
async fn a_change_of_more_than_100_items_is_refused_and_nothing_is_written() {
    let world = World::new().await;
    let cx = world.cx(DEFAULT_ORG);
    let one = stored_lead(&world, "ada@example.com").await;
    let mut tx = Tx::default();
    let copies: Vec<Lead> = (0..20_u128)
        .map(|n| {
            let mut copy = Lead::clone(&one);
            copy.id = LeadId::new(Uuid::from_u128(n + 10));
            copy.email = EmailAddress::parse(&format!("copy{n}@example.com")).ok();
            copy
        })
        .collect();
    for copy in &copies {
        tx = tx.and_create(copy);
    }

    let refused = cx.commit(tx, ()).await.expect_err("too many");

    assert!(matches!(refused, Error::Domain(Domain::Unfit { actions: 381, limit: 100 })), "{refused:?}");
    assert_eq!(cx.find::<Lead>(copies[0].id).await.expect("a read"), None);
}

#[tokio::test]
async fn the_journal_says_who_did_what_and_holds_what_it_signs() {
    let world = World::new().await;
    let owner = world.owner().await;
    let lead = stored_lead(&world, "ada@example.com").await;
    owner
        .patch(&format!("/api/leads/{}", lead.id), json!({"status": "contacted"}))
        .header("x-request-id", "my-request")
        .await
        .expect(200);

    let cx = world.cx(DEFAULT_ORG);
    let fact = world.journal(DEFAULT_ORG).await.pop().expect("an entry");
    let item = cx.env.table.get(&Place::Fact(fact.org, fact.id).key()).await.expect("a read").expect("a fact");
    let (_, genuine) = daybook_store::SignedFact::from_item(item.clone(), &cx.env.keys).expect("a fact");
    let detail_item =
        cx.env.table.get(&Place::Detail(fact.org, fact.id).key()).await.expect("a read").expect("a detail");
    let (detail, sha256) = Detail::from_item(&detail_item).expect("a detail");

    assert_eq!(fact.event.name(), "lead.status_changed");
    assert_eq!((fact.request_id.as_str(), fact.fields.as_slice()), ("my-request", ["status".to_owned()].as_slice()));
    assert_eq!(fact.actor.user(), owner.user);
    assert_eq!((detail.before["status"].as_str(), detail.after["status"].as_str()), (Some("new"), Some("contacted")));
    assert_eq!((genuine, sha256), (true, fact.detail_sha256.clone()));

    // The fact's JSON is signed, and the key attributes beside it must be those derived from the JSON.
    let json = item["json"].as_s().expect("a text").replace("\"version\":2", "\"version\":7");
    for (name, value) in [("json", json.as_str()), ("pk", "x"), ("state_sk", "x"), ("owner_pk", "x"), ("kind", "x")] {
        let mut forged = item.clone();
        let was = forged.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
        assert_ne!(was, forged.get(name).cloned(), "{name}");
        let (_, genuine) = daybook_store::SignedFact::from_item(forged, &cx.env.keys).expect("a fact");
        assert!(!genuine, "a fact with a forged {name} is accepted as genuine");
    }
    let by_request =
        cx.env.table.query_all(&Question::OfRequest(DEFAULT_ORG, "my-request").range()).await.expect("a query");
    assert_eq!(by_request.len(), 1);
}
