//! Authentication tests: registration, sign-in and `/api/auth/me`.

use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_store::condition::Condition;
use daybook_store::rows::credential::Credential;
use daybook_store::schema::Place;
use daybook_store::{FirstAddress, FirstOwner, Registration};
use daybook_testing::{Answer, Person, World, WorldOptions, is_full};
use serde_json::{Value, json};
use std::future::IntoFuture as _;
use std::time::Duration;

fn ada() -> Value {
    json!({"username": "testuser", "email": "test@example.com", "password": "password123"})
}

fn with_token(person: &Person, answer: &Answer) -> Person {
    person.with_token(answer.json()["access_token"].as_str().expect("a token"))
}

#[tokio::test]
async fn registering_answers_bare_tokens_that_work() {
    let world = World::new().await;
    let answer = world.visitor().post("/api/auth/register", ada()).await.expect(201);
    let body = answer.json();
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_u64()), (Some("bearer"), Some(1800)));
    assert!(body["refresh_token"].as_str().is_some_and(|token| token.len() > 60));
    assert!(!answer.text.contains("password123") && !answer.text.contains("argon2"), "{}", answer.text);

    let me = with_token(&world.visitor(), &answer).get("/api/auth/me").await.expect(200).data();
    assert_eq!(
        (me["email"].as_str(), me["username"].as_str(), me["role"].as_str()),
        (Some("test@example.com"), Some("testuser"), Some("owner"))
    );
}

#[tokio::test]
async fn hashes_of_other_implementations_are_understood() {
    let world = World::new().await;
    let me = with_token(&world.visitor(), &world.visitor().post("/api/auth/register", ada()).await.expect(201))
        .get("/api/auth/me")
        .await
        .expect(200)
        .data();
    let user = me["id"].as_str().expect("an id").parse().expect("an id");
    // Hashed by the reference implementation of argon2, with the parameters used here.
    let phc = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0";
    let credential = Credential { phc: phc.to_owned(), set_at: world.clock.now() };
    let key = Place::Credential(DEFAULT_ORG, user).key();
    world.system.env.table.put(&key, &credential, Condition::ALWAYS).await.expect("a write");
    let login = |password: &str| json!({"email": "test@example.com", "password": password});
    world.visitor().post("/api/auth/login", login("correct horse battery staple")).await.expect(200);
    world.visitor().post("/api/auth/login", login("correct horse battery staples")).await.expect(401);
}

#[tokio::test]
async fn a_password_is_the_same_whatever_keyboard_types_it() {
    let world = World::new().await;
    let visitor = world.visitor();
    let body = |password: &str| json!({"email": "test@example.com", "password": password});
    let registered = visitor.post("/api/auth/register", body("Zo\u{eb} 12345!")).await.expect(201);
    for typed in ["Zo\u{eb} 12345!", "Zoe\u{308} 12345!", "Ｚｏ\u{eb}　１２３４５！"] {
        visitor.post("/api/auth/login", body(typed)).await.expect(200);
    }
    visitor.post("/api/auth/login", body("Zoe 12345!")).await.expect(401);
    // Earlier versions hashed a password as it was entered.
    let phc = "$argon2id$v=19$m=19456,t=2,p=1$xWcqL3vuu9FXY2okuQw0fA$ZA8ZfIo0t/ezBf6mMP47fndn8UTGj3Lris50+yfdnWg";
    let me = with_token(&visitor, &registered).get("/api/auth/me").await.expect(200).data();
    let user = me["id"].as_str().expect("an id").parse().expect("an id");
    let credential = Credential { phc: phc.to_owned(), set_at: world.clock.now() };
    let key = Place::Credential(DEFAULT_ORG, user).key();
    world.system.env.table.put(&key, &credential, Condition::ALWAYS).await.expect("a write");
    visitor.post("/api/auth/login", body("ｐａｓｓ１２３４")).await.expect(200);
    visitor.post("/api/auth/login", body("pass1234")).await.expect(401);
}

#[tokio::test]
async fn the_first_who_registers_owns_the_default_organisation_and_others_their_own() {
    let world = World::new().await;
    world.visitor().post("/api/leads", daybook_testing::lead("lead@example.com")).await.expect(201);
    let first = with_token(&world.visitor(), &world.visitor().post("/api/auth/register", ada()).await.expect(201));
    let second = json!({"email": "eva@example.com", "password": "password123", "organization_name": "Eva's"});
    let second = with_token(&world.visitor(), &world.visitor().post("/api/auth/register", second).await.expect(201));
    assert_eq!(first.get("/api/leads").await.expect(200).json()["meta"]["count"], 1);
    assert_eq!(second.get("/api/leads").await.expect(200).json()["meta"]["count"], 0);
}

