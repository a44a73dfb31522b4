//! daybook-connectors
