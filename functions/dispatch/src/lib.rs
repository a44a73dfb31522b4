//! daybook-dispatch
