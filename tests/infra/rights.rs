//! Least-privilege test: each function's calls of the table are exactly those that its IAM role allows.

mod beyond;
mod chat;
mod crm;

use crate::template::{Template, listed};
use axum::http::Method;
use daybook_dispatch::{Redrive, redrive};
use daybook_domain::audit::{Filter, Format};
use daybook_domain::invitation::Invitation;
use daybook_domain::job::{Job, Work};
use daybook_domain::lead::Lead;
use daybook_domain::permission::Role;
use daybook_domain::team::Team;
use daybook_domain::{AnyId, InvitationId};
use daybook_http::{Access, Routes};
use daybook_jobs::mail::SendError;
use daybook_local::{DEFAULT_ORG, functions};
use daybook_records::invite;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Kept, Meter, SignedFact, Tx};
use daybook_testing::hubspot::{Fault, HubSpot};
use daybook_testing::{Person, Right, ScriptedMailer, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The recorded calls of the table, by function.
struct Seen {
    world: World,
    routes: Vec<Routes>,
    rights: BTreeMap<&'static str, BTreeSet<Right>>,
    asked: usize,
}

impl Seen {
    /// An empty record for a world.
    fn of(world: World) -> Seen {
        Seen { world, routes: functions(), rights: BTreeMap::new(), asked: 0 }
    }

    /// Sends a request, which must be answered with this status, and records its function's calls.
    async fn ask(&mut self, who: &Person, method: Method, path: &str, body: Value, status: u16) -> Value {
        self.world.faults.take_rights();
        let call = who.call(method.clone(), path);
        let call = if body.is_null() { call } else { call.json(body) };
        // An idempotency key costs one more read.
        self.asked += 1;
        let call = if method == Method::GET { call } else { call.key(&self.asked.to_string()) };
        let answer = call.await.expect(status);
        let function = self.function_of(&method, path.split('?').next().unwrap_or(path));
        self.note(function);
        serde_json::from_str(&answer.text).unwrap_or_default()
    }

    fn function_of(&self, method: &Method, path: &str) -> &'static str {
        let all = self.routes.iter().flat_map(|routes| &routes.list);
        let fitting = all.filter(|route| route.method == *method && route.fits(path));
        let found = fitting.min_by_key(|route| route.path.contains('{'));
        found.unwrap_or_else(|| panic!("no route for {method} {path}")).function
    }

    fn note(&mut self, function: &'static str) {
        self.rights.entry(function).or_default().extend(self.world.faults.take_rights());
    }

    async fn work(&mut self, function: &'static str, bodies: Vec<String>) {
        self.world.faults.take_rights();
        let failed = self.world.deliver(function, bodies).await;
        assert!(failed.is_empty(), "{function}: {failed:?}");
        self.note(function);
    }

    /// The messages that journal entries produce for a function.
    fn wanted(&self, facts: &[SignedFact], function: &str) -> Vec<String> {
        let settings = &self.world.system.env.settings;
        let consumer = daybook_dispatch::consumers().find(|consumer| consumer.function() == function);
        let consumer = consumer.unwrap_or_else(|| panic!("{function} consumes no entries"));
        facts.iter().flat_map(|fact| consumer.messages(fact, settings).expect("messages")).collect()
    }

    /// Works once more on the jobs that are due items; returns their number.
    async fn jobs_again(&mut self) -> usize {
        let again: Vec<String> = self.due().await.into_iter().filter(|message| message.contains("job_")).collect();
        let count = again.len();
        self.work("run-jobs", again).await;
        count
    }

    /// The messages of due items, as `sweep` sends them.
    async fn due(&self) -> Vec<String> {
        let all = daybook_store::rows::due::all(&self.world.system.env).await.expect("a read");
        all.into_iter().map(|item| item.message).collect()
    }
}

