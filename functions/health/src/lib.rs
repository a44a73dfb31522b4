//! daybook-health
