//! The HTTP layer: route tables, the request pipeline, handler arguments and replies, problem documents and OpenAPI.
//!
//! A function's `lib.rs` begins with its [`Routes`]. Its handlers take a [`Cx`](daybook_store::Cx) and typed
//! arguments, and return a typed reply. Only `problem` and `code` know HTTP status codes.

mod access;
mod app;
mod audit;
mod batch;
mod call;
mod code;
mod connected;
mod context;
pub mod csv;
mod events;
mod foreign;
mod handler;
mod input;
mod list;
mod naming;
mod openapi;
mod operation;
mod pipeline;
mod posted;
mod problem;
mod reply;
mod routes;
mod search;
mod start;
mod text;
mod texts;
pub mod token;

pub use access::{Access, RateClass, can, can_any, network, public, signed_in};
pub use app::app;
pub use audit::{denied, refused};
pub use batch::{BatchAction, BatchAsk, BatchItem, Batched, Part};
pub use call::{Call, Places, is_plain_form, query_pairs};
pub use code::Refusal;
pub use connected::{Admission, Message, admission_of, admit_message, connect, is_foreign};
pub use daybook_records::query::{DEFAULT_LIMIT, ListQuery, limit_of, pairs_of};
pub use daybook_store::{Cx, Error};
pub use events::{DONE, Events, EventsIfAny, Gone, Out, data, event};
pub use foreign::Foreign;
pub use handler::{Argument, Handler};
pub use input::{
    Anchored, DeviceToken, Form, IfMatch, Json, Language, Loose, New, NewJson, Own, PageLanguage, Patch, Path,
    PathText, Stored, WantsEvents,
};
pub use list::{Narrowed, PageQuery};
pub use openapi::document;
pub use operation::Operation;
pub use pipeline::request_id;
pub use posted::{Fields, Posted, PostedBy, PostedLater, Sent};
pub use problem::{OpenAiError, OpenAiProblem, Problem, status_code};
pub use reply::{
    Accepted, Answer, Asset, Bare, BareCreated, Content, Created, CreatedSecret, Data, Download, HttpReply, Listed,
    SecretData, page, see_other,
};
pub use routes::{Route, Routes};
pub use search::Searched;
pub use start::{run, run_streaming, run_with, run_with_anchors, run_with_files};
pub use texts::decoded;

/// The result type of handlers.
pub type Result<T, E = Error> = std::result::Result<T, E>;
