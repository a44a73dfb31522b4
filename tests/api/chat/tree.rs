//! Conversations: the tree of their messages, forks, titles, lists, exports, and their end.

use super::{
    DAY, MODELS, asked, assert_settled, conversation, listed, messages, only, question, question_in, run_of, shown,
    slowly, streamed, text_at, texts, with, world,
};
use crate::privacy::all_there_is;
use daybook_domain::permission::Role;
use daybook_store::schema::Place;
use daybook_testing::llm::FakeLlm;
use daybook_testing::{Person, World, lead};
use serde_json::{Value, json};
use std::time::Duration;

/// A question in a conversation after a message, to the model whose requests the tests read.
fn question_after(conversation: &str, parent: &str, text: &str) -> Value {
    let more = json!({"parent_message_id": parent, "model": MODELS[0]});
    with(question_in(conversation, text), more)
}

/// The texts that the model was given last.
fn given(fake: &FakeLlm) -> Vec<String> {
    let seen = fake.requests().pop().expect("a request");
    texts(seen.body["input"].as_array().expect("a list"), "content")
}

/// A conversation with two questions and their answers; returns its id and the ids of its messages.
async fn two_questions(person: &Person, fake: &FakeLlm) -> (String, Vec<String>) {
    let id = conversation(person).await;
    person.patch(&format!("/api/conversations/{id}"), json!({"model": MODELS[0]})).await.expect(200);
    for (question, answer) in [("Q1", "A1"), ("Q2", "A2")] {
        fake.say(&[answer]);
        asked(person, &id, question).await;
    }
    let ids = texts(&messages(person, &id).await, "id");
    (id, ids)
}

#[tokio::test]
async fn a_question_follows_the_newest_message() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (id, ids) = two_questions(&owner, &fake).await;
    let parents: Vec<Value> =
        messages(&owner, &id).await.iter().map(|message| message["parent_message_id"].clone()).collect();
    assert_eq!(parents, [json!(null), json!(ids[0]), json!(ids[1]), json!(ids[2])]);
    assert_eq!(given(&fake), ["Q1", "A1", "Q2"]);
}

#[tokio::test]
async fn an_edited_question_is_a_sibling_and_its_model_sees_its_own_path() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (id, ids) = two_questions(&owner, &fake).await;
    fake.say(&["A3"]);
    owner.post("/api/chat", question_after(&id, &ids[1], "Q2, edited")).await.expect(200);
    assert_eq!(given(&fake), ["Q1", "A1", "Q2, edited"]);
    let all = messages(&owner, &id).await;
    assert_eq!(texts(&all, "content"), ["Q1", "A1", "Q2", "A2", "Q2, edited", "A3"]);
    assert_eq!(all[4]["parent_message_id"], all[2]["parent_message_id"]);

    asked(&owner, &id, "Q4").await;
    assert_eq!(given(&fake), ["Q1", "A1", "Q2, edited", "A3", "Q4"]);
}

#[tokio::test]
async fn an_answer_is_generated_anew_as_a_sibling() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (id, ids) = two_questions(&owner, &fake).await;
    fake.say(&["A2, again"]);
    let again = json!({"messages": [], "conversation_id": id, "parent_message_id": ids[2]});
    let answer = owner.post("/api/chat", again).await.expect(200).json();
    assert_eq!(given(&fake), ["Q1", "A1", "Q2"]);
    let all = messages(&owner, &id).await;
    assert_eq!(texts(&all, "content"), ["Q1", "A1", "Q2", "A2", "A2, again"]);
    assert_eq!((&all[4]["parent_message_id"], &all[4]["id"]), (&json!(ids[2]), &answer["message_id"]));

    let after_an_answer = json!({"messages": [], "conversation_id": id, "parent_message_id": ids[1]});
    let refused = owner.post("/api/chat", after_an_answer).await.expect_problem(422, "validation_error");
    assert_eq!(refused.violations(), [("/parent_message_id".to_owned(), "invalid_format".to_owned())]);
}

