//! The mailbox: the list of mails, with one of them opened beside it.

use super::{Shown, Visit, site};
use crate::DEFAULT_ORG;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "mailbox.html")]
struct MailboxPage {
    visit: Visit,
    mails: Vec<Listed>,
    open: Option<Opened>,
}

/// A mail in the list.
struct Listed {
    number: usize,
    subject: String,
    to: String,
    at: String,
}

/// The mail beside the list.
struct Opened {
    number: usize,
    subject: String,
    to: String,
    at: String,
    /// The pieces of its text, and whether each is a link.
    pieces: Vec<(String, bool)>,
}

#[derive(Deserialize)]
pub struct Asked {
    /// The number of the mail to open, from the oldest on.
    mail: Option<usize>,
}

/// The page; without a number it opens the newest mail.
pub async fn page(visit: Visit, State(shown): State<Shown>, Query(asked): Query<Asked>) -> Response {
    let times = shown.times(DEFAULT_ORG, &visit).await;
    let all = shown.outbox.mails();
    let newest = all.len().checked_sub(1);
    let number = asked.mail.filter(|number| *number < all.len()).or(newest);
    let open = number.and_then(|number| Some((number, all.get(number)?)));
    let open = open.map(|(number, mail)| Opened {
        number,
        subject: mail.subject.clone(),
        to: mail.to.clone(),
        at: times.written(mail.at),
        pieces: pieces(&mail.text, &shown.env.settings.public_url),
    });
    let listed = |(number, mail): (usize, daybook_jobs::mail::Caught)| Listed {
        number,
        at: times.written(mail.at),
        subject: mail.subject,
        to: mail.to,
    };
    let mails = all.into_iter().enumerate().rev().map(listed).collect();
    site(&MailboxPage { visit, mails, open })
}

/// A text in pieces, of which addresses of this server are links. Others, which visitors may have written, are none.
fn pieces(text: &str, own: &str) -> Vec<(String, bool)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(own) {
        let (before, link) = rest.split_at(at);
        let end = link.find(char::is_whitespace).unwrap_or(link.len());
        let (link, after) = link.split_at(end);
        // Another host may begin with the same letters.
        let is_own = matches!(link.as_bytes().get(own.len()), None | Some(b'/' | b'?' | b'#'));
        pieces.extend([(before.to_owned(), false), (link.to_owned(), is_own)]);
        rest = after;
    }
    pieces.push((rest.to_owned(), false));
    pieces
}
