//! daybook-mail
