//! Sessions: fresh tokens for them, which there are, and ending them.
//!
//! A refresh token works once. Within ten seconds it answers with the same successor again, as its answer may
//! have got lost; after that somebody else has it, and the session ends.

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

/// How often a refresh is tried while others refresh the same session.
const TRIES: usize = 10;

/// Which token to refresh.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The `refresh_token` of the last answer.
    #[schema(value_type = String)]
    refresh_token: daybook_domain::Secret,
}

/// Where somebody is signed in.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionShown {
    /// The id.
    id: SessionId,
    /// When they signed in.
    created_at: Timestamp,
    /// When it was last refreshed.
    refreshed_at: Timestamp,
    /// When it ends, refreshed or not.
    ends_at: Timestamp,
    /// Where they signed in from.
    ip: Option<String>,
    /// What the client called itself.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

/// How many sessions there are, and were ended.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ended {
    /// So many were ended.
    ended: usize,
}

/// Answers fresh tokens for a refresh token, which works once.
pub async fn refresh(cx: Cx, Json(ask): Json<Refresh>) -> Result<Bare<Tokens>> {
    let invalid = || Error::from(Domain::Unauthenticated(Unauthenticated::Invalid));
    let given = token::Refresh::read(&cx.env.keys, ask.refresh_token.expose()).ok_or_else(invalid)?;
    let successor = given.successor(&cx.env.keys).ok_or_else(invalid)?;
    for _ in 0..TRIES {
        let session = Session::read(&cx.env, given.org, given.session).await?.ok_or_else(invalid)?;
        let found = SignedIn::read(&cx.env, given.org, session.user, given.session).await?.ok_or_else(invalid)?;
        // From here on the actor is the user, who need not sign in for this.
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
                    // Another refresh of the same token was faster: it has the same successor.
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

/// Ends the session that asks.
pub async fn logout(cx: Cx) -> Result<Data<Ended>> {
    let (_, current) = who(&cx)?;
    end_one(&cx, current).await
}

/// Lists the sessions of whoever asks.
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

/// Ends one of the sessions of whoever asks.
pub async fn end(cx: Cx, Path(id): Path<SessionId>) -> Result<Data<Ended>> {
    end_one(&cx, id).await
}

/// Ends all sessions of whoever asks but the one that asks.
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

/// A session of a user that is in force.
pub async fn in_force(cx: &Cx, user: &User, id: SessionId) -> Result<Session> {
    let session = Session::read(&cx.env, cx.org, id).await?;
    let session = session.filter(|session| session.is_in_force(user.epoch(), cx.now()));
    session.ok_or_else(|| Domain::not_found(Thing::Session).into())
}

/// The user who asks, and the session they ask in.
pub fn who(cx: &Cx) -> Result<(UserId, SessionId)> {
    match cx.actor {
        Actor::User { id, session: Some(session), .. } => Ok((id, session)),
        Actor::User { .. } | Actor::ApiKey { .. } | Actor::Public | Actor::System | Actor::Unknown(_) => {
            Err(Domain::NotAPerson.into())
        }
    }
}
