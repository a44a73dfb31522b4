//! Tests of users, roles, teams, invitations and organisations.

use daybook_domain::permission::{Permission, Role};
use daybook_local::DEFAULT_ORG;
use daybook_store::{FirstOwner, Registration};
use daybook_testing::{Answer, Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::future::IntoFuture as _;
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";

/// The token of the newest mail to an address with a link of this kind.
async fn mailed(world: &World, to: &str, kind: &str) -> String {
    world.mailed(to, kind).await.unwrap_or_else(|| panic!("no mail with {kind} to {to}"))
}

async fn invite(owner: &Person, email: &str, role: &str) -> String {
    owner.post("/api/invitations", json!({"email": email, "role": role})).await.expect(201).id()
}

async fn accept(world: &World, token: &str, email: &str) -> Answer {
    let body = json!({"invite_token": token, "email": email, "password": PASSWORD});
    world.visitor().post("/api/auth/register", body).await
}

fn signed_in(world: &World, answer: &Answer) -> Person {
    world.visitor().with_token(answer.json()["access_token"].as_str().expect("a token"))
}

fn path(person: &Person) -> String {
    format!("/api/users/{}", person.user.expect("a user"))
}

#[tokio::test]
async fn a_colleague_is_invited_by_mail_and_joins_with_the_role_they_were_given() {
    let world = World::with(WorldOptions { registration: Some(Registration::Invite), ..WorldOptions::default() }).await;
    let owner = world.owner().await;
    let id = invite(&owner, "eva@example.com", "sales").await;
    let token = mailed(&world, "eva@example.com", "invite").await;
    let eva = signed_in(&world, &accept(&world, &token, "Eva@example.com").await.expect(201));
    let me = eva.get("/api/auth/me").await.expect(200).data();
    assert_eq!((me["role"].as_str(), me["organization_id"].as_str()), (Some("sales"), Some(&*DEFAULT_ORG.to_string())));
    assert!(me["email_verified_at"].is_string(), "the mail came to their address");
    let invitation = owner.get(&format!("/api/invitations/{id}")).await.expect(200).data();
    assert_eq!((invitation["status"].as_str(), &invitation["user_id"]), (Some("accepted"), &me["id"]));
    accept(&world, &token, "eva@example.com").await.expect_problem(409, "conflict");
    assert_eq!(owner.get("/api/invitations?status=pending").await.expect(200).json()["meta"]["count"], 0);
}

#[tokio::test]
async fn an_invitation_is_for_its_address_its_week_its_last_mail_and_until_it_is_taken_back() {
    let world = World::with(WorldOptions { registration: Some(Registration::Invite), ..WorldOptions::default() }).await;
    let owner = world.owner().await;
    let id = invite(&owner, "eva@example.com", "sales").await;
    let first = mailed(&world, "eva@example.com", "invite").await;
    accept(&world, &first, "mallory@example.com").await.expect_problem(409, "conflict");
    owner.post(&format!("/api/invitations/{id}/resend"), json!({})).await.expect(200);
    let second = mailed(&world, "eva@example.com", "invite").await;
    accept(&world, &first, "eva@example.com").await.expect_problem(409, "conflict");
    world.clock.advance(Duration::from_secs(7 * 86_400));
    accept(&world, &second, "eva@example.com").await.expect_problem(409, "conflict");
    let owner = world.owner().await;

    let other = invite(&owner, "bob@example.com", "viewer").await;
    let token = mailed(&world, "bob@example.com", "invite").await;
    owner.delete(&format!("/api/invitations/{other}")).await.expect(200);
    accept(&world, &token, "bob@example.com").await.expect_problem(409, "conflict");
    for nonsense in ["", "x", "a.b.c", &"x".repeat(1000)] {
        accept(&world, nonsense, "bob@example.com").await.expect_problem(409, "conflict");
    }
    let duplicate = json!({"email": "EVA@example.com", "role": "sales"});
    let duplicate = owner.post("/api/invitations", duplicate).await.expect_problem(409, "duplicate").json();
    assert_eq!(duplicate["existing_id"], id);
}

#[tokio::test]
async fn an_invitation_is_accepted_once_also_by_many_at_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    invite(&owner, "eva@example.com", "owner").await;
    let token = mailed(&world, "eva@example.com", "invite").await;
    world.faults.at_a_distance();
    let body = json!({"invite_token": token, "email": "eva@example.com", "password": PASSWORD});
    let all = (0..8).map(|_| world.visitor().post("/api/auth/register", body.clone()).into_future());
    let answers = futures::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.as_u16() == 201).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 201 | 409)));
}

