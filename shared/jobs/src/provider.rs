//! Providers: the sources of workers' dependencies besides the table; each dependency is built only on request.

use crate::consumer::{AnyConsumer, Presence};
use daybook_connectors::ai::AiProviders;
use daybook_connectors::connections::Connections;
use daybook_connectors::files::{Archive, Files};
use daybook_connectors::hubspot::HubSpot;
use daybook_connectors::queues::{Queue, Queues};
use daybook_mail::{Mailer, Sender};
use std::sync::Arc;

/// A dependency of a worker isn't configured. The provider has recorded what is missing, and the program doesn't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment is incomplete; set the missing variables")]
pub struct NotSet;

/// What a provider was asked for.
pub type Provided<T> = Result<T, NotSet>;

/// A source of workers' dependencies: the environment of a Lambda function, or the one-machine server.
///
/// Code that requests a dependency is generic over the provider, so that a program links only the clients it uses.
pub trait Provider {
    /// The queues of a consumer, for its worker.
    fn own_queues(&mut self, of: &dyn AnyConsumer) -> Provided<Arc<dyn Queues>>;

    /// These queues, as far as the deployment has them.
    fn queues(&mut self, of: impl Iterator<Item = (Queue, Presence)>) -> Provided<Arc<dyn Queues>>;

    /// The mail transport.
    fn mailer(&mut self) -> Provided<Arc<dyn Mailer>>;

    /// The sender of mails.
    fn sender(&mut self) -> Provided<Sender>;

    /// The client of HubSpot, if it is switched on.
    fn hubspot(&mut self) -> Provided<Option<HubSpot>>;

    /// The AI providers.
    fn ai(&mut self) -> Provided<Arc<AiProviders>>;

    /// The connections of WebSockets.
    fn connections(&mut self) -> Provided<Arc<dyn Connections>>;

    /// The store of files that jobs produce.
    fn files(&mut self) -> Provided<Arc<dyn Files>>;

    /// The archive of write-once files.
    fn archive(&mut self) -> Provided<Arc<dyn Archive>>;
}