#[tokio::test]
async fn a_fork_copies_a_path_and_costs_nothing() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (id, ids) = two_questions(&owner, &fake).await;
    fake.say(&["A3"]);
    owner.post("/api/chat", question_after(&id, &ids[1], "Q3")).await.expect(200);
    let fork = format!("/api/conversations/{id}/fork");
    let made = owner.post(&fork, json!({"message_id": ids[3]})).await.expect(201).data();
    let copy = text_at(&made, "id");
    let copies = messages(&owner, &copy).await;
    assert_eq!(texts(&copies, "content"), ["Q1", "A1", "Q2", "A2"]);
    assert_eq!((&made["message_count"], &made["title"]), (&json!(4), &json!("Q1")));
    for (n, message) in copies.iter().enumerate() {
        let parent = n.checked_sub(1).map(|before| copies[before]["id"].clone());
        assert_eq!((&message["parent_message_id"], &message["usage"]), (&json!(parent), &Value::Null));
        assert!(!ids.contains(&text_at(message, "id")), "{message}");
    }
    assert_settled(&owner).await;
    let newest = owner.post(&fork, json!({})).await.expect(201).id();
    assert_eq!(texts(&messages(&owner, &newest).await, "content"), ["Q1", "A1", "Q3", "A3"]);

    asked(&owner, &copy, "Q5").await;
    assert_eq!(given(&fake), ["Q1", "A1", "Q2", "A2", "Q5"]);
    assert_eq!(messages(&owner, &id).await.len(), 6);
}

#[tokio::test]
async fn a_long_fork_is_copied_by_a_job() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    for n in 0..23 {
        asked(&owner, &id, &format!("Question {n}")).await;
    }
    let job = owner.post(&format!("/api/conversations/{id}/fork"), json!({})).await.expect(202).id();
    world.work().await;
    assert_eq!(owner.get(&format!("/api/jobs/{job}")).await.expect(200).data()["status"], "done");
    let ids = texts(&listed(&owner, "/api/conversations").await, "id");
    let copy = ids.into_iter().find(|other| *other != id).expect("a copy");
    let (originals, copies) = (messages(&owner, &id).await, messages(&owner, &copy).await);
    assert_eq!((texts(&copies, "content"), copies.len()), (texts(&originals, "content"), 46));
    assert_eq!(shown(&owner, &copy).await["message_count"], 46);
    for pair in copies.windows(2) {
        assert_eq!(pair[1]["parent_message_id"], pair[0]["id"]);
    }
}

#[tokio::test]
async fn a_conversation_is_titled_by_its_first_question_unless_it_has_a_title() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    asked(&owner, &id, "\n## Write to **Ada**\nplease").await;
    asked(&owner, &id, "And to Eva").await;
    assert_eq!(shown(&owner, &id).await["title"], "Write to Ada");
    let titled = owner.post("/api/conversations", json!({"title": "Mine"})).await.expect(201).id();
    asked(&owner, &titled, "Write to Ada").await;
    assert_eq!(shown(&owner, &titled).await["title"], "Mine");
}

#[tokio::test]
async fn conversations_are_found_by_title_tag_folder_and_record() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let lead = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let about = json!({"type": "lead", "id": lead});
    let make = async |body: Value| owner.post("/api/conversations", body).await.expect(201).id();
    let titled = make(json!({"title": "报价 for ABC"})).await;
    let tagged = make(json!({"tags": ["Angebote", "2026"], "folder": "North"})).await;
    let linked = make(json!({"linked_to": about, "folder": "South"})).await;
    asked(&owner, &linked, "Summarise the engine").await;
    for (query, expected) in [
        ("search=%E6%8A%A5%E4%BB%B7".to_owned(), &titled),
        ("search=abc".to_owned(), &titled),
        ("search=angebote".to_owned(), &tagged),
        ("filter[folder][eq]=North".to_owned(), &tagged),
        ("search=summarise".to_owned(), &linked),
        (format!("linked_to={lead}"), &linked),
    ] {
        let found = texts(&listed(&owner, &format!("/api/conversations?{query}")).await, "id");
        assert_eq!(found, [expected.as_str()], "{query}");
    }
    assert!(listed(&owner, "/api/conversations?search=unknown").await.is_empty());
    let wrong = json!({"linked_to": {"type": "lead", "id": "lead_01jd2h6q8e5k9v4m3n7p1r0stw"}});
    owner.post("/api/conversations", wrong).await.expect_problem(422, "validation_error");
}

