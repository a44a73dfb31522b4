//! Mail templates: the contents of Daybook's mails in Chinese and English. Compiled in; HTML is escaped.

use crate::Content;
use crate::shown::without_link;
use askama::Template;
use daybook_domain::ask::Ask;
use daybook_domain::label;
use daybook_domain::person::name_of;
use daybook_domain::submission::{Finding, Submission};
use daybook_domain::text::breaks_a_line;
use daybook_domain::{Line, Locale};

/// The mail that confirms to a visitor that a form was received, at a time in words.
///
/// Its recipient isn't proven, so it holds nothing of what was posted: a form could otherwise send any text to any
/// address.
pub fn confirmation(ask: &Ask, time: &str, organization: &Line<120>, locale: Locale) -> Result<Content, askama::Error> {
    let chinese = locale == Locale::Chinese;
    let organization = without_link(organization.as_str());
    let (what, follows) = match (ask, chinese) {
        (Ask::Lead, false) => ("enquiry", "contact you"),
        (Ask::Lead, true) => ("咨询", "与您联系"),
        (Ask::Demo(_), false) => ("demo request", "confirm a time with you"),
        (Ask::Demo(_), true) => ("演示预约", "与您确认时间"),
        (Ask::Contact(_), false) => ("message", "reply"),
        (Ask::Contact(_), true) => ("留言", "回复您"),
    };
    let (subject, says, below) = if chinese {
        (
            format!("我们已收到您的{what}"),
            format!("感谢您联系{}。我们已于{time}收到您的{what}，会尽快{follows}。", organization.unwrap_or("我们")),
            "如果这不是您本人提交的，请忽略此邮件。",
        )
    } else {
        (
            format!("We received your {what}"),
            format!(
                "Thank you for contacting {}. We received your {what} on {time} and will {follows} soon.",
                organization.unwrap_or("us")
            ),
            "If you didn't send it, ignore this mail.",
        )
    };
    let text = Account { name: None, organization, says: &says, link: None, below, chinese }.render()?;
    let html = AccountPage { name: None, organization, says: &says, link: None, below, chinese }.render()?;
    Ok(Content { subject: line(&signed(&subject, organization)), text, html })
}

/// The mail that notifies the team of a new submission.
pub fn notification(submission: &Submission, lead_url: &str, locale: Locale) -> Result<Content, askama::Error> {
    let chinese = locale == Locale::Chinese;
    let enquiry = &submission.enquiry;
    let (name, wrote, rows) = (enquiry.display_name(), wrote(submission), rows(submission, locale));
    let what = match (submission.ask(), locale) {
        (Ask::Lead, _) if submission.is_of_known_lead() => locale.pick("Another post of a lead", "已有线索再次提交"),
        (Ask::Lead, Locale::English | Locale::Unknown(_)) => "New lead",
        (Ask::Lead, Locale::Chinese) => "新线索",
        (Ask::Demo(_), Locale::English | Locale::Unknown(_)) => "Demo request",
        (Ask::Demo(_), Locale::Chinese) => "演示预约",
        (Ask::Contact(_), Locale::English | Locale::Unknown(_)) => "New message",
        (Ask::Contact(_), Locale::Chinese) => "新留言",
    };
    let (colon, comma) = if chinese { ("：", "，") } else { (": ", ", ") };
    let heading = format!("{what}{colon}{name}");
    let text = Notification { heading: &heading, rows: &rows, wrote: &wrote, lead_url }.render()?;
    let html = NotificationPage { heading: &heading, rows: &rows, wrote: &wrote, lead_url, chinese }.render()?;
    let about = submission.contact.as_ref().and_then(|message| message.subject.as_ref()).map(ToString::to_string);
    let company = enquiry.company.as_ref().map(ToString::to_string);
    let subject = [Some(heading), company, about].into_iter().flatten().collect::<Vec<_>>().join(comma);
    Ok(Content { subject: line(&subject), text, html })
}

