//! Budgets for AI: limits of money and tokens, of the organisation and of users, by day and by month.

use super::{
    Amount, DAY, MODELS, asked, assert_settled, assert_unchanged, conversation, entries, listed, messages, millionths,
    question, question_in, reported, shown, spent, table, text_at, with, world,
};
use daybook_connectors::llm::TokenUsage;
use daybook_domain::permission::Role;
use daybook_testing::llm::{FakeLlm, Script};
use daybook_testing::{Answer, Person, is_full};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// A question with a small answer: at most 28 tokens of request and answer, and 8 millionths of a dollar.
fn small() -> Value {
    with(question("Hi"), json!({"model": "gpt-6-luna", "max_tokens": 10}))
}

async fn set(owner: &Person, budgets: Value) -> Value {
    owner.put("/api/ai/budgets", budgets).await.expect(200).data()
}

/// A model that uses so many tokens of each question.
fn using(fake: &FakeLlm, input: u64, output: u64) {
    fake.always(Script { usage: TokenUsage { input, output, ..TokenUsage::default() }, ..Script::default() });
}

/// The exhausted budget of a refusal: whose, of which period, of what, and until when.
fn exceeded(refused: Answer) -> [String; 4] {
    let budget = refused.expect_problem(402, "budget_exceeded").json()["budget"].clone();
    ["of", "period", "quantity", "resets_at"].map(|field| text_at(&budget, field))
}

#[tokio::test]
async fn a_refusal_names_the_budget_and_when_it_begins_anew() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (tomorrow, next_month) = ("2026-11-21T00:00:00.000Z", "2026-12-01T00:00:00.000Z");
    for (of, field) in [("organization", "organization"), ("user", "per_user")] {
        for (name, limit, period, quantity, resets_at) in [
            ("daily_usd", json!(0.000_007), "day", "usd", tomorrow),
            ("monthly_usd", json!(0.000_007), "month", "usd", next_month),
            ("daily_tokens", json!(27), "day", "tokens", tomorrow),
            ("monthly_tokens", json!(27), "month", "tokens", next_month),
        ] {
            set(&owner, json!({field: {name: limit}})).await;
            let refused = owner.post("/api/chat", small()).await;
            let detail = text_at(&refused.json(), "detail");
            assert!(detail.contains(resets_at), "{detail}");
            assert_eq!(exceeded(refused), [of, period, quantity, resets_at], "{field} {name}");
            set(&owner, json!({field: {name: null}})).await;
        }
    }
    assert_eq!((fake.requests().len(), spent(&owner).await), (0, Amount::default()));
    owner.post("/api/chat", small()).await.expect(200);
}

#[tokio::test]
async fn a_budget_that_covers_a_question_lets_it_through() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    for limit in [json!({"daily_usd": 0.000_008}), json!({"daily_tokens": 28})] {
        let sales = world.person(Role::Sales).await;
        set(&owner, json!({"per_user": limit})).await;
        sales.post("/api/chat", small()).await.expect(200);
        set(&owner, json!({"per_user": {"daily_usd": null, "daily_tokens": null}})).await;
    }
}

#[tokio::test]
async fn a_user_s_budget_is_each_user_s_own() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (ada, eva) = (world.person(Role::Sales).await, world.person(Role::Sales).await);
    set(&owner, json!({"per_user": {"daily_tokens": 40}})).await;
    using(&fake, 20, 10);
    ada.post("/api/chat", small()).await.expect(200);
    assert_eq!(exceeded(ada.post("/api/chat", small()).await)[..3], ["user", "day", "tokens"]);
    eva.post("/api/chat", small()).await.expect(200);
}

