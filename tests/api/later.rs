//! Tests that power counts when it is used, not when it was asked for: pending addresses and invitations, keys of users who
//! left, files of users who left a team, two requests at once; and that nothing is told of records out of reach by
//! cursors, counts or bodies of refused requests.

use crate::ways::{role, with_role};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::permission::Role;
use daybook_domain::{EmailAddress, Secret};
use daybook_store::{FirstAddress, FirstOwner, Registration};
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::time::Duration;

fn path(person: &Person) -> String {
    format!("/api/users/{}", person.user.expect("a user"))
}

#[tokio::test]
async fn an_address_asked_for_another_user_counts_only_while_the_power_to_ask_for_it_lasts() {
    let world = World::new().await;
    let owner = world.owner().await;
    let confirm = async |token: &str| {
        let proof = json!({"token": token});
        world.visitor().post("/api/auth/verify-email", proof).await.status.as_u16()
    };
    for (n, change) in ["promoted", "demoted", "suspended", "deleted", "unchanged"].into_iter().enumerate() {
        let (admin, viewer) = (world.person(Role::Admin).await, world.person(Role::Viewer).await);
        let address = format!("mine{n}@evil.example");
        admin.patch(&path(&viewer), json!({"email": address})).await.expect(200);
        let token = world.mailed(&address, "verify-email").await.expect("a mail");
        match change {
            "promoted" => drop(owner.patch(&path(&viewer), json!({"role": "owner"})).await.expect(200)),
            "demoted" => drop(owner.patch(&path(&admin), json!({"role": "sales"})).await.expect(200)),
            "suspended" => drop(owner.patch(&path(&admin), json!({"status": "suspended"})).await.expect(200)),
            "deleted" => drop(owner.delete(&path(&admin)).await.expect(200)),
            _ => {}
        }
        let expected = if change == "unchanged" { 200 } else { 409 };
        assert_eq!(confirm(&token).await, expected, "{change}");
        // Nor does a second mail, which the user asked for unsuspectingly, forget who asked for the address.
        if change == "demoted" {
            viewer.post("/api/auth/verify-email/resend", json!({})).await.expect(202);
            let token = world.mailed(&address, "verify-email").await.expect("a mail");
            assert_eq!(confirm(&token).await, 409);
        }
    }
}

#[tokio::test]
async fn a_new_password_drops_an_address_that_waits_to_be_confirmed() {
    let world = World::new().await;
    for (n, way) in ["change", "reset"].into_iter().enumerate() {
        let (email, evil) = (format!("ada{n}@example.com"), format!("evil{n}@evil.example"));
        let ada = json!({"email": email, "password": "correct horse battery"});
        let tokens = world.visitor().post("/api/auth/register", ada).await.expect(201).json();
        let ada = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
        let theft = json!({"email": evil, "current_password": "correct horse battery"});
        ada.post("/api/auth/change-email", theft).await.expect(200);
        let stolen = world.mailed(&evil, "verify-email").await.expect("a mail");
        if way == "change" {
            let new = json!({"current_password": "correct horse battery", "new_password": "another horse battery"});
            ada.post("/api/auth/change-password", new).await.expect(200);
        } else {
            world.visitor().post("/api/auth/forgot-password", json!({"email": email})).await.expect(202);
            let token = world.mailed(&email, "reset-password").await.expect("a mail");
            let new = json!({"token": token, "password": "another horse battery"});
            world.visitor().post("/api/auth/reset-password", new).await.expect(200);
        }
        let proof = json!({"token": stolen});
        world.visitor().post("/api/auth/verify-email", proof).await.expect_problem(409, "conflict");
        let login = json!({"email": email, "password": "another horse battery"});
        world.visitor().post("/api/auth/login", login).await.expect(200);
    }
}

