//! Clients of other systems: the queues, and HubSpot.

pub mod hubspot;
pub mod queues;
