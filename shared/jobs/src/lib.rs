//! daybook-jobs