#[tokio::test]
async fn an_organisation_always_has_an_owner_who_can_sign_in() {
    let world = World::new().await;
    let owner = world.owner().await;
    let mine = path(&owner);
    for change in [json!({"role": "admin"}), json!({"status": "suspended"})] {
        owner.patch(&mine, change).await.expect_problem(409, "conflict");
    }
    owner.delete(&mine).await.expect_problem(409, "conflict");
    let other = world.person(Role::Owner).await;
    other.patch(&mine, json!({"role": "admin"})).await.expect(200);
    other.patch(&path(&other), json!({"role": "admin"})).await.expect_problem(409, "conflict");
    let organization = other.get("/api/organizations").await.expect(200).data();
    assert_eq!(organization[0]["owner_ids"], json!([other.user]));
}

#[tokio::test]
async fn two_owners_who_demote_or_remove_each_other_at_once_leave_one() {
    for (n, how) in ["demote", "remove", "suspend"].into_iter().cycle().take(12).enumerate() {
        let world = World::new().await;
        let (ada, eva) = (world.owner().await, world.person(Role::Owner).await);
        world.faults.at_a_distance();
        let act = |who: &Person, whom: &Person| match how {
            "demote" => who.patch(&path(whom), json!({"role": "viewer"})).into_future(),
            "suspend" => who.patch(&path(whom), json!({"status": "suspended"})).into_future(),
            _ => who.delete(&path(whom)).into_future(),
        };
        let (one, two) = futures::future::join(act(&ada, &eva), act(&eva, &ada)).await;
        let done = [&one, &two].iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(done, 1, "try {n}, {how}: {} {}", one.text, two.text);
        let organization = world.cx(DEFAULT_ORG);
        let organization =
            organization.get::<daybook_domain::organization::Organization>(DEFAULT_ORG).await.expect("a read");
        assert_eq!(organization.owner_ids.len(), 1);
    }
}

#[tokio::test]
async fn nobody_gives_or_takes_away_more_than_they_have() {
    let world = World::new().await;
    let (owner, admin) = (world.owner().await, world.person(Role::Admin).await);
    let sales = world.person(Role::Sales).await;
    admin.patch(&path(&owner), json!({"name": "Boss"})).await.expect_problem(403, "forbidden");
    admin.delete(&path(&owner)).await.expect_problem(403, "forbidden");
    admin.patch(&path(&sales), json!({"role": "owner"})).await.expect_problem(403, "forbidden");
    admin.post("/api/users", json!({"email": "a@b.example", "role": "owner"})).await.expect_problem(403, "forbidden");
    admin
        .post("/api/invitations", json!({"email": "a@b.example", "role": "owner"}))
        .await
        .expect_problem(403, "forbidden");
    admin.patch(&path(&sales), json!({"role": "admin"})).await.expect(200);

    // A user who may manage users and roles, and little else.
    let few = ["users:read", "users:manage", "roles:manage", "leads:read:own", "org:manage"];
    let few = owner.post("/api/roles", json!({"name": "Personnel", "permissions": few})).await.expect(201).id();
    let clerk = world.person(few.parse::<daybook_domain::permission::RoleRef>().expect("a role")).await;
    let wide = json!({"name": "Wide", "permissions": ["leads:read:all"]});
    clerk.post("/api/roles", wide.clone()).await.expect_problem(403, "forbidden");
    let key = json!({"name": "Wide", "permissions": ["leads:read:all"]});
    clerk.post("/api/api-keys", key).await.expect_problem(403, "forbidden");
    let narrow =
        clerk.post("/api/roles", json!({"name": "N", "permissions": ["leads:read:own"]})).await.expect(201).id();
    clerk.patch(&format!("/api/roles/{narrow}"), wide.clone()).await.expect_problem(403, "forbidden");
    clerk.patch(&path(&clerk), json!({"role": "admin"})).await.expect_problem(403, "forbidden");
    clerk.patch(&path(&world.person(Role::Viewer).await), json!({"name": "X"})).await.expect_problem(403, "forbidden");
    clerk.post("/api/invitations", json!({"email": "c@b.example", "role": narrow})).await.expect(201);
}

