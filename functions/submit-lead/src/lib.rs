//! daybook-submit-lead
