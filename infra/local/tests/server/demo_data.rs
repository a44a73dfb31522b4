//! Demo data, as the command makes and removes it.

use crate::running::{Server, folder, get, register};
use reqwest::Client;
use std::process::{Command, Output};

fn demo_data(data: &std::path::Path, arguments: &[&str]) -> Output {
    let daybook =
        Command::new(env!("CARGO_BIN_EXE_daybook")).arg("demo-data").args(arguments).arg("--data").arg(data).output();
    let output = daybook.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demo_data_of_every_kind_is_made_told_of_and_removed() {
    let data = folder("demo-data");
    let made = demo_data(&data, &["create", "--leads", "30", "--customers", "12"]);
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(said.contains("/_local/records") && said.contains("POST /api/auth/register"), "{said}");
    let client = Client::new();
    let counts = async |server: &Server, token: &str| {
        let mut counts = Vec::new();
        for list in ["leads", "customers", "contacts", "opportunities", "interactions", "tasks"] {
            let listed = get(&client, &format!("{}/api/{list}?limit=200", server.url), Some(token)).await;
            counts.push(listed["meta"]["count"].as_u64().unwrap_or_else(|| panic!("{list}: {listed}")));
        }
        counts
    };
    let server = Server::start(&data);
    let token = register(&client, &server.url).await;
    assert_eq!(counts(&server, &token).await, [30, 12, 12, 12, 24, 12]);
    for (kind, words) in
        [("customers", "科技有限公司"), ("opportunities", "Inspection pilot"), ("tasks", "发送试点方案")]
    {
        let page = client.get(format!("{}/_local/records?type={kind}", server.url)).send().await.expect("an answer");
        let page = page.text().await.expect("a text");
        assert!(page.contains(words), "{kind}: {page}");
    }
    server.kill();
    let made = demo_data(&data, &["create", "--leads", "0", "--customers", "1"]);
    assert!(String::from_utf8_lossy(&made.stderr).contains("sign in"), "there is an owner now");
    demo_data(&data, &["remove"]);
    let server = Server::start(&data);
    assert_eq!(counts(&server, &token).await, [0; 6]);
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