#[tokio::test]
async fn a_role_of_its_own_lets_its_users_do_what_it_says_from_the_next_request_on() {
    let world = World::new().await;
    let owner = world.owner().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    let role = json!({"name": "Reader", "permissions": ["leads:read:own", "leads:read:all"]});
    let role = owner.post("/api/roles", role).await.expect(201).data();
    let entries = owner.get("/api/audit-logs?resource_type=role&limit=1").await.expect(200).data();
    let unmake = format!("/api/audit-logs/{}/revert", entries[0]["id"].as_str().expect("an id"));
    assert_eq!(role["permissions"], json!(["leads:read:all"]), "the widest scope counts");
    let id = role["id"].as_str().expect("an id");
    let reader = world.person(id.parse::<daybook_domain::permission::RoleRef>().expect("a role")).await;
    assert_eq!(reader.get("/api/leads").await.expect(200).json()["meta"]["count"], 1);
    reader.get("/api/users").await.expect_problem(403, "forbidden");
    // A revert can't remove a role that a user has, either.
    owner.post(&unmake, json!({})).await.expect_problem(409, "conflict");
    let effective = owner.get(&format!("{}/permissions", path(&reader))).await.expect(200).data();
    assert_eq!(effective, json!({"role": id, "permissions": ["leads:read:all"]}));
    let role = format!("/api/roles/{id}");
    owner.patch(&role, json!({"permissions": ["users:read"]})).await.expect(200);
    reader.get("/api/leads").await.expect_problem(403, "forbidden");
    reader.get("/api/users").await.expect(200);
    owner.delete(&role).await.expect_problem(409, "conflict");
    owner.patch(&path(&reader), json!({"role": "viewer"})).await.expect(200);
    owner.delete(&role).await.expect(200);
    let gone = owner.patch(&path(&reader), json!({"role": id})).await.expect_problem(422, "validation_error");
    assert_eq!(gone.violations(), [("/role".to_owned(), "invalid_id".to_owned())]);
    let wrong = json!({"name": "Wrong", "permissions": ["leads:read", "leads:fly:all"]});
    let wrong = owner.post("/api/roles", wrong).await.expect_problem(422, "validation_error").violations();
    assert_eq!(wrong.len(), 2);
    let twice = json!({"name": "READER", "permissions": []});
    owner.post("/api/roles", json!({"name": "Reader", "permissions": []})).await.expect(201);
    owner.post("/api/roles", twice).await.expect_problem(409, "duplicate");
}

#[tokio::test]
async fn a_manager_reaches_the_records_of_their_teams_and_those_nobody_owns() {
    let world = World::new().await;
    let owner = world.owner().await;
    let (manager, ada, eva) =
        (world.person(Role::Manager).await, world.person(Role::Sales).await, world.person(Role::Sales).await);
    let mut leads = Vec::new();
    for (n, person) in [&ada, &eva].into_iter().enumerate() {
        let made = owner.post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201).id();
        owner.patch(&format!("/api/leads/{made}"), json!({"owner_id": person.user})).await.expect(200);
        leads.push(format!("/api/leads/{made}"));
    }
    owner.post("/api/leads", lead("free@example.com")).await.expect(201);
    let count = async || manager.get("/api/leads").await.expect(200).json()["meta"]["count"].clone();
    assert_eq!(count().await, 1, "in no team: unassigned records only");
    let team = json!({"name": "North", "member_ids": [manager.user, ada.user]});
    let team = format!("/api/teams/{}", owner.post("/api/teams", team).await.expect(201).id());
    assert_eq!(count().await, 2);
    manager.patch(&leads[0], json!({"status": "contacted"})).await.expect(200);
    manager.get(&leads[1]).await.expect_problem(404, "not_found");
    manager.delete(&leads[1]).await.expect_problem(404, "not_found");
    owner.patch(&team, json!({"member_ids": [manager.user, eva.user]})).await.expect(200);
    manager.get(&leads[0]).await.expect_problem(404, "not_found");
    manager.get(&leads[1]).await.expect(200);
    // A deleted user stays in the team, so the team can still read their records.
    owner.delete(&path(&eva)).await.expect(200);
    manager.get(&leads[1]).await.expect(200);
    owner.delete(&team).await.expect(200);
    manager.get(&leads[1]).await.expect_problem(404, "not_found");
    let missing = json!({"name": "South", "member_ids": ["usr_01m7wjas70ec3sttn163jbej2c"]});
    let wrong = owner.post("/api/teams", missing).await.expect_problem(422, "validation_error").violations();
    assert_eq!(wrong, [("/member_ids".to_owned(), "invalid_id".to_owned())]);
    let stranger = world.stranger().await;
    let theirs = json!({"name": "South", "member_ids": [stranger.user]});
    owner.post("/api/teams", theirs).await.expect_problem(422, "validation_error");
}

