//! Fair turns: one organisation's long jobs, however many, hold up neither another's jobs nor its own short ones.

use crate::running::{Server, folder, get, register};
use reqwest::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The exports that one organisation asks for at once.
const EXPORTS: usize = 25;

/// The customers that each of them searches, with all entries about these.
const CUSTOMERS: usize = 900;

async fn sent(client: &Client, url: String, token: &str, body: Value) -> Value {
    let answer = client.post(url).bearer_auth(token).json(&body).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.json().await.expect("JSON")
}

/// The time that the cascade of a customer with 60 interactions takes.
async fn cascade(client: &Client, url: &str, token: &str) -> Duration {
    let customer = sent(client, format!("{url}/api/customers"), token, json!({"name": "A"})).await;
    let customer = customer["data"]["id"].as_str().expect("an id").to_owned();
    let call = json!({"action": "create", "data": {"customer_id": customer, "interaction_type": "call"}});
    sent(client, format!("{url}/api/interactions/batch"), token, json!({"items": vec![call; 60]})).await;
    let begun = Instant::now();
    let removed = client.delete(format!("{url}/api/customers/{customer}")).bearer_auth(token).send().await;
    let job: Value = removed.expect("an answer").json().await.expect("JSON");
    let job = format!("{url}/api/jobs/{}", job["data"]["id"].as_str().expect("a job"));
    while get(client, &job, Some(token)).await["data"]["status"] != "done" {
        assert!(begun.elapsed() < Duration::from_secs(60), "the cascade doesn't end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_of_one_organisation_delay_no_cascade() {
    let data = folder("turns");
    let server = Server::start(&data);
    let (client, url) = (Client::new(), server.url.clone());
    let busy = register(&client, &url).await;
    let user = json!({"email": "quiet@example.com", "password": "a long password"});
    let registered = client.post(format!("{url}/api/auth/register")).json(&user).send().await.expect("an answer");
    let registered: Value = registered.json().await.expect("JSON");
    let quiet = registered["access_token"].as_str().expect("a token").to_owned();
    let alone = cascade(&client, &url, &quiet).await;

    let customer = json!({"action": "create", "data": {"name": "A"}});
    for _ in 0..CUSTOMERS / 100 {
        let items = json!({"items": vec![customer.clone(); 100]});
        sent(&client, format!("{url}/api/customers/batch"), &busy, items).await;
    }
    let mut exports = Vec::new();
    for n in 0..EXPORTS {
        let person = json!({"email": format!("person{n}@example.com")});
        let job = sent(&client, format!("{url}/api/privacy/exports"), &busy, person).await;
        exports.push(job["data"]["id"].as_str().expect("a job").to_owned());
    }
    let beside = cascade(&client, &url, &quiet).await;
    let own = cascade(&client, &url, &busy).await;
    let mut waiting = 0;
    for export in &exports {
        let shown = get(&client, &format!("{url}/api/jobs/{export}"), Some(&busy)).await;
        waiting += usize::from(shown["data"]["status"] == "queued");
    }
    eprintln!("a cascade takes {alone:?} alone, {beside:?} beside {EXPORTS} exports, and {own:?} behind them");
    // A cascade has some twenty steps, each of which shares the processor with the exports.
    for delayed in [beside, own] {
        assert!(delayed < alone * 5 + Duration::from_secs(2), "{delayed:?} instead of {alone:?}");
    }
    // In one queue nearly all of them would have ended before the cascade, which was asked for last.
    assert!(waiting >= EXPORTS / 3, "only {waiting} of {EXPORTS} exports had not ended when the cascade had");
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