#[tokio::test]
async fn an_exhausted_day_ends_at_midnight_and_an_exhausted_month_with_the_month() {
    for (budget, days) in [("daily_tokens", 1), ("monthly_tokens", 11)] {
        let (world, fake) = world().await;
        let owner = world.owner().await;
        set(&owner, json!({"per_user": {budget: 120}})).await;
        using(&fake, 50, 50);
        owner.post("/api/chat", small()).await.expect(200);
        exceeded(owner.post("/api/chat", small()).await);
        let end = world.clock.now().start_of_day().plus(DAY * days);
        world.clock.set(end.minus(Duration::from_millis(1)));
        exceeded(world.again(&owner).await.post("/api/chat", small()).await);
        world.clock.set(end);
        world.again(&owner).await.post("/api/chat", small()).await.expect(200);
    }
}

#[tokio::test]
async fn parallel_questions_never_overspend_a_budget() {
    let count = if is_full() { 100 } else { 30 };
    for (field, name, limit) in [
        ("organization", "daily_tokens", json!(100)),
        ("organization", "monthly_usd", json!(0.000_03)),
        ("per_user", "daily_usd", json!(0.000_03)),
        ("per_user", "monthly_tokens", json!(100)),
    ] {
        let (world, _fake) = world().await;
        let owner = world.owner().await;
        set(&owner, json!({field: {name: limit}})).await;
        world.faults.at_a_distance();

        let answers = join_all((0..count).map(|_| owner.post("/api/chat", small()).into_future())).await;

        world.faults.nearby();
        let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        let spent = spent(&owner).await;
        assert!(!good.is_empty() && !refused.is_empty(), "{} of {count} were answered", good.len());
        assert!(spent.tokens <= 100 || !name.ends_with("tokens"), "{field} {name}: {spent:?}");
        assert!(spent.millionths <= 30 || !name.ends_with("usd"), "{field} {name}: {spent:?}");
        // The fake's answers use 18 tokens for 5 millionths of a dollar.
        let each = good.len() as u64;
        assert_eq!(spent, Amount { tokens: 18 * each, millionths: 5 * each }, "{field} {name}");
        for answer in refused {
            exceeded(answer);
        }
        assert_settled(&owner).await;
    }
}

#[tokio::test]
async fn what_a_question_holds_at_most_is_released_when_its_cost_is_known() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    set(&owner, json!({"organization": {"daily_tokens": 2_200}})).await;
    using(&fake, 12, 6);
    // Each holds more than 2,000 tokens, and uses 18.
    for _ in 0..6 {
        owner.post("/api/chat", question("Hi")).await.expect(200);
    }
    assert_eq!(spent(&owner).await.tokens, 6 * 18);
}

#[tokio::test]
async fn a_refused_question_changes_nothing_but_that_it_is_on_record() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    set(&owner, json!({"organization": {"daily_tokens": 5}})).await;
    let before = (shown(&owner, &id).await, spent(&owner).await);
    let journal = world.journal(owner.org).await.len();

    exceeded(owner.post("/api/chat", question_in(&id, "Hi")).await);

    assert_eq!((shown(&owner, &id).await, spent(&owner).await), before);
    assert!(messages(&owner, &id).await.is_empty() && fake.requests().is_empty());
    let journal: Vec<_> = world.journal(owner.org).await.split_off(journal);
    let events: Vec<&str> = journal.iter().map(|fact| fact.event.name()).collect();
    assert_eq!(events, ["ai.budget_exceeded"]);
    let recorded = table(&world);
    for _ in 0..3 {
        exceeded(owner.post("/api/chat", question_in(&id, "Hi")).await);
    }
    assert_unchanged(&world, &recorded, "a second refusal");
}