#[tokio::test]
async fn signing_in_works_by_address_and_by_name_in_any_case() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.post("/api/auth/register", ada()).await.expect(201);
    for login in [
        json!({"email": "TEST@example.com", "password": "password123"}),
        json!({"username": "TestUser", "password": "password123"}),
        json!({"username": "test@example.com", "password": "password123"}),
    ] {
        let answer = visitor.post("/api/auth/login", login).await.expect(200);
        with_token(&visitor, &answer).get("/api/auth/me").await.expect(200);
    }
}

#[tokio::test]
async fn unknown_users_and_wrong_passwords_get_the_same_answer() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.post("/api/auth/register", ada()).await.expect(201);
    let wrong = visitor.post("/api/auth/login", json!({"email": "test@example.com", "password": "password124"})).await;
    let unknown =
        visitor.post("/api/auth/login", json!({"email": "nobody@example.com", "password": "password123"})).await;
    let plain = |answer: Answer| {
        let mut body = answer.expect_problem(401, "unauthenticated").json();
        body.as_object_mut().expect("an object").remove("request_id");
        body
    };
    assert_eq!(plain(wrong), plain(unknown));
}

#[tokio::test]
async fn an_address_or_name_registers_once_also_by_many_at_once() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let visitor = world.visitor();
    let calls = (0..10).map(|n| {
        let email = if n % 2 == 0 { "Test@example.com" } else { "test@EXAMPLE.com" };
        visitor.post("/api/auth/register", json!({"email": email, "password": "password123"})).into_future()
    });
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.as_u16() == 201).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status.as_u16() != 201) {
        let body = answer.expect_problem(409, "duplicate").json();
        assert_eq!((&body["errors"][0]["field"], &body["existing_id"]), (&json!("email"), &Value::Null));
    }
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_with_its_session() {
    let world = World::new().await;
    let answer = world.visitor().post("/api/auth/register", ada()).await.expect(201);
    let user = with_token(&world.visitor(), &answer);
    user.get("/api/auth/me").await.expect(200);
    world.clock.advance(Duration::from_secs(1801));
    user.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_repeat_of_a_registration_is_refused_and_its_tokens_are_kept_nowhere() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.post("/api/auth/register", ada()).key("one").await.expect(201);
    visitor.post("/api/auth/register", ada()).key("one").await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn passwords_reach_neither_journal_nor_records() {
    let world = World::new().await;
    let canary = "canary-5f2c-password";
    let body = json!({"email": "test@example.com", "password": canary});
    let answer = world.visitor().post("/api/auth/register", body.clone()).await.expect(201);
    let login = world.visitor().post("/api/auth/login", body).await.expect(200);
    let secrets =
        [canary.to_owned(), answer.json()["refresh_token"].to_string(), login.json()["access_token"].to_string()];
    let cx = world.cx(daybook_local::DEFAULT_ORG);
    for fact in world.journal(cx.org).await {
        let place = daybook_store::schema::Place::Detail(cx.org, fact.id).key();
        let detail = format!("{:?}{fact:?}", cx.env.table.get(&place).await.expect("a read"));
        for secret in &secrets {
            assert!(!detail.contains(secret.trim_matches('"')), "a secret is in the journal: {detail}");
        }
    }
    let actions: Vec<String> = world.journal(cx.org).await.iter().map(|fact| fact.event.name().to_owned()).collect();
    assert_eq!(actions, ["organization.created", "form.created", "user.registered", "user.login"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_said_at_once() {
    let world = World::new().await;
    let visitor = world.visitor();
    let answer = visitor
        .post("/api/auth/register", json!({"email": "x", "username": "a", "pasword": "y", "name": "a\nb"}))
        .await;
    let found = answer.expect_problem(422, "validation_error").violations();
    let expected = [
        ("/email", "invalid_email"),
        ("/name", "control_character"),
        ("/password", "required"),
        ("/pasword", "unknown_field"),
        ("/username", "invalid_username"),
    ];
    assert_eq!(found, expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    for short in ["1234567", "密码密码密"] {
        let answer = visitor.post("/api/auth/register", json!({"email": "a@b", "password": short})).await;
        let found = answer.expect_problem(422, "validation_error").violations();
        assert_eq!(
            found,
            [("/email".to_owned(), "invalid_email".to_owned()), ("/password".to_owned(), "too_short".to_owned())]
        );
    }
    let long = visitor.post("/api/auth/login", json!({"email": "a@b.example", "password": "x".repeat(1025)})).await;
    assert_eq!(
        long.expect_problem(422, "validation_error").violations(),
        [("/password".to_owned(), "too_long".to_owned())]
    );
}

#[tokio::test]
async fn long_and_unusual_passwords_count_in_full() {
    let world = World::new().await;
    let visitor = world.visitor();
    let long = format!("{}é\u{0}密码", "x".repeat(100));
    visitor.post("/api/auth/register", json!({"email": "a@b.example", "password": long})).await.expect(201);
    visitor.post("/api/auth/login", json!({"email": "a@b.example", "password": long})).await.expect(200);
    let almost = format!("{}é\u{0}密", "x".repeat(100));
    visitor.post("/api/auth/login", json!({"email": "a@b.example", "password": almost})).await.expect(401);
}

#[tokio::test]
async fn signing_in_is_limited_by_address() {
    let world = World::with(daybook_testing::WorldOptions { rate_limits: true, ..Default::default() }).await;
    let visitor = world.visitor();
    let login = || visitor.post("/api/auth/login", json!({"email": "a@b.example"}));
    for _ in 0..20 {
        login().await.expect(422);
    }
    let limited = login().await.expect_problem(429, "rate_limited");
    assert!(limited.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds <= 60));
    visitor.from("203.0.113.8").post("/api/auth/login", json!({"email": "a@b.example"})).await.expect(422);
    let _ = world.person(Role::Viewer).await;
}

#[tokio::test]
async fn in_the_cloud_only_the_address_named_becomes_the_first_owner_whoever_else_may_register() {
    for registration in [Registration::Open, Registration::Invite, Registration::Closed] {
        let email = daybook_domain::EmailAddress::parse("boss@example.com").expect("an address");
        let code = Some(daybook_domain::Secret::new("0123456789abcdef".to_owned()));
        let first_owner = Some(FirstOwner::Address(FirstAddress { email, code }));
        let world =
            World::with(WorldOptions { first_owner, registration: Some(registration), ..Default::default() }).await;
        let visitor = world.visitor();
        visitor.post("/api/leads", daybook_testing::lead("lead@example.com")).await.expect(201);
        let register =
            |email: &str| visitor.post("/api/auth/register", json!({"email": email, "password": "password123"}));
        let count = async |answer: &Answer| {
            with_token(&visitor, answer).get("/api/leads").await.expect(200).json()["meta"]["count"].clone()
        };
        let stranger = register("stranger@example.com").await;
        match registration {
            Registration::Open => assert_eq!(count(&stranger.expect(201)).await, 0),
            _ => drop(stranger.expect_problem(403, "forbidden")),
        }
        let boss = json!({"email": "Boss@example.com", "password": "password123", "owner_code": "0123456789abcdef"});
        let boss = visitor.post("/api/auth/register", boss).await.expect(201);
        assert_eq!(count(&boss).await, 1);
        if registration != Registration::Open {
            register("eva@example.com").await.expect_problem(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn a_key_of_a_registration_is_known_again_whichever_organisation_it_made() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.post("/api/auth/register", ada()).await.expect(201);
    let eva = json!({"email": "eva@example.com", "password": "password123"});
    visitor.post("/api/auth/register", eva.clone()).key("k").await.expect(201);
    visitor.post("/api/auth/register", eva).key("k").await.expect_problem(409, "conflict");
    let other = json!({"email": "other@example.com", "password": "password123"});
    visitor.post("/api/auth/register", other).key("k").await.expect_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn unknown_and_known_addresses_take_the_same_calls_of_the_table_and_the_same_time() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    world.visitor().post("/api/auth/register", ada()).await.expect(201);
    let mut at = 0_u32;
    let mut tries = async |known: bool, path: &str| {
        at += 1;
        // Each attempt has its own network and its own name, so no rate limit delays it.
        let visitor = world.visitor().from(&format!("2001:db8:{:x}:{:x}::1", at / 65_536, at % 65_536));
        let email = if known { "test@example.com".to_owned() } else { format!("unknown{at}@example.com") };
        let mut body = json!({ "email": email });
        if path.ends_with("login") {
            body["password"] = json!("wrong password");
        }
        world.clock.advance(Duration::from_secs(3600));
        let (calls, began) = (world.faults.calls().len(), std::time::Instant::now());
        let answer = visitor.post(path, body).await;
        let took = began.elapsed();
        let mut told = answer.json();
        told.as_object_mut().expect("an object").remove("request_id");
        let calls = world.faults.calls()[calls..].to_vec();
        (answer.status, told, calls, took)
    };
    let (count, paths) =
        if is_full() { (1_000, ["login", "forgot-password"]) } else { (3, ["login", "forgot-password"]) };
    for path in paths.map(|path| format!("/api/auth/{path}")) {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (one, other) = (tries(true, &path).await, tries(false, &path).await);
            let mut sorted = [one.2, other.2];
            sorted.iter_mut().for_each(|calls| calls.sort());
            assert_eq!((one.0, one.1, &sorted[0]), (other.0, other.1, &sorted[1]), "{path}");
            known.push(one.3);
            unknown.push(other.3);
        }
        if is_full() {
            let median = |times: &mut Vec<Duration>| {
                times.sort();
                times[times.len() / 2].as_secs_f64() * 1000.0
            };
            let (known, unknown) = (median(&mut known), median(&mut unknown));
            let difference = (known - unknown).abs() / known.min(unknown);
            println!("{path}: known {known:.3} ms, unknown {unknown:.3} ms, {:.1} % apart", difference * 100.0);
            assert!(difference < 0.05, "{path}: known {known} ms, unknown {unknown} ms");
        }
    }
}
