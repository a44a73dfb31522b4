//! What Daybook's own mails say, in Chinese and English. Compiled in; HTML is escaped.

use crate::Content;
use askama::Template;
use daybook_domain::intake::Enquiry;
use daybook_domain::lead::display_name;
use daybook_domain::{Line, Locale};

/// The mail that tells a visitor that their message arrived.
pub fn confirmation(enquiry: &Enquiry, organization: &Line<120>, locale: Locale) -> Result<Content, askama::Error> {
    let chinese = locale == Locale::Chinese;
    let parts = Confirmation {
        name: &name(enquiry),
        organization: organization.as_str(),
        requirements: requirements(enquiry),
        chinese,
    };
    let html = ConfirmationPage {
        name: parts.name,
        organization: parts.organization,
        requirements: parts.requirements,
        chinese,
    };
    let subject = match locale {
        Locale::Chinese => format!("我们已收到您的信息 - {organization}"),
        Locale::English => format!("We have your message - {organization}"),
    };
    Ok(Content { subject: line(&subject), text: parts.render()?, html: html.render()? })
}

/// The mail that tells a team of a new submission.
pub fn notification(enquiry: &Enquiry, lead_url: &str, locale: Locale) -> Result<Content, askama::Error> {
    let chinese = locale == Locale::Chinese;
    let rows = rows(enquiry, chinese);
    let parts =
        Notification { name: &name(enquiry), rows: &rows, requirements: requirements(enquiry), lead_url, chinese };
    let html = NotificationPage { name: parts.name, rows: &rows, requirements: parts.requirements, lead_url, chinese };
    let who = [Some(name(enquiry)), enquiry.company.as_ref().map(ToString::to_string)];
    let who = who.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let subject = match locale {
        Locale::Chinese => format!("新线索：{who}"),
        Locale::English => format!("New lead: {who}"),
    };
    Ok(Content { subject: line(&subject), text: parts.render()?, html: html.render()? })
}

#[derive(Template)]
#[template(path = "confirmation.txt")]
struct Confirmation<'a> {
    name: &'a str,
    organization: &'a str,
    requirements: &'a str,
    chinese: bool,
}

#[derive(Template)]
#[template(path = "confirmation.html")]
struct ConfirmationPage<'a> {
    name: &'a str,
    organization: &'a str,
    requirements: &'a str,
    chinese: bool,
}

#[derive(Template)]
#[template(path = "notification.txt")]
struct Notification<'a> {
    name: &'a str,
    rows: &'a [(&'static str, String)],
    requirements: &'a str,
    lead_url: &'a str,
    chinese: bool,
}

#[derive(Template)]
#[template(path = "notification.html")]
struct NotificationPage<'a> {
    name: &'a str,
    rows: &'a [(&'static str, String)],
    requirements: &'a str,
    lead_url: &'a str,
    chinese: bool,
}

fn name(enquiry: &Enquiry) -> String {
    display_name(enquiry.first_name.as_ref(), enquiry.last_name.as_ref(), &enquiry.email)
}

fn requirements(enquiry: &Enquiry) -> &str {
    enquiry.requirements.as_ref().map_or("", |text| text.as_str())
}

/// What is known of somebody, as lines of a table.
fn rows(enquiry: &Enquiry, chinese: bool) -> Vec<(&'static str, String)> {
    let e = enquiry;
    let all = [
        ("Address", "邮箱", Some(e.email.to_string())),
        ("Phone", "电话", e.phone.as_ref().map(|phone| phone.as_str().to_owned())),
        ("Company", "公司", e.company.as_ref().map(ToString::to_string)),
        ("Position", "职位", e.job_title.as_ref().map(ToString::to_string)),
        ("Industry", "行业", e.industry.map(|value| value.name().to_owned())),
        ("Company size", "公司规模", e.company_size.map(|value| value.name().to_owned())),
        ("Application", "应用领域", e.application_area.map(|value| value.name().to_owned())),
        ("Timeline", "项目时间", e.project_timeline.map(|value| value.name().to_owned())),
        ("Budget", "预算", e.budget_range.map(|value| value.name().to_owned())),
    ];
    all.into_iter().filter_map(|(en, zh, value)| Some((if chinese { zh } else { en }, value?))).collect()
}

/// A subject: its parts are lines already; it is cut where it would be too long.
fn line(text: &str) -> Line<300> {
    let short: String = text.chars().take(300).collect();
    Line::parse(&short).expect("made of lines, and not empty")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn enquiry(requirements: &str) -> Enquiry {
        daybook_domain::read::read(json!({
            "first_name": "<b>Ada</b>", "last_name": "Lovelace", "email": "ada@example.com", "company": "R&D",
            "requirements": requirements
        }))
        .expect("valid")
    }

    #[test]
    fn what_visitors_write_is_escaped_in_html_and_plain_in_text() {
        let content = notification(&enquiry("<script>alert(1)</script>"), "http://localhost/x", Locale::English)
            .expect("renders");
        assert!(!content.html.contains("<script>") && !content.html.contains("<b>Ada"), "{}", content.html);
        assert!(content.text.contains("<script>alert(1)</script>"), "{}", content.text);
        assert_eq!(content.subject.as_str(), "New lead: <b>Ada</b> Lovelace, R&D");
    }

    #[test]
    fn a_confirmation_speaks_the_visitors_language() {
        let name = Line::parse("Daybook").expect("a line");
        let chinese = confirmation(&enquiry("x"), &name, Locale::Chinese).expect("renders");
        let english = confirmation(&enquiry("x"), &name, Locale::English).expect("renders");
        assert!(chinese.text.contains("您好") && english.text.contains("Hello"), "{} {}", chinese.text, english.text);
    }
}