#[tokio::test]
async fn a_user_is_made_changed_removed_and_brought_back() {
    let world = World::new().await;
    let owner = world.owner().await;
    let user = json!({"email": "eva@example.com", "name": "Eva", "role": "sales"});
    let id = owner.post("/api/users", user.clone()).await.expect(201).id();
    let one = format!("/api/users/{id}");
    owner.post("/api/users", user).await.expect_problem(409, "duplicate");
    let token = mailed(&world, "eva@example.com", "reset-password").await;
    let chosen = json!({"token": token, "password": PASSWORD});
    world.visitor().post("/api/auth/reset-password", chosen).await.expect(200);
    let login = async |email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        world.visitor().post("/api/auth/login", body).await
    };
    let eva = signed_in(&world, &login("eva@example.com").await.expect(200));
    owner.patch(&one, json!({"role": "support", "username": "eva"})).await.expect(200);
    assert_eq!(eva.get("/api/auth/me").await.expect(200).data()["role"], "support", "at once");

    // Another address counts once it is confirmed.
    let asked = owner.patch(&one, json!({"email": "eva@new.example"})).await.expect(200).data();
    assert_eq!((&asked["email"], &asked["new_email"]), (&json!("eva@example.com"), &json!("eva@new.example")));
    login("eva@new.example").await.expect_problem(401, "unauthenticated");
    login("eva@example.com").await.expect(200);
    let token = mailed(&world, "eva@new.example", "verify-email").await;
    world.visitor().post("/api/auth/verify-email", json!({"token": token})).await.expect(200);
    eva.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    login("eva@example.com").await.expect_problem(401, "unauthenticated");
    let eva = signed_in(&world, &login("eva@new.example").await.expect(200));
    let me = eva.get("/api/auth/me").await.expect(200).data();
    assert!(me["email_verified_at"].is_string() && me["new_email"].is_null(), "{me}");

    owner.patch(&one, json!({"status": "suspended"})).await.expect(200);
    eva.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    login("eva@new.example").await.expect_problem(401, "unauthenticated");
    owner.patch(&one, json!({"status": "active"})).await.expect(200);
    eva.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    let eva = signed_in(&world, &login("eva@new.example").await.expect(200));

    owner.delete(&one).await.expect(200);
    eva.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    login("eva@new.example").await.expect_problem(401, "unauthenticated");
    owner.post(&format!("{one}/restore"), json!({})).await.expect(200);
    eva.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    login("eva@new.example").await.expect(200);
    owner
        .patch(&one, json!({"role": "sales"}))
        .header("if-match", "\"v1\"")
        .await
        .expect_problem(412, "precondition_failed");
    for field in ["session_epoch", "email_verified_at", "id", "version", "created_at"] {
        let answer = owner.patch(&one, json!({ field: "2026-01-01T00:00:00Z" })).await;
        assert_eq!(
            answer.expect_problem(422, "validation_error").violations(),
            [(format!("/{field}"), "read_only".to_owned())]
        );
    }
    for field in ["password_hash", "org", "tenant_id", "owner_id"] {
        let answer = owner.patch(&one, json!({ field: "x" })).await.expect_problem(422, "validation_error");
        assert_eq!(answer.violations(), [(format!("/{field}"), "unknown_field".to_owned())]);
    }
}

