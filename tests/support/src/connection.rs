//! Connections of the fakes of other systems: a minimal HTTP/1.1 server that can break off an answer at any byte.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// The headers, by their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Reply {
        let headers = vec![("content-type".to_owned(), "application/json;charset=utf-8".to_owned())];
        Reply { status, headers, body: body.to_string() }
    }

    /// An empty answer to a successful request.
    pub(crate) fn empty() -> Reply {
        Reply { status: 204, headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Reply { status, headers, body } = self;
        let mut head: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        if *status != 204 {
            head.push(format!("content-length: {}\r\n", body.len()));
        }
        format!("HTTP/1.1 {status} \r\n{}\r\n{body}", head.concat()).into_bytes()
    }
}

/// Accepts connections for ever.
pub(crate) async fn listen<F>(listener: TcpListener, converse: impl Fn(TcpStream) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream));
            }
            // Usually too many files are open; some will be closed soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

impl Request {
    /// The next request of a connection; none if the client closed it.
    pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
        let first = line(stream).await?;
        let mut words = first.split_ascii_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let header = line(stream).await?;
            let Some((name, value)) = header.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        if headers.contains_key("transfer-encoding") {
            return Err(io::Error::other("a body in chunks isn't read here"));
        }
        let length =
            headers.get("content-length").map_or(Ok(0), |length| length.parse::<usize>()).map_err(io::Error::other)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        Ok(Some(Request { method, path, query, headers, body }))
    }

    /// The value of a header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}
