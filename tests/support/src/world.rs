//! The world: all of Daybook in one process, with a fake clock and with access to its table, mails and journal.

use crate::faults::Faults;
use crate::faulty::Faulty;
use crate::gateway::FakeGateway;
use crate::hubspot::{HubSpot, TOKEN};
use crate::llm::FakeLlm;
use crate::person::Person;
use crate::post::ScriptedMailer;
use crate::raw::{Over, Raw};
use crate::socket::Listening;
use axum::Router;
use daybook_domain::form::Form;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Role, RoleRef};
use daybook_domain::user::User;
use daybook_domain::{EmailAddress, Line, Locale, OrgId, Record as _, Secret, SessionId, Timestamp};
use daybook_http::token;
use daybook_jobs::hubspot::{HubSpot as Client, HubSpotSettings};
use daybook_jobs::mail::{Caught, Outbox};
use daybook_jobs::{Delivered, run_batch};
use daybook_local::{DEFAULT_ORG, Options, System};
use daybook_runs::Site;
use daybook_store::rows::session::Session;
use daybook_store::{
    Clock, CommonPasswords, Cx, EntryRef, Fact, FirstOwner, Keyring, Meter, Registration, SignedFact, Tx,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The options of a world.
#[derive(Clone, Debug, Default)]
pub struct WorldOptions {
    /// Whether rate limits are on.
    pub rate_limits: bool,
    /// The address of the first owner; any address by default.
    pub first_owner: Option<FirstOwner>,
    /// Who may register; any visitor by default.
    pub registration: Option<Registration>,
    /// The treatment of common passwords; by default they are accepted with a warning.
    pub common_passwords: Option<CommonPasswords>,
    /// The mailer; by default the mailbox.
    pub mailer: Option<Arc<ScriptedMailer>>,
    /// The fake HubSpot that leads are synchronised with; none by default.
    pub hubspot: Option<HubSpot>,
    /// The maximum number of calls of HubSpot in ten seconds; 90 by default.
    pub hubspot_calls: Option<u32>,
    /// The fake of AI providers that answers; by default answers come from the offline provider.
    pub ai: Option<FakeLlm>,
    /// The fake gateway of WebSockets; by default the process has them itself.
    pub gateway: Option<FakeGateway>,
    /// Who generates answers of the AI; the process itself by default.
    pub site: Option<Site>,
    /// Whether the health check doesn't tell how many there are.
    pub hidden_counts: bool,
    /// Counts calls and capacity units, which only the emulator reports.
    pub meter: Option<Arc<Meter>>,
    /// How long a job works before others get their turn; 20 s by default.
    pub job_turn: Option<Duration>,
    /// The engine of the table; by default the one named by `TABLE`.
    pub over: Option<Over>,
}

/// All of Daybook in one process.
#[derive(Debug)]
pub struct World {
    /// The system.
    pub system: System,
    /// Direct access to the table.
    pub raw: Raw,
    /// The injected faults of the table.
    pub faults: Faults,
    /// The clock.
    pub clock: Clock,
    app: Router,
    /// The temporary folder, removed with the world.
    folder: Arc<TempDir>,
}

impl World {
    /// A world without faults and without rate limits.
    pub async fn new() -> World {
        World::with(WorldOptions::default()).await
    }

    /// A world with these options.
    pub async fn with(options: WorldOptions) -> World {
        World::at(options, World::noon()).await
    }

    /// The clock of a new world.
    pub fn noon() -> Clock {
        Clock::fake("2026-11-20T12:00:00Z".parse().expect("a time"))
    }

    /// A world with these options and a shared clock.
    pub async fn at(options: WorldOptions, clock: Clock) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let over = options.meter.as_ref().map(|_| Over::Emulator).or(options.over).unwrap_or_else(Over::asked_for);
        let raw = Raw::make(over, folder.path()).await;
        World::over(options, clock, raw, Arc::new(folder)).await
    }

    /// The same data in a new process with other options, and an empty mailbox.
    pub async fn restarted_with(self, options: WorldOptions) -> World {
        World::over(options, self.clock, self.raw, self.folder).await
    }

    async fn over(options: WorldOptions, clock: Clock, raw: Raw, folder: Arc<TempDir>) -> World {
        let faults = Faults::default();
        let keys = Keyring::parse("test:0123456789abcdef0123456789abcdef").expect("a keyring");
        let mail_clock = clock.clone();
        let outbox = Outbox::in_memory(move || mail_clock.now());
        let files = folder.path().to_owned();
        let wired = raw.on_the_wire(&faults, options.meter);
        let on_the_wire = wired.is_some();
        let inner = wired.unwrap_or_else(|| raw.engine());
        let faulty = Arc::new(Faulty { inner, faults: faults.clone(), on_the_wire });
        let mut parts = Options::new(faulty, clock.clone(), keys, outbox, files).expect("options");
        parts.settings.rate_limits = options.rate_limits;
        parts.settings.first_owner = options.first_owner.unwrap_or(FirstOwner::FirstToRegister);
        parts.settings.allowed_origins = vec!["https://app.example.com".to_owned()];
        parts.settings.registration = options.registration.unwrap_or(Registration::Open);
        parts.settings.common_passwords = options.common_passwords.unwrap_or(CommonPasswords::Warn);
        parts.settings.health_counts = !options.hidden_counts;
        parts.settings.job_turn = options.job_turn.unwrap_or(parts.settings.job_turn);
        parts.retry_pause = Duration::from_millis(1);
        if let Some(hubspot) = options.hubspot {
            let token = Secret::new(TOKEN.to_owned());
            let mut settings = HubSpotSettings::new(&hubspot.base_url(), token).expect("an address of this machine");
            settings.pause = Duration::from_millis(1);
            settings.calls_per_10s = options.hubspot_calls.unwrap_or(settings.calls_per_10s);
            parts.hubspot = Some(Client::new(settings).expect("a client"));
        }
        parts.ai = Some(Arc::new(options.ai.as_ref().map_or_else(crate::llm::no_providers, FakeLlm::providers)));
        parts.site = options.site.unwrap_or(Site::Machine);
        parts.connections = options.gateway.as_ref().map(FakeGateway::connections);
        if let Some(mailer) = options.mailer {
            parts.mailer = Some(mailer);
        }
        let system = System::start(parts).await.expect("a system");
        let app = system.app();
        World { system, raw, faults, clock, app, folder }
    }

    /// An anonymous visitor.
    pub fn visitor(&self) -> Person {
        Person::visitor(self.app.clone(), DEFAULT_ORG)
    }

    /// The world's server on a port of this machine, for what needs real connections.
    pub async fn listen(&self) -> Listening {
        Listening::start(self.app.clone()).await
    }

    /// The owner of the default organisation, who registers at the first call.
    pub async fn owner(&self) -> Person {
        self.person(Role::Owner).await
    }

    /// A new user of the default organisation, signed in.
    pub async fn person(&self, role: impl Into<RoleRef>) -> Person {
        self.person_in(DEFAULT_ORG, role.into()).await
    }

    /// The owner of another organisation.
    pub async fn stranger(&self) -> Person {
        self.person_in(OrgId::new(self.system.env.ids.next()), Role::Owner.into()).await
    }

    async fn person_in(&self, org: OrgId, role: RoleRef) -> Person {
        let cx = self.cx(org);
        let stamp = cx.stamp();
        let email = EmailAddress::parse(&format!("{}@staff.example", stamp.id.simple())).expect("an address");
        let user = User { email_verified_at: Some(stamp.at), ..User::new(email, None, None, role, &stamp) };
        let mut tx = Tx::create(&user);
        match cx.find::<Organization>(org).await.expect("a read") {
            Some(before) => {
                let after = before.with_user(user.id, Some(&user)).expect("an organisation with an owner");
                if after != *before {
                    tx = tx.and_update(&before, &after.following(&before, stamp.at));
                }
            }
            None => {
                let name = Line::parse("Test").expect("a line");
                let owner = match user.is_acting_owner() {
                    true => user.clone(),
                    // A user who sends no requests owns it.
                    false => User::new(user.email.clone(), None, None, Role::Owner.into(), &cx.stamp()),
                };
                let organization = Organization::new(org, name, Locale::English, &owner, &stamp);
                tx = tx.and_create(&organization).and_create(&Form::default_of(org));
            }
        }
        let token = signed_in(&cx, tx, &user).await;
        Person { token: Some(token), org, user: Some(user.id), ..self.visitor() }
    }

    /// The same user with a new session, as on another device, or after the access token has expired.
    pub async fn again(&self, person: &Person) -> Person {
        let cx = self.cx(person.org);
        let user = cx.get::<User>(person.user.expect("a user")).await.expect("a user");
        person.with_token(&signed_in(&cx, Tx::default(), &user).await)
    }

    /// The context of work done by the system.
    pub fn cx(&self, org: OrgId) -> Cx {
        self.system.env.system(org, "test")
    }

    /// Does all work that is due; returns the number of entries and messages.
    pub async fn work(&self) -> usize {
        self.system.workers.run().await
    }

    /// Delivers messages to the worker of a Lambda function; returns the positions of those to be redelivered.
    pub async fn deliver(&self, function: &str, bodies: impl IntoIterator<Item = String>) -> Vec<usize> {
        let workers = &self.system.workers;
        let worker = workers.of_function(function).unwrap_or_else(|| panic!("{function} has no worker"));
        let message = |(at, body): (usize, String)| Delivered { id: at.to_string(), body };
        let batch = bodies.into_iter().enumerate().map(message).collect();
        let failed = run_batch(worker, &workers.env, batch, Instant::now() + Duration::from_secs(30)).await;
        failed.iter().map(|id| id.parse().expect("a position")).collect()
    }

    /// Passes a journal entry to dispatch.
    pub async fn dispatch(&self, fact: SignedFact) -> daybook_store::Result<()> {
        daybook_dispatch::dispatch(self.system.env.clone(), self.system.workers.queues(), fact).await
    }

    /// Advances the clock in steps of 30 s, and runs sweep and the workers at each.
    pub async fn pass(&self, time: Duration) {
        let step = Duration::from_secs(30);
        let mut left = time;
        while left > Duration::ZERO {
            self.clock.advance(left.min(step));
            left = left.saturating_sub(step);
            self.system.workers.sweep().await.expect("a sweep");
            self.work().await;
        }
    }

    /// Confirms an address by the link of the newest mail to it.
    pub async fn confirm(&self, email: &str) {
        let token = self.mailed(email, "verify-email").await;
        let proof = json!({"token": token.unwrap_or_else(|| panic!("no mail with a link to {email}"))});
        self.visitor().post("/api/auth/verify-email", proof).await.expect(200);
    }

    /// The token of the newest mail to an address with a link of this kind, when the queues are empty.
    pub async fn mailed(&self, to: &str, kind: &str) -> Option<String> {
        self.work().await;
        let start = format!("/account#{kind}=");
        let token = |text: &str| text.split_once(&start)?.1.split_whitespace().next().map(str::to_owned);
        self.mails().iter().rev().filter(|mail| mail.to == to).find_map(|mail| token(&mail.text))
    }

    /// The mails in the mailbox.
    pub fn mails(&self) -> Vec<Caught> {
        self.system.outbox.mails()
    }

    /// The folder of files and anchors.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The journal of an organisation, the oldest entry first.
    pub async fn journal(&self, org: OrgId) -> Vec<SignedFact> {
        let env = &self.system.env;
        let since: Timestamp = "2026-11-19T00:00:00Z".parse().expect("a time");
        let mut facts = Vec::new();
        for entry in Fact::since(env, org, since).await.expect("a journal") {
            facts.push(
                SignedFact::read(env, EntryRef { org, entry: entry.entry }).await.expect("a read").expect("a fact"),
            );
        }
        facts
    }

    /// The leads of the default organisation, as its owner sees them.
    pub async fn leads(&self, owner: &Person) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = owner.get(&format!("/api/leads?limit=200{cursor}")).await.expect(200).json();
            all.extend(page["data"].as_array().expect("a list").clone());
            match page["meta"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }
}

/// Commits changes with a new session of a user, and returns the session's access token.
async fn signed_in(cx: &Cx, tx: Tx, user: &User) -> String {
    let session = SessionId::new(cx.env.ids.next());
    let begun = Session::begin(session, user.epoch(), cx.now(), "unused");
    cx.commit(tx.with_row(begun.write(cx.org).expect("a row")), ()).await.expect("a commit");
    token::issue(cx, user.id, cx.org, session).expect("a token")
}

/// The body of a visitor's form.
pub fn lead(email: &str) -> Value {
    json!({
        "first_name": "Ada", "last_name": "Lovelace", "email": email, "phone": "+86-138-0013-8000",
        "company": "示例科技有限公司", "industry": "manufacturing", "requirements": "An engine"
    })
}

/// Whether the full set of tests runs (`FULL=1`).
pub fn is_full() -> bool {
    std::env::var("FULL").is_ok_and(|value| value == "1")
}
