//! Tests of the catalogue of models.

use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn model(name: &str) -> &'static Model {
    Catalogue::built_in().find(name).expect("a built-in model")
}

/// A catalogue's text with one model, `m`, with these prices.
fn listed(prices: &str) -> String {
    format!(
        r#"{{"models": [{{"name": "m", "provider": "server:own", "context": 10, "max_output": 5,
            "takes_temperature": true, "prices": {prices}}}]}}"#
    )
}

#[test]
fn the_built_in_catalogue_reads() {
    let names: Vec<&str> = Catalogue::built_in().names().collect();
    assert_eq!(names.len(), 11);
    for name in ["gpt-6-astra", "claude-opus-5-5", "deepseek-flash", "offline", "offline-slow"] {
        assert!(names.contains(&name), "{name}");
    }
    for model in Catalogue::built_in().models() {
        assert!(model.prices.0.iter().all(|price| !price.source.is_empty()), "{}", model.name);
    }
}

#[test]
fn an_older_name_stands_for_a_model_of_today() {
    assert_eq!(model("gpt-3.5-turbo").name, "gpt-6-luna");
    assert_eq!(model("claude-3-opus-20240229").name, "claude-opus-5-5");
    assert_eq!(Catalogue::built_in().find("gpt-2"), None);
}

#[test]
fn after_a_hosted_model_comes_one_of_another_provider() {
    for model in Catalogue::built_in().models().filter(|model| model.provider != Provider::Offline) {
        let next = model.next.as_deref().and_then(|next| Catalogue::built_in().find(next)).expect("a next model");
        assert_ne!(next.provider, model.provider, "{}", model.name);
    }
}

#[test]
fn tokens_cost_what_the_price_list_says() {
    let check = |name: &str, counts: [u64; 4], cost: u64| {
        let [input, cached, cache_written, output] = counts;
        let used = TokenCount { input, cached, cache_written, output };
        assert_eq!(model(name).cost(&used, time("2026-12-01T00:00:00Z")), MicroUsd::new(cost), "{name} {used:?}");
    };
    check("gpt-6-astra", [1_000_000, 0, 0, 0], 20_000_000);
    check("gpt-6-astra", [272_000, 0, 0, 1_000], 2_770_000);
    check("gpt-6-astra", [272_001, 0, 0, 1_000], 5_515_020);
    check("claude-opus-5-5", [1_000, 600, 300, 100], 4 * 100 + 120 + 5 * 300 + 2_000);
    check("claude-haiku-5-5", [100_001, 0, 0, 2], 50_006);
    check("gpt-6-luna", [1, 0, 0, 0], 1);
    check("gpt-6-luna", [0, 0, 0, 0], 0);
    check("deepseek-flash", [1_000, 0, 0, 1_000], 1_500);
    check("offline", [1_000, 0, 0, 1_000], 0);
    check("gpt-6-astra", [u64::MAX, 0, 0, u64::MAX], u64::MAX);
    check("claude-opus-5-5", [100, 600, 0, 0], 120);
}

#[test]
fn no_answer_costs_more_than_the_most() {
    let at = time("2026-12-01T00:00:00Z");
    for model in Catalogue::built_in().models() {
        for input in [1_000, 100_001, 272_000, 272_001] {
            let most = model.most(input, 500, at);
            for (cached, cache_written) in [(0, 0), (input, 0), (0, input), (input / 2, input / 3)] {
                for fewer in [0, input / 2] {
                    let used = TokenCount { input: input - fewer, cached, cache_written, output: 500 };
                    let within = cached + cache_written <= used.input;
                    assert!(!within || model.cost(&used, at) <= most, "{} {used:?}", model.name);
                }
            }
        }
    }
}

#[test]
fn the_newest_price_in_force_applies() {
    let price = |from: &str, input: u32| {
        format!(
            r#"{{"from": "{from}", "source": "a list", "input": {input}, "cached": 0, "cache_write": 0, "output": 0}}"#
        )
    };
    let prices = format!("[{}, {}]", price("2027-01-01", 2), price("2026-11-28", 1));
    let catalogue = Catalogue::built_in().with(&listed(&prices)).expect("a catalogue");
    let used = TokenCount { input: 10, ..TokenCount::default() };
    let check = |at: &str, cost: u64| {
        assert_eq!(catalogue.find("m").map(|model| model.cost(&used, time(at))), Some(MicroUsd::new(cost)), "{at}");
    };
    check("2026-01-01T00:00:00Z", 10);
    check("2026-12-31T23:59:59.999Z", 10);
    check("2027-01-01T00:00:00Z", 20);
}

#[test]
fn a_configured_model_replaces_the_built_in_one() {
    let prices =
        r#"[{"from": "2026-11-28", "source": "a list", "input": 1, "cached": 1, "cache_write": 1, "output": 1}]"#;
    let json = listed(prices).replace(r#""m""#, r#""offline""#);
    let models = json.strip_suffix('}').expect("an object");
    let json = format!(r#"{models}, "aliases": {{"gpt-4": "offline", "house": "offline"}}}}"#);
    let catalogue = Catalogue::built_in().with(&json).expect("a catalogue");
    let own = Provider::Compatible(Line::parse("own").expect("a name"));
    for name in ["offline", "gpt-4", "house"] {
        assert_eq!(catalogue.find(name).map(|model| &model.provider), Some(&own), "{name}");
    }
    assert_eq!(catalogue.names().count(), 11);
}

#[test]
fn a_wrong_catalogue_is_refused_with_its_mistake() {
    let check = |json: &str, part: &str| {
        let error = Catalogue::built_in().with(json).expect_err(json);
        assert!(error.contains(part), "{error}");
    };
    check("[", "EOF");
    check(r#"{"model": []}"#, "model");
    check(&listed("[]"), "at least one price");
    check(r#"{"aliases": {"gpt-6-luna": "offline"}}"#, "also the name of a model");
    check(r#"{"aliases": {"a": "gpt-4"}}"#, "isn't a model");
    let priced = |rate: &str| {
        let price =
            r#"[{"from": "2026-11-28", "source": "a list", "input": X, "cached": 1, "cache_write": 1, "output": 1}]"#;
        listed(&price.replace('X', rate))
    };
    for rate in ["-1", "1e6", "0.0000001", "1e300", "\"1\""] {
        check(&priced(rate), "line");
    }
    check(&priced("1").replace("\"max_output\": 5", "\"max_output\": 11"), "max_output");
    check(&priced("1").replace("\"prices\"", "\"next\": \"m\", \"prices\""), "isn't another model");
    check(&priced("1").replace("server:own", "server:"), "line");
    check(&priced("1").replace("server:own", "elsewhere"), "openai, anthropic");
}

#[test]
fn a_provider_reads_back() {
    for text in ["openai", "anthropic", "offline", "server:deepseek"] {
        let provider: Provider = text.parse().expect("a provider");
        assert_eq!(provider.to_string(), text);
        let json = serde_json::to_string(&provider).expect("a text");
        assert_eq!(serde_json::from_str::<Provider>(&json).expect("reads back"), provider);
    }
}
