//! The AI SDK's UI message stream: what `useChat` sends and reads. The SDK itself runs in
//! `infra/local/tests/server/clients.rs`.

use super::{asked, assert_settled, conversation, long, messages, shown, text_at, texts, with, world};
use daybook_runs::Site;
use daybook_testing::llm::{Fault, Place, Script};
use daybook_testing::{Event, EventStream, Person};
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/api/chat/ui";

/// A message of a client.
fn message(id: &str, role: &str, text: &str) -> Value {
    json!({"id": id, "role": role, "parts": [{"type": "step-start"}, {"type": "text", "text": text}]})
}

fn request(chat: &str, messages: &[Value]) -> Value {
    json!({"id": chat, "messages": messages, "trigger": "submit-message"})
}

/// The types of the parts of a stream, which ends as it must.
fn types(events: &[Event]) -> Vec<String> {
    let (last, parts) = events.split_last().expect("events");
    assert_eq!(last.data, "[DONE]");
    parts.iter().map(|event| text_at(&event.data, "type")).collect()
}

fn text_of(events: &[Event]) -> String {
    events.iter().filter_map(|event| event.data["delta"].as_str()).collect()
}

async fn stream(person: &Person, body: Value) -> EventStream {
    let events = person.post(PATH, body).events().await;
    assert_eq!(events.headers["x-vercel-ai-ui-message-stream"], "v1");
    events
}

async fn answered(person: &Person, body: Value) -> Vec<Event> {
    stream(person, body).await.rest().await
}

#[tokio::test]
async fn an_answer_is_a_stream_of_the_parts_that_clients_know() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let turns = [message("a", "user", "Hi"), message("b", "assistant", ""), message("c", "user", "there")];
    let events = answered(&owner, request("xyz", &turns)).await;
    let known = types(&events);
    assert_eq!(&known[..3], ["start", "start-step", "text-start"]);
    assert_eq!(&known[known.len() - 3..], ["text-end", "finish-step", "finish"]);
    assert!(known[3..known.len() - 3].iter().all(|part| part == "text-delta"), "{known:?}");
    assert_eq!(text_of(&events), "Hello from the model.");
    let (start, finish) = (&events[0].data, &events[events.len() - 2].data);
    assert!(
        text_at(start, "messageId").starts_with("msg_")
            && text_at(&start["messageMetadata"], "run_id").starts_with("run_")
    );
    assert_eq!((&finish["finishReason"], &finish["messageMetadata"]["usage"]["output"]), (&json!("stop"), &json!(6)));
    assert_eq!(fake.requests().len(), 1);
    assert!(
        super::listed(&owner, "/api/conversations").await.is_empty(),
        "a chat that the client keeps isn't kept here"
    );
}

#[tokio::test]
async fn a_chat_goes_on_when_its_client_is_gone_and_is_replayed_from_its_start() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let kept = conversation(&owner).await;
    for chat in ["XyZ 9", kept.as_str()] {
        fake.always(Script { pause: Duration::from_millis(60), ..Script::saying(&["word "; 20]) });
        let mut events = stream(&owner, request(chat, &[message("a", "user", "Hi")])).await;
        let begun = events.some(6).await;
        drop(events);
        let path = format!("{PATH}/{}/stream", chat.replace(' ', "%20"));
        let again = owner.get(&path).events().await.rest().await;
        assert_eq!(again[0].data["messageId"], begun[0].data["messageId"], "{chat}");
        assert_eq!(
            (text_of(&again), types(&again).last().map(String::as_str)),
            ("word ".repeat(20), Some("finish")),
            "{chat}"
        );
        assert!(owner.get(&path).await.expect(204).text.is_empty(), "{chat}");
        // Others have neither the chat nor its text.
        let stranger = world.stranger().await;
        let theirs = stranger.get(&path).await;
        assert!([204, 404].contains(&theirs.status.as_u16()), "{}", theirs.text);
    }
    assert!(owner.get(&format!("{PATH}/never/stream")).await.expect(204).text.is_empty());
    assert_settled(&owner).await;
}

#[tokio::test]
async fn in_a_conversation_the_last_message_follows_the_one_before_it() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let first = answered(&owner, request(&id, &[message("a", "user", "One")])).await;
    let answer = text_at(&first[0].data, "messageId");
    let turns = [message("a", "user", "One"), message(&answer, "assistant", "Hello"), message("b", "user", "Two")];
    answered(&owner, request(&id, &turns)).await;
    // The second question is edited: a sibling.
    let turns = [message("a", "user", "One"), message(&answer, "assistant", "Hello"), message("b", "user", "Two!")];
    answered(&owner, request(&id, &turns)).await;
    // So is the first one.
    answered(&owner, request(&id, &[message("a", "user", "One!")])).await;
    let all = messages(&owner, &id).await;
    let asked: Vec<(String, Value)> = all
        .iter()
        .filter(|one| one["role"] == "user")
        .map(|one| (text_at(one, "content"), one["parent_message_id"].clone()))
        .collect();
    let expected = [("One", Value::Null), ("Two", json!(answer)), ("Two!", json!(answer)), ("One!", Value::Null)];
    assert_eq!(asked, expected.map(|(text, parent)| (text.to_owned(), parent)));
    assert_eq!(all[0]["client_id"], "a");
}

