//! The real server: killed again and again, nothing accepted is lost and no mail goes out twice; asked to stop,
//! it finishes what was begun.

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SUBMISSIONS: usize = 1_000;
const KILLS: usize = 5;
const AT_ONCE: usize = 8;

struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts the server on a free port and waits until it says that it is ready.
    fn start(data: &Path) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_daybook"))
            .args(["--port", "0", "--data"])
            .arg(data)
            .env("RATE_LIMITS", "off")
            .env("RETRY_BASE_MS", "50")
            .env("RUST_LOG", "warn")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let url = lines
            .by_ref()
            .map(|line| line.expect("text"))
            .find_map(|line| line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned))
            .expect("the server says where it is");
        // Somebody must read on, or the server would wait for them.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        Server { process, url: url.trim_end_matches('/').to_owned() }
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.process.kill().expect("the server is running");
        self.process.wait().expect("the server is gone");
    }
}

impl Drop for Server {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn get(client: &reqwest::Client, url: &str, token: Option<&str>) -> Value {
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.expect("an answer").json().await.expect("JSON")
}

fn folder(of: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("daybook-{of}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_five_times_in_a_thousand_submissions_has_each_lead_and_each_mail_once() {
    let data = folder("crash");
    let server = Arc::new(Mutex::new(Some(Server::start(&data))));
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
                    // A client that gets no answer sends the same request again.
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
            let data = data.clone();
            move || Server::start(&data)
        });
        *server.lock().expect("no panic") = Some(again.await.expect("a server"));
    }
    for poster in posters {
        poster.await.expect("all posted");
    }

    let url = server.lock().expect("no panic").as_ref().expect("a server").url.clone();
    let client = reqwest::Client::new();
    let user = json!({"email": "owner@example.com", "password": "a long password"});
    let answer = client.post(format!("{url}/api/auth/register")).json(&user).send().await.expect("an answer");
    let token = answer.json::<Value>().await.expect("JSON")["access_token"].as_str().expect("a token").to_owned();

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
        if mails.len() >= 2 * SUBMISSIONS || Instant::now() > deadline {
            break mails;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // Time for any mail too many to show.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mails_now = get(&client, &format!("{url}/_local/mail"), None).await.as_array().expect("a list").len();
    assert_eq!((mails.len(), mails_now), (2 * SUBMISSIONS, 2 * SUBMISSIONS), "mails, and no more afterwards");
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
    server.lock().expect("no panic").take().expect("a server").kill();
    let _ = std::fs::remove_dir_all(&data);
}

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
    // A request whose connection was closed before its answer may have been carried out too.
    assert!(
        accepted > 0 && (2 * accepted..=2 * (accepted + 8)).contains(&mails.lines().count()),
        "{accepted} accepted"
    );
    let _ = std::fs::remove_dir_all(&data);
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
    let form = page("/?lang=zh", html).await;
    assert!(form.contains("<form action=\"/f/form_") && form.contains("联系我们"), "{form}");
    assert!(page("/?lang=en", html).await.contains("Get in touch"));
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