/// Makes every function do everything it can do with the table, once.
async fn seen() -> BTreeMap<&'static str, BTreeSet<Right>> {
    let (mailer, hubspot) = (Arc::new(ScriptedMailer::default()), HubSpot::start(World::noon()).await);
    let meter = Some(Arc::new(Meter::default()));
    let of_world = WorldOptions {
        rate_limits: true,
        mailer: Some(mailer.clone()),
        hubspot: Some(hubspot.clone()),
        meter,
        ..WorldOptions::default()
    };
    let world = World::with(of_world).await;
    let visitor = world.visitor();
    let owner = world.owner().await;
    // In parallel with the rest, since it takes as long.
    let of_crm = tokio::spawn(async {
        let mut seen = Seen::of(World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await);
        crm::crm(&mut seen).await;
        seen.rights
    });
    let of_chat = tokio::spawn(chat::chat());
    let mut seen = Seen::of(world);
    http(&mut seen, &visitor, &owner).await;
    people(&mut seen).await;
    workers(&mut seen, &mailer, &hubspot).await;
    let owner = seen.world.owner().await;
    failed_mails(&mut seen, &owner).await;
    jobs(&mut seen, &owner).await;
    for (function, rights) in of_crm.await.expect("a task").into_iter().chain(of_chat.await.expect("a task")) {
        seen.rights.entry(function).or_default().extend(rights);
    }
    // No user exists yet: the first owner's registration makes the default organisation.
    let empty = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let person = json!({"username": "eva", "email": "eva@staff.example", "password": "correct horse battery"});
    empty.faults.take_rights();
    empty.visitor().post("/api/auth/register", person).await.expect(201);
    seen.rights.entry("auth").or_default().extend(empty.faults.take_rights());
    seen.rights
}

