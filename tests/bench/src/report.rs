//! The benchmark's report: tables of the results, the targets, and the results of other frameworks.

use crate::cases::Case;
use crate::load::Outcome;
use crate::machine::{Machine, Memory};
use crate::{AT_ONCE, RUNS};
use std::fmt::Write as _;
use std::time::Duration;

/// Requests per second of peers with SQLite: Flask, FastAPI, Express. Each had one core for itself and its database.
const PEERS: [(Case, [f64; 3]); 6] = [
    (Case::Create, [573.0, 558.0, 1_903.0]),
    (Case::Read, [1_143.0, 1_025.0, 5_298.0]),
    (Case::List, [765.0, 497.0, 2_790.0]),
    (Case::SearchHit, [88.0, 77.0, 134.0]),
    (Case::SearchMiss, [23.0, 20.0, 24.0]),
    (Case::Login, [2.7, 4.0, 3.3]),
];

/// The number of leads of the peers.
const PEER_LEADS: usize = 100_000;

/// The targets: minimum requests per second at many connections.
const FAST: [(Case, f64); 6] = [
    (Case::Read, 6_500.0),
    (Case::List, 2_300.0),
    (Case::SearchHit, 1_100.0),
    (Case::SearchMiss, 1_100.0),
    (Case::Login, 30.0),
    (Case::Create, 650.0),
];

/// The targets: maximum medians at one connection, in milliseconds.
const SWIFT: [(Case, f64); 17] = [
    (Case::Read, 0.4),
    (Case::List, 1.0),
    (Case::SearchHit, 1.5),
    (Case::SearchMiss, 1.5),
    (Case::Create, 2.0),
    (Case::ReadCustomer, 0.6),
    (Case::ListCustomers, 1.5),
    (Case::FilterCustomers, 5.0),
    (Case::SearchCustomers, 3.0),
    (Case::ReadContact, 0.6),
    (Case::ListContacts, 1.5),
    (Case::ReadInteraction, 0.6),
    (Case::FilterInteractions, 5.0),
    (Case::ReadOpportunity, 0.6),
    (Case::FilterOpportunities, 5.0),
    (Case::ReadTask, 0.6),
    (Case::FilterTasks, 5.0),
];

/// The creates whose target is relative to the creation of a lead, at one connection.
const MADE: [Case; 5] =
    [Case::CreateCustomer, Case::CreateContact, Case::CreateInteraction, Case::CreateOpportunity, Case::CreateTask];

/// The target: their maximum median as a multiple of a lead's.
const OF_A_LEAD: f64 = 1.5;

/// The target: the minimum throughput of creates as a share of the baseline, in per cent.
const OF_ENGINE: f64 = 70.0;

/// The target: the maximum memory under load, in MB.
const MEMORY: f64 = 60.0;

/// The runs of a case.
#[derive(Clone, Debug)]
pub struct Row {
    case: Case,
    leads: usize,
    /// With many connections.
    pub many: Vec<Outcome>,
    /// With one.
    pub one: Vec<Outcome>,
    /// The time for which the server stayed busy after each run with many.
    pub afterwards: Vec<Duration>,
}

/// The memory of a server with a number of leads.
#[derive(Clone, Debug)]
pub struct Memories {
    /// The leads.
    pub leads: usize,
    /// Before the first request.
    pub at_rest: Option<Memory>,
    /// After all cases but creating.
    pub before_creates: Option<Memory>,
    /// After all cases.
    pub at_end: Option<Memory>,
}

/// All results.
#[derive(Clone, Debug)]
pub struct Findings {
    lasting: Duration,
    items: Option<usize>,
    /// The cases.
    pub rows: Vec<Row>,
    /// The baseline's transactions per second, by run.
    pub engine: Vec<f64>,
    /// The memory.
    pub memories: Vec<Memories>,
    /// The minimum and maximum number of hits of the search words, by the number of leads.
    pub hits: Vec<(usize, (usize, usize))>,
}

impl Row {
    /// A row without runs.
    pub fn new(case: Case, leads: usize) -> Row {
        Row { case, leads, many: Vec::new(), one: Vec::new(), afterwards: Vec::new() }
    }

