//! Release builds of the functions, and the sizes of the programs.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The size of a function's program in bytes, uncompressed and compressed.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// The program.
    pub program: u64,
    /// Compressed.
    pub compressed: u64,
}

impl Package {
    /// The size of a program.
    pub fn of(program: &Path) -> Result<Package> {
        let compressed = Command::new("gzip").args(["-9", "-c"]).arg(program).output()?.stdout.len() as u64;
        Ok(Package { program: std::fs::metadata(program)?.len(), compressed })
    }
}

/// Builds all functions and the reference function in release mode, beside the folder of this program.
pub fn build(ours: &Path, functions: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--bin", super::BARE, "--package", "daybook-bare-function"]);
    for function in functions {
        build.args(["--bin", function, "--package", &format!("daybook-{function}")]);
    }
    let target = ours.parent().ok_or("this program is in no folder")?;
    let built = build.arg("--target-dir").arg(target).stdout(Stdio::null()).status()?;
    if built.success() {
        Ok(target.join("release"))
    } else {
        Err(format!("the functions were not built ({built})").into())
    }
}