async fn http(seen: &mut Seen, visitor: &Person, owner: &Person) {
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let none = Value::Null;
    for path in [
        "/",
        "/health",
        "/api/health",
        "/health/ready",
        "/openapi.json",
        "/docs",
        "/docs/start.js",
        "/docs/scalar.js",
        "/redoc",
        "/redoc/redoc.js",
        "/daybook-form.js",
    ] {
        seen.ask(visitor, get.clone(), path, none.clone(), 200).await;
    }
    let person = json!({"username": "ada", "email": "ada@staff.example", "password": "correct horse battery"});
    seen.ask(visitor, post.clone(), "/api/auth/register", person.clone(), 201).await;
    seen.ask(
        visitor,
        post.clone(),
        "/api/auth/login",
        json!({"email": "ada@staff.example", "password": "correct horse battery"}),
        200,
    )
    .await;
    seen.ask(visitor, post.clone(), "/api/auth/login", json!({"email": "ada@staff.example", "password": "wrong"}), 401)
        .await;
    account(seen, visitor, owner).await;
    organization(seen, visitor, owner).await;

    let made = seen.ask(visitor, post.clone(), "/api/leads", lead("one@example.com"), 201).await;
    let told = made["data"]["id"].as_str().expect("an id").to_owned();
    seen.ask(visitor, post.clone(), "/api/leads", lead("one@example.com"), 201).await;
    seen.ask(&visitor.from("198.51.100.7"), post.clone(), "/api/leads?again", lead("one@example.com"), 201).await;
    let staff = seen.ask(owner, post.clone(), "/api/leads", lead("two@example.com"), 201).await;
    seen.ask(visitor, post.clone(), "/f/form_01kdvpaw00fpgv030000000001", lead("three@example.com"), 201).await;
    let caught = json!({"email": "one@example.com", "_gotcha": "x"});
    seen.ask(&visitor.from("198.51.100.8"), post.clone(), "/f/form_01kdvpaw00fpgv030000000001", caught.clone(), 201)
        .await;
    let demo = json!({"email": "three@example.com", "preferred_date": "2026-12-20T14:00:00Z", "demo_type": "virtual"});
    seen.ask(visitor, post.clone(), "/api/demos", demo.clone(), 201).await;
    let of_lead = format!("/api/leads/{told}/demo");
    seen.ask(
        visitor,
        post.clone(),
        &of_lead,
        json!({"preferred_date": "2026-12-20T14:00:00Z", "demo_type": "virtual"}),
        201,
    )
    .await;
    let demos = seen.ask(owner, get.clone(), "/api/demos?with_total=true", none.clone(), 200).await;
    let demo = format!("/api/demos/{}", demos["data"][0]["id"].as_str().expect("an id"));
    for list in ["/api/demos?status=requested", "/api/demos?sort=created_at", &demo] {
        seen.ask(owner, get.clone(), list, none.clone(), 200).await;
    }
    seen.ask(owner, put.clone(), &demo, json!({"status": "confirmed"}), 200).await;
    seen.ask(owner, patch.clone(), &demo, json!({"status": "cancelled"}), 200).await;
    // The second message is from a known address.
    for message in ["x", "y"] {
        let body = json!({"name": "A B", "email": "four@example.com", "message": message});
        seen.ask(&visitor.from("198.51.100.10"), post.clone(), "/api/contact", body, 201).await;
    }

    let held = seen.ask(owner, get.clone(), "/api/submissions?status=spam", none.clone(), 200).await;
    let held = held["data"][0]["id"].as_str().expect("the held submission").to_owned();
    seen.ask(owner, get.clone(), "/api/submissions?with_total=true", none.clone(), 200).await;
    seen.ask(owner, get.clone(), &format!("/api/submissions/{held}"), none.clone(), 200).await;
    seen.ask(owner, post.clone(), &format!("/api/submissions/{held}/release"), none.clone(), 200).await;
    let mut too_many = String::new();
    for at in 0..10 {
        let many = seen
            .ask(
                &visitor.from("198.51.100.9"),
                post.clone(),
                &format!("/api/leads?{at}"),
                lead(&format!("many{at}@example.com")),
                201,
            )
            .await;
        too_many = many["data"]["submission_id"].as_str().expect("an id").to_owned();
    }
    seen.ask(owner, post.clone(), &format!("/api/submissions/{too_many}/spam"), none.clone(), 200).await;

    let id = staff["data"]["id"].as_str().or(staff["data"]["lead_id"].as_str()).expect("an id").to_owned();
    let one = format!("/api/leads/{id}");
    let lists = ["?with_total=true", "?status=new", "?search=two", "?search=%E7%A4%BA", "?sort=created_at"];
    for list in lists.iter().map(|query| format!("/api/leads{query}")) {
        seen.ask(owner, get.clone(), &list, none.clone(), 200).await;
    }
    let user = owner.user.expect("a user");
    seen.ask(owner, put.clone(), &one, json!({"owner_id": user, "status": "contacted"}), 200).await;
    seen.ask(owner, get.clone(), &format!("/api/leads?owner_id={user}"), none.clone(), 200).await;
    seen.ask(owner, patch.clone(), &one, json!({"first_name": "Eva", "email": "five@example.com"}), 200).await;
    for path in [one.clone(), format!("{one}/timeline"), format!("/api/leads/{told}/timeline")] {
        seen.ask(owner, get.clone(), &path, none.clone(), 200).await;
    }
    seen.ask(owner, delete.clone(), &one, none.clone(), 200).await;
    seen.ask(owner, post.clone(), &format!("{one}/restore"), none.clone(), 200).await;
    for query in ["", "?state=waiting"] {
        seen.ask(owner, get.clone(), &format!("/api/integrations/hubspot/records{query}"), none.clone(), 200).await;
    }
    seen.ask(owner, post.clone(), "/api/integrations/hubspot/replay", json!({"records": [id]}), 202).await;
    audit(seen, owner, &one).await;
}

