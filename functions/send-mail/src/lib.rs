//! daybook-send-mail
