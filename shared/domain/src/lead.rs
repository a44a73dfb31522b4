//! Leads: potential customers, mostly from website forms.

use crate::choices;
use crate::enquiry::{
    ApplicationArea, Attribution, BudgetRange, CompanySize, Consent, Enquiry, Industry, ProjectTimeline,
    check_reachable,
};
use crate::extra::violations_of;
use crate::field::Fields;
use crate::masking::masked_fields;
use crate::permission::Resource;
use crate::person::display_name;
use crate::read::escape;
use crate::record::{Claim, ClaimKind, Personal, Record, Reference};
use crate::words::Words;
use crate::{
    Change, Conflict, ContactId, CustomerId, Edit, EmailAddress, Error, Event, FormId, LeadId, Line, Locale,
    OpportunityId, Phone, Prose, RecordType, Timestamp, UserId, record_head, record_phone,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

choices! {
    /// The status of a lead.
    #[derive(Default)]
    Status {
        /// Not processed yet.
        #[default] New = "new",
        /// Staff have contacted the person.
        Contacted = "contacted",
        /// It may become a customer.
        Qualified = "qualified",
        /// A demonstration is scheduled.
        DemoScheduled = "demo_scheduled",
        /// It was converted into a customer.
        Converted = "converted",
        /// It won't become a customer.
        Unqualified = "unqualified",
        /// It is spam.
        Spam = "spam",
    }

}

/// A potential customer. There is one lead per e-mail address, and one per phone number of those without an address; further
/// forms of the same person add submissions to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Lead {
    /// The id.
    #[field(read_only)]
    pub id: LeadId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The status.
    pub status: Status,
    /// Given name.
    pub first_name: Option<Line<100>>,
    /// Family name.
    pub last_name: Option<Line<100>>,
    /// E-mail address, as entered. A lead has an address or a phone number.
    #[serde(default, deserialize_with = "crate::email::or_none")]
    pub email: Option<EmailAddress>,
    /// Phone number, as entered.
    pub phone: Option<Phone>,
    /// Phone number in E.164; none if it can't be parsed.
    #[field(read_only)]
    pub phone_e164: Option<String>,
    /// The digits of the phone number's extension, from `phone`.
    #[field(read_only)]
    pub phone_extension: Option<String>,
    /// Company.
    pub company: Option<Line<200>>,
    /// Job title.
    pub job_title: Option<Line<100>>,
    /// The company's industry.
    pub industry: Option<Industry>,
    /// The company's size.
    pub company_size: Option<CompanySize>,
    /// The intended use of the product.
    pub application_area: Option<ApplicationArea>,
    /// When the project starts.
    pub project_timeline: Option<ProjectTimeline>,
    /// The budget.
    pub budget_range: Option<BudgetRange>,
    /// The requirements, in the visitor's own words.
    pub requirements: Option<Prose<10000>>,
    /// The source, such as a website or a campaign.
    pub source: Line<100>,
    /// The form it was submitted through.
    #[field(read_only)]
    pub form_id: Option<FormId>,
    /// The owner.
    pub owner_id: Option<UserId>,
    /// The language of the enquiry.
    pub locale: Option<Locale>,
    /// The consent given.
    pub consent: Option<Consent>,
    /// The attribution of the first visit.
    pub attribution: Option<Attribution>,
    /// Other fields that the form sent. Secrets such as passwords are masked.
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "null_clears")]
    pub extra: Map<String, Value>,
    /// The previous lead with this address, which was deleted or converted or got another address.
    #[field(read_only)]
    pub previous_lead_id: Option<LeadId>,
    /// The customer it was converted into.
    #[field(read_only)]
    pub customer_id: Option<CustomerId>,
    /// The contact it was converted into.
    #[field(read_only)]
    pub contact_id: Option<ContactId>,
    /// The opportunity it was converted into.
    #[field(read_only)]
    pub opportunity_id: Option<OpportunityId>,
    /// When it was converted.
    #[field(read_only)]
    pub converted_at: Option<Timestamp>,
}

