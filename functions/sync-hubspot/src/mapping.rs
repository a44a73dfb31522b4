//! The mapping from a lead to the properties of a HubSpot contact.

use daybook_domain::lead::{Lead, Status};
use daybook_domain::{EmailAddress, Line};
use daybook_jobs::hubspot::Properties;

/// The contact's properties for a lead. An empty field is cleared only if it was written from here before, so that
/// values entered in HubSpot aren't lost.
pub fn properties(lead: &Lead, written: &[String], external_id: &str) -> Properties {
    let text = |line: Option<&str>| line.unwrap_or_default().to_owned();
    let phone = lead.phone_e164.as_deref().or(lead.phone.as_ref().map(|phone| phone.as_str()));
    let mut all = vec![
        (external_id, lead.id.to_string()),
        ("email", lead.email.as_ref().map(EmailAddress::normalized).unwrap_or_default()),
        ("firstname", text(lead.first_name.as_ref().map(Line::as_str))),
        ("lastname", text(lead.last_name.as_ref().map(Line::as_str))),
        ("phone", text(phone)),
        ("company", text(lead.company.as_ref().map(Line::as_str))),
        ("jobtitle", text(lead.job_title.as_ref().map(Line::as_str))),
        ("hs_lead_status", status(lead.status).to_owned()),
    ];
    all.retain(|(name, value)| !value.is_empty() || written.iter().any(|known| known == name));
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The lifecycle stage of a new contact. HubSpot moves it forward only, so it is set once and then left to HubSpot.
pub fn beginning() -> Option<(String, String)> {
    Some(("lifecyclestage".to_owned(), "lead".to_owned()))
}

/// Whether a property holds a contact's progress.
pub fn is_state(name: &str) -> bool {
    matches!(name, "lifecyclestage" | "hs_lead_status")
}

fn status(status: Status) -> &'static str {
    match status {
        Status::New => "NEW",
        // A status that only a newer version knows counts as in progress.
        Status::Contacted | Status::Unknown(_) => "ATTEMPTED_TO_CONTACT",
        Status::Qualified => "OPEN",
        Status::DemoScheduled => "IN_PROGRESS",
        Status::Converted => "OPEN_DEAL",
        Status::Unqualified | Status::Spam => "UNQUALIFIED",
    }
}
