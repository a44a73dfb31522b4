//! Tests that power doesn't widen itself: granting, joining, taking over, renewing and exporting need at least what is
//! gained, reach included; and rights are checked when they are used.

use crate::ways::{role, with_role};
use daybook_domain::permission::Role;
use daybook_domain::{EmailAddress, Secret};
use daybook_local::DEFAULT_ORG;
use daybook_store::{FirstAddress, FirstOwner, Registration};
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::{Value, json};

async fn lead_of(owner: &Person, person: &Person, email: &str) -> String {
    let path = format!("/api/leads/{}", owner.post("/api/leads", lead(email)).await.expect(201).id());
    owner.patch(&path, json!({"owner_id": person.user})).await.expect(200);
    path
}

#[tokio::test]
async fn managing_users_leads_into_no_team_whose_records_one_may_not_see() {
    let world = World::new().await;
    let owner = world.owner().await;
    let clerk = with_role(&world, &owner, "Clerk", &["users:read", "users:manage", "leads:read:team"]).await;
    let (ada, eva) = (world.person(Role::Manager).await, world.person(Role::Sales).await);
    let theirs = lead_of(&owner, &eva, "ada@example.com").await;
    let team = json!({"name": "North", "member_ids": [ada.user, eva.user]});
    let team = format!("/api/teams/{}", owner.post("/api/teams", team).await.expect(201).id());
    let with_clerk = json!({"member_ids": [ada.user, eva.user, clerk.user]});
    clerk.patch(&team, with_clerk.clone()).await.expect_problem(403, "forbidden");
    clerk.put(&team, with_clerk.clone()).await.expect_problem(403, "forbidden");
    let own = json!({"name": "Mine", "member_ids": [eva.user, clerk.user]});
    clerk.post("/api/teams", own).await.expect_problem(403, "forbidden");
    // Nor does an accomplice get there, by a role or by a team.
    let friend = world.person(role(&owner, "Team reader", &["leads:read:team"]).await).await;
    let with_friend = json!({"member_ids": [ada.user, eva.user, friend.user]});
    clerk.patch(&team, with_friend).await.expect_problem(403, "forbidden");
    let weak = world.person(role(&owner, "Own reader", &["leads:read:own"]).await).await;
    let with_weak = json!({"member_ids": [ada.user, eva.user, weak.user]});
    owner.patch(&team, with_weak).await.expect(200);
    let wider = json!({"role": role(&owner, "Wider", &["leads:read:team"]).await.to_string()});
    let path = format!("/api/users/{}", weak.user.expect("a user"));
    clerk.patch(&path, wider).await.expect_problem(403, "forbidden");
    for person in [&clerk, &friend, &weak] {
        person.get(&theirs).await.expect_problem(404, "not_found");
    }
    // What gives nothing away may be done.
    let without_eva = json!({"member_ids": [ada.user, weak.user]});
    clerk.patch(&team, without_eva).await.expect(200);
    owner.patch(&team, with_clerk).await.expect(200);
    clerk.get(&theirs).await.expect(200);
}

#[tokio::test]
async fn a_role_s_holders_get_no_wider_scope_from_a_caller_with_less() {
    let world = World::new().await;
    let owner = world.owner().await;
    let clerk = ["users:read", "users:manage", "roles:manage", "leads:read:team"];
    let clerk = with_role(&world, &owner, "Clerk", &clerk).await;
    let role = role(&owner, "Reader", &["leads:read:own"]).await;
    let (friend, eva) = (world.person(role).await, world.person(Role::Sales).await);
    let theirs = lead_of(&owner, &eva, "ada@example.com").await;
    let team = json!({"name": "North", "member_ids": [friend.user, eva.user]});
    owner.post("/api/teams", team).await.expect(201);
    let wider = json!({"permissions": ["leads:read:team"]});
    clerk.patch(&format!("/api/roles/{role}"), wider.clone()).await.expect_problem(403, "forbidden");
    friend.get(&theirs).await.expect_problem(404, "not_found");
    owner.patch(&format!("/api/roles/{role}"), wider).await.expect(200);
    friend.get(&theirs).await.expect(200);
}

