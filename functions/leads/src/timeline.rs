//! A lead's timeline: its submissions, demonstrations and mails, the newest first.

use daybook_domain::demo::Demo;
use daybook_domain::submission::Submission;
use daybook_domain::{AnyId, DemoId, Error as Domain, LeadId, RecordType, Rule, SubmissionId, Timestamp};
use daybook_http::{Cx, Listed, PageQuery, Path, Result};
use daybook_intake::find_lead;
use daybook_store::Page;
use daybook_store::rows::delivery::{self, State};
use serde::{Deserialize, Serialize};

/// Something that happened with a lead.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TimelineEntry)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Moment {
    /// A form was posted.
    Submission {
        /// When.
        at: Timestamp,
        /// The post.
        submission: Box<Submission>,
    },
    /// A demonstration was asked for.
    Demo {
        /// When.
        at: Timestamp,
        /// The demonstration, as it is now.
        demo: Box<Demo>,
    },
    /// A mail went out, or didn't.
    Mail {
        /// When its state last changed.
        at: Timestamp,
        /// The mail.
        mail: SentMail,
    },
}

/// A mail about a lead.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SentMail {
    /// Which mail: `mail-confirmation` to the visitor, `mail-notification` to the team.
    pub kind: String,
    /// How far it has come.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// What the mail service calls it.
    pub remote_id: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// Something on the timeline, before it is read.
enum Mark {
    Submission(SubmissionId),
    Demo(DemoId),
    Mail(SentMail),
}

impl Mark {
    /// The timeline's order among things of one millisecond: what follows from another comes after it.
    fn name(&self) -> String {
        match self {
            Mark::Submission(id) => format!("1 {id}"),
            Mark::Demo(id) => format!("2 {id}"),
            Mark::Mail(mail) => format!("3 {} {}", mail.kind, mail.remote_id.as_deref().unwrap_or_default()),
        }
    }
}

/// Lists what happened with a lead, the newest first.
pub async fn timeline(cx: Cx, Path(id): Path<LeadId>, query: PageQuery) -> Result<Listed<Moment>> {
    let lead = find_lead(&cx, id).await?;
    let binding = format!("{}|timeline|{}", cx.org, lead.id);
    let mut marks = marks(&cx, lead.id).await?;
    if let Some(cursor) = &query.cursor {
        let place = cx.open_place(cursor, &binding)?;
        let (at, name) = place.split_once('|').ok_or_else(|| Domain::query("cursor", Rule::Cursor))?;
        marks.retain(|(when, mark)| (when.to_string().as_str(), mark.name().as_str()) < (at, name));
    }
    let more = marks.len() > query.limit;
    marks.truncate(query.limit);
    let last = marks.last().filter(|_| more);
    let next = last.map(|(at, mark)| cx.seal_place(&format!("{at}|{}", mark.name()), &binding));
    Ok(Listed(Page::of(read(&cx, marks).await?, query.limit, next)))
}

async fn marks(cx: &Cx, lead: LeadId) -> Result<Vec<(Timestamp, Mark)>> {
    let (submissions, demos, mails) = tokio::try_join!(
        cx.children(lead, RecordType::Submission),
        cx.children(lead, RecordType::Demo),
        delivery::about(&cx.env, cx.org, lead.into()),
    )?;
    let submissions = submissions.into_iter().filter_map(|id| SubmissionId::try_from(id).ok());
    let demos = demos.into_iter().filter_map(|id| DemoId::try_from(id).ok());
    let mut marks: Vec<(Timestamp, Mark)> = submissions
        .map(|id| (id.time(), Mark::Submission(id)))
        .chain(demos.map(|id| (id.time(), Mark::Demo(id))))
        .chain(mails.into_iter().map(|(kind, row)| {
            let mail = SentMail {
                kind,
                state: row.state,
                attempts: row.attempts,
                remote_id: row.remote_id,
                last_error: row.last_error,
            };
            (row.updated_at, Mark::Mail(mail))
        }))
        .collect();
    marks.sort_by_cached_key(|(at, mark)| std::cmp::Reverse((*at, mark.name())));
    Ok(marks)
}

/// Reads what a page shows. What was deleted meanwhile is left out.
async fn read(cx: &Cx, marks: Vec<(Timestamp, Mark)>) -> Result<Vec<Moment>> {
    let submissions = marks.iter().filter_map(|(_, mark)| match mark {
        Mark::Submission(id) => Some(AnyId::from(*id)),
        Mark::Demo(_) | Mark::Mail(_) => None,
    });
    let demos = marks.iter().filter_map(|(_, mark)| match mark {
        Mark::Demo(id) => Some(AnyId::from(*id)),
        Mark::Submission(_) | Mark::Mail(_) => None,
    });
    let (mut submissions, mut demos) =
        tokio::try_join!(cx.records::<Submission>(submissions), cx.records::<Demo>(demos))?;
    let moment = |(at, mark)| match mark {
        Mark::Submission(id) => {
            let submission = Box::new(submissions.remove(&id.into())?);
            Some(Moment::Submission { at, submission })
        }
        Mark::Demo(id) => Some(Moment::Demo { at, demo: Box::new(demos.remove(&id.into())?) }),
        Mark::Mail(mail) => Some(Moment::Mail { at, mail }),
    };
    Ok(marks.into_iter().filter_map(moment).collect())
}