/// The digest of held posts, each with the address of its page. There may be more than it lists.
pub fn held(
    posts: &[Submission],
    has_more: bool,
    url: impl Fn(&Submission) -> String,
    locale: Locale,
) -> Result<Content, askama::Error> {
    let heading = match posts.len() {
        count if has_more => {
            locale.pick(format!("More than {count} posts are held"), format!("有超过 {count} 条提交被拦截"))
        }
        1 => locale.pick("A post is held".to_owned(), "有一条提交被拦截".to_owned()),
        count => locale.pick(format!("{count} posts are held"), format!("有 {count} 条提交被拦截")),
    };
    let says = locale.pick(
        "They failed a check, so they became no leads, and nothing was sent to the visitors. Release or reject each on its \
         page; released ones go on as if they had never been held.",
        "以下提交未通过检查，因此没有生成线索，也没有给访客发送邮件。请在各自的页面上放行或拒绝；放行后的处理与从未拦截时相同。",
    );
    let row = |post: &Submission| {
        let called = |finding: &Finding| label::of_value("check", finding.check.name(), locale).to_owned();
        let checks: Vec<String> = post.screening.iter().map(called).collect();
        let who = match &post.enquiry.email {
            Some(email) => format!("{} <{email}>", post.enquiry.display_name()),
            None => post.enquiry.display_name(),
        };
        (who, checks.join(locale.pick(", ", "、")), url(post))
    };
    let posts: Vec<(String, String, String)> = posts.iter().map(row).collect();
    let chinese = locale == Locale::Chinese;
    let text = Held { heading: &heading, says, posts: &posts }.render()?;
    let html = HeldPage { heading: &heading, says, posts: &posts, chinese }.render()?;
    Ok(Content { subject: line(&heading), text, html })
}

/// The mails about a user's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountMail {
    /// Asks the user to confirm an e-mail address.
    Verification,
    /// Links to the page for choosing a new password.
    PasswordReset,
    /// Reports a changed password.
    PasswordChanged,
    /// Reports that another e-mail address is to be confirmed.
    AddressToChange,
    /// Reports a changed e-mail address.
    AddressChanged,
    /// Invites a person to an organisation.
    Invitation,
}

impl AccountMail {
    /// The subject, the text above the link, and the text below it.
    fn words(self, locale: Locale) -> (&'static str, &'static str, &'static str) {
        match (self, locale) {
            (AccountMail::Verification, Locale::English | Locale::Unknown(_)) => (
                "Confirm your e-mail address",
                "Please confirm that this is your e-mail address:",
                "The link is valid for a week. If you didn't register, ignore this mail.",
            ),
            (AccountMail::Verification, Locale::Chinese) => {
                ("请确认您的邮箱", "请点击以下链接确认您的邮箱：", "链接一周内有效。如果您没有注册，请忽略此邮件。")
            }
            (AccountMail::PasswordReset, Locale::English | Locale::Unknown(_)) => (
                "Choose a new password",
                "We received a request to reset your password. Choose a new password here:",
                "The link works once, within an hour. If this wasn't you, ignore this mail; your password stays the same.",
            ),
            (AccountMail::PasswordReset, Locale::Chinese) => (
                "重置您的密码",
                "我们收到了重置您密码的请求。请点击以下链接设置新密码：",
                "链接一小时内有效，且只能使用一次。如果不是您本人操作，请忽略此邮件，您的密码不会改变。",
            ),
            (AccountMail::PasswordChanged, Locale::English | Locale::Unknown(_)) => (
                "Your password was changed",
                "Your password was just changed, and other devices were signed out.",
                "If this wasn't you, reset your password at once and contact your administrator.",
            ),
            (AccountMail::PasswordChanged, Locale::Chinese) => (
                "您的密码已修改",
                "您的密码刚刚被修改，其他设备已退出登录。",
                "如果不是您本人操作，请立即重置密码并联系管理员。",
            ),
            (AccountMail::AddressToChange, Locale::English | Locale::Unknown(_)) => (
                "Another e-mail address for your account",
                "Another e-mail address was entered for your account. It replaces this one once it is confirmed.",
                "If neither you nor your administrator did this, change your password and contact your administrator.",
            ),
            (AccountMail::AddressToChange, Locale::Chinese) => (
                "您的账户将更换邮箱",
                "您的账户填写了新的邮箱，新邮箱确认后将取代当前邮箱。",
                "如果不是您本人或管理员操作，请立即修改密码并联系管理员。",
            ),
            (AccountMail::AddressChanged, Locale::English | Locale::Unknown(_)) => (
                "Your e-mail address was changed",
                "The e-mail address of your account was just changed, and all devices were signed out.",
                "If neither you nor your administrator did this, contact your administrator at once.",
            ),
            (AccountMail::AddressChanged, Locale::Chinese) => (
                "您的邮箱已修改",
                "您账户的邮箱刚刚被修改，所有设备均已退出登录。",
                "如果不是您本人或管理员操作，请立即联系管理员。",
            ),
            (AccountMail::Invitation, Locale::English | Locale::Unknown(_)) => {
                ("You are invited", "Accept the invitation here:", "The link is valid for a week and works once.")
            }
            (AccountMail::Invitation, Locale::Chinese) => {
                ("邀请您加入", "请点击以下链接接受邀请：", "链接一周内有效，且只能使用一次。")
            }
        }
    }
}

