//! Processor quotas as on Lambda, in proportion to memory: 1,769 MB have one core (docs.aws.amazon.com/lambda,
//! "Configure Lambda function memory").

use super::shell;
use crate::Result;
use crate::machine::Machine;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GROUPS: &str = "/sys/fs/cgroup/cpu";

/// Lambda divides the time of a core into slices of 20 ms.
const PERIOD_US: u32 = 20_000;

/// A function's share of a core.
#[derive(Debug)]
pub enum Share {
    /// All of it.
    All,
    /// The quota of a control group (cgroup).
    Of(PathBuf),
}

impl Share {
    /// The share of a function with this memory, in MB.
    pub fn of_memory(megabytes: u32) -> Result<Share> {
        let group = Path::new(GROUPS).join(format!("daybook-bench-{megabytes}"));
        fs::create_dir_all(&group).map_err(|error| format!("{}: {error}", group.display()))?;
        fs::write(group.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
        fs::write(group.join("cpu.cfs_quota_us"), (PERIOD_US * megabytes / 1769).to_string())?;
        Ok(Share::Of(group))
    }

    /// A command that runs with this share, on a core.
    pub fn command(&self, machine: &Machine, core: usize, program: &Path) -> Command {
        match self {
            Share::All => machine.command_on(core, program),
            Share::Of(group) => {
                let (group, program) = (group.display(), program.display());
                shell(&format!("echo $$ > '{group}/cgroup.procs' && exec taskset -c {core} '{program}'"))
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Share::Of(group) = self {
            let _ = fs::remove_dir(group);
        }
    }
}
