//! daybook-sweep
