//! Clients of external systems: queues (SQS), file stores (S3), HubSpot and providers of language models.

mod address;
pub mod ai;
mod causes;
pub mod files;
pub mod hubspot;
pub mod llm;
pub mod queues;
