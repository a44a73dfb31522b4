//! daybook-leads
