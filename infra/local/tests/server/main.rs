//! Tests of the real server process: crashes lose nothing and repeat nothing, shutdown finishes the requests in
//! progress, its pages work in a browser, with and without scripts, other projects' clients can call it, and other machines, pages and users stay out.

mod backup;
mod browser;
mod chat;
mod chat_page;
mod clients;
mod connections;
mod crash;
mod demo_data;
mod family;
mod host;
mod pages;
mod private;
mod running;
mod turns;

use running::{Server, folder, get};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_finishes_what_was_begun() {
    let data = folder("stop");
    let mut server = Server::start(&data);
    let client = reqwest::Client::new();
    let url = server.url.clone();
    let posters: Vec<_> = (0..8)
        .map(|poster| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move {
                let mut accepted = 0;
                loop {
                    let body = json!({"email": format!("lead{poster}-{accepted}@example.com")});
                    match client.post(format!("{url}/api/leads")).json(&body).send().await {
                        Ok(answer) if answer.status().as_u16() == 201 => accepted += 1,
                        Ok(answer) => panic!("{}", answer.status()),
                        Err(_) => return accepted,
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = Command::new("kill").args(["-INT", &server.process.id().to_string()]).status().expect("kill");
    assert!(asked.success());
    let ended = tokio::task::spawn_blocking(move || server.process.wait().expect("an end")).await.expect("a task");
    assert!(ended.success(), "{ended}");
    let mut accepted = 0;
    for poster in posters {
        accepted += poster.await.expect("a count");
    }
    let mails = std::fs::read_to_string(data.join("mail.jsonl")).expect("a mailbox");
    // A request whose connection was closed before the response may have been carried out, too.
    assert!(
        accepted > 0 && (2 * accepted..=2 * (accepted + 8)).contains(&mails.lines().count()),
        "{accepted} accepted"
    );
    let _ = std::fs::remove_dir_all(&data);
}

#[test]
fn data_of_another_version_is_refused_with_what_to_do() {
    let data = folder("format");
    std::fs::create_dir_all(&data).expect("a folder");
    std::fs::write(data.join("daybook.db"), "").expect("a file");
    let started = Command::new(env!("CARGO_BIN_EXE_daybook"))
        .args(["--port", "0", "--data"])
        .arg(&data)
        .output()
        .expect("a start");
    let said = String::from_utf8_lossy(&started.stderr);
    assert!(!started.status.success() && said.contains("format 1") && said.contains("--data"), "{said}");
}

#[tokio::test]
async fn the_pages_are_for_browsers_and_the_mailbox_is_json_too() {
    let data = folder("pages");
    let server = Server::start(&data);
    let client = reqwest::Client::new();
    let page = async |path: &str, accept: &str| {
        let request = client.get(format!("{}{path}", server.url)).header("accept", accept);
        let answer = request.send().await.expect("an answer");
        let framed = answer.headers().get("x-frame-options").is_some_and(|value| value == "DENY");
        assert!(framed && answer.headers().contains_key("strict-transport-security"), "{path}: headers are missing");
        answer.text().await.expect("text")
    };
    let html = "text/html,application/xhtml+xml";
    let form = page("/enquiry?lang=zh", html).await;
    assert!(form.contains("<form action=\"/f/form_") && form.contains("提交需求"), "{form}");
    assert!(page("/enquiry?lang=en", html).await.contains("Tell us what you need"));
    assert_eq!(serde_json::from_str::<Value>(&page("/", "*/*").await).expect("JSON")["data"]["name"], "Daybook");

    client
        .post(format!("{}/api/leads", server.url))
        .json(&json!({"email": "<i>@example.com"}))
        .send()
        .await
        .expect("an answer");
    let body = json!({"email": "ada@example.com", "first_name": "<b>Ada</b>"});
    client.post(format!("{}/api/leads", server.url)).json(&body).send().await.expect("an answer");
    let deadline = Instant::now() + Duration::from_secs(10);
    let mails = loop {
        let mails =
            get(&client, &format!("{}/_local/mail", server.url), None).await.as_array().expect("a list").clone();
        if mails.len() == 2 || Instant::now() > deadline {
            break mails;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(mails.len(), 2);
    for member in ["to", "from", "subject", "text", "html", "at"] {
        assert!(mails[0][member].as_str().is_some_and(|text| !text.is_empty()), "{member} is missing: {}", mails[0]);
    }
    let mailbox = page("/_local/", html).await;
    assert!(mailbox.contains("ada@example.com") && !mailbox.contains("<b>Ada"), "{mailbox}");
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[test]
fn a_folder_is_one_server_s() {
    let data = folder("lock");
    let first = Server::start(&data);
    let second = Command::new(env!("CARGO_BIN_EXE_daybook")).args(["--port", "0", "--data"]).arg(&data).output();
    let second = second.expect("it runs");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server is using it"), "{second:?}");
    first.kill();
    let _ = std::fs::remove_dir_all(&data);
}