/// Calls every route of `auth`.
async fn account(seen: &mut Seen, visitor: &Person, owner: &Person) {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let none = Value::Null;
    for path in ["/account", "/account/account.js", "/account/held.js"] {
        seen.ask(visitor, get.clone(), path, none.clone(), 200).await;
    }
    seen.ask(owner, get.clone(), "/api/auth/me", none.clone(), 200).await;
    seen.ask(owner, Method::PATCH, "/api/auth/me", json!({"name": "Boss"}), 200).await;
    let login = json!({"username": "ada", "password": "correct horse battery"});
    let tokens = seen.ask(visitor, post.clone(), "/api/auth/login", login.clone(), 200).await;
    let ada = visitor.with_token(tokens["access_token"].as_str().expect("a token"));
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    seen.ask(visitor, post.clone(), "/api/auth/refresh", refresh, 200).await;
    seen.ask(&ada, get.clone(), "/api/auth/sessions", none.clone(), 200).await;
    seen.ask(&ada, delete.clone(), "/api/auth/sessions", none.clone(), 200).await;
    seen.ask(&ada, post.clone(), "/api/auth/verify-email/resend", none.clone(), 202).await;
    let (org, id) =
        daybook_records::admission::login(&seen.world.system.env, "ada").await.expect("a read").expect("a user");
    let ticket = async |seen: &Seen, to: Use| {
        let env = &seen.world.system.env;
        Ticket::read(env, org, id, to).await.expect("a read").expect("a ticket").token(env, org, id, to)
    };
    let proof = json!({"token": ticket(seen, Use::VerifyEmail).await});
    seen.ask(visitor, post.clone(), "/api/auth/verify-email", proof, 200).await;
    let change = json!({"current_password": "correct horse battery", "new_password": "correct horse battery"});
    seen.ask(&ada, post.clone(), "/api/auth/change-password", change, 200).await;
    let password = json!({"current_password": "correct horse battery"});
    let factor = seen.ask(&ada, post.clone(), "/api/auth/mfa/setup", password, 200).await;
    let code = |seen: &Seen| {
        let secret = totp_rs::Secret::try_from_base32(factor["data"]["secret"].as_str().expect("a secret"));
        let builder = totp_rs::Builder::new().with_secret(secret.expect("base 32")).with_account_name("ada");
        builder.build().expect("a factor").generate(seen.world.clock.now().as_second() as u64).to_string()
    };
    let confirm = json!({"code": code(seen)});
    seen.ask(&ada, post.clone(), "/api/auth/mfa/confirm", confirm, 200).await;
    seen.world.clock.advance(Duration::from_secs(30));
    let disable = json!({"current_password": "correct horse battery", "code": code(seen)});
    seen.ask(&ada, post.clone(), "/api/auth/mfa/disable", disable, 200).await;
    let change = json!({"email": "ada2@staff.example", "current_password": "correct horse battery"});
    seen.ask(&ada, post.clone(), "/api/auth/change-email", change, 200).await;
    let change = json!({"email": "ada@staff.example", "current_password": "correct horse battery"});
    seen.ask(&ada, post.clone(), "/api/auth/change-email", change, 200).await;
    for (to, path) in [(Use::VerifyEmail, "/api/auth/verify-email"), (Use::ResetPassword, "/api/auth/reset-password")] {
        let forgot = json!({"email": "ada@staff.example"});
        seen.ask(visitor, post.clone(), "/api/auth/forgot-password", forgot, 202).await;
        let mut body = json!({"token": ticket(seen, to).await});
        if to == Use::ResetPassword {
            body["password"] = json!("correct horse battery");
        }
        seen.ask(visitor, post.clone(), path, body, 200).await;
    }
    let tokens = seen.ask(visitor, post.clone(), "/api/auth/login", login, 200).await;
    let ada = visitor.with_token(tokens["access_token"].as_str().expect("a token"));
    seen.ask(&ada, post.clone(), "/api/auth/logout", none, 200).await;
}

