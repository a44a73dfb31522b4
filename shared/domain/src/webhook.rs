//! Webhooks of form services: their answers as the fields of a form, under the names that the visitor saw.
//!
//! Typeform (<https://www.typeform.com/developers/webhooks/example-payload/>), Tally
//! (<https://tally.so/help/webhooks>) and Google Forms by Apps Script
//! (<https://developers.google.com/apps-script/guides/triggers/events>, `namedValues`). Contact Form 7's plugins post flat
//! fields already.

use crate::masking::NAME_BYTES;
use crate::text::breaks_a_line;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// What the services say of the message itself.
const ENVELOPE: [&str; 5] = ["event_id", "event_type", "eventId", "eventType", "createdAt"];

/// The fields of a posted JSON object: those of a form service's webhook with the texts beside them, or the object itself.
pub(crate) fn fields_of(posted: Map<String, Value>) -> Map<String, Value> {
    let adapted = typeform(&posted).or_else(|| tally(&posted)).or_else(|| google_forms(&posted));
    let Some(mut fields) = adapted else { return posted };
    let beside = posted
        .into_iter()
        .filter(|(name, value)| !value.is_object() && !value.is_array() && !ENVELOPE.contains(&name.as_str()));
    for (name, value) in beside {
        fields.entry(name).or_insert(value);
    }
    fields
}

