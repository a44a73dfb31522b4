//! daybook-http
