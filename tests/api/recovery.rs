//! Account recovery tests: forgotten and changed passwords, and e-mail verification.

use daybook_domain::EmailAddress;
use daybook_domain::Record as _;
use daybook_store::CommonPasswords;
use daybook_store::condition::Condition;
use daybook_store::rows::credential::Credential;
use daybook_store::schema::Place;
use daybook_testing::{Person, World, WorldOptions};
use serde_json::{Value, json};
use std::time::Duration;

const OLD: &str = "correct horse battery";
const NEW: &str = "staple correct horse";

async fn registered(world: &World, email: &str) -> Person {
    let body = json!({"email": email, "password": OLD});
    let answer = world.visitor().post("/api/auth/register", body).await.expect(201);
    world.visitor().with_token(answer.json()["access_token"].as_str().expect("a token"))
}

async fn forgot(world: &World, email: &str) -> Value {
    let answer = world.visitor().post("/api/auth/forgot-password", json!({"email": email})).await.expect(202).json();
    world.work().await;
    answer
}

/// The token of the newest mail to an address with a link of this kind.
fn token(world: &World, to: &str, kind: &str) -> String {
    let mails = world.mails();
    let start = format!("http://localhost:3000/account#{kind}=");
    let found = mails.iter().rev().filter(|mail| mail.to == to).find_map(|mail| {
        let rest = mail.text.split_once(&start)?.1;
        rest.split_whitespace().next().map(str::to_owned)
    });
    found.unwrap_or_else(|| panic!("no mail with {kind} to {to}"))
}

async fn signs_in(world: &World, email: &str, password: &str) -> bool {
    let body = json!({"email": email, "password": password});
    world.visitor().post("/api/auth/login", body).await.status.is_success()
}

fn reset(world: &World, token: &str) -> daybook_testing::Call {
    world.visitor().post("/api/auth/reset-password", json!({"token": token, "password": NEW}))
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_the_link_of_a_mail_once_and_all_sessions_end() {
    let world = World::new().await;
    let ada = registered(&world, "ada@example.com").await;
    forgot(&world, "Ada@Example.com").await;
    let link = token(&world, "ada@example.com", "reset-password");
    reset(&world, &link).await.expect(200);
    ada.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    assert!(!signs_in(&world, "ada@example.com", OLD).await);
    assert!(signs_in(&world, "ada@example.com", NEW).await);
    reset(&world, &link).await.expect_problem(409, "conflict");
    world.work().await;
    assert!(
        world.mails().iter().any(|mail| mail.subject.contains("Your password was changed")),
        "the owner gets no mail"
    );
}

#[tokio::test]
async fn the_link_is_no_good_after_an_hour_after_a_newer_one_after_another_address_or_for_somebody_else() {
    let world = World::new().await;
    registered(&world, "ada@example.com").await;
    registered(&world, "eva@example.com").await;
    forgot(&world, "ada@example.com").await;
    let first = token(&world, "ada@example.com", "reset-password");
    forgot(&world, "ada@example.com").await;
    let second = token(&world, "ada@example.com", "reset-password");
    assert_ne!(first, second);
    reset(&world, &first).await.expect_problem(409, "conflict");
    world.clock.advance(Duration::from_secs(3600));
    reset(&world, &second).await.expect_problem(409, "conflict");

    forgot(&world, "ada@example.com").await;
    let third = token(&world, "ada@example.com", "reset-password");
    forgot(&world, "eva@example.com").await;
    let evas = token(&world, "eva@example.com", "reset-password");
    let (place, signature) = (evas.split_once('.').expect("parts").0, third.split_once('.').expect("parts").1);
    for mixed in
        [format!("{place}.{signature}"), format!("{third}x"), String::new(), "x".repeat(1024), "a.b".to_owned()]
    {
        reset(&world, &mixed).await.expect_problem(409, "conflict");
    }
    let cx = world.cx(daybook_local::DEFAULT_ORG);
    let (_, id) =
        daybook_records::admission::login(&world.system.env, "ada@example.com").await.expect("a read").expect("a user");
    let email = EmailAddress::parse("ada@new.example").expect("an address");
    let user = cx.get::<daybook_domain::user::User>(id).await.expect("a user");
    let moved = user.with_address(email).confirmed(cx.now()).following(&user, cx.now());
    cx.commit(daybook_store::Tx::update(&user, &moved), ()).await.expect("a change");
    reset(&world, &third).await.expect_problem(409, "conflict");
    assert!(signs_in(&world, "ada@new.example", OLD).await);
}

#[tokio::test]
async fn a_key_of_a_reset_is_no_other_reset_s() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for email in ["ada@example.com", "eva@example.com"] {
        registered(&world, email).await;
        forgot(&world, email).await;
        tokens.push(token(&world, email, "reset-password"));
    }
    reset(&world, &tokens[0]).key("1").await.expect(200);
    let again = reset(&world, &tokens[0]).key("1").await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    reset(&world, &tokens[1]).key("1").await.expect_problem(422, "idempotency_key_reused");
    reset(&world, &tokens[1]).key("2").await.expect(200);
    assert!(signs_in(&world, "eva@example.com", NEW).await);
}

