//! The in-memory model of leads: the business rules, without storage.

use daybook_domain::FormId;
use daybook_local::DEFAULT_ORG;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A valid phone number.
pub const PHONE: &str = "+86-138-0013-8000";

/// An id that was never answered.
const UNKNOWN: &str = "lead_01jd2h6q8e5k9v4m3n7p1r0stw";

/// The version that `If-Match` names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guard {
    Anything,
    Current,
    Stale,
}

/// The rule that a change violates, if any.
fn broken(field: &str, value: &Value) -> Option<&'static str> {
    match (field, value.as_str()) {
        ("emial", _) => Some("unknown_field"),
        ("version", _) => Some("read_only"),
        ("email", Some(text)) if !text.contains('@') => Some("invalid_email"),
        ("status", Some("nw")) => Some("not_allowed"),
        (_, Some(text)) if text.contains('\n') => Some("control_character"),
        _ => None,
    }
}

/// The API's refusal.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub violations: Vec<(String, String)>,
    pub members: BTreeMap<&'static str, Value>,
}

/// The result of a change: the lead afterwards, or the refusal.
pub type Outcome = Result<Value, Refusal>;

/// A refusal with a code alone.
pub fn refusal(status: u16, code: &'static str) -> Refusal {
    Refusal { status, code, violations: Vec::new(), members: BTreeMap::new() }
}

/// The model's whole state.
#[derive(Debug, Default)]
pub struct Model {
    /// In the order in which they came.
    pub leads: Vec<Known>,
    /// By address in lower case, or by number.
    holders: BTreeMap<String, Holder>,
    /// In the order of the submissions.
    pub told: Vec<Committed>,
    /// A visitor's last post and its answer.
    pub last: Option<(Value, String)>,
}

/// A lead, live or in the trash.
#[derive(Debug)]
pub struct Known {
    pub data: Value,
    trashed: bool,
}

/// The lead that holds an address or a number, and the one that held it last.
#[derive(Clone, Copy, Debug, Default)]
struct Holder {
    current: Option<usize>,
    previous: Option<usize>,
}

/// A submission: the id in its answer, the lead that this id names, and what was posted.
#[derive(Debug)]
pub struct Committed {
    pub id: String,
    lead: usize,
    pub enquiry: Value,
}

impl Model {
    /// One of the answered ids, as a path, and its lead.
    pub fn find(&self, id: usize) -> (String, Option<usize>) {
        let told = self.told.get(id % self.told.len().max(1));
        (format!("/api/leads/{}", told.map_or(UNKNOWN, |told| told.id.as_str())), told.map(|told| told.lead))
    }

    /// A lead that can be read.
    pub fn live(&self, lead: Option<usize>) -> Result<usize, Refusal> {
        lead.filter(|lead| !self.leads[*lead].trashed).ok_or_else(|| refusal(404, "not_found"))
    }

    /// The leads in a state, or all of them, the oldest first.
    pub fn listed(&self, status: Option<&str>) -> Vec<Value> {
        let all = self.leads.iter().filter(|lead| !lead.trashed).map(|lead| &lead.data);
        all.filter(|data| status.is_none_or(|status| data["status"] == status)).cloned().collect()
    }

    /// Accepts a submission: it joins the lead of the submission it follows, the one with its address, or the one without an
    /// address that has its number, which it gives what that lacks; or it makes a lead.
    pub fn take(&mut self, submission: &str, enquiry: Value, earlier: Option<usize>, now: &str) -> usize {
        let id = submission.replacen("sub_", "lead_", 1);
        let keys = [address(&enquiry), number(&enquiry)].into_iter().flatten();
        let holders: Vec<Holder> = keys.map(|key| self.holders.get(&key).copied().unwrap_or_default()).collect();
        let current = holders.iter().find_map(|holder| holder.current);
        let lead = match earlier.filter(|lead| !self.leads[*lead].trashed).or(current) {
            Some(known) => {
                // What follows repeats no data of the visitor.
                if earlier.is_none() {
                    let before = claim(&self.leads[known].data);
                    fill(&mut self.leads[known].data, &enquiry, now);
                    let after = claim(&self.leads[known].data);
                    self.reclaim(known, before, after).expect("an address without a holder");
                }
                known
            }
            None => {
                let previous = holders.iter().find_map(|holder| holder.previous);
                let previous = previous.map_or(Value::Null, |lead| self.leads[lead].data["id"].clone());
                let data = made(&id, &enquiry, previous, now);
                let held = claim(&data).expect("a way to reach them");
                self.leads.push(Known { data, trashed: false });
                self.holders.insert(held, Holder { current: Some(self.leads.len() - 1), previous: None });
                self.leads.len() - 1
            }
        };
        self.told.push(Committed { id, lead, enquiry });
        lead
    }

