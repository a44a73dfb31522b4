//! Later posts of a known person: what a lead takes from them, and what differs from it.

use crate::enquiry::Enquiry;
use crate::extra::{MOST_FIELDS, violations_of};
use crate::intake::ENQUIRY_BYTES;
use crate::lead::Lead;
use crate::record::Record as _;
use std::collections::BTreeSet;

/// A lead after a later post of its person.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The lead with what it lacked.
    pub lead: Lead,
    /// The fields that differ from the lead's, which keeps its own, or has no room: names of fields, or `extra/{name}`.
    pub differs: Vec<String>,
}

impl Joined {
    /// Fills what a lead lacks from a later enquiry of the same person. Values that it has already stay as they are, since
    /// staff may have corrected them.
    pub fn of(lead: &Lead, enquiry: &Enquiry, phone_country: &str) -> Joined {
        let (mut filled, mut differs) = (lead.clone(), BTreeSet::new());
        macro_rules! fill {
            ($($field:ident)*) => {$(
                match (&filled.$field, &enquiry.$field) {
                    (None, Some(value)) => {
                        filled.$field = Some(value.clone());
                        // One after the other, so that a lead that is full takes what fits.
                        if !is_storable(&filled) {
                            filled.$field = None;
                            differs.insert(stringify!($field).to_owned());
                        }
                    }
                    (Some(own), Some(value)) if own != value => _ = differs.insert(stringify!($field).to_owned()),
                    _ => {}
                }
            )*};
        }
        fill!(first_name last_name company job_title industry company_size application_area);
        fill!(project_timeline budget_range consent requirements attribution);
        // Who came by another advertisement is the same person.
        differs.remove("attribution");
        match (&filled.email, &enquiry.email) {
            (None, Some(email)) => filled.email = Some(email.clone()),
            (Some(own), Some(email)) if own.normalized() != email.normalized() => {
                _ = differs.insert("email".to_owned())
            }
            _ => {}
        }
        let e164 = enquiry.e164(phone_country);
        match (&filled.phone, &enquiry.phone) {
            (None, Some(phone)) => {
                filled.phone = Some(phone.clone());
                filled.set_e164(e164);
            }
            (Some(own), Some(phone))
                if own.compared(filled.phone_e164.as_deref()) != phone.compared(e164.as_deref()) =>
            {
                differs.insert("phone".to_owned());
            }
            _ => {}
        }
        filled.locale = filled.locale.or(enquiry.locale);
        for (name, value) in &enquiry.extra {
            match filled.extra.get(name) {
                None if filled.extra.len() < MOST_FIELDS => _ = filled.extra.insert(name.clone(), value.clone()),
                Some(own) if own == value => {}
                _ => _ = differs.insert(format!("extra/{name}")),
            }
        }
        // Earlier versions had other rules for names.
        if !is_storable(&filled) || !violations_of(&filled.extra, str::to_owned).0.is_empty() {
            let left_out = enquiry.extra.keys().filter(|name| !lead.extra.contains_key(*name));
            differs.extend(left_out.map(|name| format!("extra/{name}")));
            filled.extra = lead.extra.clone();
        }
        let mut room = DIFFERS_BYTES;
        let fits = |name: &String| {
            room = room.saturating_sub(name.len() + 4);
            room > 0
        };
        Joined { lead: filled, differs: differs.into_iter().take_while(fits).collect() }
    }
}

/// The most bytes of the names of what differs: a submission has room for no more.
const DIFFERS_BYTES: usize = 2_000;

/// Whether a lead has at most as many bytes as a form may have.
fn is_storable(lead: &Lead) -> bool {
    serde_json::to_string(lead).is_ok_and(|json| json.len() <= ENQUIRY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::tests::lead;
    use crate::read::read;
    use serde_json::{Value, json};

    fn joined(lead: &Lead, fields: Value) -> Joined {
        let mut enquiry = json!({"email": "zhang.san@example.com"});
        enquiry.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("an object"));
        Joined::of(lead, &read(enquiry).expect("an enquiry"), "CN")
    }

    #[test]
    fn what_a_lead_lacks_is_filled_and_what_differs_is_named() {
        let before = Lead { extra: json!({"colour": "red"}).as_object().cloned().expect("an object"), ..lead() };
        let Joined { lead, differs } = joined(
            &before,
            json!({
                "first_name": "小三", "job_title": "CTO", "phone": "138 0013 8000", "requirements": "X30",
                "extra": {"colour": "blue", "size": "L"}
            }),
        );
        assert_eq!((lead.first_name.clone(), lead.phone.clone()), (before.first_name.clone(), before.phone.clone()));
        assert_eq!(lead.job_title.as_ref().map(crate::Line::as_str), Some("CTO"));
        assert_eq!((&lead.extra["colour"], &lead.extra["size"]), (&json!("red"), &json!("L")));
        assert_eq!(differs, ["extra/colour", "first_name"]);
        let again = joined(&lead, json!({"job_title": "CTO", "phone": "13900139000"}));
        assert_eq!((again.lead, again.differs), (lead, vec!["phone".to_owned()]));
    }

    #[test]
    fn a_full_lead_stays_within_its_limits() {
        let many = |from: usize, count: usize| -> Value {
            let fields = (from..from + count).map(|n| (format!("field{n}"), json!("需".repeat(300))));
            json!({"company": "C", "job_title": "CTO", "extra": fields.collect::<serde_json::Map<_, _>>()})
        };
        let full = joined(&lead(), many(0, 50)).lead;
        let more = joined(&full, many(30, 40));
        assert_eq!((more.lead.extra.len(), more.differs.len()), (50, 21));
        let large: serde_json::Map<_, _> = (0..12).map(|n| (format!("large{n}"), json!("需".repeat(1_500)))).collect();
        let large = joined(&lead(), json!({"job_title": "CTO", "extra": large})).lead;
        let over = joined(&large, json!({"budget_range": "over_5m", "extra": {"more": "需".repeat(4_000)}}));
        assert!(over.lead.extra == large.extra && over.lead.budget_range.is_some(), "{:?}", over.differs);
        assert_eq!(over.differs, ["extra/more"]);
    }
}
