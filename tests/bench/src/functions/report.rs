//! The report on functions: size, start, memory and latency of each, the reference function's, and the targets.

use super::BARE;
use super::package::Package;
use crate::machine::Machine;
use std::fmt::{self, Write as _};
use std::time::Duration;

/// The maximum size of a program, in MB.
const PROGRAM: f64 = 12.0;
/// The maximum start-up time, in ms and as a multiple of the reference function's.
const START: f64 = 15.0;
const START_OF_BARE: f64 = 1.5;
/// The maximum memory, in MB.
const MEMORY: f64 = 20.0;
/// The maximum median of a warm create, in ms.
const CREATE: f64 = 2.0;

/// The results.
#[derive(Debug, Default)]
pub struct Findings {
    /// With a whole core; the reference function first.
    pub rows: Vec<Row>,
    /// `submit-lead` for a signed-in user, without rate limits.
    pub signed_in: Option<Row>,
    /// With the share of a core for each memory size in MB.
    pub quotas: Vec<(u32, Row)>,
}

/// The results of one function.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its size.
    pub package: Package,
    /// The time from its start to its request for the first event.
    pub starts: Vec<Duration>,
    /// The time of the first event after a start.
    pub firsts: Vec<Duration>,
    /// The times of later events.
    pub warm: Vec<Duration>,
    /// Its peak memory, in kB.
    pub memory: Option<u64>,
}

impl Row {
    fn start(&self) -> f64 {
        quantile(&self.starts, 0.5)
    }

    fn cells(&self) -> String {
        let Package { program, compressed } = self.package;
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let memory = self.memory.map_or_else(|| "–".to_owned(), |kb| format!("{:.1}", megabytes(kb * 1024)));
        format!(
            "{:.1} | {:.1} | {:.1} ({:.1}–{:.1}) | {memory} | {:.2} | {:.2} | {:.2}",
            megabytes(program),
            megabytes(compressed),
            self.start(),
            quantile(&self.starts, 0.0),
            quantile(&self.starts, 1.0),
            quantile(&self.firsts, 0.5),
            quantile(&self.warm, 0.5),
            quantile(&self.warm, 0.99),
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.cells())
    }
}

impl Findings {
    /// The tables, in Markdown.
    pub fn tables(&self, machine: &Machine) -> String {
        let heads = "program MB | compressed MB | start ms | memory MB | first event ms | warm p50 ms | p99 ms";
        let mut text = format!("{}.\n\n| function | {heads} |\n|---|--:|--:|--:|--:|--:|--:|--:|\n", machine.line());
        for row in &self.rows {
            let _ = writeln!(text, "| {} | {} |", row.name, row.cells());
        }
        if let Some(row) = &self.signed_in {
            let _ = writeln!(text, "| {}, signed in | {} |", row.name, row.cells());
        }
        if !self.quotas.is_empty() {
            let _ = writeln!(text, "\n| share of a core | function | {heads} |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|");
            for (megabytes, row) in &self.quotas {
                let _ = writeln!(text, "| {megabytes} MB | {} | {} |", row.name, row.cells());
            }
        }
        let _ = writeln!(text, "\n| target | wanted | measured | met |\n|---|--:|--:|---|");
        for (name, wanted, found) in self.targets() {
            let met = if found <= wanted { "yes" } else { "**no**" };
            let _ = writeln!(text, "| {name} | ≤ {wanted} | {found:.2} | {met} |");
        }
        text
    }

    fn targets(&self) -> Vec<(&'static str, f64, f64)> {
        let ours: Vec<&Row> = self.rows.iter().filter(|row| row.name != BARE).collect();
        let most = |of: &dyn Fn(&Row) -> f64| ours.iter().map(|row| of(row)).fold(f64::NAN, f64::max);
        let bare = self.rows.iter().find(|row| row.name == BARE).map_or(f64::NAN, Row::start);
        let warm = |row: &Row| quantile(&row.warm, 0.5);
        let create = ours.iter().find(|row| row.name == "submit-lead");
        // A password hash needs 19 MB by design.
        let memory = |row: &Row| if row.name == "auth" { 0.0 } else { row.memory.unwrap_or(0) as f64 * 1024.0 / 1e6 };
        vec![
            ("Program, MB, the largest", PROGRAM, most(&|row| row.package.program as f64 / 1e6)),
            ("Start, ms, the slowest", START, most(&Row::start)),
            ("Start, in times the bare function's", START_OF_BARE, most(&Row::start) / bare),
            ("Memory, MB, the most but for `auth`", MEMORY, most(&memory)),
            ("Create a lead by a form when warm, median ms", CREATE, create.map_or(f64::NAN, |row| warm(row))),
            ("Create a lead signed in when warm, median ms", CREATE, self.signed_in.as_ref().map_or(f64::NAN, warm)),
        ]
    }
}

/// A quantile, in ms.
fn quantile(values: &[Duration], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort();
    let index = ((sorted.len().saturating_sub(1)) as f64 * at).round() as usize;
    sorted.get(index).map_or(f64::NAN, |value| value.as_secs_f64() * 1000.0)
}
