//! Test of repeated crashes: a server is killed five times while HubSpot fails three calls in ten.

use crate::running::{Server, folder, get, register};
use daybook_store::Clock;
use daybook_testing::hubspot::{HubSpot, TOKEN};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SUBMISSIONS: usize = 1_000;
/// Two for each submission, and the owner's own, to confirm their address.
const MAILS: usize = 2 * SUBMISSIONS + 1;
const KILLS: usize = 5;
const AT_ONCE: usize = 8;

fn start(data: &Path, hubspot: &str) -> Server {
    let variables = [("HUBSPOT_ACCESS_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", hubspot), ("HUBSPOT_CALLS_PER_10S", "5000")];
    Server::start_with(data, &variables)
}

/// Waits for all contacts; returns them by address. Two contacts with one address fail the test.
async fn every_contact(hubspot: &HubSpot) -> BTreeMap<String, BTreeMap<String, String>> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let all = hubspot.contacts();
        if all.len() >= SUBMISSIONS || Instant::now() > deadline {
            // Wait for surplus contacts to appear.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let all = hubspot.contacts();
            let count = all.len();
            let by_email: BTreeMap<_, _> = all
                .into_iter()
                .map(|contact| (contact.properties.get("email").cloned().unwrap_or_default(), contact.properties))
                .collect();
            assert_eq!(by_email.len(), count, "two contacts have one address");
            return by_email;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_five_times_in_a_thousand_submissions_has_each_lead_mail_and_contact_once() {
    let hubspot = HubSpot::serve(Clock::System, 0).await.expect("a port");
    hubspot.lift_limits();
    hubspot.fail_randomly(7, 0.3);
    let address = hubspot.base_url();
    let data = folder("crash");
    let server = Arc::new(Mutex::new(Some(start(&data, &address))));
    let accepted = Arc::new(AtomicUsize::new(0));
    let next = Arc::new(AtomicUsize::new(0));
    let posters: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (server, accepted, next) = (server.clone(), accepted.clone(), next.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= SUBMISSIONS {
                        return;
                    }
                    let body =
                        json!({"email": format!("lead{number}@example.com"), "first_name": format!("Lead {number}")});
                    // A client that gets no response repeats the request.
                    loop {
                        let url = server.lock().expect("no panic").as_ref().map(|server| server.url.clone());
                        let Some(url) = url else {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            continue;
                        };
                        let post =
                            client.post(format!("{url}/api/leads")).header("idempotency-key", format!("key-{number}"));
                        match post.json(&body).send().await {
                            Ok(answer) if answer.status().as_u16() == 201 => break,
                            Ok(answer) if answer.status().as_u16() == 503 => {}
                            Ok(answer) => panic!("{}", answer.status()),
                            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                        }
                    }
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for kill in 1..=KILLS {
        while accepted.load(Ordering::SeqCst) < SUBMISSIONS * kill / (KILLS + 1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let running = server.lock().expect("no panic").take().expect("a server");
        running.kill();
        let again = tokio::task::spawn_blocking({
            let (data, address) = (data.clone(), address.clone());
            move || start(&data, &address)
        });
        *server.lock().expect("no panic") = Some(again.await.expect("a server"));
    }
    for poster in posters {
        poster.await.expect("all posted");
    }

    let url = server.lock().expect("no panic").as_ref().expect("a server").url.clone();
    let client = reqwest::Client::new();
    let token = register(&client, &url).await;

    let mut leads = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(&client, &format!("{url}/api/leads?limit=200{cursor}"), Some(&token)).await;
        let text = |lead: &Value| lead["email"].as_str().expect("an address").to_owned();
        leads.extend(page["data"].as_array().expect("a list").iter().map(text));
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(
        (leads.len(), leads.iter().collect::<HashSet<_>>().len()),
        (SUBMISSIONS, SUBMISSIONS),
        "leads, and different ones"
    );

    let deadline = Instant::now() + Duration::from_secs(60);
    let mails = loop {
        let mails = get(&client, &format!("{url}/_local/mail"), None).await.as_array().expect("a list").clone();
        if mails.len() >= MAILS || Instant::now() > deadline {
            break mails;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // Wait for surplus mails to appear.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mails_now = get(&client, &format!("{url}/_local/mail"), None).await.as_array().expect("a list").len();
    assert_eq!((mails.len(), mails_now), (MAILS, MAILS), "mails, and no more afterwards");
    let mut per_addressee: BTreeMap<&str, usize> = BTreeMap::new();
    for mail in &mails {
        *per_addressee.entry(mail["to"].as_str().expect("an address")).or_default() += 1;
    }
    for number in 0..SUBMISSIONS {
        assert_eq!(
            per_addressee.get(format!("lead{number}@example.com").as_str()),
            Some(&1),
            "the confirmation of lead {number}"
        );
    }
    let contacts = every_contact(&hubspot).await;
    let with_ids = contacts.values().filter(|contact| contact.contains_key("crm_external_id")).count();
    assert_eq!((contacts.len(), with_ids), (SUBMISSIONS, SUBMISSIONS), "contacts, and those with our id");
    let statuses: Vec<u16> = hubspot.requests().iter().filter_map(|seen| seen.status).collect();
    let failed = hubspot.requests().len() - statuses.iter().filter(|status| (200..300).contains(*status)).count();
    assert!(failed * 5 > SUBMISSIONS, "only {failed} calls failed");
    server.lock().expect("no panic").take().expect("a server").kill();
    let _ = std::fs::remove_dir_all(&data);
}
