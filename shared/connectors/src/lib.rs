//! Clients of external systems: queues (SQS), file stores (S3) and HubSpot.

pub mod files;
pub mod hubspot;
pub mod queues;