impl Lead {
    /// The new lead of a submission.
    pub fn from_enquiry(enquiry: &Enquiry, origin: LeadOrigin<'_>, id: LeadId, at: Timestamp) -> Lead {
        let e = enquiry.clone();
        Lead {
            id,
            version: 1,
            created_at: at,
            updated_at: at,
            status: Status::New,
            first_name: e.first_name,
            last_name: e.last_name,
            email: e.email,
            phone_e164: enquiry.e164(origin.phone_country),
            phone_extension: e.phone.as_ref().and_then(Phone::extension),
            phone: e.phone,
            company: e.company,
            job_title: e.job_title,
            industry: e.industry,
            company_size: e.company_size,
            application_area: e.application_area,
            project_timeline: e.project_timeline,
            budget_range: e.budget_range,
            requirements: e.requirements,
            source: e.source.unwrap_or_else(|| origin.default_source.clone()),
            form_id: origin.form,
            owner_id: None,
            locale: e.locale,
            consent: e.consent,
            attribution: e.attribution,
            extra: e.extra,
            previous_lead_id: origin.previous,
            customer_id: None,
            contact_id: None,
            opportunity_id: None,
            converted_at: None,
        }
    }

    /// The name for salutations: the full name in the order of its language, or else the e-mail address or phone number.
    pub fn display_name(&self) -> String {
        display_name((self.first_name.as_ref(), self.last_name.as_ref()), self.email.as_ref(), self.phone.as_ref())
    }

    /// The phone number in the form in which numbers are compared.
    fn number(&self) -> Option<String> {
        self.phone.as_ref()?.compared(self.phone_e164.as_deref())
    }
}

fn null_clears<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// What a new lead takes from its form, and from the previous lead with its address.
#[derive(Clone, Copy, Debug)]
pub struct LeadOrigin<'a> {
    /// The form it was submitted through.
    pub form: Option<FormId>,
    /// The source, unless the submission gives one.
    pub default_source: &'a Line<100>,
    /// The country of phone numbers without a country code.
    pub phone_country: &'a str,
    /// The previous lead with the address.
    pub previous: Option<LeadId>,
}