#[tokio::test]
async fn a_key_gets_nothing_back_when_its_creator_is_deleted() {
    let world = World::new().await;
    let owner = world.owner().await;
    let theirs = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let theirs = format!("/api/leads/{theirs}");
    owner.patch(&theirs, json!({"owner_id": owner.user})).await.expect(200);
    for (change, status) in
        [(json!({"status": "suspended"}), 401), (json!({"role": "sales"}), 404), (json!({"role": "admin"}), 200)]
    {
        let admin = world.person(Role::Admin).await;
        let body = json!({"name": "K", "permissions": ["leads:read:all", "org:manage", "org:read"]});
        let made = admin.post("/api/api-keys", body).await.expect(201).data();
        let key = world.visitor().with_token(made["key"].as_str().expect("a secret"));
        owner.patch(&path(&admin), change.clone()).await.expect(200);
        assert_eq!(key.get(&theirs).await.status.as_u16(), status, "{change}");
        owner.delete(&path(&admin)).await.expect(200);
        assert_eq!(key.get(&theirs).await.status.as_u16(), status, "{change}, then deleted");
        let manage = key.get("/api/api-keys").await.status.as_u16();
        assert_eq!(manage, if status == 401 { 401 } else { 403 }, "{change}, then deleted");
        // Another user takes it over by renewing it; otherwise it ends with its creator's trash.
        if status == 200 {
            world.clock.advance(Duration::from_secs(31 * 86_400));
            key.get(&theirs).await.expect_problem(401, "unauthenticated");
            let owner = world.owner().await;
            let renew = format!("/api/api-keys/{}/rotate", made["id"].as_str().expect("an id"));
            let renewed = owner.post(&renew, json!({})).await.expect(200).data();
            assert_eq!(renewed["made_by"], json!(owner.user));
            let key = world.visitor().with_token(renewed["key"].as_str().expect("a secret"));
            key.get(&theirs).await.expect(200);
        }
    }
}

#[tokio::test]
async fn an_invitation_gives_what_its_sender_may_give_when_it_is_sent_again_and_accepted() {
    let world = World::with(WorldOptions { registration: Some(Registration::Invite), ..WorldOptions::default() }).await;
    let (owner, admin) = (world.owner().await, world.person(Role::Admin).await);
    let clerk = with_role(&world, &owner, "Clerk", &["users:read", "users:manage"]).await;
    let accept = async |email: &str| {
        let token = world.mailed(email, "invite").await.expect("a mail");
        let body = json!({"email": email, "password": "correct horse battery", "invite_token": token});
        world.visitor().post("/api/auth/register", body).await
    };
    let invited = async |email: &str| {
        let body = json!({"email": email, "role": "admin"});
        format!("/api/invitations/{}", admin.post("/api/invitations", body).await.expect(201).id())
    };
    let (first, second) = (invited("eva@example.com").await, invited("bob@example.com").await);
    clerk.post(&format!("{first}/resend"), json!({})).await.expect_problem(403, "forbidden");
    owner.delete(&path(&admin)).await.expect(200);
    accept("eva@example.com").await.expect_problem(409, "conflict");
    owner.post(&format!("{second}/resend"), json!({})).await.expect(200);
    accept("bob@example.com").await.expect(201);
}

#[tokio::test]
async fn a_file_isn_t_given_to_a_user_who_has_left_the_team_whose_records_it_holds() {
    let world = World::new().await;
    let owner = world.owner().await;
    let auditor = ["audit:read", "audit:export", "customers:read:team", "jobs:read:own"];
    let auditor = with_role(&world, &owner, "Auditor", &auditor).await;
    let eva = world.person(Role::Sales).await;
    let team = json!({"name": "North", "member_ids": [auditor.user, eva.user]});
    let team = format!("/api/teams/{}", owner.post("/api/teams", team).await.expect(201).id());
    // More than a response may hold.
    let notes = "x".repeat(9_000);
    for n in 0..500 {
        let body = json!({"name": format!("Canary {n}"), "owner_id": eva.user, "description": notes});
        owner.post("/api/customers", body).await.expect(201);
    }
    let job = auditor.post("/api/audit-logs/export", json!({"format": "json"})).await.expect(202).id();
    world.work().await;
    let link = async |person: &Person| {
        person.get(&format!("/api/jobs/{job}")).await.expect(200).data()["download_url"].clone()
    };
    assert!(link(&auditor).await.is_string() && link(&owner).await.is_string());
    owner.patch(&team, json!({"member_ids": [eva.user]})).await.expect(200);
    assert_eq!(link(&auditor).await, Value::Null);
    assert!(link(&owner).await.is_string());
}