#[tokio::test]
async fn an_exhausted_budget_is_on_record_once_a_period() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let sales = world.person(Role::Sales).await;
    set(&owner, json!({"organization": {"daily_tokens": 5}})).await;
    let refused = join_all((0..10).map(|_| owner.post("/api/chat", small()).into_future())).await;
    refused.into_iter().for_each(|answer| drop(exceeded(answer)));
    assert_eq!(entries(&owner, "ai.budget_exceeded").await.len(), 1);
    exceeded(sales.post("/api/chat", small()).await);
    assert_eq!(entries(&owner, "ai.budget_exceeded").await.len(), 1, "another user, the same budget");

    set(&owner, json!({"organization": {"daily_tokens": null, "monthly_tokens": 5}})).await;
    exceeded(owner.post("/api/chat", small()).await);
    assert_eq!(entries(&owner, "ai.budget_exceeded").await.len(), 2, "another budget");

    world.clock.advance(DAY);
    let owner = world.again(&owner).await;
    exceeded(owner.post("/api/chat", small()).await);
    assert_eq!(entries(&owner, "ai.budget_exceeded").await.len(), 2, "another day of the same month");
    set(&owner, json!({"organization": {"daily_tokens": 5, "monthly_tokens": null}})).await;
    exceeded(owner.post("/api/chat", small()).await);
    assert_eq!(entries(&owner, "ai.budget_exceeded").await.len(), 3, "another day");
}

#[tokio::test]
async fn a_user_s_exhausted_budget_is_on_record_for_each_user() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    set(&owner, json!({"per_user": {"daily_tokens": 5}})).await;
    for person in [world.person(Role::Sales).await, world.person(Role::Sales).await] {
        for _ in 0..2 {
            exceeded(person.post("/api/chat", small()).await);
        }
    }
    let users: Vec<Value> =
        entries(&owner, "ai.budget_exceeded").await.iter().map(|entry| entry["actor"]["id"].clone()).collect();
    assert_eq!(users.len(), 2, "{users:?}");
    assert_ne!(users[0], users[1]);
}

#[tokio::test]
async fn usage_is_reported_by_day_user_and_model() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let sales = world.person(Role::Sales).await;
    let ask = async |person: &Person, model: &str| {
        person.post("/api/chat", with(question("Hi"), json!({"model": model}))).await.expect(200);
    };
    ask(&owner, "gpt-3.5-turbo").await;
    ask(&owner, "gpt-6-luna").await;
    ask(&sales, "claude-haiku-5-5").await;
    world.clock.advance(DAY);
    let (owner, sales) = (world.again(&owner).await, world.again(&sales).await);
    ask(&sales, "claude-haiku-5-5").await;

    let report = listed(&owner, "/api/ai/usage").await;

    let mut rows: Vec<(String, String, String, u64, u64, u64)> = report
        .iter()
        .map(|row| {
            let count = |field: &str| row[field].as_u64().expect("a number");
            let (day, user) = (text_at(row, "day"), text_at(row, "user_id"));
            (day, user, text_at(row, "model"), count("answers"), count("input"), count("output"))
        })
        .collect();
    rows.sort();
    let row = |day: &str, person: &Person, model: &str, answers: u64| {
        let user = person.user.expect("a user").to_string();
        (day.to_owned(), user, model.to_owned(), answers, 12 * answers, 6 * answers)
    };
    let mut expected = vec![
        row("2026-11-20", &owner, "gpt-6-luna", 2),
        row("2026-11-20", &sales, "claude-haiku-5-5", 1),
        row("2026-11-21", &sales, "claude-haiku-5-5", 1),
    ];
    expected.sort();
    assert_eq!(rows, expected);
    let user = sales.user.expect("a user");
    assert_eq!(listed(&owner, &format!("/api/ai/usage?user_id={user}")).await.len(), 2);
    assert_eq!(listed(&owner, "/api/ai/usage?from=2026-11-21").await.len(), 1);
    assert_eq!(listed(&owner, "/api/ai/usage?to=2026-11-20").await.len(), 2);
}