#[tokio::test]
async fn nobody_learns_whether_an_address_is_known() {
    let world = World::new().await;
    registered(&world, "ada@example.com").await;
    let known = forgot(&world, "ada@example.com").await;
    let mails = world.mails().len();
    let unknown = forgot(&world, "nobody@example.com").await;
    assert_eq!(known, unknown);
    assert_eq!(world.mails().len(), mails, "a mail to an unknown address");
}

#[tokio::test]
async fn a_link_leads_to_the_deployments_own_address_whatever_the_request_says() {
    let world = World::new().await;
    registered(&world, "ada@example.com").await;
    for (n, (name, value)) in [
        ("host", "evil.example"),
        ("host", "localhost:3000@evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "ftp"),
        ("x-forwarded-server", "evil.example"),
        ("x-host", "evil.example"),
        ("x-original-url", "https://evil.example/"),
        ("forwarded", "host=evil.example"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ]
    .into_iter()
    .enumerate()
    {
        let ask = world.visitor().post("/api/auth/forgot-password", json!({"email": "ada@example.com"}));
        ask.header(name, value).await.expect(202);
        world.work().await;
        let mail = world.mails().last().expect("a mail").clone();
        assert_eq!(mail.to, "ada@example.com");
        let text = format!("{}{}", mail.text, mail.html);
        assert!(text.contains("http://localhost:3000/account#reset-password="), "{name}, try {n}");
        assert!(!text.contains("evil") && !text.contains("ftp:"), "{name}: {text}");
    }
}

#[tokio::test]
async fn mails_for_one_address_are_limited_alike_whether_it_is_known_or_not() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    registered(&world, "ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        for n in 0..6 {
            let visitor = world.visitor().from(&format!("198.51.100.{n}"));
            let answer = visitor.post("/api/auth/forgot-password", json!({"email": email})).await;
            match n {
                0..5 => drop(answer.expect(202)),
                _ => drop(answer.expect_problem(429, "rate_limited")),
            }
        }
    }
}

#[tokio::test]
async fn a_password_is_changed_by_the_old_one_and_other_sessions_end() {
    let world = World::new().await;
    let ada = registered(&world, "ada@example.com").await;
    let body = json!({"email": "ada@example.com", "password": OLD});
    let other = world.visitor().post("/api/auth/login", body).await.expect(200).json();
    let other = world.visitor().with_token(other["access_token"].as_str().expect("a token"));
    let change = |current: &str| {
        ada.post("/api/auth/change-password", json!({"current_password": current, "new_password": NEW}))
    };
    let wrong = change("something else").await.expect_problem(422, "validation_error");
    assert_eq!(wrong.violations(), [("/current_password".to_owned(), "wrong_password".to_owned())]);
    change(OLD).await.expect(200);
    ada.get("/api/auth/me").await.expect(200);
    other.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    assert!(signs_in(&world, "ada@example.com", NEW).await && !signs_in(&world, "ada@example.com", OLD).await);
}

