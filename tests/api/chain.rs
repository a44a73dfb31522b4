//! Tamper detection tests: `verify` finds altered, removed and forged entries of the audit log.

use aws_sdk_dynamodb::types::AttributeValue;
use daybook_domain::form::Form;
use daybook_domain::{EntryId, FormId, Line, Record as _};
use daybook_local::DEFAULT_ORG;
use daybook_store::schema::{Key, Place};
use daybook_store::{SignedFact, Tx, chain, sha256_hex};
use daybook_testing::{Person, World, is_full, lead};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

async fn verified(owner: &Person, query: &str) -> Value {
    owner.get(&format!("/api/audit-logs/verify{query}")).await.expect(200).data()
}

fn first_wrong(found: &Value) -> (Option<&str>, Option<&str>) {
    (found["first_wrong"]["id"].as_str(), found["first_wrong"]["what"].as_str())
}

type Item = HashMap<String, AttributeValue>;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A fact as JSON, without the fields of its request.
fn forged_text(fact: &Item) -> AttributeValue {
    let mut json: Value = serde_json::from_str(fact["json"].as_s().expect("a text")).expect("JSON");
    json["request"] = "req_forged".into();
    text(&json.to_string())
}

/// The keys of a fact, of its detail and of its link.
fn places(entry: EntryId) -> [Key; 3] {
    [Place::Fact(DEFAULT_ORG, entry), Place::Detail(DEFAULT_ORG, entry), Place::ChainLink(DEFAULT_ORG, entry)]
        .map(|place| place.key())
}

async fn item(world: &World, key: &Key) -> Item {
    world.system.env.table.get(key).await.expect("a read").expect("an item")
}

/// Writes an item directly to the table, as an attacker with write access would.
async fn put(world: &World, item: &Item) {
    world.raw.put(item.clone()).await;
}

/// A world with this number of chained entries, spread over several days.
async fn with_entries(count: usize) -> (World, Vec<SignedFact>) {
    let world = World::new().await;
    world.owner().await;
    let mut form = world.cx(DEFAULT_ORG).get::<Form>(FormId::default_of(DEFAULT_ORG)).await.expect("a form");
    for n in 1..=count {
        if n % (count / 4) == 0 {
            world.clock.advance(Duration::from_secs(86_400));
        }
        let cx = world.cx(DEFAULT_ORG);
        let name = Line::parse(&format!("Form {n}")).expect("a line");
        let after = Form { name, ..Form::clone(&form) }.following(&form, cx.now());
        cx.commit(Tx::update(&form, &after), ()).await.expect("a commit");
        form = form.followed_by(after).expect("the next version");
    }
    world.work().await;
    world.clock.advance(chain::UNCHAINED);
    let facts = world.journal(DEFAULT_ORG).await;
    (world, facts)
}

