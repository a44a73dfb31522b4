//! Equivalence tests of the engines: the embedded table, in memory and on disk, answers random calls as the emulator of
//! DynamoDB does.

use daybook_store::condition::{Change, Condition, Update};
use daybook_store::engine::{Action, Engine, Failure, Part, Position, QueryAsk};
use daybook_store::item::{AttributeValue, Item, attribute, key_item};
use daybook_store::schema::{Index, Key, Range, SortRange};
use daybook_testing::{Over, Raw, is_full, json_of};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use std::sync::Arc;

/// The attributes that random conditions and updates use.
const NAMES: [&str; 4] = ["a", "b", "state", "count"];

/// One call of a table.
#[derive(Clone, Debug)]
enum Call {
    Write(Action),
    Transact(Vec<Action>),
    Get(Vec<Key>, Part),
    Query(Range, bool, Part, usize),
}

fn key() -> impl Strategy<Value = Key> {
    let pk = select(vec!["p", "p#", "pq"]);
    let sk = select(vec!["-", "a", "a#1", "a#2", "ab", "b", "~", "中", "\u{1}"]);
    (pk, sk).prop_map(|(pk, sk)| Key { pk: pk.to_owned(), sk: sk.to_owned() })
}

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        4 => (-3_i64..12).prop_map(attribute),
        1 => select(vec!["1.5", "-0.25", "100", "9223372036854775808"]).prop_map(|n| AttributeValue::N(n.to_owned())),
        4 => select(vec!["", "a", "b", "ab", "中", "10", "9"]).prop_map(attribute),
        1 => any::<bool>().prop_map(attribute),
        1 => Just(AttributeValue::Null(true)),
        1 => Just(AttributeValue::L(vec![attribute(1), attribute("x")])),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let name = || select(NAMES.to_vec());
    let leaf = prop_oneof![
        Just(Condition::exists()),
        Just(Condition::absent()),
        name().prop_map(Condition::has),
        name().prop_map(Condition::lacks),
        (name(), value()).prop_map(|(name, value)| Condition::Equal(name.into(), value)),
        (name(), (-3_i64..12)).prop_map(|(name, value)| Condition::less(name, value)),
        (name(), select(vec!["a", "ab", "b"])).prop_map(|(name, value)| Condition::less(name, value)),
        (name(), prop::collection::vec(value(), 0..4)).prop_map(|(name, values)| Condition::In(name.into(), values)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::Any),
            inner.prop_map(Condition::negated),
        ]
    })
}

/// A condition, or none: writers don't always set one.
fn conditioned() -> impl Strategy<Value = Condition> {
    prop_oneof![3 => Just(Condition::ALWAYS), 4 => condition()]
}

fn indexed() -> impl Strategy<Value = Item> {
    let place = |index: Index| {
        let pk = prop::option::of(select(vec!["x", "y"]));
        let sk = prop::option::of(select(vec!["1", "1#a", "10", "2", "\u{1}"]));
        (pk, sk).prop_map(move |(pk, sk)| {
            let mut item = Item::new();
            item.extend(pk.map(|pk| (index.pk().to_owned(), attribute(pk))));
            item.extend(sk.map(|sk| (index.sk().to_owned(), attribute(sk))));
            item
        })
    };
    (place(Index::ByOwner), place(Index::ByState)).prop_map(|(one, other)| one.into_iter().chain(other).collect())
}

fn item() -> impl Strategy<Value = Item> {
    let attributes = prop::collection::hash_map(select(NAMES.to_vec()).prop_map(str::to_owned), value(), 0..4);
    (key(), indexed(), attributes, large()).prop_map(|(key, indexed, attributes, large)| {
        key_item(&key).into_iter().chain(indexed).chain(attributes).chain(large).collect()
    })
}

