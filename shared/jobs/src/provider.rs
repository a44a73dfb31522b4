//! Providers: where workers get what they need besides the table of records, each built only where it is asked for.

use crate::consumer::AnyConsumer;
use daybook_connectors::files::{Archive, Files};
use daybook_connectors::hubspot::HubSpot;
use daybook_connectors::queues::Queues;
use daybook_mail::{Mailer, Sender};
use std::sync::Arc;

/// Something that a worker needs is not set. The provider has noted what is missing, and doesn't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment needs to be corrected")]
pub struct NotSet;

/// Where a worker's dependencies come from: the environment of a Lambda function, or the one-machine server.
///
/// Code that asks for one of them is generic over the provider, so that a program holds the clients of no other.
pub trait Provider {
    /// The queue of a consumer, for its worker.
    fn own_queue(&mut self, of: &dyn AnyConsumer) -> Result<Arc<dyn Queues>, NotSet>;

    /// The queues of consumers, as far as the deployment has them.
    fn queues(&mut self, of: &mut dyn Iterator<Item = &dyn AnyConsumer>) -> Result<Arc<dyn Queues>, NotSet>;

    /// The way out for mail.
    fn mailer(&mut self) -> Result<Arc<dyn Mailer>, NotSet>;

    /// Who mail is from.
    fn sender(&mut self) -> Result<Sender, NotSet>;

    /// HubSpot, where it is switched on.
    fn hubspot(&mut self) -> Result<Option<HubSpot>, NotSet>;

    /// The place for files that jobs make.
    fn files(&mut self) -> Result<Arc<dyn Files>, NotSet>;

    /// The place for files that nobody may change.
    fn archive(&mut self) -> Result<Arc<dyn Archive>, NotSet>;
}
