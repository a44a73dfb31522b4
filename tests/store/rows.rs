//! Tests of operational rows: rate limit buckets, due items and mail deliveries.

use daybook_domain::{EntryId, JobId};
use daybook_local::DEFAULT_ORG;
use daybook_store::EntryRef;
use daybook_store::rows::attempts;
use daybook_store::rows::bucket::{Rate, Taken, close, take};
use daybook_store::rows::delivery::{self, Settled, State, Turn};
use daybook_store::rows::due::{self, DueRef};
use daybook_store::rows::paused_job;
use daybook_testing::World;
use futures::future::join_all;
use std::time::Duration;

const RATE: Rate = Rate { burst: 5, per: Duration::from_secs(60) };

#[tokio::test]
async fn a_bucket_lets_a_burst_through_and_then_one_per_share_of_its_period() {
    let world = World::new().await;
    let env = &world.system.env;
    for left in (0..5).rev() {
        assert_eq!(take(env, DEFAULT_ORG, "t", "ada", RATE).await.expect("a bucket"), Taken::Yes(left));
    }
    assert_eq!(take(env, DEFAULT_ORG, "t", "ada", RATE).await.expect("a bucket"), Taken::After(12));
    assert!(matches!(take(env, DEFAULT_ORG, "t", "eva", RATE).await.expect("a bucket"), Taken::Yes(_)));
    world.clock.advance(Duration::from_secs(12));
    assert_eq!(take(env, DEFAULT_ORG, "t", "ada", RATE).await.expect("a bucket"), Taken::Yes(0));
    assert!(matches!(take(env, DEFAULT_ORG, "t", "ada", RATE).await.expect("a bucket"), Taken::After(_)));
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(take(env, DEFAULT_ORG, "t", "ada", RATE).await.expect("a bucket"), Taken::Yes(4));
}

/// How far a machine's clock was ahead for a time.
const JUMP: Duration = Duration::from_secs(3 * 86_400);

#[tokio::test]
async fn a_bucket_that_was_used_while_the_clock_was_ahead_is_idle_once_it_is_set_back() {
    let world = World::new().await;
    let env = &world.system.env;
    let now = world.clock.now();
    let taken = async || take(env, DEFAULT_ORG, "t", "ada", RATE).await.expect("a bucket");
    world.clock.set(now.plus(JUMP));
    for _ in 0..5 {
        taken().await;
    }
    assert!(matches!(taken().await, Taken::After(_)));
    world.clock.set(now);
    for left in (0..5).rev() {
        assert_eq!(taken().await, Taken::Yes(left));
    }
    assert_eq!(taken().await, Taken::After(12));
    // The clocks of two processes may differ by a little.
    world.clock.set(now.minus(Duration::from_secs(10)));
    assert_eq!(taken().await, Taken::After(22));
}

#[tokio::test]
async fn a_closed_bucket_opens_at_its_time_and_at_once_where_the_clock_was_ahead() {
    let world = World::new().await;
    let env = &world.system.env;
    let now = world.clock.now();
    let hour = Duration::from_secs(3600);
    let taken = async || take(env, DEFAULT_ORG, "t", "ada", RATE).await.expect("a bucket");
    let closed = async |until| close(env, DEFAULT_ORG, "t", "ada", until, RATE).await.expect("a bucket");
    closed(now.plus(20 * hour)).await;
    closed(now.plus(hour)).await;
    assert_eq!(taken().await, Taken::After(20 * 3600 + 12), "the longer closing holds");
    world.clock.advance(20 * hour);
    assert!(matches!(taken().await, Taken::After(1..=12)));
    world.clock.advance(Duration::from_secs(12));
    assert!(matches!(taken().await, Taken::Yes(_)));

    let now = world.clock.now();
    world.clock.set(now.plus(JUMP));
    closed(now.plus(JUMP + hour)).await;
    assert!(matches!(taken().await, Taken::After(_)));
    world.clock.set(now);
    assert_eq!(taken().await, Taken::Yes(4));
    closed(now.plus(hour)).await;
    assert!(matches!(taken().await, Taken::After(_)));
    // No closing lasts longer than a day, of 25 hours at most.
    closed(now.plus(100 * hour)).await;
    world.clock.advance(25 * hour + Duration::from_secs(12));
    assert!(matches!(taken().await, Taken::Yes(_)));
}

#[tokio::test]
async fn attempts_that_were_counted_while_the_clock_was_ahead_are_forgotten_once_it_is_set_back() {
    let world = World::new().await;
    let env = &world.system.env;
    let now = world.clock.now();
    let taken = async || attempts::take(env, DEFAULT_ORG, "ada").await.expect("a count");
    world.clock.set(now.plus(JUMP));
    for _ in 0..5 {
        assert_eq!(taken().await, Ok(()));
    }
    assert_eq!(taken().await, Err(2));
    world.clock.set(now);
    for _ in 0..5 {
        assert_eq!(taken().await, Ok(()));
    }
    assert_eq!(taken().await, Err(2));
}

