//! Names of operations in the OpenAPI document: stable ids by which generated clients call them, and the tags that group them.
//!
//! Ids follow from method and path where a route creates, lists, reads, changes or deletes records of a collection; all others
//! are listed.

use crate::routes::Route;
use axum::http::Method;

/// The ids of operations that don't follow from their paths.
const IDS: [(&str, &str, &str); 86] = [
    ("GET", "/", "getInfo"),
    ("GET", "/health", "getHealth"),
    ("GET", "/api/health", "getApiHealth"),
    ("GET", "/health/ready", "getReadiness"),
    ("POST", "/api/auth/register", "register"),
    ("POST", "/api/auth/login", "signIn"),
    ("POST", "/api/auth/refresh", "refreshTokens"),
    ("POST", "/api/auth/logout", "signOut"),
    ("GET", "/api/auth/me", "getMe"),
    ("PATCH", "/api/auth/me", "updateMe"),
    ("GET", "/api/auth/sessions", "listSessions"),
    ("DELETE", "/api/auth/sessions", "endOtherSessions"),
    ("DELETE", "/api/auth/sessions/{id}", "endSession"),
    ("POST", "/api/auth/forgot-password", "requestPasswordReset"),
    ("POST", "/api/auth/reset-password", "resetPassword"),
    ("POST", "/api/auth/change-password", "changePassword"),
    ("POST", "/api/auth/change-email", "changeEmail"),
    ("POST", "/api/auth/verify-email", "verifyEmail"),
    ("POST", "/api/auth/verify-email/resend", "resendVerification"),
    ("POST", "/api/auth/mfa/setup", "setUpSecondFactor"),
    ("POST", "/api/auth/mfa/confirm", "confirmSecondFactor"),
    ("POST", "/api/auth/mfa/disable", "disableSecondFactor"),
    ("GET", "/account", "getAccountPage"),
    ("GET", "/account/account.js", "getAccountScript"),
    ("GET", "/account/held.js", "getHeldPostScript"),
    ("GET", "/api/users/{id}/permissions", "getUserPermissions"),
    ("GET", "/api/permissions", "listPermissions"),
    ("DELETE", "/api/invitations/{id}", "revokeInvitation"),
    ("POST", "/api/organizations/{id}/resend", "resendOrganizationInvitation"),
    ("DELETE", "/api/api-keys/{id}", "revokeApiKey"),
    ("GET", "/api/audit-logs/counts", "getAuditLogCounts"),
    ("GET", "/api/audit-logs/verify", "verifyAuditLog"),
    ("POST", "/api/audit-logs/export", "exportAuditLog"),
    ("POST", "/api/audit-logs/revert", "revertRequest"),
    ("GET", "/api/audit-logs/users/{id}", "listAuditLogsOfUser"),
    ("GET", "/api/audit-logs/resources/{resource_type}/{id}", "listAuditLogsOfRecord"),
    ("POST", "/api/audit-logs/{id}/revert", "revertAuditLog"),
    ("GET", "/api/foundation/audit-logs", "listFoundationAuditLogs"),
    ("POST", "/api/foundation/audit-logs/export", "exportFoundationAuditLog"),
    ("GET", "/api/foundation/audit-logs/users/{id}", "listFoundationAuditLogsOfUser"),
    ("GET", "/api/foundation/audit-logs/resources/{resource_type}/{id}", "listFoundationAuditLogsOfRecord"),
    ("GET", "/api/foundation/audit-logs/{id}", "getFoundationAuditLog"),
    ("POST", "/api/privacy/exports", "exportPerson"),
    ("POST", "/api/privacy/erasures", "erasePerson"),
    ("POST", "/f/{form_id}", "postForm"),
    ("GET", "/daybook-form.js", "getFormScript"),
    ("POST", "/api/leads/{id}/demo", "requestDemo"),
    ("POST", "/api/demos", "bookDemo"),
    ("POST", "/api/contact", "sendMessage"),
    ("POST", "/api/submissions/{id}/spam", "markSubmissionAsSpam"),
    ("POST", "/api/submissions/held", "getHeldPost"),
    ("POST", "/api/submissions/held/decision", "decideHeldPost"),
    ("GET", "/api/opportunities/board", "getOpportunityBoard"),
    ("POST", "/api/opportunities/{id}/stage", "setOpportunityStage"),
    ("GET", "/api/models", "listAiModels"),
    ("GET", "/api/ai/budgets", "getAiBudgets"),
    ("PUT", "/api/ai/budgets", "updateAiBudgets"),
    ("GET", "/api/ai/usage", "getAiUsage"),
    ("GET", "/api/ai/conversations", "listAllConversations"),
    ("GET", "/api/ai/conversations/{id}/messages", "listMessagesOfAnyConversation"),
    ("GET", "/api/integrations/ai", "getAiSettings"),
    ("PUT", "/api/integrations/ai", "updateAiSettings"),
    ("GET", "/api/conversations/{id}/messages", "listMessages"),
    ("POST", "/api/conversations/{id}/fork", "forkConversation"),
    ("GET", "/api/conversations/{id}/export", "exportConversation"),
    ("POST", "/api/chat", "chat"),
    ("GET", "/api/chat/runs/{id}", "getChatRun"),
    ("GET", "/api/chat/runs/{id}/events", "streamChatRun"),
    ("POST", "/api/chat/runs/{id}/stop", "stopChatRun"),
    ("POST", "/api/chat/ui", "chatForAiSdk"),
    ("GET", "/api/chat/ui/{id}/stream", "resumeChatForAiSdk"),
    ("POST", "/api/ws/ticket", "createSocketTicket"),
    ("GET", "/v1/models", "listOpenAiModels"),
    ("GET", "/v1/models/{id}", "getOpenAiModel"),
    ("POST", "/v1/chat/completions", "createOpenAiChatCompletion"),
    ("POST", "/v1/responses", "createOpenAiResponse"),
    ("GET", "/api/integrations/hubspot/records", "listHubSpotRecords"),
    ("POST", "/api/integrations/hubspot/replay", "replayHubSpotRecords"),
    ("GET", "/api/integrations/mail/failed", "listFailedMails"),
    ("POST", "/api/integrations/mail/replay", "replayFailedMails"),
    ("GET", "/openapi.json", "getOpenApiDocument"),
    ("GET", "/docs", "getReference"),
    ("GET", "/docs/start.js", "getReferenceStartScript"),
    ("GET", "/docs/scalar.js", "getReferenceScript"),
    ("GET", "/redoc", "getPrintedReference"),
    ("GET", "/redoc/redoc.js", "getPrintedReferenceScript"),
];