#[tokio::test]
async fn of_two_requests_at_once_that_together_reach_further_one_fails() {
    let world = World::new().await;
    let owner = world.owner().await;
    let clerk = ["users:read", "users:manage", "leads:read:team"];
    let clerk = with_role(&world, &owner, "Clerk", &clerk).await;
    let (own, team) =
        (role(&owner, "Own", &["leads:read:own"]).await, role(&owner, "Team", &["leads:read:team"]).await);
    let eva = world.person(Role::Sales).await;
    let theirs = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    owner.patch(&format!("/api/leads/{theirs}"), json!({"owner_id": eva.user})).await.expect(200);
    let mut refused = 0;
    for n in 0..10 {
        let weak = world.person(own).await;
        let join = json!({"name": format!("North {n}"), "member_ids": [weak.user, eva.user]});
        let (weaks, grant) = (path(&weak), json!({"role": team.to_string()}));
        let (joined, granted) =
            tokio::join!(async { clerk.post("/api/teams", join).await }, async { clerk.patch(&weaks, grant).await });
        let statuses = [joined.status.as_u16(), granted.status.as_u16()];
        assert!(!(statuses[0] == 201 && statuses[1] == 200), "both went through");
        refused += statuses.iter().filter(|status| [403, 409].contains(*status)).count();
        weak.get(&format!("/api/leads/{theirs}")).await.expect_problem(404, "not_found");
    }
    assert!(refused >= 10, "{refused}");
}

#[tokio::test]
async fn cursors_and_pages_tell_nothing_of_records_out_of_reach() {
    let world = World::new().await;
    let owner = world.owner().await;
    let sales = world.person(Role::Sales).await;
    let customer = owner.post("/api/customers", json!({"name": "Open", "owner_id": sales.user})).await.expect(201).id();
    for n in 0..6 {
        let hidden = json!({"customer_id": customer, "title": format!("Canary {n}"), "owner_id": owner.user});
        owner.post("/api/opportunities", hidden).await.expect(201);
    }
    // A page of a timeline is full of what the caller may see, or is the last one.
    let timeline = format!("/api/customers/{customer}/timeline?limit=1");
    let mut cursor = String::new();
    let mut pages = 0;
    loop {
        let page = sales.get(&format!("{timeline}{cursor}")).await.expect(200).json();
        assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
        pages += 1;
        let Some(next) = page["meta"]["next_cursor"].as_str() else { break };
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(next).expect("base64")).expect("text");
        let sealed = text.rsplit_once('.').expect("a key id").1;
        let text = String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(sealed).expect("base64")).into_owned();
        assert!(!text.contains("aud_") && !text.contains("opp_"), "{text}");
        cursor = format!("&cursor={next}");
    }
    assert!(pages >= 1);
    // The same place has another cursor each time, and only its own list and actor open it.
    let page = async |person: &Person, query: &str| {
        person.get(&format!("/api/opportunities?limit=1{query}")).await.expect(200).json()["meta"]["next_cursor"]
            .clone()
    };
    let (first, second) = (page(&owner, "").await, page(&owner, "").await);
    assert!(first.is_string() && first != second);
    let first = first.as_str().expect("a cursor");
    owner.get(&format!("/api/opportunities?limit=1&cursor={first}")).await.expect(200);
    sales.get(&format!("/api/opportunities?limit=1&cursor={first}")).await.expect_problem(400, "invalid_query");
    owner.get(&format!("/api/tasks?limit=1&cursor={first}")).await.expect_problem(400, "invalid_query");
}