/// Calls the routes of users, roles, teams, invitations, organisations, API keys and forms.
async fn organization(seen: &mut Seen, visitor: &Person, owner: &Person) {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let none = Value::Null;
    let role = json!({"name": "Reader", "permissions": ["leads:read:all"]});
    let role = made(seen, owner, "/api/roles", role).await;
    let role_id = role.rsplit('/').next().expect("an id").to_owned();
    let user = json!({"email": "one@staff.example", "role": role_id});
    let user = made(seen, owner, "/api/users", user).await;
    let user_id = user.rsplit('/').next().expect("an id").to_owned();
    let team = made(seen, owner, "/api/teams", json!({"name": "South", "member_ids": [user_id]})).await;
    let invited = json!({"email": "two@staff.example", "role": role_id});
    let invitation = made(seen, owner, "/api/invitations", invited).await;
    let key = json!({"name": "Import", "permissions": ["leads:create:all"], "requests_per_minute": 60});
    let key = made(seen, owner, "/api/api-keys", key).await;
    let form = made(seen, owner, "/api/forms", json!({"name": "Campaign"})).await;
    let organization = format!("/api/organizations/{}", owner.org);
    for path in ["/api/permissions", "/api/organizations?with_total=true", "/api/users?status=active"] {
        seen.ask(owner, get.clone(), path, none.clone(), 200).await;
    }
    for path in [&role, &user, &team, &invitation, &key, &form] {
        let list = path.rsplit_once('/').expect("a list").0;
        seen.ask(owner, get.clone(), list, none.clone(), 200).await;
        seen.ask(owner, get.clone(), path, none.clone(), 200).await;
    }
    seen.ask(owner, get.clone(), &organization, none.clone(), 200).await;
    seen.ask(owner, get.clone(), &format!("{user}/permissions"), none.clone(), 200).await;
    let changes = [
        (&role, json!({"name": "Readers"})),
        (&user, json!({"role": "owner", "email": "three@staff.example"})),
        (&user, json!({"role": role_id})),
        (&team, json!({"member_ids": []})),
        (&key, json!({"name": "Imports"})),
        (&form, json!({"name": "Campaigns"})),
        (&organization, json!({"name": "Daybook"})),
    ];
    for (path, change) in changes {
        seen.ask(owner, patch.clone(), path, change, 200).await;
    }
    seen.ask(owner, post.clone(), &format!("{key}/rotate"), none.clone(), 200).await;
    seen.ask(owner, post.clone(), "/api/organizations", json!({"name": "B", "owner_email": "b@b.example"}), 201).await;
    seen.world.clock.advance(Duration::from_secs(10));
    seen.ask(visitor, get.clone(), "/health", none.clone(), 200).await;
    seen.ask(owner, post.clone(), &format!("{invitation}/resend"), none.clone(), 200).await;
    let cx = seen.world.cx(DEFAULT_ORG);
    let id: InvitationId = invitation.rsplit('/').next().expect("an id").parse().expect("an id");
    let sent = cx.get::<Invitation>(id).await.expect("an invitation");
    let token = invite::token(&cx.env.keys, cx.org, &sent);
    let accept = json!({"invite_token": token, "email": "two@staff.example", "password": "correct horse battery"});
    seen.ask(visitor, post.clone(), "/api/auth/register", accept, 201).await;
    seen.ask(owner, delete.clone(), &role, none.clone(), 409).await;
    for path in [&user, &form] {
        seen.ask(owner, delete.clone(), path, none.clone(), 200).await;
        seen.ask(owner, post.clone(), &format!("{path}/restore"), none.clone(), 200).await;
    }
    for path in [&team, &invitation, &key] {
        seen.ask(owner, delete.clone(), path, none.clone(), 200).await;
    }
    let unused = made(seen, owner, "/api/roles", json!({"name": "Unused", "permissions": []})).await;
    seen.ask(owner, delete.clone(), &unused, none, 200).await;
}

/// Calls the routes of the audit log.
async fn audit(seen: &mut Seen, owner: &Person, lead: &str) {
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    let none = Value::Null;
    let me = owner.user.expect("a user");
    let id = lead.rsplit('/').next().expect("an id");
    for path in [
        "/api/audit-logs?limit=200".to_owned(),
        "/api/audit-logs/counts".to_owned(),
        "/api/audit-logs/verify".to_owned(),
        format!("/api/audit-logs/users/{me}"),
        format!("/api/foundation/audit-logs/resources/lead/{id}"),
    ] {
        seen.ask(owner, get.clone(), &path, none.clone(), 200).await;
    }
    seen.ask(owner, post.clone(), "/api/audit-logs/export", json!({"outcome": "denied"}), 200).await;
    seen.ask(owner, patch.clone(), lead, json!({"first_name": "Bob"}), 200).await;
    let last = async |seen: &mut Seen| {
        let list = seen.ask(owner, get.clone(), "/api/audit-logs?limit=1", none.clone(), 200).await;
        format!("/api/audit-logs/{}", list["data"][0]["id"].as_str().expect("an entry"))
    };
    let entry = last(seen).await;
    let entry = seen.ask(owner, get.clone(), &entry, none.clone(), 200).await;
    let undo = json!({"request_id": entry["data"]["request_id"]});
    seen.ask(owner, post.clone(), "/api/audit-logs/revert", undo, 200).await;
    seen.ask(owner, Method::DELETE, lead, none.clone(), 200).await;
    let entry = last(seen).await;
    seen.ask(owner, post.clone(), &format!("{entry}/revert"), none, 200).await;
}

