//! What happens: the names under which changes are announced to webhooks, workflows and workers.

use serde::{Deserialize, Serialize};

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A thing that happened, by the name that other systems know it by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Event {
            /// The name.
            pub fn name(self) -> &'static str {
                match self { $(Event::$variant => $name,)* }
            }
        }
    };
}

/// What somebody did, in the words of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audit {
    /// Made a record.
    Create,
    /// Changed a record.
    Update,
    /// Moved a record to the trash.
    Delete,
    /// Took a record back from the trash.
    Restore,
    /// Signed in.
    Login,
    /// Asked for a record to be made equal in another system.
    Sync,
}

events! {
    /// An organisation was made.
    OrganizationCreated = "organization.created",
    /// An organisation's settings changed.
    OrganizationUpdated = "organization.updated",
    /// An organisation was removed.
    OrganizationDeleted = "organization.deleted",
    /// An organisation was brought back.
    OrganizationRestored = "organization.restored",
    /// A user registered or was added.
    UserRegistered = "user.registered",
    /// A user changed.
    UserUpdated = "user.updated",
    /// A user was removed.
    UserDeleted = "user.deleted",
    /// A user was brought back.
    UserRestored = "user.restored",
    /// A user signed in.
    UserLogin = "user.login",
    /// A form was made.
    FormCreated = "form.created",
    /// A form changed.
    FormUpdated = "form.updated",
    /// A form was removed.
    FormDeleted = "form.deleted",
    /// A form was brought back.
    FormRestored = "form.restored",
    /// A lead came in.
    LeadCreated = "lead.created",
    /// A lead changed.
    LeadUpdated = "lead.updated",
    /// A lead got another owner.
    LeadAssigned = "lead.assigned",
    /// A lead got another status.
    LeadStatusChanged = "lead.status_changed",
    /// A lead was moved to the trash.
    LeadDeleted = "lead.deleted",
    /// A lead was taken back from the trash.
    LeadRestored = "lead.restored",
    /// A submission made or joined a lead.
    SubmissionAccepted = "submission.accepted",
    /// A submission waits for somebody to look at it.
    SubmissionHeld = "submission.held",
    /// A submission was taken for spam.
    SubmissionSpam = "submission.spam",
    /// A submission changed.
    SubmissionUpdated = "submission.updated",
    /// A submission was moved to the trash.
    SubmissionDeleted = "submission.deleted",
    /// A submission was taken back from the trash.
    SubmissionRestored = "submission.restored",
    /// Somebody asked for a demonstration.
    DemoRequested = "demo.requested",
    /// A demonstration changed.
    DemoUpdated = "demo.updated",
    /// A place is kept for a demonstration.
    DemoHeld = "demo.held",
    /// A demonstration is arranged.
    DemoConfirmed = "demo.confirmed",
    /// A demonstration has another time.
    DemoRescheduled = "demo.rescheduled",
    /// A demonstration took place.
    DemoCompleted = "demo.completed",
    /// Nobody came to a demonstration.
    DemoNoShow = "demo.no_show",
    /// A demonstration was called off.
    DemoCancelled = "demo.cancelled",
    /// A demonstration was moved to the trash.
    DemoDeleted = "demo.deleted",
    /// A demonstration was taken back from the trash.
    DemoRestored = "demo.restored",
    /// A record is to be made equal in another system once more.
    SyncRequested = "sync.requested",
}

/// What a change does to a record, with the versions that tell more.
#[derive(Clone, Copy, Debug)]
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
