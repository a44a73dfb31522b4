//! Demo data: fills a data folder with leads before a measurement.

use crate::Result;
use std::path::Path;
use std::process::{Command, Stdio};

/// Fills a data folder with this number of leads.
pub fn fill(binary: &Path, data: &Path, leads: usize) -> Result<()> {
    eprintln!("Making {leads} leads:");
    let made = Command::new(binary)
        .arg("--data")
        .arg(data)
        .args(["demo-data", "create", "--customers", "0", "--leads", &leads.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !made.success() {
        return Err(format!("the leads were not made: {made}").into());
    }
    Ok(())
}
