//! The measured server: builds it, starts it on a core of its own, watches it and stops it.

use crate::Result;
use crate::cases::get;
use crate::load::Connection;
use crate::machine::{Machine, Memory, SERVER_CORE, memory_of, ticks_of};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The interval between two checks of the server's processor time.
const LOOK: Duration = Duration::from_millis(250);

/// The maximum processor time, in ticks of 10 ms, that an idle server uses between two checks.
const IDLE_TICKS: u64 = 2;

/// The number of consecutive checks that must find it idle.
const IDLE_LOOKS: usize = 3;

/// The time-out for the server to become idle after its last request.
const LONGEST_WORK: Duration = Duration::from_secs(1800);

/// The pause used instead if ticks can't be read.
const BLIND: Duration = Duration::from_secs(10);

/// A running server, killed on drop.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Its address.
    pub address: SocketAddr,
}

/// Builds the server into the folder of this program.
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
    /// Starts the server on a free port, without rate limits and without a log line for each request.
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
        // From here on the process is killed on drop, also after an error.
        let mut server = Server { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let mut lines = said.ok_or("the server has no standard error")?.lines();
        let port = lines.by_ref().map_while(std::result::Result::ok).find_map(|line| {
            eprintln!("  {line}");
            port_in(&line)
        });
        server.address.set_port(port.ok_or("the server ended before it was ready")?);
        eprintln!("  ready after {:.1} s", begun.elapsed().as_secs_f64());
        // The output must be read, or the server would block on it.
        std::thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(|line| eprintln!("  {line}")));
        Ok(server)
    }

    /// Waits until the server answers and is idle; returns how long it was busy.
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

    /// Its memory, if the system reports it.
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

/// The port in a line of the server's start-up message.
fn port_in(line: &str) -> Option<u16> {
    let address = line.split_whitespace().find(|word| word.starts_with("http://"))?;
    address.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
}
