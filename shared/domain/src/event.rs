//! Events and audit actions: the names under which changes are published and recorded in the audit log.

use crate::choices;

choices! {
    /// An action, as recorded in the audit log.
    Audit as "AuditAction" {
        /// A record was created.
        Create = "create",
        /// A record was updated.
        Update = "update",
        /// A record was moved to the trash.
        Delete = "delete",
        /// A record was restored from the trash.
        Restore = "restore",
        /// A user signed in.
        Login = "login",
        /// A sign-in failed.
        LoginFailed = "login_failed",
        /// A user signed out, or a session was ended.
        Logout = "logout",
        /// An access token was refreshed.
        TokenRefresh = "token_refresh",
        /// A password reset was requested or carried out.
        PasswordReset = "password_reset",
        /// A user's role or a role's permissions changed.
        PermissionChange = "permission_change",
        /// An API key was created.
        KeyCreated = "key_created",
        /// An API key was revoked.
        KeyRevoked = "key_revoked",
        /// A request was denied.
        Denied = "denied",
        /// A record or list was read, if the organisation audits reads.
        View = "view",
        /// Data was exported to a file.
        Export = "export",
        /// A change was undone.
        Revert = "revert",
        /// A sync of a record to another system was requested.
        Sync = "sync",
        /// Data was erased permanently.
        Erase = "erase",
        /// A lead was converted into a customer.
        Convert = "convert",
        /// A reminder or due date was reached.
        Remind = "remind",
        /// A model of an AI provider was called.
        AiCall = "ai_call",
    }
}

/// Defines the events: those of each record type, as the registry lists them, and those of no type.
#[doc(hidden)]
#[macro_export]
macro_rules! define_events {
    (;$($(#[$doc:meta])* $kind:ident $name:literal $chinese:literal,
       $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        $crate::choices! {
            /// An event, by its public name.
            Event {
                $($($events)*)*
                /// A request was denied.
                AccessDenied = "access.denied",
                /// The audit log was exported to a file.
                AuditExported = "audit.exported",
                /// The details of audit log entries were erased.
                AuditErased = "audit.erased",
                /// All data about a person was exported to a file.
                PersonExported = "person.exported",
                /// All data about a person was erased.
                PersonErased = "person.erased",
                /// The cascade delete or cascade restore of a record's children was completed.
                FamilyMoved = "family.moved",
                /// A record was erased permanently.
                RecordErased = "record.erased",
                /// A record or list was read.
                RecordViewed = "record.viewed",
                /// A new sync of a record to another system was requested.
                SyncRequested = "sync.requested",
                /// A mail that had failed was requested again.
                MailRequested = "mail.requested",
            }
        }
    };
}

crate::record_types!(define_events);

/// A change of a record, with the versions involved.
#[derive(Debug)]
pub enum Change<'a, T> {
    /// Creates the record.
    Create(&'a T),
    /// Updates the first version to the second.
    Update(&'a T, &'a T),
    /// Moves it to the trash.
    Delete(&'a T),
    /// Restores it from the trash.
    Restore(&'a T),
}

// Not derived: a derived impl would require `T: Clone`.
impl<T> Clone for Change<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Change<'_, T> {}