#[tokio::test]
async fn the_audit_log_tells_no_bodies_of_refused_requests_lists_and_batches() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.patch(&format!("/api/organizations/{}", owner.org), json!({"records_reads": true})).await.expect(200);
    let (manager, viewer) = (world.person(Role::Manager).await, world.person(Role::Viewer).await);
    let made = async |name: &str, of: &Person| {
        let body = json!({"name": name, "owner_id": of.user});
        owner.post("/api/customers", body).await.expect(201).id()
    };
    let (mine, theirs) = (made("Pelican", &manager).await, made("Flamingo", &owner).await);
    let change = json!({"name": "Canary"});
    viewer.patch(&format!("/api/customers/{theirs}"), change).await.expect_problem(403, "forbidden");
    let person = json!({"email": "canary@example.com"});
    viewer.post("/api/privacy/exports", person).await.expect_problem(403, "forbidden");
    owner.get("/api/customers?search=canary").await.expect(200);
    let both = json!([
        {"action": "update", "id": mine, "data": {"name": "Pelican two"}},
        {"action": "update", "id": theirs, "data": {"name": "Canary", "email": "no address"}},
    ]);
    owner.post("/api/customers/batch", json!({"items": both})).await.expect(200);
    let log = manager.get("/api/audit-logs?limit=200").await.expect(200).text;
    assert!(!log.to_lowercase().contains("canary"), "{log}");
    assert!(log.contains("Pelican two") && log.contains("access.denied"), "{log}");
    let all = owner.get("/api/audit-logs?limit=200").await.expect(200).text;
    assert!(all.contains("Canary") && all.contains("canary@example.com"), "{all}");
}

#[tokio::test]
async fn what_a_visitor_wrote_is_mailed_to_no_address_that_isn_t_confirmed() {
    let world = World::new().await;
    world.owner().await;
    let body = json!({"email": "victim@example.com", "password": "correct horse battery"});
    let tokens = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    let stranger = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
    let form = stranger.get("/api/forms").await.expect(200).data()[0]["id"].as_str().expect("an id").to_owned();
    let post = async |email: &str| {
        let mut body = lead(email);
        body["requirements"] = json!("Sign in at canary.example");
        body["form_id"] = json!(form);
        world.visitor().post("/api/leads", body).await.expect(201);
        world.work().await;
        world.mails().iter().filter(|mail| mail.text.contains("canary.example")).count()
    };
    assert_eq!(post("ada@example.com").await, 0);
    let me = stranger.get("/api/auth/me").await.expect(200).data();
    let organization = format!("/api/organizations/{}", me["organization_id"].as_str().expect("an id"));
    stranger.patch(&organization, json!({"team_addresses": ["other@example.com"]})).await.expect(200);
    assert_eq!(post("eva@example.com").await, 0);
    stranger.patch(&organization, json!({"team_addresses": ["victim@example.com"]})).await.expect(200);
    world.confirm("victim@example.com").await;
    assert_eq!(post("bob@example.com").await, 1);
}

fn owned_by(email: &str) -> WorldOptions {
    let email = EmailAddress::parse(email).expect("an address");
    let code = Some(Secret::new("0123456789abcdef".to_owned()));
    let first_owner = Some(FirstOwner::Address(FirstAddress { email, code }));
    WorldOptions { first_owner, registration: Some(Registration::Open), ..WorldOptions::default() }
}

#[tokio::test]
async fn the_first_owner_s_address_can_t_be_taken_in_another_organisation() {
    let world = World::with(owned_by("owner@example.com")).await;
    let stranger = world.stranger().await;
    let taken = json!({"email": "Owner@example.com", "role": "viewer"});
    stranger.post("/api/users", taken).await.expect_problem(409, "duplicate");
    let body =
        json!({"email": "owner@example.com", "password": "correct horse battery", "owner_code": "0123456789abcdef"});
    world.visitor().post("/api/auth/register", body).await.expect(201);
}

#[tokio::test]
async fn the_code_works_after_the_mail_s_week_and_confirms_no_address() {
    let world = World::with(owned_by("owner@example.com")).await;
    let body = |code: Option<&str>| {
        json!({"email": "OWNER@example.com", "password": "correct horse battery", "organization_name": "Blue",
            "owner_code": code})
    };
    world.visitor().post("/api/auth/register", body(None)).await.expect(202);
    world.clock.advance(Duration::from_secs(8 * 86_400));
    let tokens = world.visitor().post("/api/auth/register", body(Some("0123456789abcdef"))).await.expect(201).json();
    let owner = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
    assert_eq!(tokens["user"]["email_verified_at"], Value::Null);
    let organization = owner.get(&format!("/api/organizations/{}", owner.org)).await.expect(200).data();
    assert_eq!(organization["name"], "Blue");
    // Until there was an owner, the deployment's team was told of leads.
    assert_eq!(organization["team_addresses"], json!(["team@example.com"]));
    world.confirm("OWNER@example.com").await;
}

