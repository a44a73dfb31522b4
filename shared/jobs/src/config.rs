//! Configuration of workers from environment variables, besides the variables that all functions share.

use daybook_connectors::hubspot::HubSpotSettings;
use daybook_domain::{EmailAddress, Line, Secret, Zone};
use daybook_mail::Sender;
use daybook_store::config::Variables;

/// The settings of HubSpot, if both its token and its address are set.
pub fn hubspot(from: &mut Variables<'_>) -> Option<HubSpotSettings> {
    let token = from.optional("HUBSPOT_ACCESS_TOKEN", |text| Ok::<_, String>(Secret::new(text.to_owned())));
    let url = from.optional("HUBSPOT_BASE_URL", |url| {
        HubSpotSettings::new(url, Secret::new(String::new())).map(|_| url.to_owned())
    });
    let version = from.optional("HUBSPOT_API_VERSION", |text| {
        let dated = text.len() == 7 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        (text == "v3" || dated).then(|| text.to_owned()).ok_or("must be v3 or a date version such as 2026-09")
    });
    let property = from.optional("HUBSPOT_EXTERNAL_ID_PROPERTY", |text| {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        plain.then(|| text.to_owned()).ok_or("must be the name of a property: a-z, 0-9 and _")
    });
    let calls = from.optional("HUBSPOT_CALLS_PER_10S", |text| match text.parse::<u32>() {
        Ok(calls @ 10..=100_000) => Ok(calls),
        _ => Err("must be a number of calls from 10 to 100000"),
    });
    let zone =
        from.optional("HUBSPOT_TIMEZONE", |text| Zone::parse(text).map_err(|_| "must be a time zone such as UTC"));
    let (token, url) = match (token, url) {
        (Some(token), Some(url)) => (token, url),
        (None, None) => return None,
        _ => {
            from.wrong.push("HUBSPOT_ACCESS_TOKEN and HUBSPOT_BASE_URL: set both, or neither".to_owned());
            return None;
        }
    };
    let mut settings = HubSpotSettings::new(&url, token).ok()?;
    settings.api_version = version.unwrap_or(settings.api_version);
    settings.external_id = property.unwrap_or(settings.external_id);
    settings.calls_per_10s = calls.unwrap_or(settings.calls_per_10s);
    settings.timezone = zone.unwrap_or(settings.timezone);
    Some(settings)
}

/// Reads `Name <address>` or a bare address.
pub(crate) fn sender_of(text: &str) -> Result<Sender, &'static str> {
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("Daybook", text),
    };
    let address = EmailAddress::parse(address).map_err(|_| "must be `Name <name@example.com>`")?;
    let name = Line::parse(name).map_err(|_| "must be `Name <name@example.com>`")?;
    Ok(Sender { name, address })
}
