//! The server: built, started on a core of its own, watched, and stopped.

use crate::Result;
use crate::cases::get;
use crate::load::Connection;
use crate::machine::{Machine, Memory, SERVER_CORE, memory_of, ticks_of};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Between two looks at how much the server works.
const LOOK: Duration = Duration::from_millis(250);

/// The most ticks of processor time (10 ms each) between two looks of a server with nothing to do but its rounds.
const IDLE_TICKS: u64 = 2;

/// How many looks in a row must find it idle.
const IDLE_LOOKS: usize = 3;

/// How long the server may work on after its last request.
const LONGEST_WORK: Duration = Duration::from_secs(1800);

/// Where the ticks can't be seen: how long it is left alone instead.
const BLIND: Duration = Duration::from_secs(10);

/// A running server. It ends with this value.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Builds the server into the folder that this program is in.
pub fn build(ours: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--profile", "server", "--package", "daybook-local", "--bin", "daybook"]);
    if let Some(target) = ours.parent() {
        build.arg("--target-dir").arg(target);
    }
    let built = build.stdout(Stdio::null()).status()?;
    let binary = ours.join("daybook").with_extension(std::env::consts::EXE_EXTENSION);
    if !built.success() || !binary.exists() {
        return Err(format!(
            "{} was not built ({built}); is this program built with the profile `server`?",
            binary.display()
        )
        .into());
    }
    Ok(binary)
}

impl Server {
    /// Starts the server on a free port, without rate limits and without a line of log for each request.
    pub fn start(binary: &Path, data: &Path, machine: &Machine) -> Result<Server> {
        let begun = Instant::now();
        let mut process = machine
            .command_on(SERVER_CORE, binary)
            .args(["--port", "0", "--data"])
            .arg(data)
            .env("RATE_LIMITS", "off")
            .env("ACCESS_TOKEN_EXPIRE_MINUTES", "1440")
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = process.stderr.take().map(BufReader::new);
        // From here on the process is ended whatever happens.
        let mut server = Server { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let mut lines = said.ok_or("the server has no standard error")?.lines();
        let port = lines.by_ref().map_while(std::result::Result::ok).find_map(|line| {
            eprintln!("  {line}");
            port_in(&line)
        });
        server.address.set_port(port.ok_or("the server ended before it was ready")?);
        eprintln!("  ready after {:.1} s", begun.elapsed().as_secs_f64());
        // Somebody must read on, or the server would wait for them.
        std::thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(|line| eprintln!("  {line}")));
        Ok(server)
    }

    /// Waits until the server answers and has nothing left to do; says how long it worked on.
    pub async fn settle(&self) -> Result<Duration> {
        let mut connection = Connection::open(self.address).await?;
        connection.ask(&get("/health", None)).await?.expect(200)?;
        drop(connection);
        let begun = Instant::now();
        let mut busy_until = begun;
        let mut idle_looks = 0;
        let Some(mut before) = ticks_of(self.process.id()) else {
            tokio::time::sleep(BLIND).await;
            return Ok(Duration::ZERO);
        };
        while idle_looks < IDLE_LOOKS {
            tokio::time::sleep(LOOK).await;
            let now = ticks_of(self.process.id()).ok_or("the server is gone")?;
            if now - before <= IDLE_TICKS {
                idle_looks += 1;
            } else {
                idle_looks = 0;
                busy_until = Instant::now();
            }
            before = now;
            if begun.elapsed() > LONGEST_WORK {
                return Err("the server doesn't come to rest".into());
            }
        }
        Ok(busy_until - begun)
    }

    /// The memory it takes, where that can be seen.
    pub fn memory(&self) -> Option<Memory> {
        memory_of(self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The port of the address in a line of the server's greeting.
fn port_in(line: &str) -> Option<u16> {
    let address = line.split_whitespace().find(|word| word.starts_with("http://"))?;
    address.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
}