    /// The last run in a line.
    pub fn progress(&self) -> String {
        let last = |runs: &[Outcome]| runs.last().cloned();
        let (Some(many), Some(one)) = (last(&self.many), last(&self.one)) else { return String::new() };
        let (rate, p50) = (count(many.per_second), millis(one.p50));
        format!("{}: {rate}/s at {AT_ONCE} connections, median {p50} ms at one", self.case.title())
    }

    fn per_second(&self) -> Spread {
        Spread::of(self.many.iter().map(|outcome| outcome.per_second))
    }

    fn median_alone(&self) -> Spread {
        Spread::of(self.one.iter().map(|outcome| outcome.p50))
    }

    fn line(&self) -> String {
        let latency = |runs: &[Outcome], of: fn(&Outcome) -> f64| Spread::of(runs.iter().map(of)).shown(millis);
        let errors: usize = self.many.iter().chain(&self.one).map(|outcome| outcome.errors).sum();
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {errors} |",
            self.case.title(),
            whole(self.leads as f64),
            self.per_second().shown(count),
            latency(&self.many, |outcome| outcome.p50),
            latency(&self.many, |outcome| outcome.p99),
            latency(&self.one, |outcome| outcome.p50),
            latency(&self.one, |outcome| outcome.p99),
        )
    }
}

impl Findings {
    /// An empty report for runs of this duration; with the number of items of a create, if creates are measured.
    pub fn new(lasting: Duration, items: Option<usize>) -> Findings {
        let (rows, engine, memories, hits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Findings { lasting, items, rows, engine, memories, hits }
    }

    /// All tables, between the markers used in the README.
    pub fn tables(&self, machine: &Machine) -> String {
        let parts = [self.measured(machine), self.memory(), self.targets(), self.peers()];
        format!("<!-- bench -->\n{}\n<!-- /bench -->", parts.join("\n"))
    }

    fn measured(&self, machine: &Machine) -> String {
        let mut text = format!(
            "{}. Each case ran {RUNS} times {} s: the median of the runs, and in brackets the least and the most. For ten \
             customers there are a contact, an interaction, an opportunity and a task.\n\n\
             | case | leads, customers | requests/s, {AT_ONCE} connections | p50 ms | p99 ms | p50 ms, 1 connection | p99 ms | errors |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|\n",
            machine.line(),
            self.lasting.as_secs(),
        );
        for row in &self.rows {
            line(&mut text, &row.line());
        }
        if let (Some(items), false) = (self.items, self.engine.is_empty()) {
            let engine = Spread::of(self.engine.iter().copied()).shown(count);
            line(&mut text, &format!("| The table alone, a create's {items} items | | {engine} | | | | | |"));
        }
        text.push('\n');
        for (leads, (least, most)) in &self.hits {
            let found = if least == most { format!("{least}") } else { format!("{least} to {most}") };
            let leads = whole(*leads as f64);
            line(
                &mut text,
                &format!("With {leads} leads the words searched for find {found} of them (200 is a full page)."),
            );
        }
        for row in self.rows.iter().filter(|row| row.case == Case::Create) {
            let longest = row.afterwards.iter().max().map_or(0.0, Duration::as_secs_f64);
            let leads = whole(row.leads as f64);
            line(
                &mut text,
                &format!(
                    "Creates with {leads} leads share the core with what follows from them (journal, mail), which \
                     went on for up to {longest:.1} s after a run."
                ),
            );
        }
        text
    }

    fn memory(&self) -> String {
        let mut text = "| memory in MB: now (most so far) | at rest | after all but creates | at the end |\n\
                        |---|--:|--:|--:|\n"
            .to_owned();
        let shown = |memory: Option<Memory>| match memory {
            Some(memory) => format!("{:.0} ({:.0})", megabytes(memory.now), megabytes(memory.most)),
            None => "–".to_owned(),
        };
        for Memories { leads, at_rest, before_creates, at_end } in &self.memories {
            let (leads, at_rest) = (whole(*leads as f64), shown(*at_rest));
            let (before, end) = (shown(*before_creates), shown(*at_end));
            line(&mut text, &format!("| {leads} leads | {at_rest} | {before} | {end} |"));
        }
        text
    }

    fn targets(&self) -> String {
        let Some(leads) = self.rows.iter().map(|row| row.leads).max() else { return String::new() };
        let mut text =
            format!("| target, with {} leads | wanted | measured | met |\n|---|--:|--:|---|\n", whole(leads as f64));
        let of = |case: Case| self.rows.iter().find(|row| row.case == case && row.leads == leads);
        for (case, least) in FAST {
            let found = of(case).map(|row| row.per_second().median);
            let name = format!("{}, requests/s", case.title());
            line(&mut text, &verdict(&name, ("≥", least), found, count));
        }
        let (create, engine) = (of(Case::Create), Spread::of(self.engine.iter().copied()).median);
        let share = create.map(|row| 100.0 * row.per_second().median / engine);
        line(&mut text, &verdict("Creates, in % of the table", ("≥", OF_ENGINE), share, count));
        for (case, longest) in SWIFT {
            let found = of(case).map(|row| row.median_alone().median);
            let name = format!("{}, median ms", case.title());
            line(&mut text, &verdict(&name, ("≤", longest), found, millis));
        }
        let alone = |case: Case| of(case).map(|row| row.median_alone().median);
        for case in MADE {
            let times = alone(case).zip(alone(Case::Create)).map(|(one, lead)| one / lead);
            let name = format!("{}, in medians of a lead", case.title());
            line(&mut text, &verdict(&name, ("≤", OF_A_LEAD), times, millis));
        }
        // The peak of all phases and servers.
        let ends = self.memories.iter().filter_map(|memories| memories.at_end);
        let most = ends.map(|memory| megabytes(memory.most)).reduce(f64::max);
        line(&mut text, &verdict("Memory, MB", ("≤", MEMORY), most, count));
        text
    }

    fn peers(&self) -> String {
        let mut text = format!(
            "| requests/s, {AT_ONCE} connections | Daybook | Flask | FastAPI | Express |\n|---|--:|--:|--:|--:|\n"
        );
        for (case, peers) in PEERS {
            let row = self.rows.iter().find(|row| row.case == case && row.leads == PEER_LEADS);
            let ours = row.map_or_else(|| "–".to_owned(), |row| count(row.per_second().median));
            let [flask, fastapi, express] = peers.map(count);
            line(&mut text, &format!("| {} | {ours} | {flask} | {fastapi} | {express} |", case.title()));
        }
        let leads = whole(PEER_LEADS as f64);
        line(
            &mut text,
            &format!(
                "\nDaybook with {leads} leads; the peers read, list and search among as many, in SQLite. They were \
                 measured before, not in this run, and on another processor: on one core of a machine with two, the load \
                 on the other; logins with 8 connections."
            ),
        );
        text
    }
}

/// The median, minimum and maximum of some runs.
#[derive(Clone, Copy, Debug)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    /// The spread of these values; NaN if there are none.
    fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Spread { least: at(0), median: at(values.len() / 2), most: at(values.len().saturating_sub(1)) }
    }

    fn shown(self, number: fn(f64) -> String) -> String {
        format!("{} ({}–{})", number(self.median), number(self.least), number(self.most))
    }
}