/// Creates a record and returns its path.
async fn made(seen: &mut Seen, owner: &Person, path: &str, body: Value) -> String {
    let made = seen.ask(owner, Method::POST, path, body, 201).await;
    format!("{path}/{}", made["data"]["id"].as_str().expect("an id"))
}

/// What every function does with signed-in requests: it refuses some, and reads the members of a manager's teams.
async fn people(seen: &mut Seen) {
    let (missing, manager) = (seen.world.person(Role::Viewer).await, seen.world.person(Role::Manager).await);
    let cx = seen.world.cx(DEFAULT_ORG);
    let team = json!({"name": "North", "member_ids": [manager.user.expect("a user").to_string()]});
    let team = team.as_object().cloned().expect("fields");
    daybook_records::create(&cx, team, |_: Team| ()).await.expect("a commit");
    let id = "01m7wjas70ec3sttn163jbej2c";
    let mut asked = BTreeSet::new();
    for route in seen.routes.clone().iter().flat_map(|routes| routes.list.clone()) {
        let (Access::Can(resource, action) | Access::PublicOr(_, resource, action)) = route.access else { continue };
        let path = route.path.replace("{id}", &format!("lead_{id}"));
        if Role::Viewer.scope(resource, action).is_none() && asked.insert((route.function, "refused")) {
            seen.ask(&missing, route.method.clone(), &path, Value::Null, 403).await;
        }
        let is_list = route.method == Method::GET && !route.path.contains('{');
        if Role::Manager.scope(resource, action).is_some() && is_list && asked.insert((route.function, "of a team")) {
            seen.ask(&manager, route.method.clone(), &path, Value::Null, 200).await;
        }
    }
}

async fn workers(seen: &mut Seen, mailer: &ScriptedMailer, hubspot: &HubSpot) {
    let facts = seen.world.journal(DEFAULT_ORG).await;
    seen.world.faults.take_rights();
    for fact in &facts {
        seen.world.dispatch(fact.clone()).await.expect("a dispatch");
    }
    let ask = Redrive { from: seen.world.clock.now().minus(Duration::from_secs(3600)), to: None };
    let (env, queues) = (seen.world.system.env.clone(), seen.world.system.workers.queues());
    redrive(env, queues, ask, Instant::now() + Duration::from_secs(60)).await.expect("a redrive");
    seen.note("dispatch");

    let mails = seen.wanted(&facts, "send-mail");
    let records: BTreeSet<String> = seen.wanted(&facts, "sync-hubspot").into_iter().collect();
    let records: Vec<String> = records.into_iter().collect();
    hubspot.fail_next(Fault::status(500));
    for _ in 0..2 {
        seen.work("sync-hubspot", records.clone()).await;
        seen.world.clock.advance(Duration::from_secs(3600));
        let again = seen.due().await;
        seen.work("sync-hubspot", again).await;
    }
    for error in [
        SendError::Temporary("x".to_owned()),
        SendError::OutcomeUnknown("x".to_owned()),
        SendError::Refused("x".to_owned()),
    ] {
        mailer.fail_next(error);
    }
    seen.work("send-mail", mails).await;
    seen.world.clock.advance(Duration::from_secs(3600));
    seen.world.faults.take_rights();
    seen.world.system.workers.sweep().await.expect("a sweep");
    seen.note("sweep");
    let again = seen.due().await;
    assert!(!again.is_empty(), "no mail waits");
    seen.work("send-mail", again).await;
    let ses: Value = serde_json::from_str(&crate::read("events/send-mail/ses.json")).expect("JSON");
    let event = ses["Records"][0]["body"].as_str().expect("a body").to_owned();
    seen.work("send-mail", vec![event]).await;
}

/// Lists the mails that failed, and sends one again.
async fn failed_mails(seen: &mut Seen, owner: &Person) {
    let list = seen.ask(owner, Method::GET, "/api/integrations/mail/failed", Value::Null, 200).await;
    assert!(list["data"][0]["entry_id"].is_string(), "no mail failed: {list}");
    seen.ask(owner, Method::POST, "/api/integrations/mail/replay", json!({}), 202).await;
}

