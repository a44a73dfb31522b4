//! Releasing a held submission: accepts it, and creates or joins its lead.

use crate::accept::form_by_id;
use crate::decide::{is_outrun, known, makes, zone_of};
use daybook_domain::submission::{Submission, Verdict};
use daybook_domain::{Conflict, Error as Domain, FormId, SubmissionId};
use daybook_http::{Cx, Result};
use daybook_records::{Draft, updated};
use daybook_store::{Reply, Tx};

/// The maximum number of attempts when other requests are faster.
const DECISIONS: usize = 20;

/// Accepts a held submission. It creates its lead under the id that the visitor received, or joins the lead that
/// has its address by now. An accepted submission is returned unchanged.
pub async fn release<R: Reply>(
    cx: &Cx,
    id: SubmissionId,
    if_match: Option<u64>,
    reply: impl Fn(Submission) -> R,
) -> Result<R> {
    for _ in 0..DECISIONS {
        let before = cx.get::<Submission>(id).await?;
        if if_match.is_some_and(|version| version != before.version) {
            return Err(Domain::Stale { version: before.version, current: Default::default() }.into());
        }
        if before.status == Verdict::Accepted {
            return Ok(reply(before.into_inner()));
        }
        let form = form_by_id(cx, before.form_id.unwrap_or(FormId::default_of(cx.org))).await?;
        // The submission it follows may have been released in the meantime.
        let earlier = match before.follows {
            Some(earlier) => cx.find::<Submission>(earlier).await?.and_then(|earlier| earlier.lead_id),
            None => None,
        };
        let known = known(cx, &before, earlier).await?;
        let mut wanted = Submission { status: Verdict::Accepted, ..Submission::clone(&before) };
        let made = makes(&mut wanted, &form, &known, &zone_of(cx).await?, cx.now())?;
        let (after, tx) = updated(cx, Tx::default(), &before, Draft::of(wanted)).await?;
        let tx = made.add_to(cx, tx).await?;
        match cx.commit(tx, reply(after)).await {
            Err(error) if is_outrun(&error) => {}
            outcome => return outcome,
        }
    }
    Err(Domain::Conflict(Conflict::Contended).into())
}
