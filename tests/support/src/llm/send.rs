//! The fake's connections.

use super::FakeLlm;
use super::plan::{Ending, Plan, Step};
use crate::connection::{Reply, Request};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The head of a streamed answer.
const HEAD: &str = "HTTP/1.1 200 OK\r\n\
    content-type: text/event-stream; charset=utf-8\r\n\
    cache-control: no-cache\r\n\
    transfer-encoding: chunked\r\n\r\n";

/// The time that bytes get to arrive before a reset, which may discard them on their way.
const ARRIVAL: Duration = Duration::from_millis(20);

/// An answer of the fake.
#[derive(Debug)]
pub(super) enum Sent {
    /// At once.
    Whole(Reply),
    /// In a stream.
    Streamed(Plan),
}

/// Answers the requests of one connection.
pub(super) async fn converse(stream: TcpStream, fake: FakeLlm) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream).await? {
        let is_open = match fake.answer(&request) {
            Sent::Whole(reply) => {
                stream.write_all(&reply.bytes()).await?;
                true
            }
            Sent::Streamed(plan) => {
                let streamed = send(&mut stream, &plan).await;
                if !matches!(streamed, Ok(Outcome::Sent | Outcome::Broken)) {
                    fake.abandon();
                }
                matches!(streamed, Ok(Outcome::Sent))
            }
        };
        if !is_open {
            break;
        }
    }
    Ok(())
}

/// What became of a streamed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was sent.
    Sent,
    /// It was broken off, as planned.
    Broken,
    /// The client closed the connection before.
    Abandoned,
}

async fn send(stream: &mut BufReader<TcpStream>, plan: &Plan) -> io::Result<Outcome> {
    stream.write_all(HEAD.as_bytes()).await?;
    let mut sent = 0;
    for step in &plan.steps {
        match step {
            Step::Bytes(bytes) => {
                let mut framed: Vec<u8> = Vec::new();
                for chunk in plan.chunks(sent, bytes) {
                    framed.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    framed.extend(chunk);
                    framed.extend(b"\r\n");
                }
                sent += bytes.len();
                stream.write_all(&framed).await?;
            }
            // A client that waits sends nothing, so a byte or an error is its end.
            Step::Pause(pause) => {
                if timeout(*pause, stream.read_u8()).await.is_ok() {
                    return Ok(Outcome::Abandoned);
                }
            }
        }
    }
    match plan.ending {
        Ending::Regular => {
            stream.write_all(b"0\r\n\r\n").await?;
            Ok(Outcome::Sent)
        }
        Ending::Close => {
            stream.shutdown().await?;
            Ok(Outcome::Broken)
        }
        Ending::Reset => {
            tokio::time::sleep(ARRIVAL).await;
            stream.get_ref().set_zero_linger()?;
            Ok(Outcome::Broken)
        }
        Ending::Silence => {
            stream.read_u8().await?;
            Ok(Outcome::Abandoned)
        }
    }
}
