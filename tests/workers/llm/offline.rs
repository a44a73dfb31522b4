//! Tests of the offline provider.

use super::{ask, hear, patient, turn};
use daybook_connectors::llm::offline::{MODEL, Pace, SLOW_MODEL};
use daybook_connectors::llm::{Api, Ask, Endpoint, Finish, Part, Speaker, TokenUsage};
use futures::StreamExt as _;
use std::time::{Duration, Instant};

const GREETING: &str = "你好! 我是AI助手，很高兴为你服务! (离线演示：未配置 AI 服务，此回答由 Daybook 内置程序生成。)";

fn endpoint() -> Endpoint {
    Endpoint { api: Api::Offline, base_url: String::new(), key: None }
}

/// The offline request with this last message.
fn offline(message: &str) -> Ask {
    let earlier = [turn(Speaker::User, "你好"), turn(Speaker::Assistant, "Hi")];
    let turns = earlier.into_iter().chain([turn(Speaker::User, message)]).collect();
    Ask { model: MODEL.to_owned(), instructions: None, max_tokens: 1_000, ..ask(turns) }
}

async fn said(message: &str) -> String {
    let heard = hear(patient().answer(&endpoint(), offline(message))).await;
    assert_eq!(heard.end, Ok(Finish::Complete), "{message}");
    heard.text
}

#[tokio::test]
async fn a_chinese_greeting_is_answered_with_a_greeting() {
    for greeting in ["你好", " 你好！\n", "老师，你好"] {
        assert_eq!(said(greeting).await, GREETING, "{greeting}");
    }
}

#[tokio::test]
async fn other_messages_are_quoted_in_an_answer_of_their_language() {
    let chinese = said("请介绍产品").await;
    assert!(chinese.starts_with("离线演示：") && chinese.contains("共 5 个字符"), "{chinese}");
    assert!(chinese.contains("“请介绍产品”"), "{chinese}");
    let english = said("What can you do?").await;
    assert!(english.starts_with("This is Daybook's offline assistant: no AI provider is configured."), "{english}");
    assert!(english.contains(": 16.") && english.ends_with("“What can you do?”"), "{english}");
    let long = said(&"长".repeat(81)).await;
    assert!(long.contains("共 81 个字符") && long.contains(&format!("“{}…”", "长".repeat(80))), "{long}");
    assert!(said("").await.contains(": 0."));
}

#[tokio::test]
async fn an_answer_comes_in_short_words_and_is_always_the_same() {
    let parts = || patient().answer(&endpoint(), offline("你好")).collect::<Vec<_>>();
    let first = parts().await;
    assert_eq!(first, parts().await);
    let pieces: Vec<String> = first
        .into_iter()
        .filter_map(|part| match part {
            Ok(Part::Text(piece)) => Some(piece),
            _ => None,
        })
        .collect();
    assert!(pieces.len() > 5 && pieces.iter().all(|piece| piece.chars().count() <= 8), "{pieces:?}");
    assert_eq!(pieces.concat(), GREETING);
}

#[tokio::test]
async fn tokens_are_estimated_from_bytes_and_limited() {
    let one = |text: &str| Ask { model: MODEL.to_owned(), instructions: None, ..ask(vec![turn(Speaker::User, text)]) };
    let usage = hear(patient().answer(&endpoint(), one(""))).await.usage.expect("the usage");
    assert_eq!(usage.input, 1);
    let heard = hear(patient().answer(&endpoint(), one("你好"))).await;
    let output = GREETING.len().div_ceil(4) as u64;
    assert_eq!(heard.usage, Some(TokenUsage { input: 2, output, ..TokenUsage::default() }));

    let heard = hear(patient().answer(&endpoint(), Ask { max_tokens: 3, ..one("你好") })).await;
    assert_eq!((heard.end, heard.text.as_str()), (Ok(Finish::Length), "你好! 我"));
    assert_eq!(heard.usage.expect("the usage").output, 3);
}

#[tokio::test]
async fn a_slow_answer_takes_its_time_and_can_be_stopped() {
    assert_eq!((Pace::of_model(MODEL), Pace::of_model(SLOW_MODEL)), (Pace::AtOnce, Pace::Slow));
    let began = Instant::now();
    let slow = Ask { model: SLOW_MODEL.to_owned(), ..offline("你好") };
    let parts: Vec<_> = patient().answer(&endpoint(), slow).take(4).collect().await;
    assert!(parts.iter().all(|part| matches!(part, Ok(Part::Text(_)))), "{parts:?}");
    assert!(began.elapsed() >= Duration::from_millis(200));
}
