//! Invitations to join an organisation, sent by mail.

use crate::choices;
use crate::field::Fields;
use crate::permission::{Action, Resource, Role, RoleRef};
use crate::record::{Claim, ClaimKind, Personal, Record, Reference};
use crate::{
    Actor, ApiKeyId, Change, Conflict, EmailAddress, Error, Event, InvitationId, Line, RecordType, Stamp, Timestamp,
    UserId, record_head,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an invitation can be accepted.
pub const VALID: Duration = Duration::from_secs(7 * 86_400);

/// By how much the clocks of two processes may differ.
const SKEW: Duration = Duration::from_secs(60);

/// An invitation to join an organisation, sent by mail. It is accepted once, by registering with its token and address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Invitation {
    /// The id.
    #[field(read_only)]
    pub id: InvitationId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The invited person's e-mail address.
    pub email: EmailAddress,
    /// The invited person's name.
    pub name: Option<Line<120>>,
    /// The role of the user to be created.
    pub role: RoleRef,
    /// The user who sent the last mail of the invitation; none for the first owner of an organisation.
    pub invited_by: Option<UserId>,
    /// The API key that sent it, in the name of that user.
    #[serde(default)]
    pub invited_with: Option<ApiKeyId>,
    /// The status.
    pub status: Status,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The number of times it was sent; only the token of the last mail is valid.
    pub sent: u32,
    /// The user created by accepting it.
    pub user_id: Option<UserId>,
}

choices! {
    /// The status of an invitation.
    Status as "InvitationStatus" {
        /// It was sent and not yet accepted.
        Pending = "pending",
        /// It was accepted, which created a user.
        Accepted = "accepted",
    }
}

/// A request to invite a person.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewInvitation {
    /// The invited person's e-mail address.
    pub email: EmailAddress,
    /// The invited person's name.
    pub name: Option<Line<120>>,
    /// The role of the user to be created.
    pub role: RoleRef,
}

impl Invitation {
    /// A new invitation.
    pub fn new(new: NewInvitation, stamp: &Stamp) -> Invitation {
        Invitation {
            id: InvitationId::new(stamp.id),
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            email: new.email,
            name: new.name,
            role: new.role,
            invited_by: stamp.actor.owner(),
            invited_with: stamp.actor.key(),
            status: Status::Pending,
            expires_at: stamp.at.plus(VALID),
            sent: 1,
            user_id: None,
        }
    }

    /// Whether it is the pending invitation of an organisation's first owner.
    pub fn is_of_first_owner(&self) -> bool {
        self.status == Status::Pending && self.role == Role::Owner.into() && self.invited_by.is_none()
    }

    /// The invitation sent again by an actor, or to an organisation's first owner by none; this invalidates the tokens of
    /// earlier mails.
    pub fn resent(&self, by: Option<&Actor>, at: Timestamp) -> Result<Invitation, Error> {
        match self.status {
            Status::Pending => Ok(Invitation {
                invited_by: by.and_then(Actor::owner),
                invited_with: by.and_then(Actor::key),
                sent: self.sent + 1,
                expires_at: at.plus(VALID),
                ..self.clone()
            }),
            Status::Accepted | Status::Unknown(_) => Err(Error::Conflict(Conflict::InvitationUsed)),
        }
    }

    /// The invitation accepted by a user with this address. Every mismatch returns the same error: the invitation can't be
    /// used.
    pub fn accepted(&self, email: &EmailAddress, user: UserId, at: Timestamp) -> Result<Invitation, Error> {
        let open = self.status == Status::Pending && self.is_on_time(at);
        match open && email.normalized() == self.email.normalized() {
            true => Ok(Invitation { status: Status::Accepted, user_id: Some(user), ..self.clone() }),
            false => Err(Error::Conflict(Conflict::InvitationUsed)),
        }
    }

    /// Whether it is valid at a time. One that ends further ahead than any invitation was sent while the clock was
    /// ahead, and has to be sent again.
    fn is_on_time(&self, at: Timestamp) -> bool {
        at < self.expires_at && self.expires_at <= at.plus(VALID).plus(SKEW)
    }
}

impl Record for Invitation {
    const TYPE: RecordType = RecordType::Invitation;
    type Id = InvitationId;
    type Context = ();
    const RESOURCE: Resource = Resource::Users;
    const PERSONAL: Personal = Personal::Unique(ClaimKind::Email);
    const READING: (Resource, Action) = (Self::RESOURCE, Action::Manage);
    const UNDONE: bool = false;
    const SAMPLE: &'static str =
        r#"{"email": "new@example.com", "role": "sales", "status": "pending", "expires_at": "{at}", "sent": 1}"#;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", Status::NAMES));

    record_head!();

    fn event(change: Change<'_, Self>) -> Event {
        match change {
            Change::Create(_) => Event::InvitationSent,
            Change::Update(before, after) if after.sent > before.sent => Event::InvitationSent,
            Change::Update(_, after) if after.status == Status::Accepted => Event::InvitationAccepted,
            Change::Update(..) => Event::InvitationUpdated,
            Change::Delete(_) => Event::InvitationRevoked,
            Change::Restore(_) => Event::InvitationRestored,
        }
    }

    /// At most one pending invitation per address.
    fn claims(&self) -> Vec<Claim> {
        match self.status {
            Status::Pending => vec![Claim::of_address(&self.email)],
            Status::Accepted | Status::Unknown(_) => Vec::new(),
        }
    }

    fn person(&self) -> Option<String> {
        Some(self.email.normalized())
    }

    fn references(&self) -> Vec<Reference> {
        self.role.references()
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;
    use crate::permission::Role;
    use uuid::Uuid;

    #[test]
    fn an_invitation_is_accepted_until_its_end_and_not_once_the_clock_that_sent_it_is_set_back() {
        let sent = Timestamp::UNIX_EPOCH.plus(VALID);
        let stamp = Stamp { at: sent, actor: Actor::System, id: Uuid::from_u128(1) };
        let email = EmailAddress::parse("ada@example.com").expect("an address");
        let new = NewInvitation { email: email.clone(), name: None, role: Role::Sales.into() };
        let invitation = Invitation::new(new, &stamp);
        let user = UserId::new(Uuid::from_u128(2));
        let check = |at: Timestamp, expected: bool| {
            assert_eq!(invitation.accepted(&email, user, at).is_ok(), expected, "{at}");
        };
        let second = Duration::from_secs(1);
        for (at, expected) in [
            (sent, true),
            (sent.plus(VALID).minus(second), true),
            (sent.plus(VALID), false),
            (sent.minus(SKEW), true),
            (sent.minus(SKEW).minus(second), false),
        ] {
            check(at, expected);
        }
        let other = EmailAddress::parse("eva@example.com").expect("an address");
        assert!(invitation.accepted(&other, user, sent).is_err());
    }
}
