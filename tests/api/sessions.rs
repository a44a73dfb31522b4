//! Session tests: token refresh, reuse of stolen refresh tokens, and sign-out.

use daybook_domain::permission::Role;
use daybook_testing::{Answer, Person, World, WorldOptions, is_full};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::IntoFuture as _;
use std::time::Duration;

async fn registered(world: &World, email: &str) -> (Person, Value) {
    let body = json!({"email": email, "password": "correct horse battery"});
    let tokens = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    (world.visitor().with_token(text(&tokens, "access_token")), tokens)
}

async fn signed_in(world: &World, email: &str) -> Value {
    let body = json!({"email": email, "password": "correct horse battery"});
    world.visitor().post("/api/auth/login", body).await.expect(200).json()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn refresh(world: &World, token: &str) -> Answer {
    world.visitor().post("/api/auth/refresh", json!({"refresh_token": token})).await
}

async fn is_in(world: &World, access_token: &str) -> bool {
    world.visitor().with_token(access_token).get("/api/auth/me").await.status.is_success()
}

#[tokio::test]
async fn a_refresh_token_gives_fresh_tokens_and_works_once() {
    let world = World::new().await;
    let (_, first) = registered(&world, "ada@example.com").await;
    world.clock.advance(Duration::from_secs(1801));
    assert!(!is_in(&world, text(&first, "access_token")).await);
    let second = refresh(&world, text(&first, "refresh_token")).await.expect(200).json();
    assert!(is_in(&world, text(&second, "access_token")).await);
    assert_eq!(second["user"]["email"], "ada@example.com");
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    world.clock.advance(Duration::from_secs(60));
    let third = refresh(&world, text(&second, "refresh_token")).await.expect(200).json();
    assert!(is_in(&world, text(&third, "access_token")).await);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_within_ten_seconds_with_the_same_successor() {
    let world = World::new().await;
    let (_, first) = registered(&world, "ada@example.com").await;
    let second = refresh(&world, text(&first, "refresh_token")).await.expect(200).json();
    world.clock.advance(Duration::from_millis(9_999));
    let again = refresh(&world, text(&first, "refresh_token")).await.expect(200).json();
    assert_eq!(again["refresh_token"], second["refresh_token"]);
    refresh(&world, text(&second, "refresh_token")).await.expect(200);
}

#[tokio::test]
async fn a_token_that_is_used_again_later_ends_its_session_every_time() {
    let world = World::new().await;
    registered(&world, "ada@example.com").await;
    let runs = if is_full() { 1_000 } else { 40 };
    for run in 0..runs {
        let mut tokens = signed_in(&world, "ada@example.com").await;
        let other = signed_in(&world, "ada@example.com").await;
        let stolen = text(&tokens, "refresh_token").to_owned();
        // The stolen token is used after a varying number of refreshes, or right after the grace period.
        for _ in 0..=run % 3 {
            tokens = refresh(&world, text(&tokens, "refresh_token")).await.expect(200).json();
            world.clock.advance(Duration::from_millis(10_000 + run));
        }
        refresh(&world, &stolen).await.expect_problem(401, "unauthenticated");
        assert!(!is_in(&world, text(&tokens, "access_token")).await, "run {run}");
        refresh(&world, text(&tokens, "refresh_token")).await.expect_problem(401, "unauthenticated");
        assert!(is_in(&world, text(&other, "access_token")).await, "another session ended, run {run}");
    }
    let reused = world.journal(daybook_local::DEFAULT_ORG).await;
    assert_eq!(reused.iter().filter(|fact| fact.event.name() == "user.token_reused").count() as u64, runs);
}

#[tokio::test]
async fn fifty_refreshes_at_once_have_one_successor_and_end_nothing() {
    let world = World::new().await;
    let (_, first) = registered(&world, "ada@example.com").await;
    world.faults.at_a_distance();
    let all = (0..50).map(|_| {
        let ask = json!({"refresh_token": first["refresh_token"]});
        world.visitor().post("/api/auth/refresh", ask).into_future()
    });
    let answers = futures::future::join_all(all).await;
    let successors: BTreeSet<String> =
        answers.into_iter().map(|answer| text(&answer.expect(200).json(), "refresh_token").to_owned()).collect();
    assert_eq!(successors.len(), 1);
    refresh(&world, successors.first().expect("a token")).await.expect(200);
}

#[tokio::test]
async fn tokens_that_were_never_given_out_end_nobodys_session() {
    let world = World::new().await;
    let (_, tokens) = registered(&world, "ada@example.com").await;
    let token = text(&tokens, "refresh_token");
    let parts: Vec<&str> = token.split('.').collect();
    let guessed = "A".repeat(43);
    for bad in [
        String::new(),
        "rt_".to_owned(),
        "x".repeat(5000),
        format!("{}.{guessed}.{}.{}", parts[0], parts[2], parts[3]),
        format!("{}.{guessed}", parts[0]),
        format!("{token}x"),
        text(&tokens, "access_token").to_owned(),
    ] {
        let status = refresh(&world, &bad).await.status.as_u16();
        assert!(matches!(status, 401 | 422), "{bad}: {status}");
    }
    refresh(&world, token).await.expect(200);
    // A refresh token isn't accepted as an access token.
    assert!(!is_in(&world, token).await);
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once_and_no_other() {
    let world = World::new().await;
    let (ada, tokens) = registered(&world, "ada@example.com").await;
    let other = signed_in(&world, "ada@example.com").await;
    ada.post("/api/auth/logout", json!({})).await.expect(200);
    ada.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    refresh(&world, text(&tokens, "refresh_token")).await.expect_problem(401, "unauthenticated");
    assert!(is_in(&world, text(&other, "access_token")).await);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_user_alone() {
    let world = World::new().await;
    let (ada, _) = registered(&world, "ada@example.com").await;
    let other = signed_in(&world, "ada@example.com").await;
    let (eva, _) = registered(&world, "eva@example.com").await;
    let list = ada.get("/api/auth/sessions").await.expect(200).data();
    let list = list.as_array().expect("a list").clone();
    assert_eq!((list.len(), list.iter().filter(|one| one["current"] == true).count()), (2, 1));
    let theirs = list.iter().find(|one| one["current"] == false).expect("the other one");
    let path = format!("/api/auth/sessions/{}", text(theirs, "id"));
    eva.delete(&path).await.expect_problem(404, "not_found");
    assert!(is_in(&world, text(&other, "access_token")).await);
    ada.delete(&path).await.expect(200);
    assert!(!is_in(&world, text(&other, "access_token")).await);
    ada.delete(&path).await.expect_problem(404, "not_found");

    let (third, fourth) = (signed_in(&world, "ada@example.com").await, signed_in(&world, "ada@example.com").await);
    let ended = ada.delete("/api/auth/sessions").await.expect(200).data();
    assert_eq!(ended["ended"], 2);
    for tokens in [third, fourth] {
        assert!(!is_in(&world, text(&tokens, "access_token")).await);
    }
    ada.get("/api/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_session_ends_two_weeks_after_its_last_refresh_and_a_month_after_it_began() {
    let world = World::new().await;
    let day = Duration::from_secs(86_400);
    let (_, tokens) = registered(&world, "ada@example.com").await;
    world.clock.advance(14 * day);
    refresh(&world, text(&tokens, "refresh_token")).await.expect_problem(401, "unauthenticated");
    let mut tokens = signed_in(&world, "ada@example.com").await;
    for _ in 0..2 {
        world.clock.advance(13 * day);
        tokens = refresh(&world, text(&tokens, "refresh_token")).await.expect(200).json();
    }
    world.clock.advance(4 * day);
    refresh(&world, text(&tokens, "refresh_token")).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_wrong_password_counts_also_when_two_hundred_come_at_once() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    registered(&world, "ada@example.com").await;
    world.faults.at_a_distance();
    let wrong = |n: usize| {
        let visitor = world.visitor().from(&format!("198.51.{}.{}", 100 + n / 200, n % 200));
        visitor.post("/api/auth/login", json!({"email": "ada@example.com", "password": "wrong"})).into_future()
    };
    let answers = futures::future::join_all((0..200).map(wrong)).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status.as_u16() == status).count();
    // Five attempts reach the password check, the others are answered 429, and all two hundred are counted.
    assert_eq!((count(401), count(429)), (5, 195));
    let failed = world
        .journal(daybook_local::DEFAULT_ORG)
        .await
        .iter()
        .filter(|fact| fact.event.name() == "user.login_failed")
        .count();
    let since = world.clock.now().minus(Duration::from_secs(3600));
    let tallies = daybook_store::rows::tally::since(&world.system.env, daybook_local::DEFAULT_ORG, since).await;
    let counted: u64 = tallies.expect("a read").iter().map(|tally| tally.count).sum();
    assert_eq!(failed as u64 + counted, 200);
}

#[tokio::test]
async fn waits_double_so_that_a_day_has_at_most_a_hundred_attempts_and_a_known_device_still_gets_in() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let (_, tokens) = registered(&world, "ada@example.com").await;
    let device = text(&tokens, "device_token").to_owned();
    let (mut reached, mut now, mut n) = (0, 0, 0_u64);
    while now < 86_400 {
        n += 1;
        let visitor = world.visitor().from(&format!("2001:db8:{:x}:{:x}::1", n / 65_536, n % 65_536));
        let body = json!({"email": "ada@example.com", "password": "wrong"});
        let answer = visitor.post("/api/auth/login", body).await;
        let wait = match answer.status.as_u16() {
            401 => {
                reached += 1;
                0
            }
            _ => answer.expect_problem(429, "rate_limited").header("retry-after").parse().expect("seconds"),
        };
        world.clock.advance(Duration::from_secs(wait));
        now += wait;
    }
    assert!((50..=100).contains(&reached), "{reached} attempts in a day");
    let right = json!({"email": "ada@example.com", "password": "correct horse battery"});
    let owner = world.visitor().from("203.0.113.99");
    owner.post("/api/auth/login", json!({"email": "ada@example.com", "password": "wrong"})).await.expect(401);
    owner.post("/api/auth/login", right.clone()).await.expect_problem(429, "rate_limited");
    // A device token of another user lifts no limit.
    let (_, eva) = registered(&world, "eva@example.com").await;
    let theirs = text(&eva, "device_token").to_owned();
    let with = |device: &str| owner.post("/api/auth/login", right.clone()).header("x-device-token", device);
    with(&theirs).await.expect_problem(429, "rate_limited");
    with(&device).await.expect(200);
    // A sign-in starts both counts again.
    owner.post("/api/auth/login", right.clone()).await.expect(200);
}

/// Sends a password from an address of its own; returns the status.
async fn guess(world: &World, n: usize, name: &str, password: &str, device: Option<&str>) -> u16 {
    let visitor = world.visitor().from(&format!("198.51.100.{n}"));
    let call = visitor.post("/api/auth/login", json!({"username": name, "password": password}));
    let call = match device {
        Some(device) => call.header("x-device-token", device),
        None => call,
    };
    call.await.status.as_u16()
}

#[tokio::test]
async fn ten_devices_of_a_user_have_five_guesses_together() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    registered(&world, "ada@example.com").await;
    let mut devices = BTreeSet::new();
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(10));
        devices.insert(text(&signed_in(&world, "ada@example.com").await, "device_token").to_owned());
    }
    assert_eq!(devices.len(), 10);
    let mut reached = 0;
    for (n, device) in devices.iter().cycle().take(30).enumerate() {
        reached += usize::from(guess(&world, n, "ada@example.com", "wrong", Some(device)).await == 401);
    }
    assert_eq!(reached, 5);
    assert_eq!(guess(&world, 40, "ada@example.com", "wrong", None).await, 401, "strangers are counted apart");
}

