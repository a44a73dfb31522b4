//! The Big List of Naughty Strings in every text field: each string is stored unchanged or refused by a rule.
//!
//! Each string is posted in all fields of a form at once, which reports every rule that it violates, and then only in
//! the fields that accept it. What is stored, mailed and sent to HubSpot is equal to what was posted.

mod fields;

use daybook_domain::words::{normalize, runs};
use daybook_testing::hubspot::{HubSpot, Property};
use daybook_testing::{Person, World, WorldOptions, is_full};
use fields::{CONTACT, Case, DEMO, LEAD, line, products, prose, split};
use naughty_strings::BLNS;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Every string of the list and some more of our own; in the quick set, a sample of them.
fn strings() -> Vec<String> {
    let ours = [
        "\0",
        "a\r\nBcc: x@y.example",
        "\r\n a \r\n",
        "\u{85}",
        "a\u{2028}b",
        "a\u{202e}b",
        "\u{2068}a\u{2069}",
        "=cmd|' /C calc'!A0",
        "İᾼ ﬀ",
        "\u{fffe}\u{10ffff}",
    ];
    let long = ["名".repeat(201), "x".repeat(1025), "x".repeat(10_001)];
    let all = BLNS.iter().chain(&ours).map(|text| (*text).to_owned()).chain(long);
    all.step_by(if is_full() { 1 } else { 12 }).collect()
}

/// The default body with these fields added.
fn body<'c>(base: &Value, cases: impl Iterator<Item = &'c Case>) -> Value {
    let mut body = base.clone();
    for case in cases {
        let place = case.path.iter().fold(&mut body, |place, name| &mut place[name.as_str()]);
        *place = case.value.clone();
    }
    body
}