#[tokio::test]
async fn an_address_is_proven_by_the_link_of_a_mail_that_can_be_sent_again() {
    let world = World::new().await;
    let ada = registered(&world, "ada@example.com").await;
    world.work().await;
    assert_eq!(ada.get("/api/auth/me").await.expect(200).data()["email_verified_at"], Value::Null);
    let first = token(&world, "ada@example.com", "verify-email");
    ada.post("/api/auth/verify-email/resend", json!({})).await.expect(202);
    world.work().await;
    let second = token(&world, "ada@example.com", "verify-email");
    let verify = |token: &str| world.visitor().post("/api/auth/verify-email", json!({"token": token}));
    verify(&first).await.expect_problem(409, "conflict");
    verify(&second).await.expect(200);
    assert!(ada.get("/api/auth/me").await.expect(200).data()["email_verified_at"].is_string());
    verify(&second).await.expect_problem(409, "conflict");
    // The token of one kind of link isn't valid for another.
    forgot(&world, "ada@example.com").await;
    verify(&token(&world, "ada@example.com", "reset-password")).await.expect_problem(409, "conflict");
    let mails = world.mails().len();
    ada.post("/api/auth/verify-email/resend", json!({})).await.expect(202);
    world.work().await;
    assert_eq!(world.mails().len(), mails);
}

#[tokio::test]
async fn passwords_that_many_have_are_warned_of_and_in_production_refused() {
    let world = World::new().await;
    let body = |email: &str| json!({"username": null, "email": email, "password": "Password123"});
    let answer = world.visitor().post("/api/auth/register", body("ada@example.com")).await.expect(201);
    assert!(answer.json()["warning"].as_str().is_some_and(|warning| warning.contains("production")));
    let chinese =
        world.visitor().post("/api/auth/register", body("zoe@example.com")).header("accept-language", "zh-CN");
    assert!(chinese.await.expect(201).json()["warning"].as_str().is_some_and(|warning| warning.contains("过于常见")));
    let fine = json!({"email": "eva@example.com", "password": OLD});
    let answer = world.visitor().post("/api/auth/register", fine).await.expect(201);
    assert!(answer.json().get("warning").is_none());

    let options = WorldOptions { common_passwords: Some(CommonPasswords::Refuse), ..WorldOptions::default() };
    let production = World::with(options).await;
    let refused = production.visitor().post("/api/auth/register", body("ada@example.com")).await;
    let refused = refused.expect_problem(422, "validation_error");
    assert_eq!(refused.violations(), [("/password".to_owned(), "too_common".to_owned())]);
}

#[tokio::test]
async fn hashes_with_other_parameters_are_made_anew_when_their_user_signs_in() {
    let world = World::new().await;
    registered(&world, "ada@example.com").await;
    let (org, id) =
        daybook_records::admission::login(&world.system.env, "ada@example.com").await.expect("a read").expect("a user");
    // "correct horse battery staple", hashed by the reference implementation of argon2.
    for phc in [
        "$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$E00YDK579zCFKHdylDWWbt4Db/32fqyFEYPCGpqFXXw",
        "$argon2id$v=19$m=12288,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$5DGhzV3Ezm2VvUKyC6M/R1ACwlzJe2X+pC6Xlq5/fZA",
        "$argon2i$v=19$m=4096,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$EY12I7uGyoBHzuQuFWt3F/Kvu99fJBY2qYsz2KZSrj8",
        "$argon2id$v=19$m=65536,t=1,p=2$MDEyMzQ1Njc4OWFiY2RlZg$TTcvrSThbJQCppSypcjcxnOb1mHgOgMoPACajLdHc0Q",
    ] {
        let old = Credential { phc: phc.to_owned(), set_at: world.clock.now() };
        world.system.env.table.put(&Place::Credential(org, id).key(), &old, Condition::ALWAYS).await.expect("a write");
        assert!(!signs_in(&world, "ada@example.com", "correct horse battery stapler").await);
        for _ in 0..2 {
            assert!(signs_in(&world, "ada@example.com", "correct horse battery staple").await, "{phc}");
            let now = Credential::read(&world.system.env, org, id).await.expect("a read").expect("a credential");
            assert!(now.phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", now.phc);
        }
    }
}
