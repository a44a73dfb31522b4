//! Audit entries other than changes: refused attempts, and reads in organisations that record them.

use daybook_domain::{AnyId, Audit, Event};
use daybook_store::rows::bucket::{Rate, Taken, take};
use daybook_store::rows::tally;
use daybook_store::{Cx, Forbidden, Reply, Result, Tx};
use std::time::Duration;

/// At most 20 refusals per minute of one actor or address are recorded one by one; further ones are only counted.
const ONE_BY_ONE: Rate = Rate { burst: 20, per: Duration::from_secs(60) };

/// Records an attempt for which the actor has no permission.
pub async fn denied(cx: &Cx) -> Result<()> {
    let about = cx.actor.id().unwrap_or_else(|| cx.org.into());
    refused(cx, Tx::happened(Event::AccessDenied, Audit::Denied, about), Forbidden).await
}

/// Records a read of the record in the path; without one, a read of the organisation.
pub(crate) async fn viewed(cx: &Cx) -> Result<()> {
    let named = cx.request.path.split('/').find_map(|part| part.parse::<AnyId>().ok());
    let tx = Tx::happened(Event::RecordViewed, Audit::View, named.unwrap_or_else(|| cx.org.into()));
    cx.commit(tx, ()).await
}

/// Records a refusal; above the rate limit, it only counts it.
pub async fn refused<R: Reply>(cx: &Cx, tx: Tx, reply: R) -> Result<()> {
    let subject = match cx.actor.id() {
        Some(id) => id.to_string(),
        None => cx.request.ip.map_or_else(|| "unknown".to_owned(), crate::access::network),
    };
    let taken = take(&cx.env, cx.org, "refused", &subject, ONE_BY_ONE).await?;
    match taken {
        // A repeat with the same idempotency key is a new attempt.
        Taken::Yes(_) => Cx { once: None, ..cx.clone() }.commit(tx, reply).await.map(drop),
        Taken::After(_) => tally::count(&cx.env, cx.org, R::ANSWER).await,
    }
}
