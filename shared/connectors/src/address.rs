//! Base URLs of other systems.

use daybook_domain::origin::{Host, origin_of};
use std::net::Ipv4Addr;

/// Checks the base URL of another system, and returns it without slashes at its end.
///
/// It must be an https address, or http for this machine (127.0.0.1 or localhost), without user name, query and
/// fragment.
pub(crate) fn base_url(text: &str) -> Result<String, &'static str> {
    let origin = origin_of(text).ok_or("must be an https address, such as https://api.example.com")?;
    let (scheme, authority) = origin.split_once("://").unwrap_or_default();
    let host = Host::of_authority(authority).ok_or("must have a valid host and port")?;
    let is_local = match &host {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => *address == Ipv4Addr::LOCALHOST,
    };
    if scheme != "https" && !is_local {
        return Err("must be an https address; plain http is allowed for localhost only");
    }
    if text.contains(['?', '#']) {
        return Err("must have no query and no fragment");
    }
    Ok(text.trim_end_matches('/').to_owned())
}
