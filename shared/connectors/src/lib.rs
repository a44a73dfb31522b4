//! Clients of other systems: the queues, the places for files, and HubSpot.

pub mod files;
pub mod hubspot;
pub mod queues;
