//! daybook-local
