//! daybook-auth
