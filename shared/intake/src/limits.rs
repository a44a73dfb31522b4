//! Rate limits of form posts: token buckets per network address, form and person. Posts over a limit are held.

use daybook_domain::form::Form;
use daybook_domain::intake::Limits;
use daybook_http::{Cx, Result, network};
use daybook_store::rows::bucket::{Rate, Taken, take};
use daybook_store::sha256_hex;
use std::time::Duration;

const PER_ADDRESS: Rate = Rate { burst: 6, per: Duration::from_secs(60) };
const PER_FORM: Rate = Rate { burst: 60, per: Duration::from_secs(60) };
const PER_EMAIL: Rate = Rate { burst: 3, per: Duration::from_secs(600) };

/// Counts a post against the limits of its network address, form and person, who is known by e-mail address or phone number;
/// returns which are exceeded.
pub(crate) async fn limits(cx: &Cx, form: &Form, person: &str) -> Result<Limits> {
    if !cx.env.settings.rate_limits {
        return Ok(Limits::default());
    }
    let ip = cx.request.ip.map(network).unwrap_or_default();
    let email = sha256_hex(person.as_bytes());
    let form = form.id.to_string();
    let (by_address, by_form, by_email) = tokio::try_join!(
        take(&cx.env, cx.org, "intake-address", &ip, PER_ADDRESS),
        take(&cx.env, cx.org, "intake-form", &form, PER_FORM),
        take(&cx.env, cx.org, "intake-email", &email, PER_EMAIL),
    )?;
    let over = |taken| matches!(taken, Taken::After(_));
    Ok(Limits { address: over(by_address), form: over(by_form), email: over(by_email) })
}