/// `form_response`: answers by question, hidden fields and variables by name.
fn typeform(posted: &Map<String, Value>) -> Option<Map<String, Value>> {
    let response = posted.get("form_response")?.as_object()?;
    let answers = response.get("answers")?.as_array()?;
    let questions = response.get("definition").and_then(|definition| definition["fields"].as_array());
    let title =
        |question: &'_ Value| Some((question["id"].as_str()?.to_owned(), question["title"].as_str()?.to_owned()));
    let titles: HashMap<String, String> = questions.into_iter().flatten().filter_map(title).collect();
    let mut fields = Map::new();
    for answer in answers {
        let asked = &answer["field"];
        let id = asked["id"].as_str().unwrap_or_default();
        let names = [titles.get(id).map(String::as_str), asked["ref"].as_str(), Some(id)];
        let kind = answer["type"].as_str().unwrap_or_default();
        put(&mut fields, name_of(names), kind, labels(&answer[kind]));
    }
    for variable in response.get("variables").and_then(Value::as_array).into_iter().flatten() {
        let kind = variable["type"].as_str().unwrap_or_default();
        put(&mut fields, name_of([variable["key"].as_str(), None, None]), kind, variable[kind].clone());
    }
    if let Some(hidden) = response.get("hidden").and_then(Value::as_object) {
        for (name, value) in hidden {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    Some(fields)
}

/// `data.fields`: answers with their labels; choices are ids of options.
fn tally(posted: &Map<String, Value>) -> Option<Map<String, Value>> {
    let data = posted.get("data").filter(|_| posted.contains_key("eventType"))?;
    let mut fields = Map::new();
    for answer in data["fields"].as_array()? {
        let kind = match answer["type"].as_str().unwrap_or_default() {
            "INPUT_EMAIL" => "email",
            "INPUT_PHONE_NUMBER" => "phone_number",
            other => other,
        };
        let option = |option: &Value| Some((option["id"].as_str()?.to_owned(), option["text"].clone()));
        let options: HashMap<String, Value> =
            answer["options"].as_array().into_iter().flatten().filter_map(option).collect();
        let chosen = |id: &Value| id.as_str().and_then(|id| options.get(id)).unwrap_or(id).clone();
        let value = match &answer["value"] {
            Value::Array(ids) => ids.iter().map(chosen).collect(),
            value => chosen(value),
        };
        put(&mut fields, name_of([answer["label"].as_str(), answer["key"].as_str(), None]), kind, value);
    }
    Some(fields)
}

/// `namedValues`: for each question a list of answers.
fn google_forms(posted: &Map<String, Value>) -> Option<Map<String, Value>> {
    let named = posted.get("namedValues")?.as_object()?;
    let value = |answers: &Value| match answers.as_array().map(Vec::as_slice) {
        Some([one]) => one.clone(),
        _ => answers.clone(),
    };
    Some(named.iter().map(|(name, answers)| (name_of([Some(name), None, None]), value(answers))).collect())
}

/// The first of some names that is one, on one line and as long as a field's name may be.
fn name_of(names: [Option<&str>; 3]) -> String {
    let on_a_line = |name: &str| {
        let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut name: String = words.chars().filter(|c| !breaks_a_line(*c)).collect();
        while name.len() > NAME_BYTES {
            name.pop();
        }
        name
    };
    let mut names = names.into_iter().flatten().map(on_a_line);
    names.find(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
}

/// Adds an answer; those of questions with the same text become a list. A question's text says less of its kind than the
/// service does, so an address is `email`, whatever was asked.
fn put(fields: &mut Map<String, Value>, name: String, kind: &str, value: Value) {
    let known = match kind {
        "email" => Some("email"),
        "phone_number" => Some("phone"),
        _ => None,
    };
    let name = known.filter(|known| !fields.contains_key(*known)).map_or(name, str::to_owned);
    match fields.get_mut(&name) {
        _ if value.is_null() => {}
        None => _ = fields.insert(name, value),
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// The labels of a choice, or the value itself.
fn labels(value: &Value) -> Value {
    [&value["label"], &value["labels"], &value["other"]]
        .into_iter()
        .find(|label| !label.is_null())
        .unwrap_or(value)
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn adapted(posted: Value) -> Value {
        Value::Object(fields_of(posted.as_object().cloned().expect("an object")))
    }

    #[test]
    fn answers_of_form_services_become_fields() {
        let typeform = json!({"event_id": "x", "event_type": "form_response", "form_response": {
        "form_id": "lT4Z3j", "hidden": {"utm_source": "ads"},
        "definition": {"fields": [{"id": "a", "title": "Your name"}, {"id": "b", "title": "Where can we write to?"}, {"id": "c", "title": "Colours"}]},
        "answers": [
            {"type": "text", "text": "Ada Lovelace", "field": {"id": "a", "type": "short_text"}},
            {"type": "email", "email": "a@b.example", "field": {"id": "b", "type": "email"}},
            {"type": "choices", "choices": {"labels": ["red", "blue"]}, "field": {"id": "c", "type": "multiple_choice"}},
            {"type": "number", "number": 3, "field": {"id": "d", "ref": "seats", "type": "number"}}
        ]}});
        assert_eq!(
            adapted(typeform),
            json!({"Your name": "Ada Lovelace", "email": "a@b.example", "Colours": ["red", "blue"], "seats": 3, "utm_source": "ads"})
        );
        let tally = json!({"eventId": "x", "eventType": "FORM_RESPONSE", "data": {"fields": [
            {"key": "q1", "label": "Name", "type": "INPUT_TEXT", "value": "Ada"},
            {"key": "q2", "label": "Mail", "type": "INPUT_EMAIL", "value": "a@b.example"},
            {"key": "q3", "label": "Size", "type": "MULTIPLE_CHOICE", "value": ["o2"], "options": [{"id": "o1", "text": "S"}, {"id": "o2", "text": "L"}]},
            {"key": "q4", "label": "Skipped", "type": "INPUT_TEXT", "value": null}
        ]}});
        assert_eq!(adapted(tally), json!({"Name": "Ada", "email": "a@b.example", "Size": ["L"]}));
        let google = json!({"namedValues": {"姓名": ["张三"], "Email": ["a@b.example"], "Colours": ["red", "blue"]}});
        assert_eq!(adapted(google), json!({"姓名": "张三", "Email": "a@b.example", "Colours": ["red", "blue"]}));
        let twice = json!({"eventType": "x", "utm_source": "ads", "data": {"fields": [
            {"label": "Comment\n here", "type": "INPUT_TEXT", "value": "a"}, {"label": "Comment here", "type": "INPUT_TEXT", "value": "b"},
            {"label": " ", "key": "k", "type": "INPUT_TEXT", "value": "c"}, {"label": "长".repeat(300), "type": "INPUT_TEXT", "value": "d"}
        ]}});
        let long = "长".repeat(200);
        assert_eq!(adapted(twice), json!({"Comment here": ["a", "b"], "k": "c", long: "d", "utm_source": "ads"}));
        let flat = json!({"your-name": "Ada", "data": {"fields": []}});
        assert_eq!(adapted(flat.clone()), flat);
    }
}
