//! Test of a crash during a cascade delete: a server is killed while a customer's dependants move to the trash.

use crate::running::{Server, folder, get, register};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CHILDREN: usize = 600;

async fn send(client: &reqwest::Client, url: &str, token: &str, body: Value) -> Value {
    let answer = client.post(url).bearer_auth(token).json(&body).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.json().await.expect("JSON")
}

async fn count(client: &reqwest::Client, url: &str, token: &str) -> usize {
    let page = get(client, &format!("{url}/api/interactions?limit=200"), Some(token)).await;
    page["data"].as_array().expect("a list").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_while_a_family_falls_leaves_nobody_and_brings_all_back() {
    let data = folder("family");
    let server = Server::start(&data);
    let client = reqwest::Client::new();
    let url = server.url.clone();
    let token = register(&client, &url).await;
    let made = send(&client, &format!("{url}/api/customers"), &token, json!({"name": "A"})).await;
    let customer = made["data"]["id"].as_str().expect("an id").to_owned();
    let call = json!({"action": "create", "data": {"customer_id": customer, "interaction_type": "call"}});
    for _ in 0..CHILDREN / 100 {
        let items = json!({"items": vec![call.clone(); 100]});
        send(&client, &format!("{url}/api/interactions/batch"), &token, items).await;
    }
    let removed = client.delete(format!("{url}/api/customers/{customer}")).bearer_auth(&token).send().await;
    let removed = removed.expect("an answer");
    assert_eq!(removed.status().as_u16(), 202);
    let job: Value = removed.json().await.expect("JSON");
    let job = format!("/api/jobs/{}", job["data"]["id"].as_str().expect("an id"));
    let deadline = Instant::now() + Duration::from_secs(60);
    let done = loop {
        let progress = get(&client, &format!("{url}{job}"), Some(&token)).await["data"]["progress"].clone();
        let done = progress["done"].as_u64().expect("a number") as usize;
        if done > 0 || Instant::now() > deadline {
            break done;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    server.kill();
    assert!((1..CHILDREN).contains(&done), "{done} of {CHILDREN} were done, so this shows nothing");

    let server = Server::start(&data);
    let url = server.url.clone();
    assert_eq!(count(&client, &url, &token).await, 0);
    let finished = async |path: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let told = get(&client, &format!("{url}{path}"), Some(&token)).await["data"].clone();
            if told["status"] == "done" || Instant::now() > deadline {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let told = finished(&job).await;
    assert_eq!((&told["status"], &told["progress"]["done"]), (&json!("done"), &json!(CHILDREN)));
    let back = send(&client, &format!("{url}/api/customers/{customer}/restore"), &token, json!({})).await;
    finished(&format!("/api/jobs/{}", back["data"]["id"].as_str().expect("an id"))).await;
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let page = get(&client, &format!("{url}/api/interactions?limit=200{cursor}"), Some(&token)).await;
        seen += page["data"].as_array().expect("a list").len();
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, CHILDREN);
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