impl Record for Lead {
    const TYPE: RecordType = RecordType::Lead;
    type Id = LeadId;
    type Context = ();
    const RESOURCE: Resource = Resource::Leads;
    const PERSONAL: Personal = Personal::Unique(ClaimKind::Email);
    const SAMPLE: &'static str = r#"{"status": "new", "email": "ada@example.com", "source": "website", "extra": {}}"#;
    const ONCE_REQUIRED: &'static [&'static [&'static str]] = &[&["email"]];
    const SEARCHED: bool = true;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", Status::NAMES));
    const OWNER: Option<&'static str> = Some("owner_id");

    record_head!();
    record_phone!();

    fn event(change: Change<'_, Lead>) -> Event {
        match change {
            Change::Create(_) => Event::LeadCreated,
            Change::Update(before, after) if before.customer_id.is_none() && after.customer_id.is_some() => {
                Event::LeadConverted
            }
            Change::Update(before, after) if before.status != after.status => Event::LeadStatusChanged,
            Change::Update(before, after) if before.owner_id != after.owner_id => Event::LeadAssigned,
            Change::Update(..) => Event::LeadUpdated,
            Change::Delete(_) => Event::LeadDeleted,
            Change::Restore(_) => Event::LeadRestored,
        }
    }

    /// The status `converted` is only set by converting the lead, and only changes by undoing the conversion.
    fn settle(edit: Edit<'_, Lead>, (): &()) -> Result<Lead, Error> {
        let Edit { before, mut wanted, again, .. } = edit;
        // Earlier versions had other rules for `extra`.
        if before.is_none_or(|before| before.extra != wanted.extra) {
            let check = |extra: &Map<String, Value>| {
                violations_of(extra, |name| format!("/extra/{}", escape(name))).into_result()
            };
            check(&wanted.extra)?;
            wanted.extra = masked_fields(&wanted.extra);
            // A mask may be longer than what it replaces.
            check(&wanted.extra)?;
        }
        if before.is_none_or(|before| before.attribution != wanted.attribution) {
            wanted.attribution = wanted.attribution.map(Attribution::masked);
        }
        if before.is_none_or(|before| (&before.email, &before.phone) != (&wanted.email, &wanted.phone)) {
            let reachable = check_reachable(wanted.email.is_some(), wanted.phone.as_ref());
            reachable.map_err(|(pointer, rule)| Error::invalid(pointer, rule))?;
        }
        let is_converted = |lead: &Lead| lead.status == Status::Converted;
        let became = |lead: Option<&Lead>| lead.and_then(|lead| lead.customer_id);
        let moves = before.map(|before| before.status) != Some(wanted.status);
        let converts = became(before) != became(Some(&wanted));
        let may = if is_converted(&wanted) { converts && !again } else { converts };
        if moves && !may && (is_converted(&wanted) || before.is_some_and(is_converted)) {
            return Err(Error::Conflict(Conflict::Conversion));
        }
        Ok(wanted)
    }

    /// Converting frees the address: the next submission with it creates a new lead. A number is only unique among those
    /// without an address, since colleagues and families share one.
    fn claims(&self) -> Vec<Claim> {
        match (self.status, &self.email) {
            (Status::Converted, _) => Vec::new(),
            (_, Some(email)) => vec![Claim::of_address(email)],
            (_, None) => self.number().map(|number| Claim::of_number(&number)).into_iter().collect(),
        }
    }

    fn person(&self) -> Option<String> {
        self.email.as_ref().map(EmailAddress::normalized).or_else(|| self.number())
    }

    fn form(&self) -> Option<FormId> {
        self.form_id
    }

    fn words(&self) -> Words {
        Words::default()
            .with_name(self.first_name.as_ref().map(Line::as_str), self.last_name.as_ref().map(Line::as_str))
            .with_phone(self.phone.as_ref(), self.phone_e164.as_deref())
            .with(self.company.as_ref().map(Line::as_str))
            .with_email(self.email.as_ref())
    }

    fn references(&self) -> Vec<Reference> {
        self.owner_id.map(|id| Reference { id: id.into(), pointer: "/owner_id" }).into_iter().collect()
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}

crate::as_text!(Consent, Attribution);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn lead() -> Lead {
        let enquiry: Enquiry = crate::read::read(json!({
            "first_name": "张", "last_name": "三", "email": "Zhang.San@example.com", "phone": "+86-138-0013-8000",
            "company": "示例科技有限公司", "industry": "manufacturing"
        }))
        .expect("valid");
        let source = Line::parse("website").expect("a line");
        let origin = LeadOrigin { form: None, default_source: &source, phone_country: "CN", previous: None };
        Lead::from_enquiry(&enquiry, origin, LeadId::new(uuid::Uuid::nil()), Timestamp::UNIX_EPOCH)
    }

    fn patch(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    impl Lead {
        fn patched(&self, patch: Map<String, Value>) -> Result<Lead, Error> {
            crate::edit::patched(self, &patch, Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn a_lead_is_found_by_name_company_address_and_phone() {
        let words = lead().words();
        for token in ["张三", "三", "示例科技有限公司", "科技有限公司", "zhang.san@example.com", "8000", "13800138000"]
        {
            assert!(words.tokens().iter().any(|t| t.starts_with(token)), "{token} is not among {:?}", words.tokens());
        }
    }

    #[test]
    fn a_lead_may_be_sent_back_as_it_was_read() {
        let before = lead();
        let whole = serde_json::to_value(&before).expect("serialises");
        assert_eq!(before.patched(patch(whole)), Ok(before));
    }

    #[test]
    fn secrets_of_a_patch_are_masked() {
        let patch = patch(json!({
            "extra": {"userPwd": "x"}, "attribution": {"referrer": "https://ada:x@a.example/?token=x"}
        }));
        let after = lead().patched(patch).expect("valid");
        assert_eq!(after.extra["userPwd"], "***");
        let referrer = after.attribution.and_then(|attribution| attribution.referrer).expect("a page");
        assert_eq!(referrer.as_str(), "https://ada:***@a.example/?token=***");
    }

    #[test]
    fn a_converted_lead_gives_its_address_free() {
        let after = Lead { status: Status::Converted, ..lead() };
        assert!(after.claims().is_empty());
        // Only a conversion sets this status.
        let by_hand = lead().patched(patch(json!({"status": "converted"})));
        assert_eq!(by_hand, Err(Error::Conflict(Conflict::Conversion)));
        let back = after.patched(patch(json!({"status": "new"})));
        assert_eq!(back, Err(Error::Conflict(Conflict::Conversion)));
    }

    #[test]
    fn every_broken_rule_of_a_patch_is_listed() {
        let error = lead()
            .patched(patch(json!({"status": "nw", "emial": "x", "version": 9, "company": "a\nb"})))
            .expect_err("broken");
        let crate::Error::Invalid(found) = error else { panic!("expected violations") };
        let mut places: Vec<_> = found.0.iter().map(|v| (v.pointer.as_str(), v.rule.code())).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                ("/company", "control_character"),
                ("/emial", "unknown_field"),
                ("/status", "not_allowed"),
                ("/version", "read_only")
            ]
        );
    }
}
