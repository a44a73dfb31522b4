//! The registry of record types: names, id prefixes, permissions and events. Each type's own file implements [`Record`].
//!
//! Code for all types, or for a type known only at run time, is written once, generically, and is instantiated from this
//! list: ids and keys, reading, cascade, undo, erasure, export. [`with_record_type`] dispatches on a [`RecordType`],
//! [`for_each_record_type`] runs for all types. Both expand at the call site, so that a function links no type that it
//! doesn't use. Futures of a type are [`boxed`].
//!
//! [`Record`]: crate::Record
//! [`RecordType`]: crate::RecordType

use std::pin::Pin;

/// The list of record types, passed to another macro: names in the API and in Chinese, id types and prefixes, Rust types,
/// resources and events.
#[doc(hidden)]
#[macro_export]
macro_rules! record_types {
    ($then:ident $($args:tt)*) => {
        $crate::$then! {
            $($args)*;
            /// A tenant.
            Organization "organization" "组织",
            /// An organisation: the tenant that every record belongs to.
            OrgId "org" = $crate::organization::Organization,
            /// The organisation's settings, its API keys, and personal data requests.
            may Organization "org" as SETTINGS,
            events {
                /// An organisation was created.
                OrganizationCreated = "organization.created",
                /// An organisation's settings changed.
                OrganizationUpdated = "organization.updated",
                /// An organisation was deleted.
                OrganizationDeleted = "organization.deleted",
                /// An organisation was restored.
                OrganizationRestored = "organization.restored",
                /// All data of an organisation was erased.
                OrganizationErased = "organization.erased",
            };
            /// A person who signs in.
            User "user" "用户",
            /// A user.
            UserId "usr" = $crate::user::User,
            /// Users, their teams and invitations.
            may Users "users" as SETTINGS,
            events {
                /// A user registered or was added.
                UserRegistered = "user.registered",
                /// A user changed.
                UserUpdated = "user.updated",
                /// A user was deleted.
                UserDeleted = "user.deleted",
                /// A user was restored.
                UserRestored = "user.restored",
                /// A user signed in.
                UserLogin = "user.login",
                /// A sign-in failed: wrong password or unknown user.
                UserLoginFailed = "user.login_failed",
                /// A user signed out, or a session was ended.
                UserLogout = "user.logout",
                /// A user's access token was refreshed.
                UserTokenRefreshed = "user.token_refreshed",
                /// A refresh token was reused, so its session was ended.
                UserTokenReused = "user.token_reused",
                /// A password reset was requested.
                UserPasswordResetRequested = "user.password_reset_requested",
                /// A user's password was changed.
                UserPasswordChanged = "user.password_changed",
                /// A verification mail for a user's e-mail address was requested.
                UserVerificationRequested = "user.verification_requested",
                /// A user's e-mail address was verified.
                UserEmailVerified = "user.email_verified",
                /// A user's second factor was turned on.
                UserSecondFactorOn = "user.second_factor_on",
                /// A user's second factor was turned off.
                UserSecondFactorOff = "user.second_factor_off",
            };
            /// A custom role of an organisation.
            Role "role" "角色",
            /// A custom role.
            RoleId "role" = $crate::role::CustomRole,
            /// Roles.
            may Roles "roles" as RIGHTS,
            events {
                /// A role was created.
                RoleCreated = "role.created",
                /// A role changed.
                RoleUpdated = "role.updated",
                /// A role was deleted.
                RoleDeleted = "role.deleted",
                /// A role was restored.
                RoleRestored = "role.restored",
            };
            /// A team of users.
            Team "team" "团队",
            /// A team.
            TeamId "team" = $crate::team::Team,
            events {
                /// A team was created.
                TeamCreated = "team.created",
                /// A team changed.
                TeamUpdated = "team.updated",
                /// A team was deleted.
                TeamDeleted = "team.deleted",
                /// A team was restored.
                TeamRestored = "team.restored",
            };
            /// An invitation to join an organisation.
            Invitation "invitation" "邀请",
            /// An invitation.
            InvitationId "inv" = $crate::invitation::Invitation,
            events {
                /// An invitation was sent.
                InvitationSent = "invitation.sent",
                /// An invitation changed.
                InvitationUpdated = "invitation.updated",
                /// An invitation was accepted, which created a user.
                InvitationAccepted = "invitation.accepted",
                /// An invitation was revoked.
                InvitationRevoked = "invitation.revoked",
                /// An invitation was restored.
                InvitationRestored = "invitation.restored",
            };
            /// The credentials of a program.
            ApiKey "api_key" "API 密钥",
            /// An API key.
            ApiKeyId "key" = $crate::api_key::ApiKey,
            events {
                /// An API key was created.
                KeyCreated = "api_key.created",
                /// An API key changed.
                KeyUpdated = "api_key.updated",
                /// An API key was revoked.
                KeyRevoked = "api_key.revoked",
                /// An API key was restored.
                KeyRestored = "api_key.restored",
            };
            /// A form on a website.
            Form "form" "表单",
            /// A form on a website.
            FormId "form" = $crate::form::Form,
            /// Website forms, with the ids that pages post with.
            may Forms "forms" as SETTINGS,
            events {
                /// A form was created.
                FormCreated = "form.created",
                /// A form changed.
                FormUpdated = "form.updated",
                /// A form was deleted.
                FormDeleted = "form.deleted",
                /// A form was restored.
                FormRestored = "form.restored",
            };
            /// A potential customer.
            Lead "lead" "线索",
            /// A lead.
            LeadId "lead" = $crate::lead::Lead,
            /// Leads.
            may Leads "leads" as ASSIGNED,
            events {
                /// A lead was created.
                LeadCreated = "lead.created",
                /// A lead changed.
                LeadUpdated = "lead.updated",
                /// A lead was assigned to another owner.
                LeadAssigned = "lead.assigned",
                /// A lead's status changed.
                LeadStatusChanged = "lead.status_changed",
                /// A lead was moved to the trash.
                LeadDeleted = "lead.deleted",
                /// A lead was restored from the trash.
                LeadRestored = "lead.restored",
                /// A lead was converted into a customer.
                LeadConverted = "lead.converted",
            };
            /// A posted form, as received.
            Submission "submission" "表单提交",
            /// A submission.
            SubmissionId "sub" = $crate::submission::Submission,
            /// Submissions of forms.
            may Submissions "submissions" as RECEIVED,
            events {
                /// A submission was accepted: it created a lead, or was added to one.
                SubmissionAccepted = "submission.accepted",
                /// A submission is held for review.
                SubmissionHeld = "submission.held",
                /// A submission was classified as spam.
                SubmissionSpam = "submission.spam",
                /// A submission changed.
                SubmissionUpdated = "submission.updated",
                /// A submission was moved to the trash.
                SubmissionDeleted = "submission.deleted",
                /// A submission was restored from the trash.
                SubmissionRestored = "submission.restored",
            };
            /// A product demonstration.
            Demo "demo" "演示",
            /// A demonstration.
            DemoId "demo" = $crate::demo::Demo,
            /// Demonstrations.
            may Demos "demos" as ARRANGED,
            events {
                /// A demonstration was requested.
                DemoRequested = "demo.requested",
                /// A demonstration changed.
                DemoUpdated = "demo.updated",
                /// A time slot was reserved for a demonstration.
                DemoHeld = "demo.held",
                /// A demonstration was confirmed.
                DemoConfirmed = "demo.confirmed",
                /// A demonstration was moved to another time.
                DemoRescheduled = "demo.rescheduled",
                /// A demonstration took place.
                DemoCompleted = "demo.completed",
                /// The visitor didn't come to a demonstration.
                DemoNoShow = "demo.no_show",
                /// A demonstration was cancelled.
                DemoCancelled = "demo.cancelled",
                /// A demonstration was moved to the trash.
                DemoDeleted = "demo.deleted",
                /// A demonstration was restored from the trash.
                DemoRestored = "demo.restored",
            };
            /// A person or company that the organisation sells to.
            Customer "customer" "客户",
            /// A customer.
            CustomerId "cus" = $crate::customer::Customer,
            /// Customers.
            may Customers "customers" as ASSIGNED,
            events {
                /// A customer was created.
                CustomerCreated = "customer.created",
                /// A customer changed.
                CustomerUpdated = "customer.updated",
                /// A customer was moved to the trash.
                CustomerDeleted = "customer.deleted",
                /// A customer was restored from the trash.
                CustomerRestored = "customer.restored",
            };
            /// A contact person.
            Contact "contact" "联系人",
            /// A contact.
            ContactId "con" = $crate::contact::Contact,
            /// Contacts.
            may Contacts "contacts" as ASSIGNED,
            events {
                /// A contact was created.
                ContactCreated = "contact.created",
                /// A contact changed.
                ContactUpdated = "contact.updated",
                /// A contact was moved to the trash.
                ContactDeleted = "contact.deleted",
                /// A contact was restored from the trash.
                ContactRestored = "contact.restored",
            };
            /// A group of contacts.
            Group "group" "联系人分组",
            /// A group of contacts.
            GroupId "grp" = $crate::contact::Group,
            /// Groups of contacts.
            may Groups "groups" as SHARED,
            events {
                /// A group of contacts was created.
                GroupCreated = "group.created",
                /// A group of contacts changed.
                GroupUpdated = "group.updated",
                /// A group of contacts was moved to the trash.
                GroupDeleted = "group.deleted",
                /// A group of contacts was restored from the trash.
                GroupRestored = "group.restored",
            };
            /// A call, mail or meeting with a customer.
            Interaction "interaction" "互动记录",
            /// An interaction.
            InteractionId "int" = $crate::interaction::Interaction,
            /// Interactions.
            may Interactions "interactions" as ACTIVITY,
            events {
                /// An interaction was created.
                InteractionCreated = "interaction.created",
                /// An interaction changed.
                InteractionUpdated = "interaction.updated",
                /// An interaction was moved to the trash.
                InteractionDeleted = "interaction.deleted",
                /// An interaction was restored from the trash.
                InteractionRestored = "interaction.restored",
            };
            /// The stages of opportunities.
            Pipeline "pipeline" "管道",
            /// A pipeline.
            PipelineId "pipe" = $crate::pipeline::Pipeline,
            /// Pipelines.
            may Pipelines "pipelines" as SETTINGS,
            events {
                /// A pipeline was created.
                PipelineCreated = "pipeline.created",
                /// A pipeline changed.
                PipelineUpdated = "pipeline.updated",
                /// A pipeline was moved to the trash.
                PipelineDeleted = "pipeline.deleted",
                /// A pipeline was restored from the trash.
                PipelineRestored = "pipeline.restored",
            };
            /// A possible sale.
            Opportunity "opportunity" "销售机会",
            /// An opportunity.
            OpportunityId "opp" = $crate::opportunity::Opportunity,
            /// Opportunities.
            may Opportunities "opportunities" as ASSIGNED,
            events {
                /// An opportunity was created.
                OpportunityCreated = "opportunity.created",
                /// An opportunity changed.
                OpportunityUpdated = "opportunity.updated",
                /// An opportunity was moved to the trash.
                OpportunityDeleted = "opportunity.deleted",
                /// An opportunity was restored from the trash.
                OpportunityRestored = "opportunity.restored",
                /// An opportunity was moved to another stage.
                OpportunityStageChanged = "opportunity.stage_changed",
                /// An opportunity was won.
                OpportunityWon = "opportunity.won",
                /// An opportunity was lost.
                OpportunityLost = "opportunity.lost",
            };
            /// A task of a user.
            Task "task" "任务",
            /// A task.
            TaskId "tsk" = $crate::task::Task,
            /// Tasks.
            may Tasks "tasks" as ACTIVITY,
            events {
                /// A task was created.
                TaskCreated = "task.created",
                /// A task changed.
                TaskUpdated = "task.updated",
                /// A task was moved to the trash.
                TaskDeleted = "task.deleted",
                /// A task was restored from the trash.
                TaskRestored = "task.restored",
                /// A task was assigned to another user.
                TaskAssigned = "task.assigned",
                /// A task was completed.
                TaskCompleted = "task.completed",
                /// A reminder of a task is due.
                TaskDue = "task.due",
                /// A task is overdue.
                TaskOverdue = "task.overdue",
            };
            /// A saved list query.
            View "view" "视图",
            /// A view.
            ViewId "view" = $crate::view::View,
            /// Views.
            may Views "views" as KEPT,
            events {
                /// A view was created.
                ViewCreated = "view.created",
                /// A view changed.
                ViewUpdated = "view.updated",
                /// A view was moved to the trash.
                ViewDeleted = "view.deleted",
                /// A view was restored from the trash.
                ViewRestored = "view.restored",
            };
            /// How an organisation uses AI: budgets, models and instructions.
            AiSettings "ai_settings" "AI 设置",
            /// The AI settings of an organisation.
            AiSettingsId "ais" = $crate::ai_settings::AiSettings,
            /// The AI chat, with its budgets.
            may Ai "ai" as AI,
            events {
                /// The AI settings were created.
                AiSettingsCreated = "ai_settings.created",
                /// The AI settings changed.
                AiSettingsUpdated = "ai_settings.updated",
                /// The AI settings were deleted.
                AiSettingsDeleted = "ai_settings.deleted",
                /// The AI settings were restored.
                AiSettingsRestored = "ai_settings.restored",
                /// A budget for AI was exhausted.
                AiBudgetExceeded = "ai.budget_exceeded",
                /// The keys of AI providers changed.
                AiKeysChanged = "ai.keys_changed",
            };
            /// A conversation of a user with the AI.
            Conversation "conversation" "对话",
            /// A conversation.
            ConversationId "cnv" = $crate::chat::Conversation,
            /// Conversations, and the messages in them.
            may Conversations "conversations" as PRIVATE,
            events {
                /// A conversation was created.
                ConversationCreated = "conversation.created",
                /// A conversation changed.
                ConversationUpdated = "conversation.updated",
                /// A conversation was moved to the trash.
                ConversationDeleted = "conversation.deleted",
                /// A conversation was restored from the trash.
                ConversationRestored = "conversation.restored",
                /// A temporary conversation reached its end.
                ConversationExpired = "conversation.expired",
            };
            /// A message of a conversation.
            ChatMessage "message" "消息",
            /// A message.
            ChatMessageId "msg" = $crate::chat::ChatMessage,
            events {
                /// A message was written.
                MessageCreated = "message.created",
                /// A message changed.
                MessageUpdated = "message.updated",
                /// A message was moved to the trash.
                MessageDeleted = "message.deleted",
                /// A message was restored from the trash.
                MessageRestored = "message.restored",
                /// An answer was requested, which a worker generates.
                AnswerRequested = "message.answer_requested",
                /// An answer was requested, which the process that took the request generates.
                AnswerStarted = "message.answer_started",
            };
            /// Background work that takes longer than a request may.
            Job "job" "后台任务",
            /// A job.
            JobId "job" = $crate::job::Job,
            /// Background jobs, with the files they produce.
            may Jobs "jobs" as ASKED_FOR,
            events {
                /// A job was queued.
                JobQueued = "job.queued",
                /// A job made progress.
                JobUpdated = "job.updated",
                /// A job failed.
                JobFailed = "job.failed",
                /// A job was moved to the trash.
                JobDeleted = "job.deleted",
                /// A job was restored from the trash.
                JobRestored = "job.restored",
            };
        }
    };
}

/// Boxes a future. Code that awaits a future of every type would otherwise need room for all of them, and a stack that
/// grows with each new type.
#[inline(never)]
pub fn boxed<'a, F: Future + Send + 'a>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>> {
    Box::pin(make())
}

/// Dispatches on a [`RecordType`](crate::RecordType): `with_record_type!(kind, T => work)` is `Some` of `work` for the
/// record type `T`, or `None` for a type that only a newer version knows.
#[macro_export]
macro_rules! with_record_type {
    ($kind:expr, $Type:ident => $work:expr) => {
        $crate::record_types!(with_listed_type($kind)($Type)($work))
    };
}

/// Runs `work` for every record type: `for_each_record_type!(T => work)`.
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
     $($(#[$doc:meta])* $name:ident $text:literal $chinese:literal,
       $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
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
     $($(#[$doc:meta])* $name:ident $text:literal $chinese:literal,
       $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        $({
            type $Type = $path;
            $work
        })*
    };
}