/// An item, occasionally so large that only a few fit a page, or that it exceeds the limit.
fn large() -> impl Strategy<Value = Item> {
    prop_oneof![
        12 => Just(Item::new()),
        3 => (250_000_usize..400_000).prop_map(|n| Item::from([("text".to_owned(), attribute("x".repeat(n)))])),
        1 => (409_000_usize..410_000).prop_map(|n| Item::from([("text".to_owned(), attribute("x".repeat(n)))])),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    let change = prop_oneof![
        4 => value().prop_map(Change::Set),
        1 => value().prop_map(Change::SetIfAbsent),
        3 => (-5_i64..5).prop_map(Change::Add),
        1 => Just(Change::Remove),
    ];
    let of_index = select(vec!["owner_pk", "owner_sk", "state_pk", "state_sk"]);
    let moved = (
        of_index,
        prop_oneof![select(vec!["x", "y", "1"]).prop_map(|v| Change::Set(attribute(v))), Just(Change::Remove)],
    );
    let all = (prop::collection::vec((select(NAMES.to_vec()), change), 1..4), prop::option::of(moved));
    all.prop_map(|(changes, moved)| {
        let changes = changes.into_iter().chain(moved);
        changes.fold(Update::default(), |update, (name, change)| update.and(name, change))
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => (item(), conditioned()).prop_map(|(item, condition)| Action::put(item, condition).expect("a key")),
        3 => (key(), update(), conditioned()).prop_map(|(key, update, condition)| Action::update(key, update, condition)),
        2 => (key(), conditioned()).prop_map(|(key, condition)| Action::delete(key, condition)),
    ]
}

fn range() -> impl Strategy<Value = Range> {
    let of_table = (Just(None), select(vec!["p", "p#", "pq", "none"]), select(vec!["-", "a", "a#", "b", "中"]));
    let of_index = (
        select(vec![Some(Index::ByOwner), Some(Index::ByState)]),
        select(vec!["x", "y"]),
        select(vec!["1", "10", "2"]),
    );
    let place = prop_oneof![of_table, of_index];
    (place, select(vec!["a#2", "b", "1#a", "2", "~"]), 0..5).prop_map(|((index, pk, sk), end, kind)| {
        let (sk, end) = (sk.to_owned(), end.to_owned());
        let sk = match kind {
            0 => SortRange::All,
            1 => SortRange::Prefix(sk),
            2 => SortRange::From(sk),
            3 => SortRange::UpTo(sk),
            _ if sk <= end => SortRange::Between(sk, end),
            _ => SortRange::Between(end, sk),
        };
        Range { index, pk: pk.to_owned(), sk }
    })
}

fn call() -> impl Strategy<Value = Call> {
    let part = || select(vec![Part::Whole, Part::Only("a"), Part::Only("sk"), Part::Count]);
    let check = (key(), condition()).prop_map(|(key, condition)| Action::check(key, condition));
    prop_oneof![
        4 => action().prop_map(Call::Write),
        4 => prop::collection::vec(prop_oneof![5 => action(), 1 => check], 1..6).prop_map(Call::Transact),
        2 => (prop::collection::vec(key(), 1..5), select(vec![Part::Whole, Part::Only("a")]))
            .prop_map(|(keys, part)| Call::Get(keys, part)),
        4 => (range(), any::<bool>(), part(), 1_usize..6).prop_map(|(range, down, part, limit)| {
            Call::Query(range, down, part, limit)
        }),
    ]
}

/// The result of a call, in a form that can be compared.
#[derive(Debug, PartialEq)]
enum Answer {
    Items(Vec<Value>),
    Pages(Vec<(Vec<Value>, usize, Option<Position>)>),
    Refused(Vec<Option<Value>>),
    Invalid,
}

fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(Value::to_string);
    items
}

fn failed(failure: Failure) -> Answer {
    match failure {
        Failure::Refused(items) => Answer::Refused(items.iter().map(|item| item.as_ref().map(json_of)).collect()),
        Failure::Invalid(_) => Answer::Invalid,
        other => panic!("{other:?}"),
    }
}

async fn answer(engine: &Arc<dyn Engine>, call: &Call) -> Answer {
    match call {
        Call::Write(action) => match engine.write(action).await {
            Ok(item) => Answer::Items(vec![json_of(&item)]),
            Err(failure) => failed(failure),
        },
        Call::Transact(actions) => match engine.transact(actions).await {
            Ok(()) => Answer::Items(Vec::new()),
            Err(failure) => failed(failure),
        },
        Call::Get(keys, part) => match engine.get(keys, *part).await {
            Ok(items) => Answer::Items(sorted(items.iter().map(json_of).collect())),
            Err(_) => Answer::Invalid,
        },
        Call::Query(range, descending, part, limit) => {
            let mut pages = Vec::new();
            let mut after = None;
            loop {
                let ask = QueryAsk { limit: Some(*limit), after, descending: *descending, part: *part };
                let Ok(page) = engine.query(range, ask).await else { return Answer::Invalid };
                pages.push((page.items.iter().map(json_of).collect(), page.count, page.more.clone()));
                match page.more {
                    Some(more) => after = Some(more),
                    None => return Answer::Pages(pages),
                }
            }
        }
    }
}

/// A text with long runs of one character shortened, so that messages stay readable.
fn shortened(text: &str) -> String {
    let mut short = String::new();
    for part in text.split_inclusive(|c| c != 'x') {
        let run = part.len() - part.trim_start_matches('x').len();
        if run > 20 { short.push_str(&format!("<{run} x>{}", &part[run..])) } else { short.push_str(part) }
    }
    short
}

#[test]
fn random_calls_are_answered_the_same_by_memory_disk_and_emulator() {
    let cases = if is_full() { 10_000 } else { 50 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&prop::collection::vec(call(), 1..40), |calls| {
        runtime.block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let mut tables = Vec::new();
            for over in [Over::Emulator, Over::Memory, Over::Disk] {
                tables.push((over, Raw::make(over, folder.path()).await));
            }
            for call in &calls {
                let mut expected = None;
                for (over, raw) in &tables {
                    let answer = answer(&raw.engine(), call).await;
                    match &expected {
                        None => expected = Some(answer),
                        Some(expected) => {
                            if answer != *expected {
                                let said = format!("{over:?}: {answer:?}, not {expected:?}, to {call:?}");
                                prop_assert!(false, "{}", shortened(&said));
                            }
                        }
                    }
                }
            }
            let (_, judge) = &tables[0];
            let expected = sorted(judge.everything());
            for (over, raw) in &tables[1..] {
                prop_assert!(sorted(raw.everything()) == expected, "{over:?} holds something else in the end");
            }
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{}", shortened(&error.to_string()));
    }
}

#[tokio::test]
async fn the_limits_of_dynamodb_hold_on_every_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |n: usize, text: &str| {
        let mut item = key_item(&Key { pk: "p".to_owned(), sk: n.to_string() });
        item.insert("text".to_owned(), attribute(text));
        Action::put(item, Condition::ALWAYS).expect("a key")
    };
    let long =
        Action::put(key_item(&Key { pk: "p".repeat(2049), sk: "-".to_owned() }), Condition::ALWAYS).expect("a key");
    let text = "x".repeat(390_000);
    let key_of = |n: usize| Key { pk: "p".to_owned(), sk: n.to_string() };
    let update = |n, text: &str| Action::update(key_of(n), Update::set("text", text), Condition::ALWAYS);
    let indexed = |sk: &str| {
        let mut item = key_item(&key_of(7));
        item.insert(Index::ByState.pk().to_owned(), attribute("x"));
        item.insert(Index::ByState.sk().to_owned(), attribute(sk));
        Action::put(item, Condition::ALWAYS).expect("a key")
    };
    let transactions: Vec<(&str, bool, Vec<Action>)> = vec![
        ("100 actions", true, (0..100).map(|n| put(n, "")).collect()),
        ("101 actions", false, (0..101).map(|n| put(n, "")).collect()),
        ("less than 4 MB", true, (0..10).map(|n| put(n, &text)).collect()),
        ("more than 4 MB", false, (0..11).map(|n| put(n, &text)).collect()),
        ("updates of more than 4 MB", false, (0..11).map(|n| update(n, &text)).collect()),
        ("an update of the key", false, vec![Action::update(key_of(1), Update::set("sk", "2"), Condition::ALWAYS)]),
        ("an update of nothing", false, vec![Action::update(key_of(1), Update::default(), Condition::ALWAYS)]),
        ("a long key of an index", false, vec![indexed(&"x".repeat(1025))]),
        ("a key of an index", true, vec![indexed(&"x".repeat(1024))]),
        ("one item twice", false, vec![put(1, "a"), put(1, "b")]),
        ("an item of 400 KB and more", false, vec![put(1, &"x".repeat(409_600))]),
        ("a long key", false, vec![long]),
        ("nothing", false, Vec::new()),
    ];
    for over in [Over::Emulator, Over::Memory, Over::Disk] {
        let raw = Raw::make(over, folder.path()).await;
        // The emulator accepts these; DynamoDB refuses them.
        let lax = |what: &str| {
            over == Over::Emulator && (what.starts_with("an update of") || what == "a long key of an index")
        };
        for (what, may, actions) in transactions.iter().filter(|(what, ..)| !lax(what)) {
            let before = raw.everything();
            let done = raw.engine().transact(actions).await;
            assert_eq!(done.is_ok(), *may, "{over:?}: {what}: {done:?}");
            assert!(*may || raw.everything() == before, "{over:?}: {what} left something behind");
        }
        let keys: Vec<Key> = (0..101).map(|n| Key { pk: "p".to_owned(), sk: n.to_string() }).collect();
        assert!(raw.engine().get(&keys[..100], Part::Whole).await.is_ok(), "{over:?}");
        assert!(raw.engine().get(&keys, Part::Whole).await.is_err(), "{over:?}");
    }
}

#[tokio::test]
async fn items_go_when_their_time_is_over_from_the_indexes_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = daybook_store::Clock::System.now().as_second();
    for over in [Over::Emulator, Over::Memory, Over::Disk] {
        let raw = Raw::make(over, folder.path()).await;
        for (sk, expires) in
            [("over", Some(now - 10)), ("later", Some(now + 1000)), ("kept", None), ("longer", Some(now - 10))]
        {
            let mut item = key_item(&Key { pk: "p".to_owned(), sk: sk.to_owned() });
            item.extend(expires.map(|at| ("expires_at".to_owned(), attribute(at))));
            item.insert(Index::ByState.pk().to_owned(), attribute("x"));
            item.insert(Index::ByState.sk().to_owned(), attribute(sk));
            raw.put(item).await;
        }
        let longer = Action::update(
            Key { pk: "p".to_owned(), sk: "longer".to_owned() },
            Update::set("expires_at", now + 1000),
            Condition::exists(),
        );
        raw.engine().write(&longer).await.expect("a write");
        assert_eq!(raw.remove_expired(now), 1, "{over:?}");
        assert_eq!(raw.remove_expired(now), 0, "{over:?}");
        let range = Range { index: Some(Index::ByState), pk: "x".to_owned(), sk: SortRange::All };
        let indexed = raw.engine().query(&range, QueryAsk::default()).await.expect("a page").count;
        assert_eq!((raw.everything().len(), indexed), (3, 3), "{over:?}");
    }
}