fn verdict(name: &str, (sign, bound): (&str, f64), found: Option<f64>, number: fn(f64) -> String) -> String {
    let met = found.map(|found| if sign == "≥" { found >= bound } else { found <= bound });
    let met = met.map_or("–", |met| if met { "yes" } else { "**no**" });
    let found = found.map_or_else(|| "–".to_owned(), number);
    format!("| {name} | {sign} {} | {found} | {met} |", plain(bound))
}

fn line(text: &mut String, line: &str) {
    // Writing to a string never fails.
    let _ = writeln!(text, "{line}");
}

/// A number without trailing zeros: `650`, `0.4`, `6,500`.
fn plain(number: f64) -> String {
    if number.fract() == 0.0 { whole(number) } else { number.to_string() }
}

/// A measured rate, with a decimal if it is small.
fn count(number: f64) -> String {
    if number < 100.0 { format!("{number:.1}") } else { whole(number) }
}

/// A whole number, with commas between thousands.
fn whole(number: f64) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn millis(number: f64) -> String {
    match number {
        number if !number.is_finite() => "–".to_owned(),
        number if number < 10.0 => format!("{number:.2}"),
        number => format!("{number:.0}"),
    }
}

fn megabytes(kb: u64) -> f64 {
    kb as f64 * 1024.0 / 1e6
}