#[tokio::test]
async fn an_exported_conversation_is_its_newest_path_as_markdown_and_all_of_it_as_json() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (id, ids) = two_questions(&owner, &fake).await;
    fake.say(&["A3"]);
    owner.post("/api/chat", question_after(&id, &ids[1], "Q3")).await.expect(200);
    let path = format!("/api/conversations/{id}/export");
    let answer = owner.get(&path).await.expect(200);
    assert!(answer.header("content-type").starts_with("text/markdown"), "{:?}", answer.headers);
    assert_eq!(answer.text, "# Q1\n\n## User\n\nQ1\n\n## Assistant\n\nA1\n\n## User\n\nQ3\n\n## Assistant\n\nA3\n");
    let answer = owner.get(&format!("{path}?format=json")).await.expect(200);
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{id}.json\""));
    let whole = answer.json();
    assert_eq!(
        (&whole["messages"], &whole["conversation"]),
        (&json!(messages(&owner, &id).await), &shown(&owner, &id).await)
    );
    owner.get(&format!("{path}?format=pdf")).await.expect_problem(400, "invalid_query");
}

#[tokio::test]
async fn a_conversation_is_deleted_and_restored_with_its_messages() {
    for questions in [2, 20] {
        let (world, _fake) = world().await;
        let owner = world.owner().await;
        let id = conversation(&owner).await;
        for n in 0..questions {
            asked(&owner, &id, &format!("Question {n}")).await;
        }
        let (before, all) = (shown(&owner, &id).await, messages(&owner, &id).await);
        let path = format!("/api/conversations/{id}");
        let deleted = owner.delete(&path).await.status;
        assert!(deleted.is_success(), "{deleted}");
        world.work().await;
        owner.get(&path).await.expect_problem(404, "not_found");
        owner.get(&format!("{path}/messages")).await.expect_problem(404, "not_found");
        owner.post("/api/chat", question_in(&id, "Hello?")).await.expect_problem(404, "not_found");

        let restored = owner.post(&format!("{path}/restore"), json!({})).await.status;
        assert!(restored.is_success(), "{restored}");
        world.work().await;
        let after = shown(&owner, &id).await;
        for field in ["title", "message_count", "usage", "last_message_id", "run_id"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        let texts_of = |messages: &[Value]| (texts(messages, "id"), texts(messages, "content"));
        assert_eq!(texts_of(&messages(&owner, &id).await), texts_of(&all));
        asked(&owner, &id, "And now?").await;
    }
}

#[tokio::test]
async fn a_conversation_that_is_deleted_while_it_is_answered_is_free_when_it_is_restored() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(slowly(&["word "; 8], Duration::from_millis(50)));
    let mut stream = owner.post("/api/chat", streamed(question_in(&id, "Hello"))).events().await;
    let run = run_of(&stream.some(2).await);
    let path = format!("/api/conversations/{id}");
    owner.delete(&path).await.expect(200);
    let end = stream.rest().await;
    assert_eq!(text_at(&only(&end, "done")["message"], "content"), "word ".repeat(8));
    assert_eq!(owner.get(&format!("/api/chat/runs/{run}")).await.expect(200).data()["state"], "done");
    assert_settled(&owner).await;
    owner.post(&format!("{path}/restore"), json!({})).await.expect(200);
    assert_eq!(shown(&owner, &id).await["run_id"], Value::Null);
    asked(&owner, &id, "And now?").await;
}

