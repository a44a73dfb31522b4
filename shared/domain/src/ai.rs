//! Conversations with language models: the models and their prices, the order of turns, titles, and screening of answers.

pub mod budget;
pub mod catalogue;
pub mod limit;
pub mod screen;
pub mod title;
pub mod turns;
pub mod usage;

pub use catalogue::{Catalogue, Model, Price, Provider, Threshold};
pub use screen::Screen;
pub use title::title_of;
pub use turns::{MessageRole, MessageStatus, check_order};
pub use usage::{MicroUsd, TokenCount, token_bound, token_estimate};