#[tokio::test]
async fn an_entry_that_is_altered_removed_swapped_or_put_in_is_found_every_time() {
    let count = if is_full() { 10_000 } else { 200 };
    let (world, facts) = with_entries(count).await;
    let owner = world.owner().await;
    world.work().await;
    world.clock.advance(chain::UNCHAINED);
    let owner_log = async || verified(&owner, "").await;
    let whole = owner_log().await;
    assert_eq!((whole["intact"].as_bool(), first_wrong(&whole)), (Some(true), (None, None)), "{whole}");
    assert!(whole["entries"].as_u64().expect("a number") >= count as u64);

    let table = &world.system.env.table;
    let tries = if is_full() { 10 } else { 4 };
    for n in 0..tries {
        // Including the first and the last entry, and those at the ends of days.
        let at = match n {
            0 => 0,
            1 => facts.len() - 1,
            n => (n * 7_919) % (facts.len() - 1),
        };
        let fact = &facts[at];
        let other = &facts[if at + 1 < facts.len() { at + 1 } else { at - 1 }];
        let keys = places(fact.id);
        let [fact_key, detail_key, link_key] = &keys;
        let (kept_fact, kept_detail, kept_link) =
            (item(&world, fact_key).await, item(&world, detail_key).await, item(&world, link_key).await);
        let id = fact.id.to_string();
        let found_as = async |what: &[&str]| {
            let found = owner_log().await;
            let (wrong, how) = first_wrong(&found);
            assert!(how.is_some_and(|how| what.contains(&how)), "{what:?} of {id} (no. {at}): {found}");
            wrong.map(str::to_owned)
        };

        let mut altered = kept_fact.clone();
        altered.insert("json".to_owned(), forged_text(&kept_fact));
        put(&world, &altered).await;
        assert_eq!(found_as(&["altered"]).await.as_deref(), Some(&*id));

        // A whole fact forged without the signing key.
        let mut forged = kept_fact.clone();
        forged.insert("hmac".to_owned(), text("test.AAAAAAAAAAAAAAAAAAAAAA"));
        put(&world, &forged).await;
        assert_eq!(found_as(&["altered"]).await.as_deref(), Some(&*id));

        // Also if the forged fact has an expiry in the past.
        altered.insert("expires_at".to_owned(), AttributeValue::N("1".to_owned()));
        put(&world, &altered).await;
        assert_eq!(found_as(&["altered"]).await.as_deref(), Some(&*id));

        // Replaced by another genuine fact.
        let mut swapped = item(&world, &places(other.id)[0]).await;
        for name in ["pk", "sk"] {
            swapped.insert(name.to_owned(), kept_fact[name].clone());
        }
        put(&world, &swapped).await;
        assert_eq!(found_as(&["altered"]).await.as_deref(), Some(&*id));

        table.delete(fact_key).await.expect("a removal");
        assert_eq!(found_as(&["missing"]).await.as_deref(), Some(&*id));

        // Its link is removed too, so the chain has a gap.
        table.delete(link_key).await.expect("a removal");
        found_as(&["chain_broken"]).await;
        put(&world, &kept_fact).await;
        found_as(&["unchained", "chain_broken"]).await;
        put(&world, &kept_link).await;

        let mut detail = kept_detail.clone();
        detail.insert("json".to_owned(), text(r#"{"before":{},"after":{},"request":null}"#));
        put(&world, &detail).await;
        assert_eq!(found_as(&["detail_altered"]).await.as_deref(), Some(&*id));

        // Removed, and no entry records an erasure.
        table.delete(detail_key).await.expect("a removal");
        assert_eq!(found_as(&["detail_missing"]).await.as_deref(), Some(&*id));
        put(&world, &kept_detail).await;
    }
    assert_eq!(owner_log().await["intact"], true);
}

#[tokio::test]
async fn an_end_that_was_cut_off_shows_by_the_head_and_an_old_head_by_its_number() {
    let (world, facts) = with_entries(60).await;
    let owner = world.owner().await;
    world.work().await;
    world.clock.advance(chain::UNCHAINED);
    let before = verified(&owner, "").await;
    let table = &world.system.env.table;
    let all = world.journal(DEFAULT_ORG).await;
    for key in places(all.last().expect("a fact").id) {
        table.delete(&key).await.expect("a removal");
    }
    let found = verified(&owner, "").await;
    assert_eq!(first_wrong(&found).1, Some("chain_broken"), "{found}");
    assert_eq!(found["head"], before["head"], "the head says how many there were");
    assert!(facts.len() >= 60);
}

#[tokio::test]
async fn each_entry_is_chained_once_however_often_it_is_told() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    let facts = world.journal(DEFAULT_ORG).await;
    world.faults.at_a_distance();
    let again = facts.iter().cycle().take(4 * facts.len()).cloned();
    let again = again.map(|fact| world.dispatch(fact));
    assert!(futures::future::join_all(again).await.into_iter().all(|outcome| outcome.is_ok()));
    let found = verified(&owner, "").await;
    assert_eq!((found["head"]["seq"].as_u64(), found["intact"].as_bool()), (Some(facts.len() as u64), Some(true)));
}

#[tokio::test]
async fn a_year_is_verified_a_month_at_a_time_also_with_idle_weeks() {
    let world = World::new().await;
    for n in 0..6 {
        let owner = world.owner().await;
        owner.post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201);
        world.work().await;
        world.clock.advance(Duration::from_secs(60 * 86_400));
    }
    let owner = world.owner().await;
    world.work().await;
    world.clock.advance(Duration::from_secs(1_000));
    let (mut from, mut entries, mut looks) = ("?from=2026-11-01".to_owned(), 0, 0);
    loop {
        let found = verified(&owner, &from).await;
        assert_eq!(found["intact"], true, "{found}");
        entries += found["entries"].as_u64().expect("a number");
        looks += 1;
        match found["next_from"].as_str() {
            Some(next) => from = format!("?from={next}"),
            None => break,
        }
    }
    assert_eq!(entries as usize, world.journal(DEFAULT_ORG).await.len());
    assert!(looks >= 12);
}

/// The stored items of a chain's head and of all its links.
async fn chained(world: &World, facts: &[SignedFact]) -> Vec<Item> {
    let mut items = vec![item(world, &Place::ChainHead(DEFAULT_ORG).key()).await];
    for fact in facts {
        items.push(item(world, &places(fact.id)[2]).await);
    }
    items
}

async fn anchored(world: &World) -> usize {
    world.system.workers.anchor().await.expect("anchors")
}