/// The groups of operations: a tag, what it is about, and the beginnings of its paths. The first that fits counts.
const TAGS: [(&str, &str, &[&str]); 20] = [
    (
        "Sign-in",
        "Registering, signing in, sessions, passwords, the second factor and the account's page.",
        &["/api/auth", "/account"],
    ),
    (
        "Forms",
        "Forms of websites: the posts of visitors, which become leads.",
        &["/f/", "/api/forms", "/api/contact", "/daybook-form.js"],
    ),
    ("Submissions", "Posted forms as they were received; held ones are released or rejected.", &["/api/submissions"]),
    ("Demos", "Demonstrations that visitors request.", &["/api/demos", "/api/leads/{id}/demo"]),
    ("Leads", "Potential customers, mostly from forms of websites.", &["/api/leads"]),
    ("Customers", "Persons and companies.", &["/api/customers"]),
    ("Contacts", "People at customers and elsewhere, and groups of them.", &["/api/contacts", "/api/groups"]),
    ("Interactions", "Calls, e-mails, meetings and notes with customers.", &["/api/interactions"]),
    (
        "Opportunities",
        "Possible sales, and the pipelines whose stages they pass.",
        &["/api/opportunities", "/api/pipelines"],
    ),
    ("Tasks", "What is to be done, by whom and when.", &["/api/tasks"]),
    ("Views", "Saved lists.", &["/api/views"]),
    ("Conversations", "The AI chat and its conversations.", &["/api/conversations", "/api/chat", "/api/ws"]),
    ("AI", "Language models, their budgets, usage and settings.", &["/api/models", "/api/ai", "/api/integrations/ai"]),
    ("OpenAI", "The API of OpenAI, for clients that know that one.", &["/v1"]),
    (
        "People",
        "Users, roles, permissions, teams and invitations.",
        &["/api/users", "/api/roles", "/api/permissions", "/api/teams", "/api/invitations"],
    ),
    ("Organisations", "Organisations and their API keys.", &["/api/organizations", "/api/api-keys"]),
    ("Audit log", "Every change, who made it and how it was before; undo.", &["/api/audit-logs", "/api/foundation"]),
    (
        "Privacy",
        "Exports and erasures of a person's data, and the jobs that do long work.",
        &["/api/privacy", "/api/jobs"],
    ),
    ("Integrations", "The state of other systems: HubSpot and mail.", &["/api/integrations"]),
    ("Service", "The deployment itself: its health and this document.", &["/"]),
];