fn found(record: &Value, pointer: &str) -> Value {
    record.pointer(pointer).cloned().unwrap_or_default()
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn plain_address(n: usize) -> String {
    format!("lead{n}@naughty.example")
}

/// The visitors, and the number of accepted submissions by address.
struct Forms {
    visitor: Person,
    owner: Person,
    accepted: BTreeMap<String, usize>,
}

impl Forms {
    async fn lead(&mut self, n: usize, text: &str) -> Value {
        let mut cases = Case::all(LEAD, text);
        cases.extend([Case::named(text), Case::email(&plain_address(n))]);
        let told = self.post("/api/leads", json!({"post": n}), &cases).await;
        let lead = self.owner.get(&format!("/api/leads/{}", text_of(&told["id"]))).await.expect(200).data();
        for case in &cases {
            if let (Ok(kept), Some(place)) = (&case.verdict, case.kept.strip_prefix("/enquiry"))
                && !kept.is_null()
            {
                assert_eq!(found(&lead, place), *kept, "{text:?} in the lead's {place}");
            }
        }
        lead
    }

    async fn contact(&mut self, n: usize, text: &str) {
        let mut cases = Case::all(CONTACT, text);
        cases.push(self.address(&format!("x@{text}.example"), n).await);
        // A name of blanks alone counts as absent.
        if !text.trim().is_empty() {
            let (first, last) = split(text);
            let names = [("/first_name", line(first, 100)), ("/last_name", line(last, 100))].map(|(kept, verdict)| {
                let kept = format!("/enquiry{kept}");
                Case { path: vec!["name".to_owned()], value: json!(text), told: "/name".to_owned(), kept, verdict }
            });
            let broken: Vec<_> = names.iter().filter_map(Case::violation).collect();
            if broken.is_empty() {
                cases.extend(names);
            } else {
                let body = json!({"email": plain_address(n), "message": "x", "name": text});
                self.refused("/api/contact", &body, broken).await;
            }
        }
        self.post("/api/contact", json!({"post": n, "message": "x"}), &cases).await;
    }

    async fn demo(&mut self, n: usize, text: &str) {
        let mut cases = Case::all(DEMO, text);
        cases.push(self.address(&format!("x{text}@naughty.example"), n).await);
        let told = self.post("/api/demos", json!({"post": n}), &cases).await;
        let demo = self.owner.get(&format!("/api/demos/{}", text_of(&told["id"]))).await.expect(200).data();
        assert_eq!(demo["special_requirements"], prose(text).unwrap_or_default(), "{text:?}");
        assert_eq!(found(&demo, "/raw/interested_products"), products(text).unwrap_or_default(), "{text:?}");
    }

    /// The address made of a string, or a plain one if that was refused.
    async fn address(&self, made: &str, n: usize) -> Case {
        let case = Case::email(made);
        match case.violation() {
            None => case,
            Some(broken) => {
                self.refused("/api/leads", &json!({"email": made}), vec![broken]).await;
                Case::email(&plain_address(n))
            }
        }
    }

    async fn refused(&self, path: &str, body: &Value, mut broken: Vec<(String, String)>) {
        broken.sort();
        broken.dedup();
        let answer = self.visitor.post(path, body.clone()).await;
        assert_eq!(answer.status.as_u16(), 422, "{path} {body}: {}", answer.text);
        assert_eq!(answer.expect_problem(422, "validation_error").violations(), broken, "{path} {body}");
    }

    /// Posts a string in all of these fields, then in those that accept it, and reads the submission back.
    async fn post(&mut self, path: &str, base: Value, cases: &[Case]) -> Value {
        let broken: Vec<_> = cases.iter().filter_map(Case::violation).collect();
        if !broken.is_empty() {
            self.refused(path, &body(&base, cases.iter()), broken).await;
        }
        let good = body(&base, cases.iter().filter(|case| case.verdict.is_ok()));
        let answer = self.visitor.post(path, good.clone()).await;
        assert_eq!(answer.status.as_u16(), 201, "{path} {good}: {}", answer.text);
        let told = answer.data();
        let stored = format!("/api/submissions/{}", text_of(&told["submission_id"]));
        let mut submission = self.owner.get(&stored).await.expect(200).data();
        // A web address in a name causes a submission to be held.
        if submission["status"] == "held" {
            submission = self.owner.post(&format!("{stored}/release"), json!({})).await.expect(200).data();
        }
        assert_eq!(submission["status"], "accepted", "{path} {good}");
        for case in cases {
            if let Ok(kept) = &case.verdict {
                assert_eq!(found(&submission, &case.kept), *kept, "{path} {}: {good}", case.kept);
            }
        }
        *self.accepted.entry(text_of(&submission["enquiry"]["email"]).to_owned()).or_default() += 1;
        told
    }
}

#[tokio::test]
async fn naughty_strings_are_kept_mailed_and_pushed_as_they_are_or_refused_by_rule() {
    assert!(BLNS.len() > 400, "the list has {} strings", BLNS.len());
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    hubspot.define_property(Property::text("crm_external_id").unique());
    hubspot.lift_limits();
    let options =
        WorldOptions { hubspot: Some(hubspot.clone()), hubspot_calls: Some(100_000), ..WorldOptions::default() };
    let world = World::at(options, clock).await;
    let (owner, visitor) = (world.owner().await, world.visitor());
    let mut forms = Forms { visitor, owner, accepted: BTreeMap::new() };
    let strings = strings();
    let mut leads = Vec::new();
    for (n, text) in strings.iter().enumerate() {
        leads.push((text, forms.lead(n, text).await));
        forms.contact(n, text).await;
        forms.demo(n, text).await;
    }
    world.work().await;

    let mails = world.mails();
    let mut to = BTreeMap::<&str, Vec<_>>::new();
    for mail in &mails {
        to.entry(&mail.to).or_default().push(mail);
    }
    for (address, count) in &forms.accepted {
        assert_eq!(to.get(address.as_str()).map_or(0, Vec::len), *count, "mails to {address:?}");
    }
    assert_eq!(mails.len(), 2 * forms.accepted.values().sum::<usize>(), "one to the visitor and one to the team");

    let contacts = hubspot.contacts().into_iter().map(|contact| contact.properties);
    let contacts: BTreeMap<String, BTreeMap<String, String>> =
        contacts.map(|properties| (properties.get("email").cloned().unwrap_or_default(), properties)).collect();
    for (text, lead) in &leads {
        let address = text_of(&lead["email"]);
        let wrote = lead["requirements"].as_str().unwrap_or_default();
        let is_told = mails.iter().any(|mail| mail.to != address && mail.text.contains(wrote));
        assert!(is_told, "{text:?} is in no mail to the team");
        let markup = text.trim();
        if markup.contains('<') && markup.len() > 8 {
            assert!(mails.iter().all(|mail| !mail.html.contains(markup)), "{text:?} is markup of a mail");
            assert!(to[address].iter().all(|mail| !mail.text.contains(markup)), "{text:?} is mailed to its address");
        }
        let contact = contacts.get(address).unwrap_or_else(|| panic!("{text:?} is no contact"));
        let fields =
            [("first_name", "firstname"), ("last_name", "lastname"), ("company", "company"), ("job_title", "jobtitle")];
        for (field, property) in fields {
            assert_eq!(contact.get(property).map(String::as_str), lead[field].as_str(), "{property} of {text:?}");
        }
    }
}

#[tokio::test]
async fn naughty_strings_are_searched_for_or_refused_and_companies_found_by_their_first_word() {
    let world = World::new().await;
    let owner = world.owner().await;
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    for (n, text) in strings().iter().enumerate() {
        if line(text, 200).is_ok() {
            let lead = json!({"email": plain_address(n), "company": text});
            let id = owner.post("/api/leads", lead).await.expect(201).id();
            // Words longer than a query may be are skipped.
            if let Some(word) = runs(&normalize(text)).first().filter(|word| word.len() <= 400) {
                let query = format!("/api/leads?search={}&email={}&limit=1", escaped(word), plain_address(n));
                let (mut hits, mut cursor) = (Vec::new(), String::new());
                loop {
                    let page = owner.get(&format!("{query}{cursor}")).await.expect(200).json();
                    hits.extend(page["data"].as_array().expect("a list").iter().map(|hit| hit["id"].clone()));
                    match page["meta"]["next_cursor"].as_str() {
                        Some(next) => cursor = format!("&cursor={next}"),
                        None => break,
                    }
                }
                assert_eq!(hits, [json!(id)], "{word:?} of {text:?}");
            }
        }
        let answer = owner.get(&format!("/api/leads?search={}", escaped(text))).await;
        match answer.status.as_u16() {
            200 => {}
            _ => assert_eq!(answer.expect_problem(400, "invalid_query").violations()[0].0, "/search", "{text:?}"),
        }
    }
}
