//! The table of consumers: every function that takes messages from a queue has a line here.
//!
//! Dispatch and sweep read [`CONSUMERS`], the one-machine server runs their [`workers`], and tests compare the template and
//! its alarms with both.

use daybook_jobs::{AnyConsumer, Provided, Provider, Worker};

macro_rules! consumers {
    ($($function:ident,)*) => {
        /// Every consumer.
        pub static CONSUMERS: &[&dyn AnyConsumer] = &[$(&$function::CONSUMER,)*];

        /// The workers of all consumers.
        pub fn workers<P: Provider>(from: &mut P) -> Provided<Vec<Worker>> {
            Ok(vec![$($function::worker(from)?,)*])
        }
    };
}

consumers! {
    daybook_send_mail,
    daybook_sync_hubspot,
    daybook_run_jobs,
    daybook_remind,
    daybook_chat_run,
    daybook_notify,
}