/// The tags with their descriptions, in the order of the document.
pub(crate) fn tags() -> impl Iterator<Item = (&'static str, &'static str)> {
    TAGS.iter().map(|(name, about, _)| (*name, *about))
}

/// The tag of a route.
pub(crate) fn tag_of(route: &Route) -> &'static str {
    let fits = |begin: &&str| route.path.starts_with(*begin);
    TAGS.iter().find(|(.., begins)| begins.iter().any(fits)).map_or("Service", |(name, ..)| name)
}

/// The id of a route's operation.
pub(crate) fn id_of(route: &Route) -> String {
    let method = route.method.as_str();
    if let Some((.., id)) = IDS.iter().find(|(known, path, _)| *known == method && *path == route.path) {
        return (*id).to_owned();
    }
    let mut parts = route.path.trim_start_matches("/api/").split('/');
    let collection = joined(parts.next().unwrap_or_default());
    let one = singular(&collection);
    match (&route.method, parts.next(), parts.next()) {
        (&Method::GET, None, _) => format!("list{collection}"),
        (&Method::POST, None, _) => format!("create{one}"),
        (_, Some(verb), None) if !verb.starts_with('{') => format!("{verb}{collection}"),
        (&Method::GET, Some(_), Some(part)) => format!("get{one}{}", joined(part)),
        (_, Some(_), Some(verb)) => format!("{verb}{one}"),
        (&Method::GET, ..) => format!("get{one}"),
        (&Method::PUT, ..) => format!("put{one}"),
        (&Method::DELETE, ..) => format!("delete{one}"),
        _ => format!("update{one}"),
    }
}

/// The summary of an operation: the words of its id. PUT changes the given fields as PATCH does.
pub(crate) fn summary_of(id: &str) -> String {
    if let Some(one) = id.strip_prefix("put").filter(|one| one.starts_with(char::is_uppercase)) {
        return format!("{} (PUT)", summary_of(&format!("update{one}")));
    }
    let mut words = String::new();
    for letter in id.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
            words.extend(letter.to_lowercase());
        } else if words.is_empty() {
            words.extend(letter.to_uppercase());
        } else {
            words.push(letter);
        }
    }
    let names = [("open ai", "OpenAI"), ("hub spot", "HubSpot"), ("api", "API"), ("ai sdk", "AI SDK"), ("ai", "AI")];
    let mut text = format!(" {words} ");
    for (plain, name) in names {
        text = text.replace(&format!(" {plain} "), &format!(" {name} "));
    }
    text.trim().to_owned()
}

/// The words of a path's part as a part of an id: `api-keys` becomes `ApiKeys`.
fn joined(part: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    part.split('-').map(word).collect()
}

/// One of a collection: `Opportunities` becomes `Opportunity`.
fn singular(collection: &str) -> String {
    match collection.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => collection.strip_suffix('s').unwrap_or(collection).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_as_sentences() {
        let check = |id: &str, expected: &str| assert_eq!(summary_of(id), expected);
        check("listApiKeys", "List API keys");
        check("createOpenAiResponse", "Create OpenAI response");
        check("chatForAiSdk", "Chat for AI SDK");
        check("replayHubSpotRecords", "Replay HubSpot records");
        check("getAiUsage", "Get AI usage");
        check("signIn", "Sign in");
        check("putLead", "Update lead (PUT)");
    }
}
