//! Parsing of phone numbers to E.164, with the country of the record's form, or else of the organisation.

use daybook_domain::form::Form;
use daybook_domain::organization::Organization;
use daybook_domain::{Phone, Record};
use daybook_store::{Cx, Result};

/// The record with its phone number in E.164, if the number has changed.
pub(crate) async fn dialled<T: Record>(cx: &Cx, before: Option<&T>, mut after: T) -> Result<T> {
    if after.phone() == before.and_then(Record::phone) {
        return Ok(after);
    }
    let number = match after.phone() {
        Some(phone) if phone.names_its_country() => phone.e164(Phone::DEFAULT_COUNTRY),
        Some(phone) => phone.e164(&country(cx, &after).await?),
        None => None,
    };
    after.set_e164(number);
    Ok(after)
}

/// A number that a user gives, in the form in which numbers are compared.
pub async fn compared(cx: &Cx, phone: &Phone) -> Result<Option<String>> {
    let number = match phone.names_its_country() {
        true => phone.e164(Phone::DEFAULT_COUNTRY),
        false => phone.e164(&country_of_organization(cx).await?),
    };
    Ok(phone.compared(number.as_deref()))
}

async fn country(cx: &Cx, record: &impl Record) -> Result<String> {
    if let Some(form) = record.form()
        && let Some(form) = cx.find_often::<Form>(form).await?
    {
        return Ok(form.phone_country.as_str().to_owned());
    }
    country_of_organization(cx).await
}

async fn country_of_organization(cx: &Cx) -> Result<String> {
    let organization = cx.find_often::<Organization>(cx.org).await?;
    Ok(organization.map_or_else(|| Phone::DEFAULT_COUNTRY.to_owned(), |found| found.phone_country.as_str().to_owned()))
}
