//! Tests of the fake HubSpot's rate limits and injected faults.

use super::{Desk, V3, ada};
use daybook_testing::hubspot::{Fault, Policy};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn limits_hold_in_a_window_that_rolls_with_the_clock() {
    let desk = Desk::new().await;
    desk.hubspot.set_limits(3, 5);
    let check = async |expected: u16, policy: &str, remaining: &str| {
        let answer = desk.send(Method::GET, V3, None).await.expect("an answer");
        let headers = answer.headers().clone();
        assert_eq!(answer.status().as_u16(), expected);
        assert_eq!(headers["x-hubspot-ratelimit-max"], "3");
        assert_eq!(headers["x-hubspot-ratelimit-interval-milliseconds"], "10000");
        assert_eq!(headers["x-hubspot-ratelimit-remaining"], remaining);
        let text = answer.text().await.expect("a body");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(body["policyName"].as_str().unwrap_or_default(), policy, "{body}");
    };
    check(200, "", "2").await;
    desk.clock.advance(Duration::from_secs(6));
    check(200, "", "1").await;
    check(200, "", "0").await;
    check(429, "TEN_SECONDLY_ROLLING", "0").await;
    desk.clock.advance(Duration::from_secs(4));
    check(200, "", "0").await;
    check(429, "TEN_SECONDLY_ROLLING", "0").await;
    desk.clock.advance(Duration::from_secs(6));
    check(200, "", "1").await;
    check(429, "DAILY", "1").await;
    desk.clock.advance(Duration::from_secs(12 * 60 * 60));
    check(200, "", "2").await;
}

#[tokio::test]
async fn a_search_has_a_limit_of_its_own_and_no_headers() {
    let desk = Desk::new().await;
    let path = format!("{V3}/search");
    for _ in 0..5 {
        let answer = desk.send(Method::POST, &path, Some(json!({}))).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        assert!(!answer.headers().contains_key("x-hubspot-ratelimit-max"));
    }
    let (status, body) = desk.post(&path, json!({})).await;
    assert_eq!((status, &body["policyName"]), (429, &json!("SECONDLY")));
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.post(&path, json!({})).await.0, 200);
}

#[tokio::test]
async fn an_answer_that_is_dropped_leaves_the_contact_there() {
    let desk = Desk::new().await;
    desk.hubspot.fail_next(Fault::DropBefore);
    desk.hubspot.fail_next(Fault::CommitThenDrop);

    desk.send(Method::POST, V3, Some(ada())).await.expect_err("no answer");
    assert!(desk.hubspot.contacts().is_empty());
    desk.send(Method::POST, V3, Some(ada())).await.expect_err("no answer");
    assert_eq!(desk.hubspot.contacts().len(), 1);

    assert_eq!(desk.post(V3, ada()).await.0, 409);
    let statuses: Vec<_> = desk.hubspot.requests().into_iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [None, None, Some(409)]);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_an_error_and_not_a_short_answer() {
    let desk = Desk::new().await;
    for bytes in [0, 20, 1_000_000] {
        desk.hubspot.fail_next(Fault::CutAfter(bytes));
        let answer = desk.send(Method::GET, V3, None).await.expect("a head");
        assert_eq!(answer.status().as_u16(), 200);
        answer.text().await.expect_err("half a body");
    }
    assert_eq!(desk.get(V3).await.0, 200, "the next answer is complete");
}

#[tokio::test]
async fn faults_come_in_the_order_in_which_they_were_planned() {
    let desk = Desk::new().await;
    let faults =
        [Fault::status(423), Fault::html(), Fault::TooMany(Policy::Daily), Fault::Delay(Duration::from_millis(50))];
    for fault in faults {
        desk.hubspot.fail_next(fault);
    }
    assert_eq!(desk.post(V3, ada()).await.0, 423);
    assert_eq!(desk.post(V3, ada()).await, (502, Value::Null));
    let (status, body) = desk.post(V3, ada()).await;
    assert_eq!((status, &body["policyName"]), (429, &json!("DAILY")));
    assert!(desk.hubspot.contacts().is_empty());
    let begun = Instant::now();
    assert_eq!(desk.post(V3, ada()).await.0, 201);
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_share_of_requests_fails_until_it_is_healed() {
    let desk = Desk::new().await;
    desk.hubspot.lift_limits();
    desk.hubspot.fail_randomly(1, 0.3);
    let mut failed = 0;
    for _ in 0..300 {
        let good = match desk.send(Method::GET, V3, None).await {
            Ok(answer) if answer.status().is_success() => answer.text().await.is_ok(),
            Ok(_) | Err(_) => false,
        };
        failed += usize::from(!good);
    }
    assert!((60..120).contains(&failed), "{failed} of 300");
    desk.hubspot.heal();
    for _ in 0..50 {
        assert_eq!(desk.get(V3).await.0, 200);
    }
}

#[tokio::test]
async fn whoever_started_it_by_hand_sees_what_it_holds_and_ends_the_failing() {
    let desk = Desk::new().await;
    desk.post(V3, ada()).await;
    desk.hubspot.fail_randomly(1, 1.0);
    assert_eq!(desk.get("/_fake/contacts").await.1["results"][0]["properties"]["firstname"], "Ada");
    assert_eq!(desk.get("/_fake/requests").await.1["results"][0]["status"], 201);
    assert_eq!(desk.ask(Method::DELETE, "/_fake/faults", None).await.0, 204);
    assert_eq!(desk.get(V3).await.0, 200);
}