#[tokio::test]
async fn a_session_that_was_found_open_can_t_be_made_one_s_own_by_another_address() {
    let world = World::new().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let ada = signed_in(&world, &world.visitor().post("/api/auth/register", body.clone()).await.expect(201));
    let other = signed_in(&world, &world.visitor().post("/api/auth/login", body).await.expect(200));
    let me = ada.get("/api/auth/me").await.expect(200).data();
    let path = format!("/api/users/{}", me["id"].as_str().expect("an id"));
    ada.patch(&path, json!({"email": "evil@example.com"})).await.expect_problem(422, "validation_error");
    let change = |password: &str| {
        ada.post("/api/auth/change-email", json!({"email": "ada@new.example", "current_password": password}))
    };
    change("wrong").await.expect_problem(422, "validation_error");
    change(PASSWORD).await.expect(200);
    let now = ada.get("/api/auth/me").await.expect(200).data();
    assert_eq!((&now["email"], &now["new_email"]), (&json!("ada@example.com"), &json!("ada@new.example")));
    let token = mailed(&world, "ada@new.example", "verify-email").await;
    world.visitor().post("/api/auth/verify-email", json!({"token": token})).await.expect(200);
    for signed_out in [&ada, &other] {
        signed_out.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    }
    let body = json!({"email": "ada@new.example", "password": PASSWORD});
    let ada = signed_in(&world, &world.visitor().post("/api/auth/login", body).await.expect(200));
    // Neither with an API key of the same user, nor by reverting the change.
    let key = json!({"name": "K", "permissions": ["users:manage", "users:read"]});
    let key = ada.post("/api/api-keys", key).await.expect(201).data();
    let by_key = world.visitor().with_token(key["key"].as_str().expect("a secret"));
    by_key.patch(&path, json!({"email": "evil@example.com"})).await.expect_problem(422, "validation_error");
    let entries = ada.get("/api/audit-logs?resource_type=user&limit=10").await.expect(200).data();
    let moved = |entry: &&Value| entry["fields"].as_array().is_some_and(|fields| fields.contains(&json!("email")));
    let entry = entries.as_array().and_then(|all| all.iter().find(moved)).expect("the change of the address");
    let undo = format!("/api/audit-logs/{}/revert", entry["id"].as_str().expect("an id"));
    let refused = ada.post(&undo, json!({})).await.expect_problem(422, "validation_error");
    assert_eq!(refused.violations()[0].0, "/email");
    world.work().await;
    assert!(
        world
            .mails()
            .iter()
            .any(|mail| mail.to == "ada@example.com" && mail.subject.contains("Your e-mail address was changed"))
    );
}

#[tokio::test]
async fn a_role_of_accepted_invitations_alone_can_be_removed() {
    let world = World::new().await;
    let owner = world.owner().await;
    let role =
        owner.post("/api/roles", json!({"name": "Reader", "permissions": ["leads:read:all"]})).await.expect(201).id();
    invite(&owner, "eva@example.com", &role).await;
    owner.delete(&format!("/api/roles/{role}")).await.expect_problem(409, "conflict");
    let token = mailed(&world, "eva@example.com", "invite").await;
    let eva = signed_in(&world, &accept(&world, &token, "eva@example.com").await.expect(201));
    let eva = eva.get("/api/auth/me").await.expect(200).data();
    let eva = format!("/api/users/{}", eva["id"].as_str().expect("an id"));
    owner.patch(&eva, json!({"role": "viewer"})).await.expect(200);
    owner.delete(&format!("/api/roles/{role}")).await.expect(200);
}

#[tokio::test]
async fn one_changes_one_s_own_name_and_nothing_else_of_oneself() {
    let world = World::new().await;
    let sales = world.person(Role::Sales).await;
    let me = sales.get("/api/auth/me").await.expect(200).data();
    let changed =
        sales.patch("/api/auth/me", json!({"name": "Ada", "username": "ada", "role": "sales"})).await.expect(200);
    assert_eq!((&changed.data()["name"], &changed.data()["username"]), (&json!("Ada"), &json!("ada")));
    for (field, value) in [("role", "owner"), ("email", "x@y.example"), ("status", "suspended"), ("id", "x")] {
        let refused = sales.patch("/api/auth/me", json!({ field: value })).await;
        let found = refused.expect_problem(422, "validation_error").violations();
        assert_eq!(found, [(format!("/{field}"), "read_only".to_owned())]);
    }
    let other = world.person(Role::Sales).await;
    other.patch("/api/auth/me", json!({"username": "ADA"})).await.expect_problem(409, "duplicate");
    assert_eq!(sales.get("/api/auth/me").await.expect(200).data()["email"], me["email"]);
}

