//! Test support: all of Daybook in one process (a "world"), on a table in memory, on disk or on the emulator, with a fake
//! clock, injected faults, processes that die, a fake HubSpot and fake providers of language models.

mod answer;
pub mod clients;
mod connection;
mod documented;
mod events;
mod faults;
mod faulty;
mod gateway;
mod hostile;
pub mod hubspot;
pub mod llm;
mod person;
mod post;
mod process;
mod raw;
mod socket;
mod stale;
mod world;

pub use answer::Answer;
pub use events::{Event, EventStream};
pub use faults::{Fault, Faults, Right};
pub use gateway::{FakeGateway, GatewaySocket};
pub use hostile::{HostileBody, hostile_bodies, hostile_query, hostile_search};
pub use person::{Call, Person};
pub use post::ScriptedMailer;
pub use process::Process;
pub use raw::{Over, Raw, json_of};
pub use socket::{Handshake, Listening, Socket};
pub use world::{World, WorldOptions, is_full, lead};