#[tokio::test]
async fn leases_that_were_taken_while_the_clock_was_ahead_end_once_it_is_set_back() {
    let world = World::new().await;
    let env = &world.system.env;
    let now = world.clock.now();
    let lease = Duration::from_secs(300);
    let place = DueRef { at: now, id: "x".to_owned() };
    due::put(env, &place, "mail", "{}").await.expect("a write");
    let retry = DueRef { at: now.plus(JUMP), id: "y".to_owned() };
    due::put(env, &retry, "mail", "{}").await.expect("a write");
    let alarm = DueRef { at: now.plus(JUMP), id: "z".to_owned() };
    due::put(env, &alarm, "reminders", "{}").await.expect("a write");
    let entry = EntryRef { org: DEFAULT_ORG, entry: EntryId::new(env.ids.next()) };
    world.clock.set(now.plus(JUMP));
    assert_eq!(due::take(env, now, |_| lease).await.expect("a sweep").len(), 1);
    assert!(matches!(delivery::take(env, entry, "mail", lease).await, Ok(Turn::Go)));

    world.clock.set(now);
    assert_eq!(due::take(env, now, |_| lease).await.expect("a sweep").len(), 1);
    assert_eq!(due::take(env, now, |_| lease).await.expect("a sweep").len(), 0);
    assert!(matches!(delivery::take(env, entry, "mail", lease).await, Ok(Turn::FindOut(_))));
    let recalled = due::recall(env, "reminders", |_| lease).await.expect("a sweep");
    assert_eq!(recalled.into_iter().map(|item| item.place).collect::<Vec<_>>(), std::slice::from_ref(&retry));
    // It is leased from now on, not from its time three days ahead.
    let again = async || due::recall(env, "reminders", |_| lease).await.expect("a sweep").into_iter();
    assert!(again().await.all(|item| item.place != retry));
    world.clock.advance(lease);
    assert!(again().await.any(|item| item.place == retry));
}

#[tokio::test]
async fn many_who_take_at_once_get_no_more_than_the_burst() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let env = &world.system.env;
    let taken = join_all((0..100).map(|_| take(env, DEFAULT_ORG, "t", "ada", RATE))).await;
    let through = taken.into_iter().filter(|taken| matches!(taken, Ok(Taken::Yes(_)))).count();
    assert_eq!(through, 5);
}

#[tokio::test]
async fn a_due_item_is_handed_to_one_sweeper_and_again_when_its_lease_ends() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let env = &world.system.env;
    let place = DueRef { at: world.clock.now().plus(Duration::from_secs(30)), id: "x".to_owned() };
    due::put(env, &place, "mail", "{}").await.expect("a write");
    let horizon = || world.clock.now().plus(Duration::from_secs(75));
    let sweepers = join_all((0..10).map(|_| due::take(env, horizon(), |_| Duration::from_secs(300)))).await;
    assert_eq!(sweepers.into_iter().map(|taken| taken.expect("a sweep").len()).sum::<usize>(), 1);

    world.clock.advance(Duration::from_secs(400));
    assert_eq!(due::take(env, horizon(), |_| Duration::from_secs(300)).await.expect("a sweep").len(), 1);
    due::remove(env, &place).await.expect("a removal");
    assert!(due::all(env).await.expect("a read").is_empty());
}

#[tokio::test]
async fn of_many_workers_one_gets_a_delivery_and_what_is_over_stays_over() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let env = &world.system.env;
    let entry = EntryRef { org: DEFAULT_ORG, entry: EntryId::new(env.ids.next()) };
    let lease = Duration::from_secs(60);
    let turns = join_all((0..20).map(|_| delivery::take(env, entry, "mail", lease))).await;
    assert_eq!(turns.iter().filter(|turn| matches!(turn, Ok(Turn::Go))).count(), 1);
    assert_eq!(turns.iter().filter(|turn| matches!(turn, Ok(Turn::Busy(_)))).count(), 19);

    world.clock.advance(Duration::from_secs(61));
    assert!(matches!(delivery::take(env, entry, "mail", lease).await, Ok(Turn::FindOut(_))));
    let sent = Settled { state: State::Sent, remote_id: Some("1"), error: None, about: None };
    delivery::settle(env, entry, "mail", sent).await.expect("a write");
    let late = Settled { state: State::Waiting, remote_id: None, error: Some("late"), about: None };
    delivery::settle(env, entry, "mail", late).await.expect("a write");
    assert!(matches!(delivery::take(env, entry, "mail", lease).await, Ok(Turn::Finished)));
    assert_eq!(
        delivery::read(env, entry, "mail").await.expect("a read").expect("a row").remote_id.as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn what_a_paused_job_needs_is_kept_in_parts_and_goes_as_a_whole() {
    let world = World::new().await;
    let (env, org) = (&world.system.env, DEFAULT_ORG);
    let job = JobId::new(env.ids.next());
    let rows = async || world.raw.everything().iter().filter(|item| item.to_string().contains("#paused-job#")).count();
    let read = async || paused_job::read::<String>(env, org, job).await.expect("a read");
    assert_eq!(read().await, None);
    // Parts end between characters of two and of three bytes, too.
    for (text, parts) in
        [("a".repeat(1_000_000), 4), ("é".repeat(400_000), 3), ("一".repeat(250_001), 3), ("b".into(), 1)]
    {
        paused_job::keep(env, org, job, &text).await.expect("a write");
        assert_eq!(read().await.as_ref(), Some(&text));
        assert_eq!(rows().await, parts, "the parts of the pause before are gone");
    }
    assert_eq!(paused_job::read::<u64>(env, org, job).await.expect("a read"), None, "another version's is no error");
    world.clock.advance(Duration::from_secs(86_401));
    assert_eq!(read().await, None, "it is too old to go on with");
    paused_job::remove(env, org, job).await.expect("a removal");
    assert_eq!(rows().await, 0);
}