#[tokio::test]
async fn an_organisation_keeps_an_owner_who_can_sign_in() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.post("/api/users", json!({"email": "ghost@example.com", "role": "owner"})).await.expect(201);
    owner.patch(&path(&owner), json!({"role": "viewer"})).await.expect_problem(409, "conflict");
    owner.delete(&path(&owner)).await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn an_owner_s_address_that_was_corrected_is_the_one_that_counts() {
    let mut world = World::with(owned_by("typo@example.com")).await;
    let register = |world: &World, email: &str, more: Value| {
        let mut body = json!({"email": email, "password": "correct horse battery"});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        world.visitor().post("/api/auth/register", body)
    };
    register(&world, "typo@example.com", json!({})).await.expect(202);
    let old = world.mailed("typo@example.com", "invite").await.expect("a mail");
    world = world.restarted_with(owned_by("owner@example.com")).await;
    register(&world, "typo@example.com", json!({"invite_token": old})).await.expect_problem(409, "conflict");
    register(&world, "owner@example.com", json!({})).await.expect(202);
    let new = world.mailed("owner@example.com", "invite").await.expect("a mail");
    register(&world, "typo@example.com", json!({"invite_token": new})).await.expect_problem(409, "conflict");
    register(&world, "owner@example.com", json!({"invite_token": new})).await.expect(201);
}

