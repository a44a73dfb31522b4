//! daybook-testing
