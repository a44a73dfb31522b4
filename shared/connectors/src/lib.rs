//! Clients of other systems: so far the queues.

pub mod queues;