#[tokio::test]
async fn a_wrong_period_of_the_usage_report_is_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    for wrong in [
        "from=2026-10-01",
        "from=2026-11-21",
        "from=2026-11-20&to=2026-11-19",
        "from=x",
        "to=2026-13-01",
        "user_id=x",
        "day=2026-11-20",
    ] {
        owner.get(&format!("/api/ai/usage?{wrong}")).await.expect_problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn a_user_who_doesn_t_set_budgets_sees_only_own_usage() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let (ada, eva) = (world.person(Role::Sales).await, world.person(Role::Manager).await);
    for person in [&owner, &ada, &eva] {
        person.post("/api/chat", small()).await.expect(200);
    }
    assert_eq!(listed(&owner, "/api/ai/usage").await.len(), 3);
    for (person, other) in [(&ada, &eva), (&eva, &ada)] {
        let own = listed(person, "/api/ai/usage").await;
        assert_eq!((own.len(), &own[0]["user_id"]), (1, &json!(person.user)));
        let named = format!("/api/ai/usage?user_id={}", person.user.expect("a user"));
        assert_eq!(listed(person, &named).await, own);
        let named = format!("/api/ai/usage?user_id={}", other.user.expect("a user"));
        person.get(&named).await.expect_problem(403, "forbidden");
        person.get("/api/ai/budgets").await.expect_problem(403, "forbidden");
        person.put("/api/ai/budgets", json!({"own_prompts": false})).await.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn messages_conversations_the_report_and_the_budgets_add_up_to_the_same() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let mut usages = Vec::new();
    for (n, model) in MODELS.into_iter().cycle().take(7).enumerate() {
        let (input, output) = (1_000 * (n as u64 + 1), 37 * n as u64 + 1);
        let usage = TokenUsage { input, output, cached: input / 2, cache_written: input / 10 };
        fake.script(Script { usage, ..Script::default() });
        let body = with(question_in(&id, "Hello"), json!({"model": model}));
        let answer = owner.post("/api/chat", body).await.expect(200).json();
        assert_eq!(answer["usage"]["input"].as_u64(), Some(input), "{model}");
        usages.push(answer["usage"].clone());
    }
    let kept: Vec<Value> =
        messages(&owner, &id).await.iter().map(|message| message["usage"].clone()).filter(Value::is_object).collect();
    let sum = Amount::sum(&usages);
    assert!(sum.tokens > 28_000 && sum.millionths > 0, "{sum:?}");
    assert_eq!(Amount::sum(&kept), sum, "messages");
    assert_eq!(Amount::of(&shown(&owner, &id).await["usage"]), sum, "the conversation");
    assert_eq!(reported(&owner).await, sum, "the report");
    assert_eq!(spent(&owner).await, sum, "the budgets");
}

#[tokio::test]
async fn the_answer_of_the_offline_model_is_free() {
    let world = daybook_testing::World::new().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    set(&owner, json!({"organization": {"daily_usd": 0}})).await;
    let answer = asked(&owner, &id, "Hello").await;
    assert_eq!(millionths(&answer["usage"]["cost_usd"]), 0);
    assert!(spent(&owner).await.tokens > 0);
}

#[tokio::test]
async fn wrong_budgets_are_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let before = owner.get("/api/ai/budgets").await.expect(200).data();
    for (body, place) in [
        (json!({"organization": {"daily_usd": -1}}), "/organization/daily_usd"),
        (json!({"organization": {"daily_usd": "5"}}), "/organization/daily_usd"),
        (json!({"per_user": {"daily_tokens": -1}}), "/per_user/daily_tokens"),
        (json!({"per_user": {"daily_tokens": 1.5}}), "/per_user/daily_tokens"),
        (json!({"models": [{"role": "sales", "models": ["gpt-99"]}]}), "/models/0/models/0"),
        (json!({"default_model": "gpt-99"}), "/default_model"),
        (json!({"link_hosts": ["https://example.com"]}), "/link_hosts/0"),
        (json!({"temporary_days": 0}), "/temporary_days"),
        (json!({"spent": {"daily_tokens": 0}}), "/spent"),
    ] {
        let refused = owner.put("/api/ai/budgets", body.clone()).await.expect_problem(422, "validation_error");
        let places: Vec<String> = refused.violations().into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [place], "{body}");
    }
    assert_eq!(owner.get("/api/ai/budgets").await.expect(200).data(), before);
}
