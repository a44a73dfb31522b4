//! The registry of record types: the one list of them. What holds for each stands in its own file, as its [`Record`].
//!
//! Whatever is done with every type, or with one that is known only when the program runs, is written once, generically,
//! and follows from this list: ids and keys, reading, cascade, undo, erasure, export. [`with_record_type`] does something
//! with the type of a name, [`for_each_record_type`] with all of them. Both expand where they stand, so that a function
//! links no type that it doesn't use. Futures of a type are [`boxed`].
//!
//! [`Record`]: crate::Record

use std::pin::Pin;

/// The record types: what they are called, what their ids are called and begin with, and where they are declared.
#[doc(hidden)]
#[macro_export]
macro_rules! record_types {
    ($then:ident $($args:tt)*) => {
        $crate::$then! {
            $($args)*;
            /// A tenant.
            Organization "organization",
            /// An organisation: the tenant that every record belongs to.
            OrgId "org" = $crate::organization::Organization,
            /// The organisation, its API keys and the data of the people it knows.
            may Organization "org" as SETTINGS,
            events {
                /// An organisation was made.
                OrganizationCreated = "organization.created",
                /// An organisation's settings changed.
                OrganizationUpdated = "organization.updated",
                /// An organisation was removed.
                OrganizationDeleted = "organization.deleted",
                /// An organisation was brought back.
                OrganizationRestored = "organization.restored",
                /// All that an organisation had was erased.
                OrganizationErased = "organization.erased",
            };
            /// A person who signs in.
            User "user",
            /// A user.
            UserId "usr" = $crate::user::User,
            /// Users, their teams and invitations.
            may Users "users" as SETTINGS,
            events {
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
                /// Somebody tried to sign in with a wrong password, or as somebody unknown.
                UserLoginFailed = "user.login_failed",
                /// A user signed out, or a session was ended.
                UserLogout = "user.logout",
                /// A user got a new access token.
                UserTokenRefreshed = "user.token_refreshed",
                /// A refresh token was used twice, so its session was ended.
                UserTokenReused = "user.token_reused",
                /// Somebody asked for a new password.
                UserPasswordResetRequested = "user.password_reset_requested",
                /// A user has a new password.
                UserPasswordChanged = "user.password_changed",
                /// A user asked for proof of their address once more.
                UserVerificationRequested = "user.verification_requested",
                /// A user's address was proven to be theirs.
                UserEmailVerified = "user.email_verified",
                /// A user has a second factor from now on.
                UserSecondFactorOn = "user.second_factor_on",
                /// A user has no second factor any more.
                UserSecondFactorOff = "user.second_factor_off",
            };
            /// A role that an organisation made.
            Role "role",
            /// A role of an organisation.
            RoleId "role" = $crate::role::CustomRole,
            /// Roles.
            may Roles "roles" as RIGHTS,
            events {
                /// A role was made.
                RoleCreated = "role.created",
                /// A role changed.
                RoleUpdated = "role.updated",
                /// A role was removed.
                RoleDeleted = "role.deleted",
                /// A role was brought back.
                RoleRestored = "role.restored",
            };
            /// Users who reach each other's records.
            Team "team",
            /// A team.
            TeamId "team" = $crate::team::Team,
            events {
                /// A team was made.
                TeamCreated = "team.created",
                /// A team changed.
                TeamUpdated = "team.updated",
                /// A team was removed.
                TeamDeleted = "team.deleted",
                /// A team was brought back.
                TeamRestored = "team.restored",
            };
            /// An invitation to join an organisation.
            Invitation "invitation",
            /// An invitation.
            InvitationId "inv" = $crate::invitation::Invitation,
            events {
                /// Somebody was invited.
                InvitationSent = "invitation.sent",
                /// An invitation changed.
                InvitationUpdated = "invitation.updated",
                /// An invitation made a user.
                InvitationAccepted = "invitation.accepted",
                /// An invitation was taken back.
                InvitationRevoked = "invitation.revoked",
                /// An invitation was brought back.
                InvitationRestored = "invitation.restored",
            };
            /// A key that a program signs in with.
            ApiKey "api_key",
            /// An API key.
            ApiKeyId "key" = $crate::api_key::ApiKey,
            events {
                /// An API key was made.
                KeyCreated = "api_key.created",
                /// An API key changed.
                KeyUpdated = "api_key.updated",
                /// An API key was taken out of force.
                KeyRevoked = "api_key.revoked",
                /// An API key was brought back.
                KeyRestored = "api_key.restored",
            };
            /// A form on a website.
            Form "form",
            /// A form on a website.
            FormId "form" = $crate::form::Form,
            /// Forms of websites, with the keys that pages post by.
            may Forms "forms" as SETTINGS,
            events {
                /// A form was made.
                FormCreated = "form.created",
                /// A form changed.
                FormUpdated = "form.updated",
                /// A form was removed.
                FormDeleted = "form.deleted",
                /// A form was brought back.
                FormRestored = "form.restored",
            };
            /// Somebody who may become a customer.
            Lead "lead",
            /// A lead.
            LeadId "lead" = $crate::lead::Lead,
            /// Leads.
            may Leads "leads" as ASSIGNED,
            events {
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
                /// A lead became a customer.
                LeadConverted = "lead.converted",
            };
            /// One posted form, as it came.
            Submission "submission",
            /// A submission.
            SubmissionId "sub" = $crate::submission::Submission,
            /// Posted forms.
            may Submissions "submissions" as RECEIVED,
            events {
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
            };
            /// A demonstration that somebody asked for.
            Demo "demo",
            /// A demonstration.
            DemoId "demo" = $crate::demo::Demo,
            /// Demonstrations.
            may Demos "demos" as ARRANGED,
            events {
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
            };
            /// Somebody who is sold to.
            Customer "customer",
            /// A customer.
            CustomerId "cus" = $crate::customer::Customer,
            /// Customers.
            may Customers "customers" as ASSIGNED,
            events {
                /// A customer was made.
                CustomerCreated = "customer.created",
                /// A customer changed.
                CustomerUpdated = "customer.updated",
                /// A customer was moved to the trash.
                CustomerDeleted = "customer.deleted",
                /// A customer was taken back from the trash.
                CustomerRestored = "customer.restored",
            };
            /// Somebody one talks to.
            Contact "contact",
            /// A contact.
            ContactId "con" = $crate::contact::Contact,
            /// Contacts.
            may Contacts "contacts" as ASSIGNED,
            events {
                /// A contact was made.
                ContactCreated = "contact.created",
                /// A contact changed.
                ContactUpdated = "contact.updated",
                /// A contact was moved to the trash.
                ContactDeleted = "contact.deleted",
                /// A contact was taken back from the trash.
                ContactRestored = "contact.restored",
            };
            /// Contacts that belong together.
            Group "group",
            /// A group of contacts.
            GroupId "grp" = $crate::contact::Group,
            /// Groups of contacts.
            may Groups "groups" as SHARED,
            events {
                /// A group of contacts was made.
                GroupCreated = "group.created",
                /// A group of contacts changed.
                GroupUpdated = "group.updated",
                /// A group of contacts was moved to the trash.
                GroupDeleted = "group.deleted",
                /// A group of contacts was taken back from the trash.
                GroupRestored = "group.restored",
            };
            /// Something that was talked about with a customer.
            Interaction "interaction",
            /// An interaction.
            InteractionId "int" = $crate::interaction::Interaction,
            /// Interactions.
            may Interactions "interactions" as ACTIVITY,
            events {
                /// An interaction was made.
                InteractionCreated = "interaction.created",
                /// An interaction changed.
                InteractionUpdated = "interaction.updated",
                /// An interaction was moved to the trash.
                InteractionDeleted = "interaction.deleted",
                /// An interaction was taken back from the trash.
                InteractionRestored = "interaction.restored",
            };
            /// The stages that opportunities go through.
            Pipeline "pipeline",
            /// A pipeline.
            PipelineId "pipe" = $crate::pipeline::Pipeline,
            /// Pipelines.
            may Pipelines "pipelines" as SETTINGS,
            events {
                /// A pipeline was made.
                PipelineCreated = "pipeline.created",
                /// A pipeline changed.
                PipelineUpdated = "pipeline.updated",
                /// A pipeline was moved to the trash.
                PipelineDeleted = "pipeline.deleted",
                /// A pipeline was taken back from the trash.
                PipelineRestored = "pipeline.restored",
            };
            /// Something that may be sold.
            Opportunity "opportunity",
            /// An opportunity.
            OpportunityId "opp" = $crate::opportunity::Opportunity,
            /// Opportunities.
            may Opportunities "opportunities" as ASSIGNED,
            events {
                /// An opportunity was made.
                OpportunityCreated = "opportunity.created",
                /// An opportunity changed.
                OpportunityUpdated = "opportunity.updated",
                /// An opportunity was moved to the trash.
                OpportunityDeleted = "opportunity.deleted",
                /// An opportunity was taken back from the trash.
                OpportunityRestored = "opportunity.restored",
                /// An opportunity went to another stage.
                OpportunityStageChanged = "opportunity.stage_changed",
                /// An opportunity was won.
                OpportunityWon = "opportunity.won",
                /// An opportunity was lost.
                OpportunityLost = "opportunity.lost",
            };
            /// Something to do.
            Task "task",
            /// A task.
            TaskId "tsk" = $crate::task::Task,
            /// Tasks.
            may Tasks "tasks" as ACTIVITY,
            events {
                /// A task was made.
                TaskCreated = "task.created",
                /// A task changed.
                TaskUpdated = "task.updated",
                /// A task was moved to the trash.
                TaskDeleted = "task.deleted",
                /// A task was taken back from the trash.
                TaskRestored = "task.restored",
                /// A task got another assignee.
                TaskAssigned = "task.assigned",
                /// A task was done.
                TaskCompleted = "task.completed",
                /// Somebody is to be reminded of a task.
                TaskDue = "task.due",
                /// A task isn't done, and was to be by now.
                TaskOverdue = "task.overdue",
            };
            /// A list that somebody keeps.
            View "view",
            /// A view.
            ViewId "view" = $crate::view::View,
            /// Views.
            may Views "views" as KEPT,
            events {
                /// A view was made.
                ViewCreated = "view.created",
                /// A view changed.
                ViewUpdated = "view.updated",
                /// A view was moved to the trash.
                ViewDeleted = "view.deleted",
                /// A view was taken back from the trash.
                ViewRestored = "view.restored",
            };
            /// Work that takes longer than a request may.
            Job "job",
            /// A job.
            JobId "job" = $crate::job::Job,
            /// Work that takes longer than a request, with the files it makes.
            may Jobs "jobs" as ASKED_FOR,
            events {
                /// Work was asked for that takes longer than a request.
                JobQueued = "job.queued",
                /// Work has come further.
                JobUpdated = "job.updated",
                /// Work can't be done.
                JobFailed = "job.failed",
                /// A job was moved to the trash.
                JobDeleted = "job.deleted",
                /// A job was taken back from the trash.
                JobRestored = "job.restored",
            };
        }
    };
}

