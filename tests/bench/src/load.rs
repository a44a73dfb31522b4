//! The load generator: connections that each send a request, wait for the answer, and send the next.

use crate::Result;
use crate::cases::Script;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The tolerance of a run's duration.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause after a failed connection.
const PAUSE: Duration = Duration::from_millis(10);

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// The number of connections.
    pub connections: usize,
    /// The duration.
    pub lasting: Duration,
}

/// The results of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Expected answers per second.
    pub per_second: f64,
    /// The median latency, in milliseconds.
    pub p50: f64,
    /// The 99th percentile of the latency, in milliseconds.
    pub p99: f64,
    /// The number of requests that failed or had another answer.
    pub errors: usize,
    /// The first of these errors.
    pub first_error: Option<String>,
}

impl Load {
    /// Puts the load on the server.
    pub async fn put_on(&self, script: &Script) -> Result<Outcome> {
        let begun = Instant::now();
        let until = begun + self.lasting;
        let mut connections = JoinSet::new();
        for number in 0..self.connections {
            connections.spawn(drive(self.address, script.clone(), until, Random::new(number)));
        }
        let tallies = tokio::time::timeout(self.lasting + PATIENCE, connections.join_all())
            .await
            .map_err(|_| "the server leaves requests without an answer")?;
        Ok(Outcome::of(tallies, begun.elapsed()))
    }
}

impl Outcome {
    fn of(tallies: Vec<Tally>, elapsed: Duration) -> Outcome {
        let errors = tallies.iter().map(|tally| tally.errors).sum();
        let first_error = tallies.iter().find_map(|tally| tally.first_error.clone());
        let mut micros: Vec<u32> = tallies.into_iter().flat_map(|tally| tally.micros).collect();
        micros.sort_unstable();
        // Percentiles by nearest rank.
        let percentile = |percent: usize| {
            let rank = (micros.len() * percent).div_ceil(100).max(1);
            micros.get(rank - 1).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
        };
        let per_second = micros.len() as f64 / elapsed.as_secs_f64();
        Outcome { per_second, p50: percentile(50), p99: percentile(99), errors, first_error }
    }
}

/// The results of one connection.
#[derive(Debug, Default)]
struct Tally {
    micros: Vec<u32>,
    errors: usize,
    first_error: Option<String>,
}

async fn drive(address: SocketAddr, script: Script, until: Instant, mut random: Random) -> Tally {
    let mut tally = Tally { micros: Vec::with_capacity(65_536), ..Tally::default() };
    let mut open = None;
    while Instant::now() < until {
        let request = script.next(&mut random);
        let outcome = exchange(&mut open, address, &request, script.expected).await;
        match outcome {
            Ok(took) => tally.micros.push(took.as_micros().try_into().unwrap_or(u32::MAX)),
            Err(error) => {
                tally.errors += 1;
                tally.first_error.get_or_insert(error);
                open = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    tally
}

/// Sends a request, on the open connection if there is one; returns the latency.
async fn exchange(
    open: &mut Option<Connection>,
    address: SocketAddr,
    request: &str,
    expected: u16,
) -> std::result::Result<Duration, String> {
    let connection = match open {
        Some(connection) => connection,
        None => open.insert(Connection::open(address).await.map_err(|error| error.to_string())?),
    };
    let sent = Instant::now();
    let answer = connection.ask(request).await.map_err(|error| error.to_string())?;
    let took = sent.elapsed();
    answer.expect(expected)?;
    Ok(took)
}

/// A persistent connection with the minimum of HTTP/1.1 that these answers need.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'c> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'c [u8],
}

impl Connection {
    /// Connects to a server.
    pub async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(65_536) })
    }

    /// Sends a request and reads the whole answer.
    pub async fn ask(&mut self, request: &str) -> io::Result<Answer<'_>> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            self.read_more().await?;
            if let Some(head) = Head::read(&self.buffer)? {
                break head;
            }
        };
        let end = head.bytes + head.content_length;
        while self.buffer.len() < end {
            self.read_more().await?;
        }
        Ok(Answer { status: head.status, body: &self.buffer[head.bytes..end] })
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            _ => Ok(()),
        }
    }
}

impl<'c> Answer<'c> {
    /// The body, if the status is the expected one.
    pub fn expect(self, status: u16) -> std::result::Result<&'c [u8], String> {
        if self.status == status {
            return Ok(self.body);
        }
        let said: String = String::from_utf8_lossy(self.body).chars().take(300).collect();
        Err(format!("answered {}: {said}", self.status))
    }
}

struct Head {
    status: u16,
    bytes: usize,
    content_length: usize,
}

impl Head {
    /// The head of an answer; none if it is incomplete.
    fn read(buffer: &[u8]) -> io::Result<Option<Head>> {
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("an answer without {what}"));
        let text = str::from_utf8(&buffer[..end]).map_err(|_| wrong("a readable head"))?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let content_length = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let status = status.ok_or_else(|| wrong("a status"))?;
        let content_length = match status {
            204 => 0,
            _ => content_length.ok_or_else(|| wrong("a length"))?,
        };
        Ok(Some(Head { status, bytes: end + 4, content_length }))
    }
}

/// A random number generator (xorshift) with the same numbers in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a connection.
    pub fn new(connection: usize) -> Random {
        Random((connection as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below a limit, which must not be zero.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
