//! The API in process, through the real pipeline.

mod access;
mod audit;
mod auth;
mod bad_input;
mod canaries;
mod chain;
mod contact;
mod demos;
mod docs;
mod idempotency;
mod intake;
mod isolation;
mod keys;
mod leads;
mod mfa;
mod model;
mod naughty;
mod people;
mod privacy;
mod races;
mod recovery;
mod search;
mod sessions;
mod submissions;
mod transport;
mod undo;
