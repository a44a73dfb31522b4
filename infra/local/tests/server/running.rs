//! Helpers to start, kill and call the real server process.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server.
pub struct Server {
    /// Its process.
    pub process: Child,
    /// Its URL.
    pub url: String,
}

impl Server {
    /// Starts the server on a free port and waits until it reports that it is ready.
    pub fn start(data: &Path) -> Server {
        Server::start_with(data, &[])
    }

    /// Starts the server with additional environment variables.
    pub fn start_with(data: &Path, variables: &[(&str, &str)]) -> Server {
        Server::spawn(data, &[], variables)
    }

    /// Starts the server for further hosts.
    pub fn start_for(data: &Path, hosts: &[&str]) -> Server {
        Server::spawn(data, hosts, &[])
    }

    fn spawn(data: &Path, hosts: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_daybook"))
            .args(["--port", "0", "--data"])
            .arg(data)
            .args(hosts.iter().flat_map(|host| ["--host", *host]))
            .envs(variables.iter().copied())
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
        // The pipe must be read, or the server would block on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        Server { process, url: url.trim_end_matches('/').to_owned() }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().expect("the server is running");
        self.process.wait().expect("the server is gone");
    }
}

impl Drop for Server {
    /// Ends the server when a test fails, too.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The JSON response of a GET request.
pub async fn get(client: &reqwest::Client, url: &str, token: Option<&str>) -> Value {
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.expect("an answer").json().await.expect("JSON")
}

/// A new, empty folder.
pub fn folder(of: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("daybook-{of}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// Registers the first user, who becomes the owner; returns their token.
pub async fn register(client: &reqwest::Client, url: &str) -> String {
    let user = serde_json::json!({"email": "owner@example.com", "password": "a long password"});
    let answer = client.post(format!("{url}/api/auth/register")).json(&user).send().await.expect("an answer");
    answer.json::<Value>().await.expect("JSON")["access_token"].as_str().expect("a token").to_owned()
}
