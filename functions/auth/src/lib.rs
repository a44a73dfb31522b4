//! The authentication API: registration, sign-in, sessions, passwords, the second factor, and the caller's account.
//!
//! Responses that hold tokens come without the envelope and are never stored: a repeat of such a request is refused. A
//! registration without an invitation creates an organisation. Whether an address is in use shows only where a user
//! takes one (registration, change of address, new user); these requests are rate-limited.

mod account;
mod attempt;
mod home;
mod passwords;
mod recovery;
mod register;
mod second_factor;
mod sessions;
mod sign_in;
mod tokens;

use daybook_http::{RateClass, Routes, public, signed_in};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("auth")
        .post("/api/auth/register", public(RateClass::Register), register::register)
        .post("/api/auth/login", public(RateClass::SignIn), sign_in::login)
        .post("/api/auth/refresh", public(RateClass::Refresh), sessions::refresh)
        .post("/api/auth/logout", signed_in(), sessions::logout)
        .get("/api/auth/me", signed_in(), account::me)
        .patch("/api/auth/me", signed_in(), account::change)
        .get("/api/auth/sessions", signed_in(), sessions::list)
        .delete("/api/auth/sessions", signed_in(), sessions::end_others)
        .delete("/api/auth/sessions/{id}", signed_in(), sessions::end)
        .post("/api/auth/forgot-password", public(RateClass::SignIn), recovery::forgot_password)
        .post("/api/auth/reset-password", public(RateClass::SignIn), recovery::reset_password)
        .post("/api/auth/change-password", signed_in(), recovery::change_password)
        .post("/api/auth/change-email", signed_in(), recovery::change_email)
        .post("/api/auth/verify-email", public(RateClass::SignIn), recovery::verify_email)
        .post("/api/auth/verify-email/resend", signed_in(), recovery::resend_verification)
        .post("/api/auth/mfa/setup", signed_in(), second_factor::set_up)
        .post("/api/auth/mfa/confirm", signed_in(), second_factor::confirm)
        .post("/api/auth/mfa/disable", signed_in(), second_factor::disable)
        .get("/account", public(RateClass::Free), account::page)
        .get("/account/account.js", public(RateClass::Free), account::script)
        .get("/account/held.js", public(RateClass::Free), account::held_script)
}
