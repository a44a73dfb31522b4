//! Tests of operational rows: rate limit buckets, due items and mail deliveries.

use daybook_domain::EntryId;
use daybook_local::DEFAULT_ORG;
use daybook_store::EntryRef;
use daybook_store::rows::bucket::{Rate, Taken, take};
use daybook_store::rows::delivery::{self, Settled, State, Turn};
use daybook_store::rows::due::{self, DueRef};
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
