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
            OrgId "org" = $crate::organization::Organization;
            /// A person who signs in.
            User "user",
            /// A user.
            UserId "usr" = $crate::user::User;
            /// A role that an organisation made.
            Role "role",
            /// A role of an organisation.
            RoleId "role" = $crate::role::CustomRole;
            /// Users who reach each other's records.
            Team "team",
            /// A team.
            TeamId "team" = $crate::team::Team;
            /// An invitation to join an organisation.
            Invitation "invitation",
            /// An invitation.
            InvitationId "inv" = $crate::invitation::Invitation;
            /// A key that a program signs in with.
            ApiKey "api_key",
            /// An API key.
            ApiKeyId "key" = $crate::api_key::ApiKey;
            /// A form on a website.
            Form "form",
            /// A form on a website.
            FormId "form" = $crate::form::Form;
            /// Somebody who may become a customer.
            Lead "lead",
            /// A lead.
            LeadId "lead" = $crate::lead::Lead;
            /// One posted form, as it came.
            Submission "submission",
            /// A submission.
            SubmissionId "sub" = $crate::submission::Submission;
            /// A demonstration that somebody asked for.
            Demo "demo",
            /// A demonstration.
            DemoId "demo" = $crate::demo::Demo;
            /// Somebody who is sold to.
            Customer "customer",
            /// A customer.
            CustomerId "cus" = $crate::customer::Customer;
            /// Somebody one talks to.
            Contact "contact",
            /// A contact.
            ContactId "con" = $crate::contact::Contact;
            /// Contacts that belong together.
            Group "group",
            /// A group of contacts.
            GroupId "grp" = $crate::contact::Group;
            /// Something that was talked about with a customer.
            Interaction "interaction",
            /// An interaction.
            InteractionId "int" = $crate::interaction::Interaction;
            /// The stages that opportunities go through.
            Pipeline "pipeline",
            /// A pipeline.
            PipelineId "pipe" = $crate::pipeline::Pipeline;
            /// Something that may be sold.
            Opportunity "opportunity",
            /// An opportunity.
            OpportunityId "opp" = $crate::opportunity::Opportunity;
            /// Something to do.
            Task "task",
            /// A task.
            TaskId "tsk" = $crate::task::Task;
            /// A list that somebody keeps.
            View "view",
            /// A view.
            ViewId "view" = $crate::view::View;
            /// Work that takes longer than a request may.
            Job "job",
            /// A job.
            JobId "job" = $crate::job::Job;
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
     $($(#[$doc:meta])* $name:ident $text:literal, $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty;)*) => {
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
     $($(#[$doc:meta])* $name:ident $text:literal, $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty;)*) => {
        $({
            type $Type = $path;
            $work
        })*
    };
}
