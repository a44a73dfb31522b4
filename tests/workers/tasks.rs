//! Task tests: reminders, overdue events and mails about assignments.

use daybook_domain::permission::Role;
use daybook_domain::{Event, Timestamp};
use daybook_testing::{Person, World};
use serde_json::{Value, json};
use std::time::Duration;

async fn world() -> (World, Person, Person) {
    let world = World::new().await;
    let owner = world.owner().await;
    let sales = world.person(Role::Sales).await;
    world.work().await;
    (world, owner, sales)
}

fn subjects(world: &World, word: &str) -> Vec<String> {
    let all = world.mails().into_iter().map(|mail| mail.subject.to_string());
    all.filter(|subject| subject.contains(word)).collect()
}

async fn times(world: &World, owner: &Person, event: Event) -> Vec<Timestamp> {
    world.journal(owner.org).await.into_iter().filter(|fact| fact.event == event).map(|fact| fact.at).collect()
}

fn at(world: &World, minutes: u64) -> Timestamp {
    world.clock.now().plus(Duration::from_secs(60 * minutes))
}

async fn task(who: &Person, body: Value) -> String {
    format!("/api/tasks/{}", who.post("/api/tasks", body).await.expect(201).id())
}

#[tokio::test]
async fn a_reminder_is_a_mail_within_a_minute_of_its_time_and_once() {
    let (world, owner, sales) = world().await;
    let due = at(&world, 120);
    let body = json!({
        "title": "Call Ada", "due_date": due, "assignee_id": sales.user,
        "reminders": [{"offset_minutes": 30}, {"at": at(&world, 45), "channel": "in_app"}],
    });
    task(&owner, body).await;
    world.work().await;
    assert_eq!(subjects(&world, "A task for you").len(), 1, "the new assignee gets a mail");
    let told = world.mails().into_iter().find(|mail| mail.subject.contains("A task for you"));
    assert!(told.is_some_and(|mail| mail.text.contains("(Asia/Shanghai)")), "a time names its time zone");
    world.pass(Duration::from_secs(89 * 60)).await;
    assert_eq!(subjects(&world, "Reminder").len(), 0);
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(subjects(&world, "Reminder"), ["Reminder: Call Ada"]);
    world.pass(Duration::from_secs(40 * 60)).await;
    assert_eq!(subjects(&world, "Reminder").len(), 1);
    for (event, planned) in [(Event::TaskDue, 45), (Event::TaskDue, 90), (Event::TaskOverdue, 120)] {
        let planned = due.minus(Duration::from_secs(60 * (120 - planned)));
        let near = |one: &&Timestamp| planned.until(**one).max(one.until(planned)) <= Duration::from_secs(60);
        assert_eq!(times(&world, &owner, event).await.iter().filter(near).count(), 1, "{event:?} at {planned}");
    }
    assert_eq!(times(&world, &owner, Event::TaskOverdue).await.len(), 1);
}

#[tokio::test]
async fn nobody_is_reminded_of_what_is_done_gone_or_at_another_time() {
    let (world, owner, _) = world().await;
    let body = |title: &str| json!({"title": title, "due_date": at(&world, 60), "reminders": [{"offset_minutes": 10}]});
    let (done, gone, later) =
        (task(&owner, body("A")).await, task(&owner, body("B")).await, task(&owner, body("C")).await);
    owner.post(&format!("{done}/complete"), json!({})).await.expect(200);
    owner.delete(&gone).await.expect(200);
    owner.patch(&later, json!({"due_date": at(&world, 180)})).await.expect(200);
    world.pass(Duration::from_secs(100 * 60)).await;
    assert_eq!((subjects(&world, "Reminder").len(), times(&world, &owner, Event::TaskOverdue).await.len()), (0, 0));
    world.pass(Duration::from_secs(85 * 60)).await;
    assert_eq!(subjects(&world, "Reminder"), ["Reminder: C"]);
    assert_eq!(times(&world, &owner, Event::TaskOverdue).await.len(), 1);
}

#[tokio::test]
async fn whoever_gives_themselves_a_task_gets_no_mail_of_it() {
    let (world, owner, sales) = world().await;
    let path = task(&owner, json!({"title": "Mine"})).await;
    world.work().await;
    assert_eq!(subjects(&world, "A task for you").len(), 0);
    owner.patch(&path, json!({"assignee_id": sales.user})).await.expect(200);
    owner.patch(&path, json!({"description": "more"})).await.expect(200);
    world.work().await;
    assert_eq!(subjects(&world, "A task for you"), ["A task for you: Mine"]);
}

/// The same alarm may be delivered more than once.
#[tokio::test]
async fn an_alarm_that_comes_twice_is_told_of_once() {
    let (world, owner, _) = world().await;
    let due = at(&world, 10);
    let path = task(&owner, json!({"title": "A", "due_date": due})).await;
    world.clock.advance(Duration::from_secs(660));
    let record = path.trim_start_matches("/api/tasks/");
    let body = json!({"job": {"org": owner.org, "record": record, "at": due}}).to_string();
    for _ in 0..3 {
        assert!(world.deliver("remind", vec![body.clone()]).await.is_empty());
    }
    assert_eq!(times(&world, &owner, Event::TaskOverdue).await.len(), 1);
}