/// The mails about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskMail {
    /// Tells the assignee of a new task.
    Assigned,
    /// Reminds the assignee of a task.
    Reminder,
}

/// The details of a task in a mail.
#[derive(Clone, Copy, Debug)]
pub struct TaskDetails<'a> {
    /// The title; none if it isn't shown.
    pub title: Option<&'a str>,
    /// The due time in words, with its time zone.
    pub due: Option<&'a str>,
    /// The URL of the task.
    pub url: &'a str,
}

/// Writes a mail about a task. The name is that of the greeting.
pub fn task(
    mail: TaskMail,
    name: Option<&str>,
    organization: &Line<120>,
    task: &TaskDetails<'_>,
    locale: Locale,
) -> Result<Content, askama::Error> {
    let chinese = locale == Locale::Chinese;
    let (subject, says) = match (mail, chinese) {
        (TaskMail::Assigned, false) => ("A task for you: ", "This task was assigned to you: "),
        (TaskMail::Assigned, true) => ("新任务：", "以下任务已分配给您："),
        (TaskMail::Reminder, false) => ("Reminder: ", "You asked to be reminded of this task: "),
        (TaskMail::Reminder, true) => ("任务提醒：", "您设置了以下任务的提醒："),
    };
    let due = match (task.due, chinese) {
        (Some(due), false) => format!("Due: {due}"),
        (Some(due), true) => format!("截止时间：{due}"),
        (None, _) => String::new(),
    };
    let titled = |words: &str| match task.title {
        Some(title) => format!("{words}{title}"),
        None => words.trim_end_matches([':', ' ', '：']).to_owned(),
    };
    let says = titled(says);
    let organization = without_link(organization.as_str());
    let text = Account { name, organization, says: &says, link: Some(task.url), below: &due, chinese }.render()?;
    let html = AccountPage { name, organization, says: &says, link: Some(task.url), below: &due, chinese }.render()?;
    Ok(Content { subject: line(&titled(subject)), text, html })
}

/// Writes a mail about a user's account, with its link, if it has one. The name is that of the greeting.
pub fn account(
    mail: AccountMail,
    name: Option<&str>,
    organization: &Line<120>,
    link: Option<&str>,
    locale: Locale,
) -> Result<Content, askama::Error> {
    let chinese = locale == Locale::Chinese;
    let (subject, says, below) = mail.words(locale);
    let organization = without_link(organization.as_str());
    let text = Account { name, organization, says, below, link, chinese }.render()?;
    let html = AccountPage { name, organization, says, below, link, chinese }.render()?;
    Ok(Content { subject: line(&signed(subject, organization)), text, html })
}

