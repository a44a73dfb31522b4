//! The fake HubSpot's connections, which can break at any point of an answer.

use super::HubSpot;
use super::problem::Problem;
use super::reply::Reply;
use crate::connection;
pub(super) use crate::connection::Request;
use serde_json::Value;
use std::io;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The part of an answer that the client gets.
#[derive(Debug)]
pub(super) enum Sent {
    /// All of it.
    Whole(Reply),
    /// The head, with the length of the whole body, and this number of bytes of the body. Then the connection is closed.
    Part(Reply, usize),
    /// Nothing: the connection is closed.
    Nothing,
}

/// Accepts connections for ever.
pub(super) async fn listen(listener: TcpListener, hubspot: HubSpot) {
    connection::listen(listener, move |stream| converse(stream, hubspot.clone())).await;
}

/// Answers the requests of one connection.
async fn converse(stream: TcpStream, hubspot: HubSpot) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream).await? {
        let (delay, sent) = hubspot.answer(&request);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match sent {
            Sent::Whole(reply) => stream.write_all(&reply.bytes()).await?,
            Sent::Part(reply, count) => {
                let bytes = reply.bytes();
                let end = bytes.len() - reply.body.len() + count;
                stream.write_all(&bytes[..end]).await?;
                return stream.shutdown().await;
            }
            Sent::Nothing => return Ok(()),
        }
    }
    Ok(())
}

impl Request {
    /// The body.
    pub(super) fn json(&self) -> Result<Value, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Problem::validation(format!("Invalid input JSON on line {line}, column {column}: {error}"))
        })
    }

    /// The values of a parameter of the query.
    pub(super) fn params(&self, name: &str) -> Vec<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| percent_decoded(&value.replace('+', " "))).collect()
    }

    /// The value of a parameter of the query.
    pub(super) fn param(&self, name: &str) -> Option<String> {
        self.params(name).into_iter().next()
    }

    /// The requested properties: parameters named one by one, or separated by commas.
    pub(super) fn wanted(&self) -> Vec<String> {
        let lists = self.params("properties");
        lists.iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_owned()).collect()
    }
}

/// Decodes percent-encoding.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Sent {
    /// The answer with this number of bytes of its body, at least one too few; nothing of an answer without a body.
    pub(super) fn part(reply: Reply, count: usize) -> Sent {
        match reply.body.len().checked_sub(1) {
            Some(most) => Sent::Part(reply, count.min(most)),
            None => Sent::Nothing,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Sent::Whole(reply) | Sent::Part(reply, _) => Some(reply.status),
            Sent::Nothing => None,
        }
    }
}
