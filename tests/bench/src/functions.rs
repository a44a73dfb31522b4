//! The benchmark of functions: each runs as on Lambda, as a process that fetches events over HTTP, with an emulator of
//! DynamoDB. Measured are its size, start-up time, memory and warm latency.

mod package;
mod report;
mod runtime;
mod share;

use crate::Result;
use crate::machine::{LOAD_CORE, Machine, SERVER_CORE, memory_of};
use daybook_domain::OrgId;
use daybook_emulator::{Emulator, TABLE, serve_table};
use daybook_store::{Clock, Ids};
use package::Package;
use report::{Findings, Row};
use runtime::Runtime;
use serde_json::{Value, json};
use share::Share;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The reference function.
const BARE: &str = "bare-function";

/// The number of starts of each function, each with a new organisation; the result is the median.
const STARTS: usize = 9;

/// The number of warm events for each process: fewer than the number per minute above which a form holds posts.
const EVENTS_EACH: usize = 50;

/// The memory sizes, in MB, that are measured with Lambda's share of the processor, and the functions.
const SMALL: [u32; 3] = [128, 256, 512];
const UNDER_A_QUOTA: [&str; 2] = [BARE, "submit-lead"];

/// The sample event in `events/` with which a function is measured.
const EVENTS: [(&str, &str); 28] = [
    ("auth", "auth/login"),
    ("users", "users/list"),
    ("organizations", "organizations/keys"),
    ("audit-query", "audit-query/list"),
    ("privacy", "privacy/erasure"),
    ("submit-lead", "submit-lead/json"),
    ("book-demo", "book-demo/book"),
    ("contact", "contact/message"),
    ("submissions", "submissions/list"),
    ("leads", "leads/list"),
    ("customers", "customers/create"),
    ("contacts", "contacts/list"),
    ("interactions", "interactions/list"),
    ("opportunities", "opportunities/board"),
    ("tasks", "tasks/create"),
    ("views", "views/list"),
    ("ai", "ai/models"),
    ("conversations", "conversations/list"),
    ("integrations", "integrations/records"),
    ("docs", "docs/openapi"),
    ("health", "health/ready"),
    ("dispatch", "dispatch/stream"),
    ("send-mail", "send-mail/queue"),
    ("sync-hubspot", "sync-hubspot/queue"),
    ("run-jobs", "run-jobs/queue"),
    ("remind", "remind/queue"),
    ("chat-run", "chat-run/queue"),
    ("sweep", "sweep/schedule"),
];

/// Measures functions.
#[derive(clap::Args)]
pub struct Arguments {
    /// The functions to measure; all unless set.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measures the programs in this folder instead of building them.
    #[arg(long)]
    from: Option<PathBuf>,
}

/// Measures functions and returns the tables.
pub fn run(arguments: &Arguments, ours: &Path) -> Result<String> {
    let machine = Machine::look(ours);
    let names: Vec<&str> = EVENTS.iter().map(|(function, _)| *function).collect();
    let folder = match &arguments.from {
        Some(folder) => folder.clone(),
        None => package::build(ours, &names)?,
    };
    // The emulator and the fake Lambda run on the other core.
    machine.stay_on(LOAD_CORE)?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = tokio.enter();
    let table = tokio.block_on(serve_table(Emulator::in_memory()?, 0))?;
    let ids = Ids::new(Clock::System);
    let mut bench = Bench { machine, folder, table, ids, token: String::new(), credentials: false, tokio: &tokio };
    let mut findings = Findings::default();
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    bench.sign_in()?;
    for (name, event) in std::iter::once((BARE, "submit-lead/json")).chain(EVENTS) {
        if name != BARE && !wanted(name) {
            continue;
        }
        let row = bench.measure(name, event, &Share::All)?;
        eprintln!("{row}");
        findings.rows.push(row);
    }
    if wanted("submit-lead") {
        bench.credentials = true;
        let row = bench.measure("submit-lead", "submit-lead/json", &Share::All)?;
        eprintln!("signed in {row}");
        findings.signed_in = Some(row);
        bench.credentials = false;
    }
    for megabytes in SMALL {
        let share = Share::of_memory(megabytes);
        for name in UNDER_A_QUOTA.into_iter().filter(|name| *name == BARE || wanted(name)) {
            match &share {
                Ok(share) => {
                    let row = bench.measure(name, "submit-lead/json", share)?;
                    eprintln!("{megabytes} MB {row}");
                    findings.quotas.push((megabytes, row));
                }
                Err(error) => eprintln!("no shares of the processor here: {error}"),
            }
        }
    }
    Ok(findings.tables(&bench.machine))
}

struct Bench<'a> {
    machine: Machine,
    folder: PathBuf,
    table: String,
    ids: Ids,
    token: String,
    /// Whether a token is added to events without one.
    credentials: bool,
    tokio: &'a tokio::runtime::Runtime,
}

