//! Clients of external systems: queues (SQS), file stores (S3), WebSockets of a gateway, HubSpot and providers of language models.

mod address;
pub mod ai;
mod causes;
pub mod connections;
pub mod files;
pub mod hubspot;
pub mod llm;
pub mod queues;

pub use aws_config::SdkConfig;