/// Requests, runs and reads jobs, including the follow-up work of an erasure.
async fn jobs(seen: &mut Seen, owner: &Person) {
    let cx = seen.world.cx(DEFAULT_ORG);
    let mut leads: Vec<Lead> = Vec::new();
    cx.every::<Lead>(Kept::Live).each(|lead| leads.push(lead.into_inner())).await.expect("leads");
    assert!(!leads.is_empty());
    let (record, actor) = (leads.first().map(|lead| lead.id.into()), owner.user.map(AnyId::from));
    for filter in [
        Filter::default(),
        Filter { resource_id: record, ..Filter::default() },
        Filter { actor_id: actor, ..Filter::default() },
    ] {
        let work = Work::AuditExport { format: Format::Json, filter: Box::new(filter) };
        cx.next_step().commit(Tx::create(&Job::new(work, &cx.stamp())), ()).await.expect("a commit");
    }
    for lead in &leads {
        for what in ["exports", "erasures"] {
            let path = format!("/api/privacy/{what}");
            seen.ask(owner, Method::POST, &path, json!({"email": lead.email}), 202).await;
        }
    }
    for function in ["run-jobs", "sync-hubspot"] {
        let mut messages = seen.wanted(&seen.world.journal(DEFAULT_ORG).await, function);
        messages.retain(|message| function == "run-jobs" || message.contains("\"erased\":true"));
        assert!(!messages.is_empty(), "nothing for {function}");
        for message in messages {
            seen.work(function, vec![message]).await;
            seen.world.clock.advance(Duration::from_secs(10));
        }
    }
    let owner_id = owner.user.expect("a user");
    for query in ["", "?status=done", &format!("?owner_id={owner_id}")] {
        let list = seen.ask(owner, Method::GET, &format!("/api/jobs{query}"), Value::Null, 200).await;
        let id = list["data"][0]["id"].as_str().unwrap_or_else(|| panic!("no job: {list}")).to_owned();
        seen.ask(owner, Method::GET, &format!("/api/jobs/{id}"), Value::Null, 200).await;
    }
    // A job that can't be done yet becomes a due item and is retried.
    seen.ask(owner, Method::POST, "/api/privacy/exports", json!({"email": "nobody@example.com"}), 202).await;
    let last = seen.wanted(&seen.world.journal(DEFAULT_ORG).await, "run-jobs").pop();
    let files = seen.world.folder().join("files");
    std::fs::rename(&files, seen.world.folder().join("elsewhere")).expect("a folder");
    std::fs::write(&files, "").expect("a file");
    seen.work("run-jobs", vec![last.expect("a job")]).await;
    std::fs::remove_file(&files).expect("a file");
    assert_eq!(seen.jobs_again().await, 1, "the job waits");
    seen.world.faults.take_rights();
    seen.world.system.workers.anchor().await.expect("anchors");
    seen.note("anchor-journal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_grant_what_functions_do_with_the_table_and_nothing_else() {
    let seen = seen().await;
    let template = Template::read();
    let mut wrong: Vec<String> = Vec::new();
    for function in template.functions().keys() {
        let mut used = seen.get(function.as_str()).cloned().unwrap_or_default();
        // Every function reads one item at its start, to open the connection to the table.
        used.insert(("dynamodb:GetItem".to_owned(), None));
        let mut granted: BTreeSet<Right> = BTreeSet::new();
        for statement in template.statements(function).into_iter().filter(|one| one["Effect"] == "Allow") {
            let resource = statement["Resource"].to_string();
            let index =
                ["by_state", "by_owner"].into_iter().find(|index| resource.contains(&format!("/index/{index}")));
            let of_table = statement["Resource"] == json!({"Fn::GetAtt": "Table.Arn"});
            if of_table || index.is_some() {
                let actions = listed(&statement["Action"]).into_iter();
                granted.extend(
                    actions.map(|action| (action.as_str().expect("an action").to_owned(), index.map(str::to_owned))),
                );
            }
        }
        let named = |rights: Vec<&Right>| -> String {
            let name = |(action, index): &&Right| [action, index.as_deref().unwrap_or_default()].join(" ");
            rights.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        if used != granted {
            let lacking = named(used.difference(&granted).collect());
            let needless = named(granted.difference(&used).collect());
            wrong.push(format!("{function}: lacks {lacking}; has needlessly {needless}"));
        }
    }
    assert!(wrong.is_empty(), "infra/template.yaml:\n{}", wrong.join("\n"));
}