    /// Changes the named fields, or returns all violations.
    pub fn patch(&mut self, lead: Option<usize>, guard: Guard, fields: &Map<String, Value>, now: &str) -> Outcome {
        let lead = self.live(lead)?;
        self.guarded(lead, guard)?;
        // An empty text means "no value".
        let given = |value: &Value| if value == "" { Value::Null } else { value.clone() };
        let fields: Map<String, Value> = fields.iter().map(|(name, value)| (name.clone(), given(value))).collect();
        let rules =
            fields.iter().filter_map(|(name, value)| Some((format!("/{name}"), broken(name, value)?.to_owned())));
        let mut violations: Vec<(String, String)> = rules.collect();
        if !violations.is_empty() {
            violations.sort();
            return Err(Refusal { violations, ..refusal(422, "validation_error") });
        }
        let before = self.leads[lead].data.clone();
        let mut after = before.clone();
        for (name, change) in &fields {
            lay(&mut after[name], change);
        }
        after["phone_e164"] = e164(&after["phone"]);
        let reached = |lead: &Value| (lead["email"].clone(), lead["phone"].clone());
        if reached(&after) != reached(&before) && claim_of_person(&after).is_none() {
            let (field, rule) =
                if after["phone"].is_null() { ("/email", "required") } else { ("/phone", "invalid_format") };
            let violations = vec![(field.to_owned(), rule.to_owned())];
            return Err(Refusal { violations, ..refusal(422, "validation_error") });
        }
        if after != before {
            self.reclaim(lead, claim(&before), claim(&after))?;
            revise(&mut after, now);
            self.leads[lead].data = after.clone();
        }
        Ok(after)
    }

    /// Moves a lead to the trash.
    pub fn delete(&mut self, lead: Option<usize>, guard: Guard) -> Outcome {
        let lead = self.live(lead)?;
        self.guarded(lead, guard)?;
        let data = self.leads[lead].data.clone();
        self.reclaim(lead, claim(&data), None)?;
        self.leads[lead].trashed = true;
        Ok(data)
    }

    /// Restores a lead from the trash.
    pub fn restore(&mut self, lead: Option<usize>, guard: Guard, now: &str) -> Outcome {
        let lead = lead.ok_or_else(|| refusal(404, "not_found"))?;
        if !self.leads[lead].trashed {
            return Err(refusal(409, "conflict"));
        }
        self.guarded(lead, guard)?;
        let mut data = self.leads[lead].data.clone();
        self.reclaim(lead, None, claim(&data))?;
        revise(&mut data, now);
        self.leads[lead] = Known { data: data.clone(), trashed: false };
        Ok(data)
    }

    fn guarded(&self, lead: usize, guard: Guard) -> Result<(), Refusal> {
        if guard != Guard::Stale {
            return Ok(());
        }
        let members = BTreeMap::from([("version", self.leads[lead].data["version"].clone())]);
        Err(Refusal { members, ..refusal(412, "precondition_failed") })
    }

    /// Frees the address or number that a lead held and claims its new one, unless another lead holds that.
    fn reclaim(&mut self, lead: usize, held: Option<String>, wanted: Option<String>) -> Result<(), Refusal> {
        if held == wanted {
            return Ok(());
        }
        if let Some(other) = wanted.as_ref().and_then(|address| self.holders.get(address)?.current) {
            let members = BTreeMap::from([("existing_id", self.leads[other].data["id"].clone())]);
            let field = if wanted.as_ref().is_some_and(|wanted| wanted.contains('@')) { "/email" } else { "/phone" };
            let violations = vec![(field.to_owned(), "duplicate".to_owned())];
            return Err(Refusal { members, violations, ..refusal(409, "duplicate") });
        }
        if let Some(address) = held {
            self.holders.insert(address, Holder { current: None, previous: Some(lead) });
        }
        if let Some(address) = wanted {
            self.holders.insert(address, Holder { current: Some(lead), previous: None });
        }
        Ok(())
    }
}