/// By default the store's tests run on the table in memory; this test runs them on the other two.
fn suite_over(table: &str) {
    if std::env::var("TABLE").is_ok() {
        return;
    }
    let suite = std::env::current_exe().expect("this program");
    let mut command = std::process::Command::new(suite);
    command.args(["--quiet", "--skip", "engines::"]).env("TABLE", table);
    let done = command.output().expect("the suite");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "over {table}: {said}");
    assert!(said.contains("test result: ok. ") && !said.contains("test result: ok. 0 passed"), "{said}");
}

#[test]
fn the_suite_of_the_store_holds_on_disk() {
    suite_over("disk");
}

#[test]
fn the_suite_of_the_store_holds_on_the_emulator() {
    suite_over("emulator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_sees_whole_writes_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = |n: usize| Key { pk: "p".to_owned(), sk: n.to_string() };
    for over in [Over::Memory, Over::Disk] {
        let engine = Raw::make(over, folder.path()).await.engine();
        let written = |round: usize| -> Vec<Action> {
            let item = |n| {
                let mut item = key_item(&key(n));
                item.insert("round".to_owned(), attribute(round));
                item
            };
            (0..20).map(|n| Action::put(item(n), Condition::ALWAYS).expect("a key")).collect()
        };
        engine.transact(&written(0)).await.expect("a write");
        let writer = tokio::spawn({
            let (engine, rounds) = (engine.clone(), if is_full() { 20_000 } else { 500 });
            let all: Vec<_> = (1..rounds).map(written).collect();
            async move {
                for actions in all {
                    engine.transact(&actions).await.expect("a write");
                    tokio::task::yield_now().await;
                }
            }
        });
        let keys: Vec<Key> = (0..20).map(key).collect();
        let range = Range { index: None, pk: "p".to_owned(), sk: SortRange::All };
        let mut seen = 0;
        while !writer.is_finished() {
            let page = engine.query(&range, QueryAsk::default()).await.expect("a page").items;
            for items in [engine.get(&keys, Part::Whole).await.expect("items"), page] {
                let mut rounds: Vec<_> = items.iter().map(|item| &item["round"]).collect();
                rounds.dedup();
                assert_eq!((items.len(), rounds.len()), (20, 1), "{over:?}: half a write: {rounds:?}");
            }
            seen += 1;
            tokio::task::yield_now().await;
        }
        writer.await.expect("all were written");
        assert!(seen > 10, "{over:?}: only {seen} looks");
    }
}
