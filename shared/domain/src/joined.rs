//! Later posts of a known person: what a lead takes from them, and what differs from it.

use crate::enquiry::Enquiry;
use crate::extra::MOST_FIELDS;
use crate::intake::ENQUIRY_BYTES;
use crate::lead::Lead;

/// A lead after a later post of its person.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The lead with what it lacked.
    pub lead: Lead,
    /// The fields that differ from the lead's, which keeps its own: names of fields, or `extra/{name}`.
    pub differs: Vec<String>,
}

impl Joined {
    /// Fills what a lead lacks from a later enquiry of the same person. Values that it has already stay as they are, since
    /// staff may have corrected them.
    pub fn of(lead: &Lead, enquiry: &Enquiry, phone_country: &str) -> Joined {
        let (mut filled, mut differs) = (lead.clone(), Vec::new());
        macro_rules! fill {
            ($($field:ident)*) => {$(
                match (&filled.$field, &enquiry.$field) {
                    (None, Some(value)) => filled.$field = Some(value.clone()),
                    (Some(own), Some(value)) if own != value => differs.push(stringify!($field).to_owned()),
                    _ => {}
                }
            )*};
        }
        fill!(first_name last_name company job_title industry company_size application_area);
        fill!(project_timeline budget_range requirements consent);
        let e164 = enquiry.phone.as_ref().and_then(|phone| phone.e164(phone_country));
        match (&filled.phone, &enquiry.phone) {
            (None, Some(phone)) => (filled.phone, filled.phone_e164) = (Some(phone.clone()), e164),
            (Some(own), Some(phone)) if own != phone && (e164.is_none() || filled.phone_e164 != e164) => {
                differs.push("phone".to_owned());
            }
            _ => {}
        }
        filled.attribution = filled.attribution.or_else(|| enquiry.attribution.clone());
        filled.locale = filled.locale.or(enquiry.locale);
        for (name, value) in &enquiry.extra {
            match filled.extra.get(name) {
                None if filled.extra.len() < MOST_FIELDS => {
                    filled.extra.insert(name.clone(), value.clone());
                }
                Some(own) if own == value => {}
                _ => differs.push(format!("extra/{name}")),
            }
        }
        if is_storable(&filled) {
            return Joined { lead: filled, differs };
        }
        // The lead is full: its other fields are filled, and the submission has the rest.
        differs.extend(
            enquiry.extra.keys().filter(|name| !lead.extra.contains_key(*name)).map(|name| format!("extra/{name}")),
        );
        filled.extra = lead.extra.clone();
        match is_storable(&filled) {
            true => Joined { lead: filled, differs },
            false => Joined { lead: lead.clone(), differs },
        }
    }
}

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
        assert_eq!(differs, ["first_name", "extra/colour"]);
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
