//! Releasing a held submission: accepts it, and creates or joins its lead.

use crate::accept::form_by_id;
use crate::decide::{is_outrun, known, makes, zone_of};
use daybook_domain::ask::{Ask, Asked, Plain};
use daybook_domain::charset::Charset;
use daybook_domain::demo::DemoFields;
use daybook_domain::form::Form;
use daybook_domain::intake::Intake;
use daybook_domain::message::Message;
use daybook_domain::names::{MESSAGE, Names};
use daybook_domain::submission::{Submission, Verdict};
use daybook_domain::{Conflict, Error as Domain, FormId, Rule, SubmissionId};
use daybook_http::{Cx, Result, decoded};
use daybook_records::{Draft, updated};
use daybook_store::{Reply, Tx, object_of};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The maximum number of attempts when other requests are faster.
const DECISIONS: usize = 20;

/// Accepts a held submission. It creates its lead under the id that the visitor received, or joins the lead that
/// has its address by now. An accepted submission is returned unchanged. With a charset, the fields whose bytes are kept are
/// read in that.
pub async fn release<R: Reply>(
    cx: &Cx,
    id: SubmissionId,
    if_match: Option<u64>,
    charset: Option<Charset>,
    reply: impl Fn(Submission) -> R,
) -> Result<R> {
    for _ in 0..DECISIONS {
        let before = cx.get::<Submission>(id).await?;
        if if_match.is_some_and(|version| version != before.version) {
            return Err(Domain::Stale { version: before.version, current: Default::default() }.into());
        }
        if before.status == Verdict::Accepted {
            return Ok(reply(before.into_inner()));
        }
        let form = form_by_id(cx, before.form_id.unwrap_or(FormId::default_of(cx.org))).await?;
        // The submission it follows may have been released in the meantime.
        let earlier = match before.follows {
            Some(earlier) => cx.find::<Submission>(earlier).await?.and_then(|earlier| earlier.lead_id),
            None => None,
        };
        let read = match charset {
            Some(charset) if !before.unreadable.is_empty() => read_in(&before, &form, charset)?,
            _ => Submission::clone(&before),
        };
        let known = known(cx, &read, earlier).await?;
        let mut wanted = Submission { status: Verdict::Accepted, ..read };
        let made = makes(&mut wanted, &form, &known, &zone_of(cx).await?, cx.now())?;
        let (after, tx) = updated(cx, Tx::default(), &before, Draft::of(wanted)).await?;
        let tx = made.add_to(cx, tx).await?;
        match cx.commit(tx, reply(after)).await {
            Err(error) if is_outrun(&error) => {}
            outcome => return outcome,
        }
    }
    Err(Domain::Conflict(Conflict::Contended).into())
}

/// A submission whose unreadable fields are read in a charset, as if its page had named that.
fn read_in(submission: &Submission, form: &Form, charset: Charset) -> Result<Submission> {
    match submission.ask() {
        Ask::Lead => read_as::<Plain>(submission, form, charset, &Plain {}),
        Ask::Demo(fields) => read_as::<DemoFields>(submission, form, charset, &fields),
        Ask::Contact(message) => read_as::<Message>(submission, form, charset, &message),
    }
}

fn read_as<A: Asked>(
    submission: &Submission,
    form: &Form,
    charset: Charset,
    asked: &impl Serialize,
) -> Result<Submission> {
    let Some(texts) = decoded(&submission.unreadable, charset.name()) else {
        let rule = Rule::format("a charset in which all fields are text", "是所有字段都能以其解读的字符集");
        return Err(Domain::invalid("/charset", rule).into());
    };
    let names = Names { usual: A::USUAL_NAMES, own: &form.field_names };
    // What is stored stands under the names that Daybook knows already.
    let texts = names.known::<A>(texts);
    let mut fields = Map::new();
    for part in [object_of(&submission.enquiry)?, object_of(asked)?] {
        fields.extend(part.into_iter().filter(|(_, value)| !value.is_null()));
    }
    // Another text stood in for a message that couldn't be read.
    if texts.contains_key(MESSAGE) {
        fields.remove(MESSAGE);
    }
    let mut extra = fields.remove("extra").and_then(|extra| extra.as_object().cloned()).unwrap_or_default();
    for (name, text) in texts {
        match text {
            Value::Object(more) if name == "extra" => extra.extend(more),
            text if fields.contains_key(&name) => _ = extra.entry(name).or_insert(text),
            text => _ = fields.insert(name, text),
        }
    }
    fields.insert("extra".to_owned(), Value::Object(extra));
    let Intake { enquiry, asked, .. } = Intake::<A>::read(fields, &Map::new())?;
    let (demo, contact) = asked.into_ask().into_fields();
    let phone_e164 = enquiry.e164(form.phone_country.as_str());
    Ok(Submission { enquiry, demo, contact, phone_e164, unreadable: Map::new(), ..submission.clone() })
}

/// The charsets that pages are likely to be in, for fields whose charset is unknown.
const LIKELY: [Charset; 8] = [
    Charset::Gb18030,
    Charset::Big5,
    Charset::ShiftJis,
    Charset::EucJp,
    Charset::EucKr,
    Charset::Windows1251,
    Charset::Windows1252,
    Charset::Windows1250,
];

/// The most characters of what a reading says.
const SAYS: usize = 80;

/// A charset in which a post's unreadable fields are text, and what they say in it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reading {
    /// The charset.
    pub charset: Charset,
    /// The values, cut at 80 characters.
    pub says: String,
}

/// What the unreadable fields of a post may say.
pub fn readings(unreadable: &Map<String, Value>) -> Vec<Reading> {
    let reading = |charset: &Charset| {
        let texts = decoded(unreadable, charset.name())?;
        let says = texts.values().filter_map(Value::as_str).collect::<Vec<_>>().join(" · ");
        Some(Reading { charset: *charset, says: says.chars().take(SAYS).collect() })
    };
    if unreadable.is_empty() { Vec::new() } else { LIKELY.iter().filter_map(reading).collect() }
}