/// Writes an invitation by a user, whose name may be empty, or by the operator of the deployment.
///
/// Its recipient isn't proven: names are shown only if they hold no link, and the recipient's name, which the inviter
/// typed, isn't shown.
pub fn invitation(
    inviter: Option<&str>,
    organization: &Line<120>,
    link: &str,
    locale: Locale,
) -> Result<Content, askama::Error> {
    let chinese = locale == Locale::Chinese;
    let (subject, says, below) = AccountMail::Invitation.words(locale);
    let organization = without_link(organization.as_str());
    let joins = organization.unwrap_or(locale.pick("an organization", "一家企业"));
    let inviter = inviter.map(|name| without_link(name).unwrap_or(locale.pick("A colleague", "一位同事")));
    let says = match (inviter, chinese) {
        (Some(inviter), false) => format!("{inviter} invites you to join {joins} in Daybook. {says}"),
        (Some(inviter), true) => format!("{inviter}邀请您加入 Daybook 中的{joins}。{says}"),
        (None, false) => format!("You are invited to join {joins} in Daybook. {says}"),
        (None, true) => format!("您受邀加入 Daybook 中的{joins}。{says}"),
    };
    let text = Account { name: None, organization, says: &says, link: Some(link), below, chinese }.render()?;
    let html = AccountPage { name: None, organization, says: &says, link: Some(link), below, chinese }.render()?;
    Ok(Content { subject: line(&signed(subject, organization)), text, html })
}

/// A subject with the organisation's name, if that is shown.
fn signed(subject: &str, organization: Option<&str>) -> String {
    organization.map_or_else(|| subject.to_owned(), |organization| format!("{subject} - {organization}"))
}

#[derive(Template)]
#[template(path = "account.txt")]
struct Account<'a> {
    name: Option<&'a str>,
    organization: Option<&'a str>,
    says: &'a str,
    below: &'a str,
    link: Option<&'a str>,
    chinese: bool,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    name: Option<&'a str>,
    organization: Option<&'a str>,
    says: &'a str,
    below: &'a str,
    link: Option<&'a str>,
    chinese: bool,
}

#[derive(Template)]
#[template(path = "held.txt")]
struct Held<'a> {
    heading: &'a str,
    says: &'a str,
    posts: &'a [(String, String, String)],
}

#[derive(Template)]
#[template(path = "held.html")]
struct HeldPage<'a> {
    heading: &'a str,
    says: &'a str,
    posts: &'a [(String, String, String)],
    chinese: bool,
}

#[derive(Template)]
#[template(path = "notification.txt")]
struct Notification<'a> {
    heading: &'a str,
    rows: &'a [(String, String)],
    wrote: &'a str,
    lead_url: &'a str,
}

#[derive(Template)]
#[template(path = "notification.html")]
struct NotificationPage<'a> {
    heading: &'a str,
    rows: &'a [(String, String)],
    wrote: &'a str,
    lead_url: &'a str,
    chinese: bool,
}