#[tokio::test]
async fn a_user_in_the_trash_doesn_t_lose_their_power_with_their_role() {
    let world = World::new().await;
    let owner = world.owner().await;
    let strong = role(&owner, "Strong", &["leads:read:team"]).await;
    let user = world.person(strong).await;
    owner.delete(&path(&user)).await.expect(200);
    owner.delete(&format!("/api/roles/{strong}")).await.expect_problem(409, "conflict");
    let clerk = with_role(&world, &owner, "Clerk", &["users:read", "users:manage"]).await;
    clerk.post(&format!("{}/restore", path(&user)), json!({})).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_role_that_was_deleted_while_it_was_given_counts_as_all_power_until_it_is_back() {
    let world = World::new().await;
    let owner = world.owner().await;
    let clerk = ["users:read", "users:manage", "roles:manage", "audit:read", "audit:revert", "leads:read:team"];
    let clerk = with_role(&world, &owner, "Clerk", &clerk).await;
    let eva = world.person(Role::Sales).await;
    let team = role(&clerk, "Team", &["leads:read:team"]).await;
    // As a race leaves it: a user with a role that is gone.
    let weak = world.person(team).await;
    let cx = world.cx(owner.org);
    let daybook_domain::permission::RoleRef::Custom(id) = team else { panic!("a custom role") };
    let stored = cx.get::<daybook_domain::role::CustomRole>(id).await.expect("a role");
    cx.commit(daybook_store::Tx::delete(&stored), ()).await.expect("a commit");
    let both = json!({"name": "North", "member_ids": [weak.user, eva.user]});
    clerk.post("/api/teams", both.clone()).await.expect_problem(403, "forbidden");
    clerk.patch(&path(&weak), json!({"email": "mine@evil.example"})).await.expect_problem(403, "forbidden");
    owner.post("/api/teams", both).await.expect(201);
    let of = format!("/api/audit-logs?resource_id={team}&limit=1");
    let entry = owner.get(&of).await.expect(200).data()[0]["id"].as_str().expect("an entry").to_owned();
    let undo = format!("/api/audit-logs/{entry}/revert");
    clerk.post(&undo, json!({})).await.expect_problem(403, "forbidden");
    owner.post(&undo, json!({})).await.expect(200);
}

#[tokio::test]
async fn what_was_asked_for_with_a_key_counts_only_while_the_key_lasts() {
    let world = World::with(WorldOptions { registration: Some(Registration::Invite), ..WorldOptions::default() }).await;
    let (owner, admin) = (world.owner().await, world.person(Role::Admin).await);
    let weak = role(&owner, "Weak", &["users:read"]).await;
    let body = json!({"name": "K", "permissions": ["users:read", "users:manage"]});
    for end in ["revoked", "narrowed", "grown"] {
        let made = admin.post("/api/api-keys", body.clone()).await.expect(201).data();
        let key = world.visitor().with_token(made["key"].as_str().expect("a secret"));
        let user = world.person(weak).await;
        let (evil, eva) = (format!("{end}@evil.example"), format!("{end}@example.com"));
        key.patch(&path(&user), json!({"email": evil})).await.expect(200);
        key.post("/api/invitations", json!({"email": eva, "role": weak.to_string()})).await.expect(201);
        let (proof, invitation) =
            (world.mailed(&evil, "verify-email").await.expect("a mail"), world.mailed(&eva, "invite").await);
        match end {
            "revoked" => {
                let key = format!("/api/api-keys/{}", made["id"].as_str().expect("an id"));
                owner.delete(&key).await.expect(200);
            }
            "narrowed" => {
                let key = format!("/api/api-keys/{}", made["id"].as_str().expect("an id"));
                owner.patch(&key, json!({"permissions": ["users:read"]})).await.expect(200);
            }
            _ => {
                let wider = json!({"permissions": ["users:read", "leads:read:all"]});
                owner.patch(&format!("/api/roles/{weak}"), wider).await.expect(200);
            }
        }
        let verify = world.visitor().post("/api/auth/verify-email", json!({"token": proof}));
        verify.await.expect_problem(409, "conflict");
        let accept = json!({"email": eva, "password": "correct horse battery", "invite_token": invitation});
        world.visitor().post("/api/auth/register", accept).await.expect_problem(409, "conflict");
    }
}

#[tokio::test]
async fn one_address_gets_ten_mails_a_day_by_whatever_way() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let (owner, sales) = (world.owner().await, world.person(Role::Sales).await);
    let mut sent = 0;
    for n in 0..8 {
        let invitation = json!({"email": "victim@example.com", "role": "sales"});
        let answer = owner.post("/api/invitations", invitation).await;
        sent += usize::from(answer.status.is_success());
        if answer.status.is_success() {
            let invitation = format!("/api/invitations/{}", answer.id());
            let again = owner.post(&format!("{invitation}/resend"), json!({})).await;
            sent += usize::from(again.status.is_success());
            owner.delete(&invitation).await.expect(200);
        }
        for address in ["victim@example.com".to_owned(), format!("other{n}@example.com")] {
            let answer = owner.patch(&path(&sales), json!({"email": address})).await;
            sent += usize::from(answer.status.is_success() && address.starts_with("victim"));
        }
    }
    assert_eq!(sent, 10);
}

#[tokio::test]
async fn an_account_made_with_another_person_s_address_keeps_nothing_of_its_maker() {
    let world = World::new().await;
    let body = json!({"email": "victim@example.com", "password": "correct horse battery"});
    let tokens = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    let maker = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
    let key = json!({"name": "K", "permissions": ["leads:read:all"]});
    maker.post("/api/api-keys", key).await.expect_problem(409, "conflict");
    let setup = json!({"current_password": "correct horse battery"});
    maker.post("/api/auth/mfa/setup", setup).await.expect_problem(409, "conflict");
    world.visitor().post("/api/auth/forgot-password", json!({"email": "victim@example.com"})).await.expect(202);
    let token = world.mailed("victim@example.com", "reset-password").await.expect("a mail");
    let new = json!({"token": token, "password": "another horse battery"});
    world.visitor().post("/api/auth/reset-password", new).await.expect(200);
    maker.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    let login = json!({"email": "victim@example.com", "password": "another horse battery"});
    world.visitor().post("/api/auth/login", login).await.expect(200);
}
