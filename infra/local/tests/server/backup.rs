//! Tests of backup and restore with a server under load, and of refused and tampered backups.

use crate::running::{Server, folder, get, register};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn daybook(data: &Path, what: &str, folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command.arg("--data").arg(data).arg(what).arg(folder).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_what_was_acknowledged_before_it_and_comes_back_whole() {
    let (data, backup, restored) = (folder("backup-data"), folder("backup-copy"), folder("backup-back"));
    let server = Server::start(&data);
    let client = reqwest::Client::new();
    let token = register(&client, &server.url).await;
    let (over, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let posters: Vec<_> = (0..4)
        .map(|poster| {
            let (client, url, over, accepted) = (client.clone(), server.url.clone(), over.clone(), accepted.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let body = json!({"email": format!("lead{poster}-{n}@example.com")});
                    let answer = client.post(format!("{url}/api/leads")).json(&body).send().await.expect("an answer");
                    assert_eq!(answer.status().as_u16(), 201);
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    while accepted.load(Ordering::SeqCst) < 50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let before = accepted.load(Ordering::SeqCst);
    let (from, to) = (data.clone(), backup.clone());
    let done = tokio::task::spawn_blocking(move || daybook(&from, "backup", &to)).await.expect("a backup");
    assert!(done.status.success() && said(&done).contains("chain is intact"), "{}", said(&done));
    over.store(true, Ordering::SeqCst);
    for poster in posters {
        poster.await.expect("every post was accepted");
    }
    let after = accepted.load(Ordering::SeqCst);
    assert!(after > before, "nothing was posted meanwhile");
    server.kill();

    let again = daybook(&data, "backup", &backup);
    assert!(!again.status.success() && said(&again).contains("isn't overwritten"), "{}", said(&again));
    let over_there = daybook(&data, "restore", &backup);
    assert!(!over_there.status.success() && said(&over_there).contains("isn't overwritten"), "{}", said(&over_there));
    let inside = daybook(&data, "backup", &data.join("files").join("copy"));
    assert!(!inside.status.success() && said(&inside).contains("outside it"), "{}", said(&inside));
    let nothing = daybook(&restored, "restore", &restored.join("none"));
    assert!(
        !nothing.status.success() && said(&nothing).contains("isn't a data folder or a backup"),
        "{}",
        said(&nothing)
    );
    let done = daybook(&restored, "restore", &backup);
    assert!(done.status.success() && said(&done).contains("chain is intact"), "{}", said(&done));

    let server = Server::start(&restored);
    let counted = get(&client, &format!("{}/api/leads?limit=1&with_total=true", server.url), Some(&token)).await;
    let total = counted["meta"]["total"].as_u64().unwrap_or_else(|| panic!("{counted}")) as usize;
    assert!(
        (before..=after).contains(&total),
        "{before} were acknowledged before, {after} in the end; {total} came back"
    );
    server.kill();
    for folder in [data, backup, restored] {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[tokio::test]
async fn nobody_but_who_reads_the_secret_asks_for_a_backup() {
    let data = folder("backup-asked");
    let server = Server::start(&data);
    let target = data.join("stolen");
    let asked = json!({"folder": target, "expires": 9_999_999_999_i64, "signature": "AAAA"});
    let answer = reqwest::Client::new().post(format!("{}/_local/backup", server.url)).json(&asked).send().await;
    assert_eq!(answer.expect("an answer").status().as_u16(), 403);
    assert!(!target.exists());
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[tokio::test]
async fn a_journal_that_was_tampered_with_is_told_of_when_it_is_backed_up() {
    let (data, backup) = (folder("backup-tampered"), folder("backup-tampered-copy"));
    let server = Server::start_with(&data, &[("DURABILITY", "disk")]);
    let client = reqwest::Client::new();
    register(&client, &server.url).await;
    server.kill();
    // With another secret no signature is valid. Without its check value the secret isn't known to be another one.
    std::fs::write(data.join("secret"), "0".repeat(64)).expect("a secret");
    std::fs::remove_file(data.join("secret-check")).expect("it goes");
    let done = daybook(&data, "backup", &backup);
    assert!(!done.status.success() && said(&done).contains("fails verification"), "{}", said(&done));
    assert!(!backup.exists(), "an invalid copy was kept");
    for folder in [data, backup] {
        let _ = std::fs::remove_dir_all(folder);
    }
}