/// What the visitor wrote in free text.
fn wrote(submission: &Submission) -> String {
    let special = submission.demo.as_ref().and_then(|demo| demo.special_requirements.as_ref());
    let message = submission.contact.as_ref().map(|contact| &contact.message);
    let texts = [message, special, submission.enquiry.requirements.as_ref()];
    texts.into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

/// The most characters of a field that no type knows in a mail.
const SHOWN: usize = 1_000;

/// The visitor's data, as labelled rows of a table. What differs from a known lead's is marked.
fn rows(submission: &Submission, locale: Locale) -> Vec<(String, String)> {
    let e = &submission.enquiry;
    let demo = submission.demo.as_ref();
    let zone = demo.and_then(|demo| demo.timezone.as_ref());
    let date = demo.and_then(|demo| demo.preferred_date.as_ref());
    let products = demo.and_then(|demo| demo.interested_products.as_ref());
    let subject = submission.contact.as_ref().and_then(|message| message.subject.as_ref());
    let differs = |field: &str| submission.differs.iter().any(|one| one == field);
    let text = |line: &Option<Line<100>>| line.as_ref().map(ToString::to_string);
    let name = name_of(e.first_name.as_ref(), e.last_name.as_ref());
    // The heading has the name already.
    let name = Some(name).filter(|name| !name.is_empty() && (differs("first_name") || differs("last_name")));
    let date = date.map(|date| date.written(zone, locale));
    let attendees = demo.and_then(|demo| demo.attendees_count).map(|count| count.to_string());
    let products = products.map(|products| products.joined(locale.pick(", ", "、")));
    let owned = |value: &str| value.to_owned();
    let known = [
        ("email", e.email.as_ref().map(ToString::to_string)),
        ("phone", e.phone.as_ref().map(|phone| phone.as_str().to_owned())),
        ("company", e.company.as_ref().map(ToString::to_string)),
        ("job_title", text(&e.job_title)),
        ("subject", subject.map(ToString::to_string)),
        ("demo_type", demo.map(|demo| owned(demo.demo_type.unwrap_or_default().name()))),
        ("preferred_date", date),
        ("attendees_count", attendees),
        ("interested_products", products),
        ("industry", e.industry.map(|value| owned(value.name()))),
        ("company_size", e.company_size.map(|value| owned(value.name()))),
        ("application_area", e.application_area.map(|value| owned(value.name()))),
        ("project_timeline", e.project_timeline.map(|value| owned(value.name()))),
        ("budget_range", e.budget_range.map(|value| owned(value.name()))),
    ];
    let colon = locale.pick(": ", "：");
    let marked = |value: String, differs: bool| match differs {
        true => format!("{value}{}", locale.pick(" (not on the lead)", "（未写入线索）")),
        false => value,
    };
    // Only a name that differs is among the rows.
    let name = name.map(|name| (format!("{}{colon}", locale.pick("Name", "姓名")), marked(name, true)));
    let known = known.into_iter().filter_map(|(field, value)| {
        let label = label::of_field(field, locale).unwrap_or(field);
        let value = label::of_value(field, &value?, locale).to_owned();
        Some((format!("{label}{colon}"), marked(value, differs(field))))
    });
    let others = e.extra.iter().map(|(name, value)| {
        let value: String = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let shown: String = value.chars().take(SHOWN).collect();
        let shown = if shown.len() < value.len() { format!("{shown}…") } else { shown };
        (format!("{name}{colon}"), marked(shown, differs(&format!("extra/{name}"))))
    });
    let unreadable = submission.unreadable.keys().map(|name| {
        let why = locale.pick("not in a known charset; see the submission", "字符集无法识别，请查看提交记录");
        (format!("{name}{colon}"), why.to_owned())
    });
    name.into_iter().chain(known).chain(others).chain(unreadable).collect()
}

/// A subject line, cut at 300 characters. Its parts are single lines, but those of earlier versions may have characters
/// that change the direction of text.
fn line(text: &str) -> Line<300> {
    let short: String = text.chars().filter(|c| !breaks_a_line(*c)).take(300).collect();
    Line::parse(&short).expect("made of lines, and not empty")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn submission(requirements: &str) -> Submission {
        serde_json::from_value(json!({
            "id": "sub_01jd2h6q8e5k9v4m3n7p1r0stw", "version": 1, "status": "accepted", "screening": [],
            "created_at": "2026-11-20T12:00:00Z", "updated_at": "2026-11-20T12:00:00Z",
            "enquiry": {
                "first_name": "<b>Ada</b>", "last_name": "Lovelace", "email": "ada@example.com", "company": "R&D",
                "requirements": requirements
            }
        }))
        .expect("a submission")
    }

    #[test]
    fn what_visitors_write_is_escaped_in_html_and_plain_in_text() {
        let content = notification(&submission("<script>alert(1)</script>"), "http://localhost/x", Locale::English)
            .expect("renders");
        assert!(!content.html.contains("<script>") && !content.html.contains("<b>Ada"), "{}", content.html);
        assert!(content.text.contains("<script>alert(1)</script>"), "{}", content.text);
        assert_eq!(content.subject.as_str(), "New lead: <b>Ada</b> Lovelace, R&D");
    }

    #[test]
    fn a_chinese_notification_has_chinese_values_and_dates() {
        let mut submission = submission("需要巡检方案");
        submission.enquiry.industry = Some(daybook_domain::enquiry::Industry::PowerGrid);
        submission.demo = serde_json::from_value(json!({
            "demo_type": "onsite", "preferred_date": "2026-11-29T14:30", "timezone": "Asia/Shanghai",
            "interested_products": ["无人机", "机库"]
        }))
        .expect("a demo");
        let text = notification(&submission, "http://localhost/x", Locale::Chinese).expect("renders").text;
        for row in [
            "演示方式：上门",
            "期望时间：2026年11月29日 14:30（Asia/Shanghai）",
            "感兴趣的产品：无人机、机库",
            "行业：电网",
        ] {
            assert!(text.contains(row), "{row} in {text}");
        }
        let text = notification(&submission, "http://localhost/x", Locale::English).expect("renders").text;
        for row in ["Type of demo: On site", "Preferred date: 2026-11-29 14:30 (Asia/Shanghai)", "Industry: Power grid"]
        {
            assert!(text.contains(row), "{row} in {text}");
        }
    }

    #[test]
    fn a_confirmation_says_what_was_received_in_the_visitors_language() {
        let name = Line::parse("Daybook").expect("a line");
        let check = |ask: &Ask, locale: Locale, subject: &str, says: &str| {
            let content = confirmation(ask, "noon", &name, locale).expect("renders");
            assert_eq!(content.subject.as_str(), subject);
            assert!(content.text.contains(says) && content.html.contains(says), "{}", content.text);
        };
        let (mut demo, mut message) = (submission("x"), submission("x"));
        demo.demo = serde_json::from_value(json!({"special_requirements": "https://evil.example"})).expect("a demo");
        message.contact = serde_json::from_value(json!({"message": "https://evil.example"})).expect("a message");
        let (demo, message) = (demo.ask(), message.ask());
        let english = "Thank you for contacting Daybook. We received your enquiry on noon and will contact you soon.";
        check(&Ask::Lead, Locale::English, "We received your enquiry - Daybook", english);
        check(&Ask::Lead, Locale::Chinese, "我们已收到您的咨询 - Daybook", "感谢您联系Daybook。");
        check(&demo, Locale::English, "We received your demo request - Daybook", "will confirm a time with you soon.");
        check(&demo, Locale::Chinese, "我们已收到您的演示预约 - Daybook", "会尽快与您确认时间。");
        check(&message, Locale::English, "We received your message - Daybook", "will reply soon.");
        check(&message, Locale::Chinese, "我们已收到您的留言 - Daybook", "会尽快回复您。");
    }

    #[test]
    fn names_with_links_are_replaced_in_mails_to_unproven_addresses() {
        let organization = Line::parse("Win at evil.example").expect("a line");
        let link = "http://localhost/x";
        let english = invitation(Some("www.evil"), &organization, link, Locale::English).expect("renders");
        let says = "A colleague invites you to join an organization in Daybook.";
        assert!(english.text.contains(says), "{}", english.text);
        assert_eq!(english.subject.as_str(), "You are invited");
        let chinese = invitation(Some(""), &organization, link, Locale::Chinese).expect("renders");
        assert!(chinese.text.contains("一位同事邀请您加入 Daybook 中的一家企业。"), "{}", chinese.text);
        let confirmed = confirmation(&Ask::Lead, "noon", &organization, Locale::English).expect("renders");
        for content in [english, chinese, confirmed] {
            assert!(!format!("{content:?}").contains("evil"), "{content:?}");
        }
        let organization = Line::parse("R&D").expect("a line");
        let named = invitation(Some("Ada"), &organization, link, Locale::English).expect("renders");
        assert!(named.text.contains("Ada invites you to join R&D in Daybook."), "{}", named.text);
    }

    #[test]
    fn a_subject_has_no_characters_that_change_the_direction_of_text() {
        let mut submission = submission("x");
        submission.enquiry.company = serde_json::from_value(json!("a\u{202e}b")).expect("a stored line");
        let content = notification(&submission, "http://localhost/x", Locale::English).expect("renders");
        assert_eq!(content.subject.as_str(), "New lead: <b>Ada</b> Lovelace, ab");
    }
}