/// A future in a place of its own: what is done with every type would else take the room of all of them, and a stack
/// that each new type makes deeper.
#[inline(never)]
pub fn boxed<'a, F: Future + Send + 'a>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>> {
    Box::pin(make())
}

/// Does something with the type of record of a [`RecordType`](crate::RecordType): `with_record_type!(kind, T => work)` is
/// what `work` is for that type `T`, or `None` for one that only a newer version knows.
#[macro_export]
macro_rules! with_record_type {
    ($kind:expr, $Type:ident => $work:expr) => {
        $crate::record_types!(with_listed_type($kind)($Type)($work))
    };
}

/// Does something with every type of record: `for_each_record_type!(T => work)`.
#[macro_export]
macro_rules! for_each_record_type {
    ($Type:ident => $work:expr) => {
        $crate::record_types!(for_listed_types($Type)($work))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! with_listed_type {
    (($kind:expr) ($Type:ident) ($work:expr);
     $($(#[$doc:meta])* $name:ident $text:literal, $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        match $kind {
            $($crate::RecordType::$name => {
                type $Type = $path;
                Some($work)
            })*
            $crate::RecordType::Unknown(_) => None,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! for_listed_types {
    (($Type:ident) ($work:expr);
     $($(#[$doc:meta])* $name:ident $text:literal, $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        $({
            type $Type = $path;
            $work
        })*
    };
}
