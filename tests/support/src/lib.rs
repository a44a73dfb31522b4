//! Test support: all of Daybook in one process (a "world"), on a table in memory, on disk or on the emulator, with a fake
//! clock, injected faults, a fake HubSpot and fake providers of language models.

mod answer;
mod connection;
mod faults;
mod faulty;
pub mod hubspot;
pub mod llm;
mod person;
mod post;
mod raw;
mod stale;
mod world;

pub use answer::Answer;
pub use faults::{Fault, Faults, Right};
pub use person::{Call, Person};
pub use post::ScriptedMailer;
pub use raw::{Over, Raw, json_of};
pub use world::{World, WorldOptions, is_full, lead};
