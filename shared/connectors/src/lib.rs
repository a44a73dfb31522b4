//! Clients of external systems: queues (SQS), file stores (S3), HubSpot and providers of language models.

mod address;
mod causes;
pub mod files;
pub mod hubspot;
pub mod llm;
pub mod queues;