#[tokio::test]
async fn the_address_and_the_user_name_of_a_user_are_counted_together() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let body = json!({"email": "ada@example.com", "username": "countess", "password": "correct horse battery"});
    world.visitor().post("/api/auth/register", body).await.expect(201);
    let mut reached = 0;
    for (n, name) in ["ada@example.com", "countess"].into_iter().cycle().take(12).enumerate() {
        reached += usize::from(guess(&world, n, name, "wrong", None).await == 401);
    }
    assert_eq!(reached, 5);
    // Unknown names are counted by themselves.
    let mut unknown = 0;
    for (n, name) in ["eva@example.com", "eva"].into_iter().cycle().take(14).enumerate() {
        unknown += usize::from(guess(&world, 20 + n, name, "wrong", None).await == 401);
    }
    assert_eq!(unknown, 10);
}

#[tokio::test]
async fn a_device_token_gives_no_attempts_after_a_new_password_or_ninety_days() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let (ada, tokens) = registered(&world, "ada@example.com").await;
    let (old, new) = ("correct horse battery", "staple correct horse");
    let device = text(&tokens, "device_token").to_owned();
    let lock = async |from: usize| {
        for n in 0..5 {
            guess(&world, from + n, "ada@example.com", "wrong", None).await;
        }
        assert_eq!(guess(&world, from + 5, "ada@example.com", "wrong", None).await, 429);
    };
    lock(0).await;
    assert_eq!(guess(&world, 10, "ada@example.com", "wrong", Some(&device)).await, 401);

    let change = json!({"current_password": old, "new_password": new});
    ada.post("/api/auth/change-password", change).await.expect(200);
    assert_eq!(guess(&world, 11, "ada@example.com", new, Some(&device)).await, 429, "a token of before the change");
    world.clock.advance(Duration::from_secs(2));
    let body = json!({"email": "ada@example.com", "password": new});
    let again = world.visitor().post("/api/auth/login", body).await.expect(200).json();
    let device = text(&again, "device_token").to_owned();
    lock(20).await;
    assert_eq!(guess(&world, 30, "ada@example.com", new, Some(&device)).await, 200);

    world.clock.advance(Duration::from_secs(90 * 86_400));
    lock(40).await;
    assert_eq!(guess(&world, 50, "ada@example.com", new, Some(&device)).await, 429, "a token past its end");
}

#[tokio::test]
async fn unknown_names_are_made_to_wait_like_known_ones() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    registered(&world, "ada@example.com").await;
    let statuses = async |email: &str| {
        let mut seen = Vec::new();
        for n in 0..7 {
            let visitor = world.visitor().from(&format!("198.51.100.{n}"));
            let body = json!({"email": email, "password": "wrong"});
            let answer = visitor.post("/api/auth/login", body).await;
            let mut body = answer.json();
            body.as_object_mut().expect("an object").remove("request_id");
            seen.push((answer.status.as_u16(), body));
        }
        seen
    };
    assert_eq!(statuses("ada@example.com").await, statuses("nobody@example.com").await);
}

#[tokio::test]
async fn a_user_who_may_not_sign_in_any_more_is_out_at_once() {
    let world = World::new().await;
    let sales = world.person(Role::Sales).await;
    sales.get("/api/auth/me").await.expect(200);
    let cx = world.cx(sales.org);
    let suspend = |user: &daybook_domain::user::User| {
        let status = daybook_domain::user::Status::Suspended;
        Ok(daybook_domain::user::User { status, ..user.clone() })
    };
    daybook_records::change(&cx, sales.user.expect("a user"), None, suspend, |_| ()).await.expect("a change");
    sales.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
}
