//! Links of the digest of held posts: each opens one post to who has the mail, for thirty days. Their tokens are signatures, so
//! that the table holds nothing that could be used.

use daybook_domain::{OrgId, SubmissionId};
use daybook_store::{Env, Keyring, Purpose, ids_in_token, place_in_token};
use std::time::Duration;

/// How long a link works after the post: thirty days.
const VALID: Duration = Duration::from_secs(30 * 86_400);

/// The token of a post's link.
pub fn token(keys: &Keyring, org: OrgId, submission: SubmissionId) -> String {
    let signature = keys.sign(Purpose::HeldPost, message(org, submission).as_bytes());
    format!("{}.{signature}", place_in_token(org, submission.uuid()))
}

/// The organisation and post that a token opens, if it is valid now.
pub fn opened(env: &Env, token: &str) -> Option<(OrgId, SubmissionId)> {
    let (place, signature) = token.split_once('.')?;
    let (org, id) = ids_in_token(place)?;
    let submission = SubmissionId::new(id);
    let is_signed = env.keys.verify(Purpose::HeldPost, message(org, submission).as_bytes(), signature);
    let is_in_time = submission.time().plus(VALID) > env.clock.now();
    (is_signed && is_in_time).then_some((org, submission))
}

fn message(org: OrgId, submission: SubmissionId) -> String {
    format!("{org}|{submission}")
}