#[tokio::test]
async fn the_people_who_run_the_deployment_make_organisations_for_others() {
    let options = WorldOptions {
        registration: Some(Registration::Invite),
        first_owner: Some(FirstOwner::NotSet),
        ..WorldOptions::default()
    };
    let world = World::with(options).await;
    let owner = world.owner().await;
    let new = json!({"name": "Blue", "owner_email": "blue@example.com", "locale": "en"});
    let made = owner.post("/api/organizations", new.clone()).await.expect(201).data();
    let theirs = made["id"].as_str().expect("an id");
    owner.get(&format!("/api/organizations/{theirs}")).await.expect_problem(404, "not_found");
    let token = mailed(&world, "blue@example.com", "invite").await;
    let blue = signed_in(&world, &accept(&world, &token, "blue@example.com").await.expect(201));
    let me = blue.get("/api/auth/me").await.expect(200).data();
    assert_eq!((me["role"].as_str(), me["organization_id"].as_str()), (Some("owner"), Some(theirs)));
    let mine = format!("/api/users/{}", me["id"].as_str().expect("an id"));
    blue.patch(&mine, json!({"role": "viewer"})).await.expect_problem(409, "conflict");
    blue.post("/api/organizations", new).await.expect_problem(403, "forbidden");
    assert_eq!(owner.get("/api/users").await.expect(200).json()["meta"]["count"], 1);
}

#[tokio::test]
async fn an_organisation_says_which_networks_its_people_come_from() {
    let world = World::new().await;
    let owner = world.owner().await;
    let one = format!("/api/organizations/{}", owner.org);
    let set = |allowed: Value, denied: Value| {
        owner.patch(&one, json!({"allowed_networks": allowed, "denied_networks": denied}))
    };
    // The request comes from 203.0.113.7: a list that locks out its own author is refused.
    set(json!(["198.51.100.0/24"]), json!([])).await.expect_problem(422, "validation_error");
    set(json!([]), json!(["203.0.113.0/24"])).await.expect_problem(422, "validation_error");
    set(json!(["203.0.113.0/33"]), json!([])).await.expect_problem(422, "validation_error");
    set(json!(["203.0.113.0/24", "2001:db8::/32"]), json!(["2001:db8:bad::/48"])).await.expect(200);
    let from = |ip: &str| owner.from(ip).get("/api/leads").into_future();
    from("203.0.113.200").await.expect(200);
    from("2001:db8:1::1").await.expect(200);
    from("::ffff:203.0.113.9").await.expect(200);
    for elsewhere in ["198.51.100.1", "2001:db8:bad::1", "2001:db9::1"] {
        from(elsewhere).await.expect_problem(403, "forbidden");
    }
    // Address headers sent by the client are ignored.
    let said = owner.from("198.51.100.1").get("/api/leads").header("x-forwarded-for", "203.0.113.7");
    said.header("forwarded", "for=203.0.113.7").await.expect_problem(403, "forbidden");
    let denied = world.journal(DEFAULT_ORG).await;
    assert_eq!(denied.iter().filter(|fact| fact.event.name() == "access.denied").count(), 4);
    // The list of networks doesn't apply to anonymous visitors.
    world.visitor().from("198.51.100.1").post("/api/leads", lead("v@example.com")).await.expect(201);
}

#[tokio::test]
async fn signing_in_and_refreshing_heed_the_networks_too() {
    let world = World::new().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let answer = world.visitor().post("/api/auth/register", body.clone()).await.expect(201);
    let ada = signed_in(&world, &answer);
    let one = format!("/api/organizations/{DEFAULT_ORG}");
    ada.patch(&one, json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    let elsewhere = world.visitor().from("198.51.100.1");
    elsewhere.post("/api/auth/login", body.clone()).await.expect_problem(403, "forbidden");
    let refresh = json!({"refresh_token": answer.json()["refresh_token"]});
    elsewhere.post("/api/auth/refresh", refresh.clone()).await.expect_problem(403, "forbidden");
    world.visitor().post("/api/auth/login", body).await.expect(200);
    world.visitor().post("/api/auth/refresh", refresh).await.expect(200);
}

#[tokio::test]
async fn what_is_read_is_on_record_where_the_organisation_wants_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let made = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let views = async || {
        let journal = world.journal(DEFAULT_ORG).await;
        journal.into_iter().filter(|fact| fact.event.name() == "record.viewed").collect::<Vec<_>>()
    };
    owner.get(&format!("/api/leads/{made}")).await.expect(200);
    assert!(views().await.is_empty());
    owner.patch(&format!("/api/organizations/{DEFAULT_ORG}"), json!({"records_reads": true})).await.expect(200);
    owner.get(&format!("/api/leads/{made}")).await.expect(200);
    owner.get("/api/leads").await.expect(200);
    owner.get("/api/leads/lead_01m7wjas70ec3sttn163jbej2c").await.expect(404);
    let seen = views().await;
    let records: Vec<String> = seen.iter().map(|fact| fact.record.to_string()).collect();
    assert_eq!(records, [made, DEFAULT_ORG.to_string()]);
    // Reads by POST are recorded, too.
    owner.post("/api/leads/search", json!({})).await.expect(200);
    assert_eq!(views().await.len(), 3);
}

