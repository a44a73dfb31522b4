//! The AI chat: from a request to a committed run, to its generated answer, to the readers of that.
//!
//! A run is one answer. It is committed before a model is called, and one process generates it; it goes on when its reader
//! is gone. Text is stored as it comes, so that any process can read it, stop it, or end it after its generator died.

mod ask;
mod audience;
mod begin;
mod copy;
mod end;
mod generate;
mod history;
mod live;
mod models;
mod request;
mod shown;
mod watch;

pub use ask::{AskedRun, READERS, ask, find_own_run, own_run, stop};
pub use audience::Audience;
pub use begin::{Begun, Started};
pub use copy::{MOST_COPIED, copied};
pub use end::{end_dead, end_queued, give_back, settle};
pub use generate::{generate, start, work_of};
pub use history::{path_to, whole};
pub use live::Live;
pub use models::{Allowed, AllowedModel, allowed};
pub use request::{Asked, ChatRequest, ChatTurn};
pub use shown::{ConversationShown, StreamedMessage, conversations_of, messages_of};
pub use watch::Watch;

use daybook_connectors::ai::AiProviders;
use daybook_connectors::llm::Timeouts;
use daybook_domain::RunId;
use daybook_store::Cx;
use daybook_store::config::Variables;
use daybook_store::rows::run::Run;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The longest lease of a generator, which each flush renews; and how long a queued run waits before its worker is called
/// again.
pub const LEASE: Duration = Duration::from_secs(60);

/// How long sending an answer to readers elsewhere may take, while it is generated and at its end.
const LONGEST_TELLING: Duration = Duration::from_secs(1);
const LONGEST_END: Duration = Duration::from_secs(8);

/// The lease on one machine, whose clock and table are the generator's own.
const LEASE_HERE: Duration = Duration::from_secs(5);

/// Where a process runs, which decides who generates answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// One machine: the process generates every answer, and streams.
    Machine,
    /// The function with the URL that streams: it generates what it streams.
    Stream,
    /// The function behind the HTTP API, which can't stream: the worker of a queue generates all answers.
    Api,
}

impl Site {
    /// The lease of a generator, after which it counts as dead.
    pub fn lease(self) -> Duration {
        match self {
            Site::Machine => LEASE_HERE,
            Site::Stream | Site::Api => LEASE,
        }
    }
}

/// The chat of a process.
#[derive(Clone, Debug)]
pub struct Chat {
    /// The AI providers.
    pub providers: Arc<AiProviders>,
    /// The answers that this process generates.
    pub live: Live,
    /// Where it runs.
    pub site: Site,
    /// The URL that streams, where it is another one.
    pub stream_url: Option<String>,
    /// The URL of WebSockets, where the deployment has one.
    pub socket_url: Option<String>,
    /// The readers whose connections another process has.
    pub audience: Option<Arc<dyn Audience>>,
}

impl Chat {
    /// The chat of a process.
    pub fn new(providers: Arc<AiProviders>, site: Site) -> Chat {
        Chat { providers, live: Live::default(), site, stream_url: None, socket_url: None, audience: None }
    }

    /// The chat, which sends its answers to these readers, too.
    #[must_use]
    pub fn told_to(self, audience: Arc<dyn Audience>) -> Chat {
        Chat { audience: Some(audience), ..self }
    }

    /// The chat of a Lambda function, from its variables. Mistakes are added to them.
    pub fn configured(variables: &mut Variables<'_>, site: Site) -> Option<Chat> {
        let (stream_url, socket_url) = (variables.text("STREAM_URL"), variables.text("SOCKET_URL"));
        let providers = AiProviders::read(&|name| variables.text(name), Timeouts::default());
        match providers {
            Ok(providers) => Some(Chat { stream_url, socket_url, ..Chat::new(Arc::new(providers), site) }),
            Err(wrong) => {
                variables.wrong.extend(wrong);
                None
            }
        }
    }

    /// Sends an answer to the readers whose connections another process has. Takes a second at most before the end, so that
    /// the model is waited for again, and some seconds at the end.
    pub async fn tell(&self, cx: &Cx, id: RunId, run: &Run) {
        let longest = if run.is_over() { LONGEST_END } else { LONGEST_TELLING };
        if let Some(audience) = &self.audience
            && timeout(longest, audience.tell(cx, id, run)).await.is_err()
        {
            tracing::warn!(run = %id, "an answer isn't sent to all of its readers yet");
        }
    }

    /// Refuses to stream where another URL does.
    pub fn check_streams(&self) -> Result<(), daybook_domain::Error> {
        match self.site {
            Site::Api => Err(daybook_domain::Error::StreamElsewhere { url: self.stream_url.clone() }),
            Site::Machine | Site::Stream => Ok(()),
        }
    }

    /// Whether this process generates an answer itself.
    pub fn generates(&self, streams: bool) -> bool {
        match self.site {
            Site::Machine => true,
            Site::Stream => streams,
            Site::Api => false,
        }
    }
}
