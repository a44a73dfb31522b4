//! The machine: its description, the assignment of cores, and the memory and processor time of a process.

use crate::Result;
use std::fs::read_to_string;
use std::path::Path;
use std::process::{Command, Stdio};

/// The core of the server, and of the baseline.
pub const SERVER_CORE: usize = 0;

/// The core of the load.
pub const LOAD_CORE: usize = 1;

/// A description of the machine, on which the results depend.
#[derive(Clone, Debug)]
pub struct Machine {
    cores: usize,
    cpu: String,
    kernel: String,
    disk: String,
    pins: bool,
}

/// The memory of a process, in kB of 1,024 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now (`VmRSS`).
    pub now: u64,
    /// The peak since its start (`VmHWM`).
    pub most: u64,
}

impl Machine {
    /// This machine, with its data in a folder.
    pub fn look(data: &Path) -> Machine {
        let cpu = read_to_string("/proc/cpuinfo").ok().and_then(|text| value_of(&text, "model name"));
        let kernel = read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned());
        let disk = Command::new("stat").args(["-f", "-c", "%T"]).arg(data).output().ok();
        let disk = disk.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
        let unknown = || "unknown".to_owned();
        let machine = Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: cpu.unwrap_or_else(unknown),
            kernel: kernel.unwrap_or_else(unknown),
            disk: disk.filter(|name| !name.is_empty()).unwrap_or_else(unknown),
            pins: [SERVER_CORE, LOAD_CORE].into_iter().all(has_core),
        };
        if !machine.pins {
            eprintln!("Server and load share the cores: `taskset` (util-linux) or a second core is missing.");
        }
        machine
    }

    /// The machine in a line.
    pub fn line(&self) -> String {
        let Machine { cores, cpu, kernel, disk, pins } = self;
        let pinned = match pins {
            true => format!("the server on core {SERVER_CORE}, the load on core {LOAD_CORE}"),
            false => "server and load share all cores".to_owned(),
        };
        format!("{cores} cores, {cpu}, kernel {kernel}, data on {disk}; {pinned}")
    }

    /// A command that runs on a core.
    pub fn command_on(&self, core: usize, program: &Path) -> Command {
        if !self.pins {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(program);
        command
    }

    /// Moves this program's main thread to a core, and all threads and processes that it starts from then on.
    pub fn stay_on(&self, core: usize) -> Result<()> {
        if !self.pins {
            return Ok(());
        }
        let (core, main_thread) = (core.to_string(), std::process::id().to_string());
        let moved = Command::new("taskset").args(["-cp", &core, &main_thread]).stdout(Stdio::null()).status()?;
        if moved.success() { Ok(()) } else { Err(format!("core {core} can't be had: {moved}").into()) }
    }
}

fn has_core(core: usize) -> bool {
    let tried = Command::new("taskset").args(["-c", &core.to_string(), "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The memory of a process, if the system reports it.
pub fn memory_of(process: u32) -> Option<Memory> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    let kb = |name: &str| value_of(&status, name)?.split(' ').next()?.parse().ok();
    Some(Memory { now: kb("VmRSS")?, most: kb("VmHWM")? })
}

/// The processor time of a process so far, in ticks of 10 ms, if the system reports it.
pub fn ticks_of(process: u32) -> Option<u64> {
    let stat = read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may contain blanks and brackets; it is followed by the state and by proc(5)'s fields from number 4.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (user, system): (u64, u64) = (fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?);
    Some(user + system)
}

/// The value after a name and a colon.
fn value_of(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}