impl Bench<'_> {
    /// Registers the user whose token is used in signed-in events.
    fn sign_in(&mut self) -> Result<()> {
        let mut started = self.start("auth", &Share::All)?;
        let answer = self.tokio.block_on(started.runtime.invoke(self.event("auth/register", 0)?))?;
        let body: Value = serde_json::from_str(answer["body"].as_str().ok_or("register has no answer")?)?;
        let token = body["access_token"].as_str().ok_or_else(|| format!("not registered: {body}"))?;
        self.token = token.to_owned();
        Ok(())
    }

    fn measure(&self, name: &str, event: &str, share: &Share) -> Result<Row> {
        let (mut starts, mut firsts, mut warm, mut memory) = (Vec::new(), Vec::new(), Vec::new(), None);
        for _ in 0..STARTS {
            let mut started = self.start(name, share)?;
            starts.push(started.took);
            firsts.push(self.answered(&mut started, event, 0)?);
            for number in 1..=EVENTS_EACH {
                warm.push(self.answered(&mut started, event, number)?);
            }
            memory = memory.max(memory_of(started.process.id()).map(|memory| memory.most));
        }
        let package = Package::of(&self.folder.join(name))?;
        Ok(Row { name: name.to_owned(), package, starts, firsts, warm, memory })
    }

    /// The time a function takes for an event, which must succeed.
    fn answered(&self, started: &mut Started, event: &str, number: usize) -> Result<Duration> {
        let event = self.event(event, number)?;
        let begun = Instant::now();
        let answer = self.tokio.block_on(started.runtime.invoke(event))?;
        let took = begun.elapsed();
        let status = answer["statusCode"].as_u64().unwrap_or(200);
        if status >= 300 || answer.get("errorType").is_some() {
            return Err(format!("answered badly: {answer}").into());
        }
        Ok(took)
    }

    fn start(&self, name: &str, share: &Share) -> Result<Started> {
        let program = self.folder.join(name);
        let mut runtime = self.tokio.block_on(Runtime::serve())?;
        let mut command = share.command(&self.machine, SERVER_CORE, &program);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, value) in variables(name, &runtime.address, &self.table, OrgId::new(self.ids.next())) {
            command.env(name, value);
        }
        let begun = Instant::now();
        let process = command.spawn()?;
        let mut started = Started { process, took: Duration::ZERO, runtime: Runtime::default() };
        started.took = self.tokio.block_on(runtime.ready(&mut started.process, begun))?;
        started.runtime = runtime;
        Ok(started)
    }

    /// A sample event. Each number stands for another visitor.
    fn event(&self, name: &str, number: usize) -> Result<Value> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../events/{name}.json"));
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut event: Value = serde_json::from_str(&text.replace("ACCESS_TOKEN", &self.token))?;
        if event["headers"]["idempotency-key"].is_string() {
            event["headers"]["idempotency-key"] = json!(self.ids.next().to_string());
        }
        if self.credentials {
            event["headers"]["authorization"] = json!(format!("Bearer {}", self.token));
        }
        if event["requestContext"]["http"]["sourceIp"].is_string() {
            event["requestContext"]["http"]["sourceIp"] = json!(format!("198.51.100.{}", number % 250));
        }
        if let Some(body) = event["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok()) {
            let mut body = body;
            if body["email"].is_string() && !name.starts_with("auth") {
                body["email"] = json!(format!("{}@example.com", self.ids.next().simple()));
            }
            event["body"] = json!(body.to_string());
        }
        Ok(event)
    }
}

/// A function's process, which is killed on drop.
struct Started {
    process: Child,
    took: Duration,
    runtime: Runtime,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The environment variables that Lambda and the template set.
fn variables(function: &str, runtime: &str, aws: &str, org: OrgId) -> Vec<(&'static str, String)> {
    let queue = format!("{aws}/queue");
    let mut set = vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", function.to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", function.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL", aws.to_owned()),
        ("TABLE_NAME", TABLE.to_owned()),
        ("DEFAULT_ORG_ID", org.to_string()),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
        ("TEAM_EMAIL", "team@example.com".to_owned()),
        ("PUBLIC_URL", "https://crm.example.com".to_owned()),
        ("REGISTRATION", "open".to_owned()),
        ("OWNER_EMAIL", "test@example.com".to_owned()),
        ("MAIL_FROM", "crm@example.com".to_owned()),
        ("MAIL_QUEUE_URL", queue.clone()),
        ("JOBS_QUEUE_URL", queue.clone()),
        ("REMINDERS_QUEUE_URL", queue.clone()),
        ("CHAT_RUN_QUEUE_URL", queue.clone()),
        ("FILES_BUCKET", "files".to_owned()),
        ("ANCHORS_BUCKET", "anchors".to_owned()),
    ];
    if function == "sync-hubspot" {
        set.extend([
            ("HUBSPOT_QUEUE_URL", queue),
            ("HUBSPOT_ACCESS_TOKEN", "test".to_owned()),
            ("HUBSPOT_BASE_URL", "http://127.0.0.1:9".to_owned()),
        ]);
    }
    set
}

/// A shell command, for set-up in the new process before it runs the program.
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command
}
