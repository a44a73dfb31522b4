//! Dispatch of the journal: sends each entry to the queues of the consumers that want it, and adds it to the hash
//! chain.
//!
//! On AWS it reads the table's stream; on one machine, the local feed. Delivery is at least once.

mod redrive;

pub use redrive::{Redrive, Redriven, redrive};

use daybook_consumers::CONSUMERS;
use daybook_jobs::{AnyConsumer, Outgoing, Provided, Provider, Queues};
use daybook_store::{Env, Error, Result, SignedFact, chain};
use std::sync::Arc;
use std::time::Duration;

/// The consumers that take journal entries.
pub fn consumers() -> impl Iterator<Item = &'static dyn AnyConsumer> {
    CONSUMERS.iter().copied().filter(|consumer| consumer.wants_entries())
}

/// The queues of these consumers.
pub fn queues<P: Provider>(from: &mut P) -> Provided<Arc<dyn Queues>> {
    from.queues(consumers().flat_map(|consumer| consumer.queues()))
}

/// Sends an entry to every consumer that wants it and that the deployment has, then adds it to the chain. A repeated
/// entry is sent again, which consumers tolerate, but is chained only once.
pub async fn dispatch(env: Arc<Env>, queues: Arc<dyn Queues>, fact: SignedFact) -> Result<()> {
    for consumer in consumers().filter(|consumer| queues.has(consumer.queue())) {
        for body in consumer.messages(&fact, &env.settings)? {
            let queue = consumer.queue_of(&body);
            let (entry, org, trace) = (Some(fact.id), Some(fact.org), fact.trace.clone());
            let outgoing = Outgoing { body, delay: Duration::ZERO, entry, org, trace };
            let sent = queues.send(queue, outgoing).await;
            sent.map_err(|error| Error::unavailable("dispatch a journal entry", error))?;
        }
    }
    chain::chain(&env, &fact).await
}