#[tokio::test]
async fn an_answer_is_given_anew_as_a_sibling() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let first = answered(&owner, request(&id, &[message("a", "user", "One")])).await;
    let answer = text_at(&first[0].data, "messageId");
    let again = with(
        request(&id, &[message("a", "user", "One")]),
        json!({"trigger": "regenerate-message", "messageId": answer}),
    );
    answered(&owner, again).await;
    // Without the id of the answer the newest one is meant.
    let newest = with(request(&id, &[message("a", "user", "One")]), json!({"trigger": "regenerate-message"}));
    answered(&owner, newest).await;
    let all = messages(&owner, &id).await;
    assert_eq!(texts(&all, "role"), ["user", "assistant", "assistant", "assistant"]);
    assert!(all[1..].iter().all(|one| one["parent_message_id"] == all[0]["id"]), "{all:?}");
}

#[tokio::test]
async fn a_chat_that_is_stopped_is_aborted_with_its_text() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.always(long());
    let mut events = stream(&owner, request("xyz", &[message("a", "user", "Hi")])).await;
    let begun = events.some(5).await;
    let run = text_at(&begun[0].data["messageMetadata"], "run_id");
    owner.post(&format!("/api/chat/runs/{run}/stop"), json!({})).await.expect(200);
    assert_eq!(types(&events.rest().await).last().map(String::as_str), Some("abort"));
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_failure_is_an_error_of_the_stream_in_the_user_s_language() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for (language, word) in [("zh-CN", "AI"), ("en", "provider")] {
        fake.always(Script::failing(Place::Middle, Fault::Cut));
        let call = owner.post(PATH, request("xyz", &[message("a", "user", "Hi")])).header("accept-language", language);
        let events = call.events().await.rest().await;
        let last = &events[events.len() - 2].data;
        assert_eq!(last["type"], "error");
        assert!(text_at(last, "errorText").contains(word), "{last}");
    }
}

#[tokio::test]
async fn wrong_requests_are_problems_and_change_nothing() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let foreign = conversation(&world.stranger().await).await;
    let own = conversation(&owner).await;
    asked(&owner, &own, "One").await;
    let before = (messages(&owner, &own).await, shown(&owner, &own).await, fake.requests().len());
    let one = [message("a", "user", "Hi")];
    owner.post(PATH, request(&foreign, &one)).await.expect_problem(404, "not_found");
    owner.get(&format!("{PATH}/{foreign}/stream")).await.expect_problem(404, "not_found");
    owner.post(PATH, request("xyz", &[])).await.expect_problem(422, "validation_error");
    owner.post(PATH, request(&own, &[])).await.expect_problem(422, "validation_error");
    owner.post(PATH, request(&own, &[message("a", "assistant", "Hi")])).await.expect_problem(422, "validation_error");
    let file =
        json!({"id": "a", "role": "user", "parts": [{"type": "file", "url": "data:,x", "mediaType": "text/plain"}]});
    owner.post(PATH, request("xyz", &[file])).await.expect_problem(422, "validation_error");
    let again = with(
        request(&own, &one),
        json!({"trigger": "regenerate-message", "messageId": "msg_01kdvpaw00fpgv030000000001"}),
    );
    owner.post(PATH, again).await.expect_problem(422, "validation_error");
    owner.post(PATH, with(request("xyz", &one), json!({"model": "gpt-99"}))).await.expect_problem(400, "unknown_model");
    world.visitor().post(PATH, request("xyz", &one)).await.expect_problem(401, "unauthenticated");
    assert_eq!((messages(&owner, &own).await, shown(&owner, &own).await, fake.requests().len()), before);
    assert_settled(&owner).await;
}

#[tokio::test]
async fn the_http_api_of_aws_names_the_url_that_streams() {
    let (world, _fake) = super::world_at(Site::Api).await;
    let owner = world.owner().await;
    owner.post(PATH, request("xyz", &[message("a", "user", "Hi")])).await.expect_problem(400, "use_stream_url");
    owner.get(&format!("{PATH}/xyz/stream")).await.expect_problem(400, "use_stream_url");
}
