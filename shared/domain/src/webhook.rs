//! Webhooks of form services: their answers as the fields of a form, under the names that the visitor saw.
//!
//! Typeform (<https://www.typeform.com/developers/webhooks/example-payload/>), Tally
//! (<https://tally.so/help/webhooks>) and Google Forms by Apps Script
//! (<https://developers.google.com/apps-script/guides/triggers/events>, `namedValues`). Contact Form 7's plugins post flat
//! fields already.

use serde_json::{Map, Value};

/// The fields of a posted JSON object: those of a form service's webhook, or the object itself.
pub(crate) fn fields_of(posted: Map<String, Value>) -> Map<String, Value> {
    let adapted = typeform(&posted).or_else(|| tally(&posted)).or_else(|| google_forms(&posted));
    adapted.unwrap_or(posted)
}

/// `form_response`: answers by question, and hidden fields by name.
fn typeform(posted: &Map<String, Value>) -> Option<Map<String, Value>> {
    let response = posted.get("form_response")?.as_object()?;
    let answers = response.get("answers")?.as_array()?;
    let questions = response.get("definition").and_then(|definition| definition["fields"].as_array());
    let mut fields = Map::new();
    for answer in answers {
        let asked = &answer["field"];
        let question = questions.into_iter().flatten().find(|question| question["id"] == asked["id"]);
        let title = question.and_then(|question| question["title"].as_str());
        let name = title.or(asked["ref"].as_str()).or(asked["id"].as_str()).unwrap_or_default();
        let kind = answer["type"].as_str().unwrap_or_default();
        put(&mut fields, name, kind, labels(&answer[kind]));
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
        let name = answer["label"].as_str().or(answer["key"].as_str()).unwrap_or_default();
        let kind = match answer["type"].as_str().unwrap_or_default() {
            "INPUT_EMAIL" => "email",
            "INPUT_PHONE_NUMBER" => "phone_number",
            other => other,
        };
        let options = answer["options"].as_array();
        let chosen =
            |id: &Value| options?.iter().find(|option| option["id"] == *id).map(|option| option["text"].clone());
        let value = match &answer["value"] {
            Value::Array(ids) if options.is_some() => {
                ids.iter().map(|id| chosen(id).unwrap_or_else(|| id.clone())).collect()
            }
            value => chosen(value).unwrap_or_else(|| value.clone()),
        };
        put(&mut fields, name, kind, value);
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
    Some(named.iter().map(|(name, answers)| (name.clone(), value(answers))).collect())
}

/// Adds an answer. A question's text says less of its kind than the service does, so an address is `email`, whatever was
/// asked.
fn put(fields: &mut Map<String, Value>, name: &str, kind: &str, value: Value) {
    let known = match kind {
        "email" => Some("email"),
        "phone_number" => Some("phone"),
        _ => None,
    };
    let name = known.filter(|known| !fields.contains_key(*known)).unwrap_or(name);
    if !value.is_null() {
        fields.entry(name.to_owned()).or_insert(value);
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
        let flat = json!({"your-name": "Ada", "data": {"fields": []}});
        assert_eq!(adapted(flat.clone()), flat);
    }
}