fn made(id: &str, enquiry: &Value, previous: Value, now: &str) -> Value {
    let mut lead = json!({
        "id": id, "version": 1, "created_at": now, "updated_at": now, "status": "new", "job_title": null,
        "phone_e164": e164(&enquiry["phone"]), "phone_extension": null, "industry": null, "company_size": null, "application_area": null,
        "project_timeline": null, "budget_range": null, "source": "website", "owner_id": null, "locale": "en",
        "form_id": FormId::default_of(DEFAULT_ORG), "consent": null, "attribution": null, "previous_lead_id": previous,
        "customer_id": null, "contact_id": null, "opportunity_id": null, "converted_at": null,
    });
    for (name, value) in enquiry.as_object().into_iter().flatten() {
        lead[name] = value.clone();
    }
    lead
}

/// Fills what a lead lacks.
fn fill(lead: &mut Value, enquiry: &Value, now: &str) {
    let before = lead.clone();
    for (name, value) in enquiry.as_object().into_iter().flatten() {
        match (&mut lead[name], value) {
            (Value::Object(extra), Value::Object(more)) => {
                more.iter().for_each(|(name, value)| _ = extra.entry(name.clone()).or_insert_with(|| value.clone()));
            }
            (own, value) if own.is_null() => *own = value.clone(),
            _ => {}
        }
    }
    if lead["locale"].is_null() {
        lead["locale"] = json!("en");
    }
    if *lead != before {
        lead["phone_e164"] = e164(&lead["phone"]);
        revise(lead, now);
    }
}

fn revise(lead: &mut Value, now: &str) {
    let version = lead["version"].as_u64().expect("a version");
    lead["version"] = json!(version + 1);
    lead["updated_at"] = json!(now);
}

/// Merges a change into a value: `null` clears a field; `extra` is merged by its members.
fn lay(target: &mut Value, change: &Value) {
    match (target.as_object_mut(), change) {
        (Some(extra), Value::Object(parts)) => {
            extra.extend(parts.clone());
            extra.retain(|_, value| !value.is_null());
        }
        (Some(extra), Value::Null) => extra.clear(),
        _ => *target = change.clone(),
    }
}

/// What a lead claims: its address, or else its number; a converted lead claims nothing.
fn claim(lead: &Value) -> Option<String> {
    claim_of_person(lead).filter(|_| lead["status"] != "converted")
}

fn claim_of_person(lead: &Value) -> Option<String> {
    address(lead).or_else(|| number(lead))
}

fn address(person: &Value) -> Option<String> {
    person["email"].as_str().map(str::to_lowercase)
}

fn number(person: &Value) -> Option<String> {
    e164(&person["phone"]).as_str().map(str::to_owned)
}

fn e164(phone: &Value) -> Value {
    if phone.as_str() == Some(PHONE) { json!("+8613800138000") } else { Value::Null }
}

/// A value that must be a text.
pub fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Whether a lead matches all words: Latin words and numbers by their beginning, Chinese by any part.
pub fn is_found(lead: &Value, words: &str) -> bool {
    let known = |name: &str| lead[name].as_str().unwrap_or_default().to_lowercase();
    let (first, last) = (known("first_name"), known("last_name"));
    let phone = if lead["phone"].as_str() == Some(PHONE) { "8613800138000 13800138000 8000" } else { "" };
    let mut texts = vec![known("company"), known("email"), phone.to_owned()];
    if first.is_ascii() || last.is_ascii() {
        texts.extend([first, last]);
    } else {
        texts.extend([format!("{first}{last}"), format!("{last}{first}")]);
    }
    let begins = |text: &String, word: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| !run.is_empty() && run.starts_with(word))
    };
    words.split(' ').all(|word| match word {
        word if word.contains('@') => known("email").starts_with(word),
        word if word.is_ascii() => texts.iter().any(|text| begins(text, word)),
        word => texts.iter().any(|text| text.contains(word)),
    })
}
