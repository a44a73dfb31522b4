//! A mail: one sender, one addressee, text and HTML.

use daybook_domain::{EmailAddress, Line};

/// Who a mail is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The name shown.
    pub name: Line<120>,
    /// The address.
    pub address: EmailAddress,
}

impl Sender {
    /// The sender as a mail header has it; a name outside ASCII as an encoded word (RFC 2047).
    pub fn header(&self) -> String {
        let name = self.name.as_str();
        if name.is_ascii() {
            format!("\"{}\" <{}>", name.replace(['\\', '"'], "'"), self.address)
        } else {
            format!("=?UTF-8?B?{}?= <{}>", aws_smithy_types::base64::encode(name), self.address)
        }
    }
}

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The subject: one line, so nothing in it can become another header.
    pub subject: Line<300>,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The id of its delivery, `[A-Za-z0-9_-]`: goes along as a tag, so that events can be matched.
    pub id: String,
    /// From whom.
    pub from: Sender,
    /// To whom: one address.
    pub to: EmailAddress,
    /// Where answers go.
    pub reply_to: Option<EmailAddress>,
    /// What it says.
    pub content: Content,
}
