//! The time that Daybook adds to the first token of an answer: from a question until the first text of the offline model,
//! which answers at once.

use crate::Result;
use crate::cases::{Case, post_as, question};
use crate::known::Known;
use crate::machine::{LOAD_CORE, Machine};
use crate::server::Server;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The number of questions that are measured, after as many to warm up.
const QUESTIONS: usize = 500;

/// Measures the questions of one user, one after the other; returns a line with the percentiles.
pub fn run(binary: &Path, data: &Path, machine: &Machine) -> Result<String> {
    crate::seed::fill(binary, data, 1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    machine.stay_on(LOAD_CORE)?;
    let server = Server::start(binary, data, machine)?;
    runtime.block_on(async {
        let known = Known::learn(server.address, 1, &[Case::ListMessages]).await?;
        let mut rows = String::from("| question | p50, ms | p99, ms |\n|---|--:|--:|\n");
        for (title, conversation) in
            [("without a conversation", None), ("in a conversation of 40 messages", Some(known.conversation.as_str()))]
        {
            let body = question(conversation);
            let body = format!("{},\"stream\":true}}", &body[..body.len() - 1]);
            let request = post_as("/api/chat", &body, Some(&known.token));
            let mut took = Vec::with_capacity(QUESTIONS);
            for number in 0..2 * QUESTIONS {
                let first = first_token(server.address, &request).await?;
                if number >= QUESTIONS {
                    took.push(first);
                }
            }
            took.sort_unstable();
            let at = |percent: usize| took[(took.len() * percent).div_ceil(100).max(1) - 1].as_secs_f64() * 1000.0;
            rows += &format!("| {title} | {:.2} | {:.2} |\n", at(50), at(99));
        }
        Ok(rows)
    })
}

/// The time from a question until the first text; waits for the end of the answer.
async fn first_token(address: SocketAddr, request: &str) -> Result<Duration> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut seen, mut first) = (Vec::new(), None);
    let begun = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    loop {
        if stream.read_buf(&mut seen).await? == 0 {
            return Err(format!("the answer ended early: {}", String::from_utf8_lossy(&seen)).into());
        }
        let has = |what: &str| seen.windows(what.len()).any(|window| window == what.as_bytes());
        if first.is_none() && has("event: delta") {
            first = Some(begun.elapsed());
        }
        if has("event: done") {
            return first.ok_or_else(|| "an answer without text".into());
        }
        if seen.starts_with(b"HTTP/1.1 4") || has("event: error") {
            return Err(String::from_utf8_lossy(&seen).into_owned().into());
        }
    }
}
