//! Sessions: refreshing their tokens, listing them, and ending them.
//!
//! A refresh token works once. Within ten seconds a repeat returns the same successor, as the first response may have
//! been lost. A later repeat means that another client has the token, and ends the session.

use crate::tokens::{Tokens, tokens};
use daybook_domain::error::Thing;
use daybook_domain::user::User;
use daybook_domain::{
    Actor, Audit, Error as Domain, Event, Record as _, SessionId, Timestamp, Unauthenticated, UserId,
};
use daybook_http::{Bare, Cx, Data, Error, Json, Path, Result, token};
use daybook_records::admission::SignedIn;
use daybook_store::rows::session::{Session, Standing};
use daybook_store::{Tx, Unauthenticated as Refused};
use serde::{Deserialize, Serialize};

/// How often a refresh is tried while other requests refresh the same session.
const TRIES: usize = 10;

/// A request for new tokens.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The `refresh_token` of the last response.
    #[schema(value_type = String)]
    refresh_token: daybook_domain::Secret,
}

/// A session of a user.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionShown {
    /// The id.
    id: SessionId,
    /// When the user signed in.
    created_at: Timestamp,
    /// When it was last refreshed.
    refreshed_at: Timestamp,
    /// When the session ends, refreshed or not.
    ends_at: Timestamp,
    /// The IP address of the sign-in.
    ip: Option<String>,
    /// The client's `User-Agent`.
    user_agent: Option<String>,
    /// Whether it is the session of this request.
    current: bool,
}

/// The result of ending sessions.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ended {
    /// The number of ended sessions.
    ended: usize,
}

/// Returns new tokens for a refresh token, which works once.
pub async fn refresh(cx: Cx, Json(ask): Json<Refresh>) -> Result<Bare<Tokens>> {
    let invalid = || Error::from(Domain::Unauthenticated(Unauthenticated::Invalid));
    let given = token::Refresh::read(&cx.env.keys, ask.refresh_token.expose()).ok_or_else(invalid)?;
    let successor = given.successor(&cx.env.keys).ok_or_else(invalid)?;
    for _ in 0..TRIES {
        let session = Session::read(&cx.env, given.org, given.session).await?.ok_or_else(invalid)?;
        let found = SignedIn::read(&cx.env, given.org, session.user, given.session).await?.ok_or_else(invalid)?;
        // From here on the actor is the user; a refresh needs no access token.
        let cx = Cx { actor: session.actor(found.user.role), ..cx.in_organization(given.org) };
        if !found.organization.admits(cx.request.ip) {
            return Err(Domain::Network.into());
        }
        match session.standing(&given.text, cx.now()) {
            Standing::Current => {
                let next = session.refreshed(&successor.text, cx.now());
                let tx = Tx::happened(Event::UserTokenRefreshed, Audit::TokenRefresh, found.user.id);
                let answer = Bare(tokens(&cx, found.user, session.id, successor.text.clone())?);
                match cx.commit(tx.with_row(next.follow(cx.org, &session)?), answer).await {
                    // Another refresh of the same token was faster: it returned the same successor.
                    Err(Error::Domain(Domain::Conflict(daybook_domain::Conflict::Contended))) => {}
                    outcome => return outcome,
                }
            }
            Standing::JustReplaced => {
                return Ok(Bare(tokens(&cx, found.user, session.id, successor.text)?));
            }
            Standing::Replaced => {
                let ended = session.ended(cx.now()).replace(cx.org)?;
                let tx = Tx::happened(Event::UserTokenReused, Audit::Denied, found.user.id).with_row(ended);
                Cx { once: None, ..cx }.commit(tx, Refused).await?;
                return Err(invalid());
            }
        }
    }
    Err(Domain::Conflict(daybook_domain::Conflict::Contended).into())
}

/// Ends the session of this request.
pub async fn logout(cx: Cx) -> Result<Data<Ended>> {
    let (_, current) = who(&cx)?;
    end_one(&cx, current).await
}

/// Lists the signed-in user's sessions.
pub async fn list(cx: Cx) -> Result<Data<Vec<SessionShown>>> {
    let (id, current) = who(&cx)?;
    let user = cx.get::<User>(id).await?;
    let sessions = Session::all_of(&cx.env, cx.org, user.epoch()).await?;
    let shown = |session: Session| SessionShown {
        current: session.id == current,
        id: session.id,
        created_at: session.created_at,
        refreshed_at: session.refreshed_at,
        ends_at: session.ends_at,
        ip: session.ip,
        user_agent: session.user_agent,
    };
    Ok(Data(sessions.into_iter().map(shown).collect()))
}

/// Ends one of the signed-in user's sessions.
pub async fn end(cx: Cx, Path(id): Path<SessionId>) -> Result<Data<Ended>> {
    end_one(&cx, id).await
}

/// Ends all of the signed-in user's sessions but that of this request.
pub async fn end_others(cx: Cx) -> Result<Data<Ended>> {
    let (id, current) = who(&cx)?;
    cx.decide(|| async {
        let user = cx.get::<User>(id).await?;
        let session = in_force(&cx, &user, current).await?;
        let others =
            Session::all_of(&cx.env, cx.org, user.epoch()).await?.iter().filter(|one| one.id != current).count();
        let after = User::clone(&user).signed_out().following(&user, cx.now());
        let tx = Tx::update(&user, &after)
            .called(Audit::Logout)
            .announced(Event::UserLogout)
            .with_row(session.kept(after.epoch()).follow(cx.org, &session)?);
        cx.commit(tx, Data(Ended { ended: others })).await
    })
    .await
}

async fn end_one(cx: &Cx, id: SessionId) -> Result<Data<Ended>> {
    let (user, _) = who(cx)?;
    let user = cx.get::<User>(user).await?;
    let session = in_force(cx, &user, id).await?;
    let row = session.ended(cx.now()).replace(cx.org)?;
    let tx = Tx::happened(Event::UserLogout, Audit::Logout, user.id).with_row(row);
    cx.commit(tx, Data(Ended { ended: 1 })).await
}

/// A user's session, if it is valid; fails otherwise.
pub async fn in_force(cx: &Cx, user: &User, id: SessionId) -> Result<Session> {
    let session = Session::read(&cx.env, cx.org, id).await?;
    let session = session.filter(|session| session.is_in_force(user.epoch(), cx.now()));
    session.ok_or_else(|| Domain::not_found(Thing::Session).into())
}

/// The signed-in user and their session; fails for any other caller.
pub fn who(cx: &Cx) -> Result<(UserId, SessionId)> {
    match cx.actor {
        Actor::User { id, session: Some(session), .. } => Ok((id, session)),
        Actor::User { .. } | Actor::ApiKey { .. } | Actor::Public | Actor::System | Actor::Unknown(_) => {
            Err(Domain::NotAPerson.into())
        }
    }
}