#[tokio::test]
async fn an_account_that_reaches_other_records_isn_t_taken_over() {
    let world = World::new().await;
    let owner = world.owner().await;
    let clerk = ["users:read", "users:manage", "leads:read:own", "leads:update:own"];
    let clerk = with_role(&world, &owner, "Clerk", &clerk).await;
    let eva = with_role(&world, &owner, "Reader", &["leads:read:own"]).await;
    let path = format!("/api/users/{}", eva.user.expect("a user"));
    let before = owner.get(&path).await.expect(200).data();
    clerk.patch(&path, json!({"email": "mine@evil.example"})).await.expect_problem(403, "forbidden");
    assert_eq!(owner.get(&path).await.expect(200).data(), before);
    clerk.patch(&path, json!({"name": "Eva"})).await.expect(200);
    // An administrator's change counts once the new address is confirmed, and the present one hears of it.
    owner.patch(&path, json!({"email": "eva@new.example"})).await.expect(200);
    let old = before["email"].as_str().expect("an address");
    let forgot = json!({"email": "eva@new.example"});
    world.visitor().post("/api/auth/forgot-password", forgot).await.expect(202);
    assert_eq!(world.mailed("eva@new.example", "reset-password").await, None);
    assert!(world.mails().iter().any(|mail| mail.to == old), "the present address isn't told");
    let token = world.mailed("eva@new.example", "verify-email").await.expect("a mail");
    world.visitor().post("/api/auth/verify-email", json!({"token": token})).await.expect(200);
    assert_eq!(owner.get(&path).await.expect(200).data()["email"], "eva@new.example");
    world.visitor().post("/api/auth/verify-email", json!({"token": token})).await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn two_who_want_one_address_don_t_both_get_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let (ada, eva) = (world.person(Role::Sales).await, world.person(Role::Sales).await);
    let path = |person: &Person| format!("/api/users/{}", person.user.expect("a user"));
    let taken = json!({"email": owner.get(&path(&eva)).await.expect(200).data()["email"]});
    owner.patch(&path(&ada), taken).await.expect_problem(409, "duplicate");
    let mut tokens = Vec::new();
    for person in [&ada, &eva] {
        owner.patch(&path(person), json!({"email": "new@example.com"})).await.expect(200);
        tokens.push(world.mailed("new@example.com", "verify-email").await.expect("a mail"));
    }
    let verify = |token: &str| world.visitor().post("/api/auth/verify-email", json!({"token": token}));
    verify(&tokens[0]).await.expect(200);
    verify(&tokens[1]).await.expect_problem(409, "duplicate");
    // An earlier link doesn't confirm a later address.
    owner.patch(&path(&ada), json!({"email": "first@example.com"})).await.expect(200);
    let first = world.mailed("first@example.com", "verify-email").await.expect("a mail");
    owner.patch(&path(&ada), json!({"email": "second@example.com"})).await.expect(200);
    verify(&first).await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn a_key_that_reaches_further_than_the_caller_isn_t_renewed() {
    let world = World::new().await;
    let owner = world.owner().await;
    let clerk = with_role(&world, &owner, "Clerk", &["org:read", "org:manage", "leads:read:own"]).await;
    let body = json!({"name": "Import", "permissions": ["leads:read:own"]});
    let made = owner.post("/api/api-keys", body.clone()).await.expect(201).data();
    let path = format!("/api/api-keys/{}", made["id"].as_str().expect("an id"));
    clerk.post(&format!("{path}/rotate"), json!({})).await.expect_problem(403, "forbidden");
    clerk.patch(&path, json!({"name": "Mine", "expires_at": null})).await.expect_problem(403, "forbidden");
    let own = clerk.post("/api/api-keys", body).await.expect(201).id();
    clerk.post(&format!("/api/api-keys/{own}/rotate"), json!({})).await.expect(200);
    owner.post(&format!("{path}/rotate"), json!({})).await.expect(200);
    clerk.delete(&path).await.expect(200);
}

#[tokio::test]
async fn a_key_does_no_more_than_its_creator_may_by_now() {
    let world = World::new().await;
    let owner = world.owner().await;
    let admin = world.person(Role::Admin).await;
    let path = format!("/api/users/{}", admin.user.expect("a user"));
    let body = json!({"name": "K", "permissions": ["leads:read:all", "users:read", "users:manage"]});
    let key = admin.post("/api/api-keys", body).await.expect(201).data();
    let key = world.visitor().with_token(key["key"].as_str().expect("a secret"));
    let theirs = lead_of(&owner, &owner, "ada@example.com").await;
    key.get(&theirs).await.expect(200);
    owner.patch(&path, json!({"role": "sales"})).await.expect(200);
    key.get(&theirs).await.expect_problem(404, "not_found");
    key.patch(&path, json!({"role": "admin"})).await.expect_problem(403, "forbidden");
    owner.patch(&path, json!({"status": "suspended"})).await.expect(200);
    key.get("/api/leads").await.expect_problem(401, "unauthenticated");
    // It outlives its creator, but doesn't administer any more.
    owner.patch(&path, json!({"status": "active", "role": "admin"})).await.expect(200);
    owner.delete(&path).await.expect(200);
    key.get(&theirs).await.expect(200);
    key.post("/api/users", json!({"email": "a@b.example", "role": "sales"})).await.expect_problem(403, "forbidden");
}

// Needs the pending change of `grants_of_key`: a key whose creator was deleted does what the creator could do at the
// deletion, except to administer, for 30 days. Before that change it gets all of its own permissions back.
#[tokio::test]
async fn a_key_does_no_more_after_its_creator_s_deletion_than_before() {
    let world = World::new().await;
    let owner = world.owner().await;
    let theirs = lead_of(&owner, &owner, "ada@example.com").await;
    for (change, status) in [
        (json!({"status": "suspended"}), 401_u16),
        (json!({"role": "sales"}), 404),
        (json!({"role": role(&owner, "None", &["groups:read"]).await.to_string()}), 403),
    ] {
        let admin = world.person(Role::Admin).await;
        let path = format!("/api/users/{}", admin.user.expect("a user"));
        let body = json!({"name": "K", "permissions": ["leads:read:all", "leads:update:all", "users:manage"]});
        let key = admin.post("/api/api-keys", body).await.expect(201).data();
        let key = world.visitor().with_token(key["key"].as_str().expect("a secret"));
        key.get(&theirs).await.expect(200);
        owner.patch(&path, change.clone()).await.expect(200);
        let answers = async || {
            let list = key.get("/api/leads").await;
            let user = json!({"email": "a@b.example", "role": "viewer"});
            let statuses = [
                key.get(&theirs).await.status.as_u16(),
                key.patch(&theirs, json!({"first_name": "Eva"})).await.status.as_u16(),
                key.post("/api/users", user).await.status.as_u16(),
                list.status.as_u16(),
            ];
            (statuses, list.json()["meta"]["count"].clone())
        };
        let before = answers().await;
        assert_eq!(before.0[..2], [status; 2], "{change}");
        owner.delete(&path).await.expect(200);
        assert_eq!(answers().await, before, "{change}, then deleted");
    }
    assert_eq!(owner.get(&theirs).await.expect(200).data()["first_name"], "Ada");
}

#[tokio::test]
async fn a_person_is_exported_and_erased_by_callers_who_may_do_that_to_all_records() {
    let world = World::new().await;
    let owner = world.owner().await;
    let clerk = ["org:read", "org:manage", "jobs:read:own", "audit:read", "leads:read:own"];
    let clerk = with_role(&world, &owner, "Clerk", &clerk).await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    for what in ["exports", "erasures"] {
        let ask = json!({"email": "ada@example.com"});
        clerk.post(&format!("/api/privacy/{what}"), ask).await.expect_problem(403, "forbidden");
    }
    assert_eq!(owner.get("/api/jobs").await.expect(200).json()["meta"]["count"], 0);
    assert_eq!(world.leads(&owner).await.len(), 1);
}

#[tokio::test]
async fn a_demoted_administrator_gets_no_link_to_the_files_of_earlier_jobs() {
    let world = World::new().await;
    let (owner, admin) = (world.owner().await, world.person(Role::Admin).await);
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    let job = admin.post("/api/privacy/exports", json!({"email": "ada@example.com"})).await.expect(202).id();
    world.work().await;
    let link = async |person: &Person| {
        person.get(&format!("/api/jobs/{job}")).await.expect(200).data()["download_url"].clone()
    };
    assert!(link(&admin).await.is_string() && link(&owner).await.is_string());
    let path = format!("/api/users/{}", admin.user.expect("a user"));
    for role in ["manager", "sales", "support", "viewer"] {
        owner.patch(&path, json!({"role": role})).await.expect(200);
        assert_eq!(link(&admin).await, Value::Null, "{role}");
    }
    // A role that sees all jobs, but not all that is in the file.
    let clerk = with_role(&world, &owner, "Clerk", &["org:manage", "jobs:read:all", "audit:read"]).await;
    assert_eq!(link(&clerk).await, Value::Null);
    assert!(link(&owner).await.is_string());
}

#[tokio::test]
async fn the_audit_log_tells_of_a_record_out_of_reach_no_more_than_that_it_changed() {
    let world = World::new().await;
    let owner = world.owner().await;
    let auditor = ["audit:read", "audit:export", "customers:read:own", "jobs:read:own", "users:read"];
    let auditor = with_role(&world, &owner, "Auditor", &auditor).await;
    let (ada, manager) = (world.person(Role::Sales).await, world.person(Role::Manager).await);
    let secret = json!({"name": "Canary", "owner_id": ada.user});
    let theirs = owner.post("/api/customers", secret).await.expect(201).id();
    let mine = json!({"name": "Pelican", "owner_id": auditor.user});
    let mine = owner.post("/api/customers", mine).await.expect(201).id();
    let both = json!([
        {"action": "update", "id": theirs, "data": {"name": "Canary two"}},
        {"action": "update", "id": mine, "data": {"name": "Pelican two"}},
    ]);
    owner.post("/api/customers/batch", json!({"items": both})).await.expect(200);
    for person in [&auditor, &manager] {
        person.get(&format!("/api/customers/{theirs}")).await.expect_problem(404, "not_found");
        let of = format!("/api/audit-logs/resources/customer/{theirs}");
        let answer = person.get(&of).await.expect(200);
        assert!(!answer.text.contains("Canary"), "{}", answer.text);
        let entries = answer.data();
        assert_eq!(entries.as_array().map(Vec::len), Some(2));
        assert_eq!((&entries[0]["hidden"], &entries[0]["request"]), (&json!(true), &Value::Null));
        assert_eq!(entries[0]["fields"], json!(["name"]));
        let all = person.get("/api/audit-logs").await.expect(200).text;
        assert!(!all.contains("Canary"), "{all}");
    }
    // The values of a record within reach are shown, but not a request that named others.
    let entries = auditor.get(&format!("/api/audit-logs?resource_id={mine}")).await.expect(200).data();
    assert_eq!(entries[0]["changes"][0]["after"], "Pelican two");
    assert_eq!((&entries[0]["hidden"], &entries[0]["request"]), (&json!(false), &Value::Null));
    assert!(entries[1]["request"].is_object());
    let exported = auditor.post("/api/audit-logs/export", json!({"format": "json"})).await.expect(200).text;
    assert!(exported.contains("Pelican") && !exported.contains("Canary"), "{exported}");
    // So is what is in the trash.
    owner.delete(&format!("/api/customers/{theirs}")).await.expect(200);
    owner.delete(&format!("/api/customers/{mine}")).await.expect(200);
    let all = auditor.get("/api/audit-logs").await.expect(200).text;
    assert!(all.contains("Pelican") && !all.contains("Canary"), "{all}");
    assert!(owner.get("/api/audit-logs").await.expect(200).text.contains("Canary"));
}

#[tokio::test]
async fn a_large_export_of_the_audit_log_holds_nothing_out_of_reach_and_is_linked_for_its_requester_alone() {
    let world = World::new().await;
    let owner = world.owner().await;
    let auditing = ["audit:read", "audit:export", "customers:read:own", "jobs:read:own"];
    let auditor = with_role(&world, &owner, "Auditor", &auditing).await;
    let ada = world.person(Role::Sales).await;
    let made = async |name: &str, person: &Person| {
        let body = json!({"name": name, "owner_id": person.user});
        owner.post("/api/customers", body).await.expect(201).id()
    };
    let (theirs, mine) = (made("Canary", &ada).await, made("Pelican", &auditor).await);
    // Unowned at first, so that the auditor has seen it.
    let formerly = owner.post("/api/customers", json!({"name": "Canary", "owner_id": null})).await.expect(201).id();
    auditor.get(&format!("/api/customers/{formerly}")).await.expect(200);
    owner.patch(&format!("/api/customers/{formerly}"), json!({"owner_id": ada.user})).await.expect(200);
    owner.post("/api/leads", lead("canary@example.com")).await.expect(201);
    for n in 0..240 {
        let text = json!({"description": format!("Pelican {n} {}", "x".repeat(9_900))});
        owner.patch(&format!("/api/customers/{mine}"), text).await.expect(200);
    }
    owner.patch(&format!("/api/customers/{theirs}"), json!({"description": "Canary"})).await.expect(200);

    let job = auditor.post("/api/audit-logs/export", json!({"format": "json"})).await.expect(202).id();
    world.work().await;

    let link = async |person: &Person| {
        person.get(&format!("/api/jobs/{job}")).await.expect(200).data()["download_url"].clone()
    };
    let url = link(&auditor).await;
    let url = url.as_str().expect("a link").strip_prefix(&world.system.env.settings.public_url).expect("one of ours");
    let file = world.visitor().get(url).await.expect(200);
    assert!(file.text.len() > 4 << 20, "{} bytes", file.text.len());
    assert!(file.text.contains("Pelican 239") && file.text.contains("Pelican 0"));
    assert!(!file.text.contains("Canary") && !file.text.contains("canary"));
    let entries = file.json();
    for id in [&theirs, &formerly] {
        let about = |entry: &&Value| entry["resource"]["id"] == json!(id);
        let about: Vec<&Value> = entries.as_array().expect("a list").iter().filter(about).collect();
        assert!(about.len() >= 2, "{about:?}");
        for entry in about {
            assert_eq!((&entry["hidden"], &entry["request"]), (&json!(true), &Value::Null));
            assert_eq!(entry["changes"], json!([]));
        }
    }
    // Others who see the job, but not all that is in the file.
    let seeing = ["jobs:read:all", "customers:read:all", "leads:read:all"];
    let seeing = with_role(&world, &owner, "Sees jobs", &seeing).await;
    let reaching = ["jobs:read:all", "audit:read", "audit:export", "customers:read:own"];
    let reaching = with_role(&world, &owner, "Sees jobs and the log", &reaching).await;
    for person in [&seeing, &reaching] {
        assert_eq!(link(person).await, Value::Null);
    }
    ada.get(&format!("/api/jobs/{job}")).await.expect_problem(404, "not_found");
    let path = format!("/api/users/{}", auditor.user.expect("a user"));
    let was = owner.get(&path).await.expect(200).data()["role"].clone();
    let mut less = vec!["viewer".to_owned(), "sales".to_owned(), "manager".to_owned()];
    for (name, without) in [("No log", "audit:read"), ("No files", "audit:export"), ("Blind", "customers:read:own")] {
        let left: Vec<&str> = auditing.iter().copied().filter(|one| *one != without).collect();
        less.push(role(&owner, name, &left).await.to_string());
    }
    for role in less {
        owner.patch(&path, json!({"role": role})).await.expect(200);
        assert_eq!(link(&auditor).await, Value::Null, "{role}");
    }
    owner.patch(&path, json!({"role": was})).await.expect(200);
    assert!(link(&auditor).await.is_string() && link(&owner).await.is_string());
}

fn first_owner(code: Option<&str>) -> WorldOptions {
    let email = EmailAddress::parse("owner@example.com").expect("an address");
    let code = code.map(|code| Secret::new(code.to_owned()));
    WorldOptions {
        first_owner: Some(FirstOwner::Address(FirstAddress { email, code })),
        registration: Some(Registration::Closed),
        ..WorldOptions::default()
    }
}

#[tokio::test]
async fn the_leads_are_handed_to_the_first_owner_once_the_address_is_proven() {
    let world = World::with(first_owner(None)).await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    let register = |password: &str, token: Option<&str>| {
        let body = json!({"email": "owner@example.com", "password": password, "invite_token": token});
        world.visitor().post("/api/auth/register", body)
    };
    // A stranger who knows the address gets nothing, and can't choose the name of the organisation.
    for _ in 0..2 {
        let answer = register("the password of a stranger", None).await.expect(202);
        assert!(answer.json().get("access_token").is_none(), "{}", answer.text);
    }
    let login = json!({"email": "owner@example.com", "password": "the password of a stranger"});
    world.visitor().post("/api/auth/login", login).await.expect_problem(401, "unauthenticated");
    let token = world.mailed("owner@example.com", "invite").await.expect("a mail");
    let other = json!({"email": "eva@example.com", "password": "correct horse battery", "invite_token": token});
    world.visitor().post("/api/auth/register", other).await.expect_problem(409, "conflict");
    let answer = register("correct horse battery", Some(&token)).await.expect(201).json();
    let owner = world.visitor().with_token(answer["access_token"].as_str().expect("a token"));
    let me = owner.get("/api/auth/me").await.expect(200).data();
    assert_eq!((me["role"].as_str(), me["organization_id"].as_str()), (Some("owner"), Some(&*DEFAULT_ORG.to_string())));
    assert_eq!(world.leads(&owner).await.len(), 1);
    register("correct horse battery", None).await.expect_problem(403, "forbidden");
    register("correct horse battery", Some(&token)).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn the_first_owner_also_registers_with_the_deployment_s_code_and_once() {
    for asked_before in [false, true] {
        let world = World::with(first_owner(Some("0123456789abcdef"))).await;
        let register = |email: &str, code: Option<&str>| {
            let body = json!({"email": email, "password": "correct horse battery", "owner_code": code});
            world.visitor().post("/api/auth/register", body)
        };
        if asked_before {
            register("owner@example.com", None).await.expect(202);
        }
        register("owner@example.com", Some("0123456789abcdee")).await.expect_problem(422, "validation_error");
        register("eva@example.com", Some("0123456789abcdef")).await.expect_problem(403, "forbidden");
        register("owner@example.com", Some("0123456789abcdef")).await.expect(201);
        register("owner@example.com", Some("0123456789abcdef")).await.expect_problem(403, "forbidden");
    }
}
