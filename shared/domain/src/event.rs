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

    /// A thing that happened, by the name that other systems know it by.
    Event {
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
        /// Work was asked for that takes longer than a request.
        JobQueued = "job.queued",
        /// Work has come further.
        JobUpdated = "job.updated",
        /// Work can't be done.
        JobFailed = "job.failed",
        /// All that belongs to a record was moved to the trash with it, or taken back with it.
        FamilyMoved = "family.moved",
        /// A job was moved to the trash.
        JobDeleted = "job.deleted",
        /// A job was taken back from the trash.
        JobRestored = "job.restored",
        /// A record was removed for good.
        RecordErased = "record.erased",
        /// Somebody read something.
        RecordViewed = "record.viewed",
        /// A role was made.
        RoleCreated = "role.created",
        /// A role changed.
        RoleUpdated = "role.updated",
        /// A role was removed.
        RoleDeleted = "role.deleted",
        /// A role was brought back.
        RoleRestored = "role.restored",
        /// A team was made.
        TeamCreated = "team.created",
        /// A team changed.
        TeamUpdated = "team.updated",
        /// A team was removed.
        TeamDeleted = "team.deleted",
        /// A team was brought back.
        TeamRestored = "team.restored",
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
        /// An API key was made.
        KeyCreated = "api_key.created",
        /// An API key changed.
        KeyUpdated = "api_key.updated",
        /// An API key was taken out of force.
        KeyRevoked = "api_key.revoked",
        /// An API key was brought back.
        KeyRestored = "api_key.restored",
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
        /// A customer was made.
        CustomerCreated = "customer.created",
        /// A customer changed.
        CustomerUpdated = "customer.updated",
        /// A customer was moved to the trash.
        CustomerDeleted = "customer.deleted",
        /// A customer was taken back from the trash.
        CustomerRestored = "customer.restored",
        /// A contact was made.
        ContactCreated = "contact.created",
        /// A contact changed.
        ContactUpdated = "contact.updated",
        /// A contact was moved to the trash.
        ContactDeleted = "contact.deleted",
        /// A contact was taken back from the trash.
        ContactRestored = "contact.restored",
        /// A group of contacts was made.
        GroupCreated = "group.created",
        /// A group of contacts changed.
        GroupUpdated = "group.updated",
        /// A group of contacts was moved to the trash.
        GroupDeleted = "group.deleted",
        /// A group of contacts was taken back from the trash.
        GroupRestored = "group.restored",
        /// An interaction was made.
        InteractionCreated = "interaction.created",
        /// An interaction changed.
        InteractionUpdated = "interaction.updated",
        /// An interaction was moved to the trash.
        InteractionDeleted = "interaction.deleted",
        /// An interaction was taken back from the trash.
        InteractionRestored = "interaction.restored",
        /// A pipeline was made.
        PipelineCreated = "pipeline.created",
        /// A pipeline changed.
        PipelineUpdated = "pipeline.updated",
        /// A pipeline was moved to the trash.
        PipelineDeleted = "pipeline.deleted",
        /// A pipeline was taken back from the trash.
        PipelineRestored = "pipeline.restored",
        /// An opportunity was made.
        OpportunityCreated = "opportunity.created",
        /// An opportunity changed.
        OpportunityUpdated = "opportunity.updated",
        /// An opportunity was moved to the trash.
        OpportunityDeleted = "opportunity.deleted",
        /// An opportunity was taken back from the trash.
        OpportunityRestored = "opportunity.restored",
        /// A task was made.
        TaskCreated = "task.created",
        /// A task changed.
        TaskUpdated = "task.updated",
        /// A task was moved to the trash.
        TaskDeleted = "task.deleted",
        /// A task was taken back from the trash.
        TaskRestored = "task.restored",
        /// A view was made.
        ViewCreated = "view.created",
        /// A view changed.
        ViewUpdated = "view.updated",
        /// A view was moved to the trash.
        ViewDeleted = "view.deleted",
        /// A view was taken back from the trash.
        ViewRestored = "view.restored",
        /// An opportunity went to another stage.
        OpportunityStageChanged = "opportunity.stage_changed",
        /// An opportunity was won.
        OpportunityWon = "opportunity.won",
        /// An opportunity was lost.
        OpportunityLost = "opportunity.lost",
        /// A task got another assignee.
        TaskAssigned = "task.assigned",
        /// A task was done.
        TaskCompleted = "task.completed",
        /// Somebody is to be reminded of a task.
        TaskDue = "task.due",
        /// A task isn't done, and was to be by now.
        TaskOverdue = "task.overdue",
        /// A lead became a customer.
        LeadConverted = "lead.converted",
        /// A record is to be made equal in another system once more.
        SyncRequested = "sync.requested",
    }
}

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
