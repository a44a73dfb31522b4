//! What happens: the names under which changes are announced to webhooks, workflows and workers.

use crate::choices;

choices! {
    /// What somebody did, in the words of the audit log.
    Audit as "AuditAction" {
        /// Made a record.
        Create = "create",
        /// Changed a record.
        Update = "update",
        /// Moved a record to the trash.
        Delete = "delete",
        /// Took a record back from the trash.
        Restore = "restore",
        /// Signed in.
        Login = "login",
        /// Tried to sign in, in vain.
        LoginFailed = "login_failed",
        /// Signed out, or ended a session.
        Logout = "logout",
        /// Got a new access token.
        TokenRefresh = "token_refresh",
        /// Asked for, or chose, a new password.
        PasswordReset = "password_reset",
        /// Changed what somebody may do.
        PermissionChange = "permission_change",
        /// Made a key.
        KeyCreated = "key_created",
        /// Took a key out of force.
        KeyRevoked = "key_revoked",
        /// Tried what they may not do.
        Denied = "denied",
        /// Read something, where the organisation records that.
        View = "view",
        /// Took something out as a file.
        Export = "export",
        /// Undid something.
        Revert = "revert",
        /// Asked for a record to be made equal in another system.
        Sync = "sync",
        /// Removed something for good.
        Erase = "erase",
        /// Turned a lead into a customer.
        Convert = "convert",
        /// Came to the time of something.
        Remind = "remind",
    }
}

/// The events of the types of record, as the registry lists them, and those that are of no type.
#[doc(hidden)]
#[macro_export]
macro_rules! define_events {
    (;$($(#[$doc:meta])* $kind:ident $name:literal, $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        $crate::choices! {
            /// A thing that happened, by the name that other systems know it by.
            Event {
                $($($events)*)*
                /// Somebody tried what they may not do.
                AccessDenied = "access.denied",
                /// Somebody took the audit log out as a file.
                AuditExported = "audit.exported",
                /// What entries were about was erased.
                AuditErased = "audit.erased",
                /// All that is known of a person was taken out as a file.
                PersonExported = "person.exported",
                /// All that is known of a person was erased.
                PersonErased = "person.erased",
                /// All that belongs to a record was moved to the trash with it, or taken back with it.
                FamilyMoved = "family.moved",
                /// A record was removed for good.
                RecordErased = "record.erased",
                /// Somebody read something.
                RecordViewed = "record.viewed",
                /// A record is to be made equal in another system once more.
                SyncRequested = "sync.requested",
            }
        }
    };
}

crate::record_types!(define_events);

/// What a change does to a record, with the versions that tell more.
#[derive(Debug)]
pub enum Change<'a, T> {
    /// Makes it.
    Create(&'a T),
    /// Turns the first into the second.
    Update(&'a T, &'a T),
    /// Moves it to the trash.
    Delete(&'a T),
    /// Takes it back from the trash.
    Restore(&'a T),
}

// Not derived, which would ask the same of the record itself.
impl<T> Clone for Change<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Change<'_, T> {}
