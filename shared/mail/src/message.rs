//! The mail message: a sender, one recipient, a subject, plain text and HTML.

use daybook_domain::text::breaks_a_line;
use daybook_domain::{EmailAddress, Line};

/// The sender of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The display name.
    pub name: Line<120>,
    /// The address.
    pub address: EmailAddress,
}

impl Sender {
    /// The sender as a mail header; a name that isn't ASCII is an encoded word (RFC 2047).
    pub fn header(&self) -> String {
        let name: String = self.name.as_str().chars().filter(|c| !breaks_a_line(*c)).collect();
        if name.is_ascii() {
            format!("\"{}\" <{}>", name.replace(['\\', '"'], "'"), self.address)
        } else {
            format!("=?UTF-8?B?{}?= <{}>", aws_smithy_types::base64::encode(name), self.address)
        }
    }
}

/// The content of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The subject: one line, so nothing in it can become another header.
    pub subject: Line<300>,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The id of its delivery, `[A-Za-z0-9_-]`: sent as a tag, so that events can be matched.
    pub id: String,
    /// The sender.
    pub from: Sender,
    /// The recipient: one address.
    pub to: EmailAddress,
    /// The address for replies.
    pub reply_to: Option<EmailAddress>,
    /// The content.
    pub content: Content,
}