#[tokio::test]
async fn the_catalogue_lists_every_permission_and_role() {
    let world = World::new().await;
    let catalogue = world.person(Role::Viewer).await.get("/api/permissions").await.expect(200).data();
    assert_eq!(catalogue["permissions"].as_array().map(Vec::len), Some(Permission::catalogue().count()));
    assert_eq!(catalogue["roles"].as_array().map(Vec::len), Some(Role::ALL.len()));
}

#[tokio::test]
async fn a_suspended_user_is_given_nothing_by_any_way() {
    let world = World::new().await;
    let (owner, ada) = (world.owner().await, world.person(Role::Sales).await);
    let ada_s = json!(ada.user.expect("a user").to_string());
    let lead = owner.post("/api/leads", lead("a@b.example")).await.expect(201).id();
    let lead = format!("/api/leads/{lead}");
    owner.patch(&lead, json!({"owner_id": ada_s})).await.expect(200);
    let given = owner.get("/api/audit-logs?action=update&limit=1").await.expect(200).json()["data"][0]["id"].clone();
    let customer = owner.post("/api/customers", json!({"name": "C"})).await.expect(201).id();
    let customer = format!("/api/customers/{customer}");
    owner.patch(&lead, json!({"owner_id": null})).await.expect(200);
    let taken = owner.get("/api/audit-logs?action=update&limit=1").await.expect(200).json()["data"][0]["id"].clone();
    assert_ne!(given, taken);
    owner.patch(&path(&ada), json!({"status": "suspended"})).await.expect(200);

    let mut whole = owner.get(&customer).await.expect(200).data();
    whole["owner_id"] = ada_s.clone();
    let task = json!({"title": "Call", "assignee_id": ada_s});
    let update =
        json!({"action": "update", "id": customer.replace("/api/customers/", ""), "data": {"owner_id": ada_s}});
    for (answer, pointer) in [
        (owner.patch(&lead, json!({"owner_id": ada_s})).await, "/owner_id"),
        (owner.put(&customer, whole).await, "/owner_id"),
        (owner.post("/api/customers", json!({"name": "D", "owner_id": ada_s})).await, "/owner_id"),
        (owner.post("/api/tasks", task).await, "/assignee_id"),
        (owner.post("/api/customers/batch?atomic=true", json!({"items": [update]})).await, "/items/0/data/owner_id"),
        (
            owner.post(&format!("/api/audit-logs/{}/revert", taken.as_str().expect("an id")), json!({})).await,
            "/owner_id",
        ),
    ] {
        let told = answer.expect_problem(422, "validation_error").violations();
        assert_eq!(told, [(pointer.to_owned(), "invalid_format".to_owned())]);
    }
    // What a suspended user has can be worked on, and taken over.
    let other = owner.post("/api/leads", json!({"email": "c@d.example"})).await.expect(201).id();
    let other = format!("/api/leads/{other}");
    owner.patch(&path(&ada), json!({"status": "active"})).await.expect(200);
    owner.patch(&other, json!({"owner_id": ada_s})).await.expect(200);
    owner.patch(&path(&ada), json!({"status": "suspended"})).await.expect(200);
    owner.patch(&other, json!({"company": "C", "owner_id": ada_s})).await.expect(200);
    let converted = owner.post(&format!("{other}/convert"), json!({})).await.expect(201).data();
    assert_eq!(converted["customer"]["owner_id"], owner.user.expect("a user").to_string());
}
