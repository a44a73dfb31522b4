//! HubSpot's endpoints for property definitions.

use super::contacts::Account;
use super::problem::Problem;
use super::properties::{MOST_UNIQUE, Property};
use super::reply::Reply;
use serde_json::{Value, json};

/// Lists all properties.
pub(super) fn list(account: &Account) -> Reply {
    let all: Vec<Value> = account.properties().map(Property::json).collect();
    Reply::json(200, &json!({"results": all}))
}

/// Reads a property.
pub(super) fn read(account: &Account, name: &str) -> Result<Reply, Problem> {
    let Some(property) = account.property(name) else {
        let problem = Problem::new(404, format!("Property \"{name}\" does not exist"));
        return Err(problem.with("category", json!("OBJECT_NOT_FOUND")));
    };
    Ok(Reply::json(200, &property.json()))
}

/// Defines a custom property.
pub(super) fn define(account: &mut Account, body: &Value) -> Result<Reply, Problem> {
    if !account.may_define {
        return Err(Problem::missing_scope("crm.schemas.contacts.write"));
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let required = ["name", "label", "type", "fieldType", "groupName"];
    let missing: Vec<&str> = required.into_iter().filter(|name| text(name).is_empty()).collect();
    if !missing.is_empty() {
        return Err(Problem::validation(format!("Some required fields were not set: [{}]", missing.join(", "))));
    }
    let name = text("name");
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if !name.starts_with(|letter: char| letter.is_ascii_lowercase()) || !name.chars().all(fits) || name.len() > 100 {
        return Err(Problem::validation(format!("'{name}' isn't a valid internal name of a property.")));
    }
    if account.property(&name).is_some() {
        return Err(Problem::new(409, format!("A property named '{name}' already exists."))
            .with("category", json!("OBJECT_ALREADY_EXISTS"))
            .with("subCategory", json!("Properties.PROPERTY_WITH_NAME_EXISTS")));
    }
    let unique = body["hasUniqueValue"] == true;
    let count = account.properties().filter(|property| property.custom && property.unique).count();
    if unique && count >= MOST_UNIQUE {
        return Err(Problem::validation(format!(
            "Contacts have {count} unique properties; {MOST_UNIQUE} are allowed."
        )));
    }
    let options = body["options"].as_array().into_iter().flatten();
    let property = Property {
        unique,
        label: text("label"),
        group: text("groupName"),
        kind: text("type"),
        field: text("fieldType"),
        description: text("description"),
        options: options.filter_map(|option| option["value"].as_str()).map(str::to_owned).collect(),
        ..Property::text(&name)
    };
    let reply = Reply::json(201, &property.json());
    account.define(property);
    Ok(reply)
}
