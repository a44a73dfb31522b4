//! The assembly of all of Daybook in one process, used by `cargo dev` and by tests.

use crate::feed::Feed as LocalFeed;
use crate::files::Folder;
use crate::queue::MemoryQueues;
use crate::sockets::{OpenSockets, Sockets};
use crate::workers::Workers;
use axum::Extension;
use axum::routing::get;
use daybook_domain::{EmailAddress, Line, OrgId, Rule};
use daybook_http::{Places, Routes, app};
use daybook_jobs::ai::AiProviders;
use daybook_jobs::files::{Archive, Files};
use daybook_jobs::hubspot::HubSpot;
use daybook_jobs::llm::Timeouts;
use daybook_jobs::mail::{Mailer, Outbox, Sender};
use daybook_jobs::{AnyConsumer, NotSet, Presence, Provided, Provider, Queue, Queues};
use daybook_runs::{Chat, Site};
use daybook_sockets::{Connections, Courier};
use daybook_store::engine::Engine;
use daybook_store::rows::socket::OpenSocket;
use daybook_store::{
    Clock, CommonPasswords, Env, Feed, FirstOwner, Ids, Keyring, Registration, Secrets, Settings, Table, TableOptions,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// The default organisation on one machine, which gets anonymous submissions.
pub const DEFAULT_ORG: OrgId = OrgId::new(Uuid::from_u128(0x019b_7765_7000_7da1_b00c_0000_0000_0001));

/// The HTTP functions.
pub fn functions() -> Vec<Routes> {
    vec![
        daybook_health::routes(),
        daybook_auth::routes(),
        daybook_users::routes(),
        daybook_organizations::routes(),
        daybook_audit_query::routes(),
        daybook_privacy::routes(),
        daybook_submit_lead::routes(),
        daybook_book_demo::routes(),
        daybook_contact::routes(),
        daybook_submissions::routes(),
        daybook_leads::routes(),
        daybook_customers::routes(),
        daybook_contacts::routes(),
        daybook_interactions::routes(),
        daybook_opportunities::routes(),
        daybook_tasks::routes(),
        daybook_views::routes(),
        daybook_ai::routes(),
        daybook_conversations::routes(),
        daybook_chat::routes(),
        daybook_chat_stream::openai(),
        daybook_integrations::routes(),
        daybook_docs::routes(),
    ]
}

/// The options of a system.
pub struct Options {
    /// The storage engine of the table.
    pub engine: Arc<dyn Engine>,
    /// The clock.
    pub clock: Clock,
    /// The secrets.
    pub keys: Keyring,
    /// The settings.
    pub settings: Settings,
    /// The mailbox.
    pub outbox: Arc<Outbox>,
    /// The folder of files.
    pub files: PathBuf,
    /// The mail service; by default the mailbox.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// HubSpot, if it is switched on.
    pub hubspot: Option<HubSpot>,
    /// The AI providers; by default the offline one alone.
    pub ai: Option<Arc<AiProviders>>,
    /// Who generates answers of the AI.
    pub site: Site,
    /// The connections of WebSockets, where a gateway has them; by default this process has them.
    pub connections: Option<Arc<dyn Connections>>,
    /// The first pause before a transaction is retried.
    pub retry_pause: Duration,
}

impl Options {
    /// Default options for this engine, mailbox and folder of files.
    pub fn new(
        engine: Arc<dyn Engine>,
        clock: Clock,
        keys: Keyring,
        outbox: Outbox,
        files: PathBuf,
    ) -> Result<Options, Rule> {
        let mut settings = Settings::new(DEFAULT_ORG, EmailAddress::parse("team@example.com")?);
        settings.registration = Registration::Open;
        settings.first_owner = FirstOwner::FirstToRegister;
        settings.loopback_origins = true;
        settings.common_passwords = CommonPasswords::Warn;
        // Workers end only with the process, so the lease need only outlast the writing of a mail.
        settings.lease = Duration::from_secs(2);
        let retry_pause = Duration::from_millis(5);
        Ok(Options {
            engine,
            clock,
            keys,
            settings,
            outbox: Arc::new(outbox),
            files,
            mailer: None,
            hubspot: None,
            ai: None,
            site: Site::Machine,
            connections: None,
            retry_pause,
        })
    }
}

/// Why a system can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The table can't be created or read.
    #[error("the table: {}", .0.chain())]
    Table(#[from] daybook_store::Error),
    /// A built-in value is invalid.
    #[error("a built-in value is invalid: {0}")]
    Constant(#[from] Rule),
    /// The AI providers can't be used.
    #[error("the AI providers: {0}")]
    Ai(String),
    /// A setting that a worker needs is missing.
    #[error(transparent)]
    NotSet(#[from] NotSet),
}

/// All of Daybook in one process.
#[derive(Debug)]
pub struct System {
    /// The environment of the functions.
    pub env: Arc<Env>,
    /// The mailbox.
    pub outbox: Arc<Outbox>,
    /// The workers.
    pub workers: Arc<Workers>,
    /// The files written by jobs.
    pub files: Folder,
    /// The chat.
    pub chat: Chat,
    sockets: OpenSockets,
}

impl System {
    /// Assembles a system.
    pub async fn start(options: Options) -> Result<System, StartError> {
        let (committed, entries) = mpsc::unbounded_channel();
        let of_table = TableOptions { feed: Feed::Local(committed), retry_base: Some(options.retry_pause) };
        let table = Table::new(options.engine, of_table);
        let ids = Ids::new(options.clock.clone());
        let queues = MemoryQueues::new(options.clock.clone());
        let env = Arc::new(Env {
            table,
            clock: options.clock,
            ids,
            keys: options.keys,
            settings: options.settings,
            secrets: Secrets::default(),
        });
        let offline = || AiProviders::read(&|_| None, Timeouts::default()).map(Arc::new);
        let ai = options.ai.map_or_else(offline, Ok).map_err(|wrong| StartError::Ai(wrong.join(", ")))?;
        let files = Folder::at(env.clone(), options.files.join("files"));
        let anchors = Folder::at(env.clone(), options.files.join("anchors"));
        let sockets = OpenSockets::default();
        let courier = options.connections.clone().map(Courier::new);
        let mut machine = OneMachine {
            queues: Arc::new(queues.clone()),
            mailer: options.mailer.unwrap_or_else(|| options.outbox.clone()),
            sender: Sender { name: Line::parse("Daybook")?, address: EmailAddress::parse("daybook@example.com")? },
            hubspot: options.hubspot,
            ai: ai.clone(),
            files: Arc::new(files.clone()),
            archive: Arc::new(anchors),
            connections: options.connections.unwrap_or_else(|| Arc::new(sockets.clone())),
        };
        let workers = daybook_consumers::workers(&mut machine)?;
        let off = workers.iter().filter(|worker| !worker.is_on).flat_map(|worker| worker.consumer.lines());
        let queues = queues.without(off.map(|line| line.queue).collect());
        let feed = LocalFeed::new(entries);
        // Connections of an earlier process are gone.
        OpenSocket::remove_all(&env).await?;
        let workers = Workers::new(env.clone(), feed, queues, machine.archive, workers);
        let chat = Chat::new(ai, options.site);
        let chat = match courier {
            Some(courier) => chat.told_to(Arc::new(courier)),
            None => chat,
        };
        Ok(System { env, outbox: options.outbox, workers: Arc::new(workers), files, chat, sockets })
    }

    /// The service for all routes.
    pub fn app(&self) -> axum::Router {
        self.app_with(|router| router)
    }

    /// The service for all routes and additional ones.
    pub fn app_with(&self, more: impl FnOnce(axum::Router) -> axum::Router) -> axum::Router {
        let files = self.files.clone();
        let places = Places { files: Some(Arc::new(files.clone())), anchors: Some(self.workers.anchors.clone()) };
        app(functions(), self.env.clone(), |api| {
            let counters = daybook_health::Counters::default();
            let api = api.layer(Extension(places)).layer(Extension(self.chat.clone())).layer(Extension(counters));
            let sockets = Sockets { env: self.env.clone(), chat: self.chat.clone(), open: self.sockets.clone() };
            let api = api.route("/_local/files/{*key}", get(Folder::serve).with_state(files));
            more(sockets.with_routes(api))
        })
    }
}

/// The provider of a single machine: every resource is in this process or in its data folder.
struct OneMachine {
    queues: Arc<dyn Queues>,
    mailer: Arc<dyn Mailer>,
    sender: Sender,
    hubspot: Option<HubSpot>,
    ai: Arc<AiProviders>,
    files: Arc<dyn Files>,
    archive: Arc<dyn Archive>,
    connections: Arc<dyn Connections>,
}

impl Provider for OneMachine {
    fn own_queues(&mut self, _: &dyn AnyConsumer) -> Provided<Arc<dyn Queues>> {
        Ok(self.queues.clone())
    }

    fn queues(&mut self, _: impl Iterator<Item = (Queue, Presence)>) -> Provided<Arc<dyn Queues>> {
        Ok(self.queues.clone())
    }

    fn mailer(&mut self) -> Provided<Arc<dyn Mailer>> {
        Ok(self.mailer.clone())
    }

    fn sender(&mut self) -> Provided<Sender> {
        Ok(self.sender.clone())
    }

    fn hubspot(&mut self) -> Provided<Option<HubSpot>> {
        Ok(self.hubspot.clone())
    }

    fn ai(&mut self) -> Provided<Arc<AiProviders>> {
        Ok(self.ai.clone())
    }

    fn connections(&mut self) -> Provided<Arc<dyn Connections>> {
        Ok(self.connections.clone())
    }

    fn files(&mut self) -> Provided<Arc<dyn Files>> {
        Ok(self.files.clone())
    }

    fn archive(&mut self) -> Provided<Arc<dyn Archive>> {
        Ok(self.archive.clone())
    }
}