#[tokio::test]
async fn a_temporary_conversation_ends_with_all_of_its_messages() {
    for in_trash in [false, true] {
        let (world, fake) = world().await;
        let owner = world.owner().await;
        owner.put("/api/ai/budgets", json!({"temporary_days": 2})).await.expect(200);
        let made = owner.post("/api/conversations", json!({"temporary": true})).await.expect(201).data();
        assert_eq!(made["expires_at"], "2026-11-22T12:00:00.000Z");
        let id = text_at(&made, "id");
        fake.say(&["A canaryanswer"]);
        asked(&owner, &id, "A canaryquestion").await;
        let kept = conversation(&owner).await;
        asked(&owner, &kept, "Another question").await;
        world.work().await;
        if in_trash {
            owner.delete(&format!("/api/conversations/{id}")).await.expect(200);
        }

        world.clock.advance(DAY * 2 - Duration::from_secs(60));
        world.system.workers.sweep().await.expect("a sweep");
        world.work().await;
        assert!(all_there_is(&world).iter().any(|item| item.contains("canaryanswer")), "it ended early");
        world.pass(Duration::from_secs(120)).await;

        let owner = world.again(&owner).await;
        owner.get(&format!("/api/conversations/{id}")).await.expect_problem(404, "not_found");
        owner.post(&format!("/api/conversations/{id}/restore"), json!({})).await.expect_problem(404, "not_found");
        for item in all_there_is(&world) {
            assert!(!item.contains("canary"), "{item}");
        }
        assert_eq!(messages(&owner, &kept).await.len(), 2);
    }
}

#[tokio::test]
async fn a_conversation_doesn_t_become_temporary_later() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    assert_eq!(shown(&owner, &id).await["expires_at"], Value::Null);
    let change = owner.patch(&format!("/api/conversations/{id}"), json!({"temporary": true})).await;
    change.expect_problem(422, "validation_error");
}

/// The journal with its details, as text.
async fn journal(world: &World, person: &Person) -> String {
    let mut text = String::new();
    for fact in world.journal(person.org).await {
        let key = Place::Detail(person.org, fact.id).key();
        let detail = world.system.env.table.get(&key).await.expect("a read");
        text += &format!("{fact:?} {detail:?}\n");
    }
    text
}

#[tokio::test]
async fn neither_texts_nor_titles_nor_prompts_are_in_the_journal() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let viewer = world.person(Role::Viewer).await;
    let titled = json!({"title": "A canarytitle", "system_prompt": "A canaryprompt"});
    let id = owner.post("/api/conversations", titled).await.expect(201).id();
    let path = format!("/api/conversations/{id}");
    owner.patch(&path, json!({"title": "Another canarytitle"})).await.expect(200);
    owner.put(&path, json!({"system_prompt": "Another canaryprompt"})).await.expect(200);
    fake.say(&["A canaryanswer"]);
    asked(&owner, &id, "A canaryquestion").await;
    let untitled = conversation(&owner).await;
    let with_system = json!({"conversation_id": untitled, "messages": [
        {"role": "system", "content": "canaryinstructions"}, {"role": "user", "content": "canarytitle and question"},
    ]});
    owner.post("/api/chat", with_system).await.expect(200);
    owner.post("/api/chat", question("canaryalone")).await.expect(200);
    owner.post(&format!("{path}/fork"), json!({})).await.expect(201);
    owner.delete(&path).await.expect(200);
    owner.post(&format!("{path}/restore"), json!({})).await.expect(200);
    viewer.post("/api/chat", question("canaryrefused")).await.expect_problem(403, "forbidden");
    world.work().await;
    let journal = journal(&world, &owner).await;
    assert!(journal.contains("message.created") || journal.contains("MessageCreated"), "{journal}");
    let found = journal.lines().find(|line| line.contains("canary"));
    assert_eq!(found, None);
    let log = owner.get("/api/audit-logs?limit=200").await.expect(200).text;
    assert!(!log.contains("canary"), "{log}");
}