#[tokio::test]
async fn a_chain_that_was_cut_off_with_its_head_differs_from_its_anchor() {
    let (world, facts) = with_entries(20).await;
    let before = chained(&world, &facts[..15]).await;
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!((anchored(&world).await, anchored(&world).await), (1, 0), "once a day");
    // An attacker puts back an older head and removes all later entries.
    let table = &world.system.env.table;
    for fact in &facts[15..] {
        for key in places(fact.id) {
            table.delete(&key).await.expect("a removal");
        }
    }
    let mut head = before[0].clone();
    let link = before[15]["json"].as_s().expect("a text");
    let said: Value = serde_json::from_str(link).expect("JSON");
    let earlier = json!({"seq": said["seq"], "hash": sha256_hex(link.as_bytes()), "entry": said["entry"]});
    head.insert("json".to_owned(), text(&earlier.to_string()));
    head.insert("seq".to_owned(), AttributeValue::N(said["seq"].to_string()));
    put(&world, &head).await;

    let owner = world.owner().await;
    let found = verified(&owner, "").await;

    let last = facts.last().expect("a fact").id.to_string();
    assert!(found["wrong"].as_u64() >= Some(1), "{found}");
    let cut_off = (Some(&*last), Some("cut_off"));
    assert_eq!(first_wrong(&found), cut_off, "{found}");

    // Still found after the chain has grown again, and when only that day is verified.
    for n in 0..10 {
        owner.post("/api/leads", daybook_testing::lead(&format!("more{n}@example.com"))).await.expect(201);
    }
    world.work().await;
    world.clock.advance(Duration::from_secs(20 * 86_400));
    let owner = world.owner().await;
    world.work().await;
    let found = verified(&owner, "").await;
    assert!(found["wrong"].as_u64() >= Some(1), "{found}");
}

#[tokio::test]
async fn a_chain_that_somebody_with_our_secrets_wrote_anew_differs_from_its_anchor() {
    let (world, facts) = with_entries(20).await;
    world.clock.advance(Duration::from_secs(86_400));
    anchored(&world).await;
    let table = &world.system.env.table;
    table.delete(&Place::ChainHead(DEFAULT_ORG).key()).await.expect("a removal");
    for fact in &facts {
        table.delete(&places(fact.id)[2]).await.expect("a removal");
    }
    for key in places(facts[7].id) {
        table.delete(&key).await.expect("a removal");
    }
    // The chain is rebuilt with the deployment's code and secret, leaving out one entry.
    for fact in facts.iter().filter(|fact| fact.id != facts[7].id) {
        chain::chain(&world.system.env, fact).await.expect("a link");
    }

    // The chain is now as long as before.
    let owner = world.owner().await;
    world.work().await;
    let found = verified(&owner, "").await;

    assert_eq!(first_wrong(&found).1, Some("rewritten"), "{found}");
}

#[tokio::test]
async fn an_anchor_that_was_altered_shows_and_one_that_is_whole_is_named() {
    let (world, _) = with_entries(8).await;
    world.clock.advance(Duration::from_secs(86_400));
    anchored(&world).await;
    let owner = world.owner().await;
    world.work().await;
    let found = verified(&owner, "").await;
    assert_eq!(
        (found["intact"].as_bool(), found["anchors"].as_array().map(Vec::len)),
        (Some(true), Some(1)),
        "{found}"
    );
    let day = found["anchors"][0]["day"].as_str().expect("a day").to_owned();
    let file = world.folder().join("anchors").join(DEFAULT_ORG.to_string()).join(format!("{day}.json"));
    let text = std::fs::read_to_string(&file).expect("a file");

    for altered in
        [text.replace("seq\\\":", "seq\\\":1"), text.replace(&day, "2026-01-02"), "{}".to_owned(), "x".to_owned()]
    {
        std::fs::write(&file, altered).expect("a file");
        assert_eq!(first_wrong(&verified(&owner, "").await).1, Some("anchor_altered"));
    }
    // An anchor of another day, and a missing anchor.
    let other_day = file.with_file_name("2026-11-20.json");
    std::fs::write(&other_day, &text).expect("a file");
    std::fs::write(&file, &text).expect("a file");
    assert_eq!(first_wrong(&verified(&owner, "").await).1, Some("anchor_altered"));
    std::fs::remove_file(&other_day).expect("a file");
    world.clock.advance(Duration::from_secs(2 * 86_400));
    anchored(&world).await;
    let owner = world.owner().await;
    world.work().await;
    let unanchored = verified(&owner, "").await["unanchored"].clone();
    assert_eq!(unanchored.as_array().map(Vec::len), Some(1), "{unanchored}");
    // An anchor of another organisation.
    let stranger = world.stranger().await;
    world.work().await;
    world.clock.advance(Duration::from_secs(86_400));
    anchored(&world).await;
    let day = world.clock.now().minus(Duration::from_secs(86_400)).to_string()[..10].to_owned();
    let file_of = |org: String| world.folder().join("anchors").join(org).join(format!("{day}.json"));
    std::fs::copy(file_of(stranger.org.to_string()), file_of(DEFAULT_ORG.to_string())).expect("a file");
    let owner = world.owner().await;
    world.work().await;
    assert_eq!(first_wrong(&verified(&owner, "").await).1, Some("anchor_altered"));
}
