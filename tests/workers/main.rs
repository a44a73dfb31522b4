//! Worker tests: mail, jobs, retries and dead letters, driven by journal entries.

mod aws;
mod fake_hubspot;
mod fake_llm;
mod files;
mod hubspot;
mod llm;
mod redrive;
mod tasks;
mod turns;

use daybook_domain::{EmailAddress, EntryId, OrgId};
use daybook_jobs::mail::SendError;
use daybook_jobs::{Consumer, Delivered, Limits, Message, Outcome, Presence, Queue, RetryPolicy, Worker, run_batch};
use daybook_local::DEFAULT_ORG;
use daybook_send_mail::{MailEvent, MailJob, MailKind, mail_id};
use daybook_store::EntryRef;
use daybook_store::rows::delivery::{self, State};
use daybook_store::rows::{due, suppression};
use daybook_testing::{ScriptedMailer, World, WorldOptions, lead};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const QUARTER: Duration = Duration::from_secs(15 * 60 + 120);

async fn scripted() -> (World, Arc<ScriptedMailer>) {
    let mailer = Arc::new(ScriptedMailer::default());
    let world = World::with(WorldOptions { mailer: Some(mailer.clone()), ..WorldOptions::default() }).await;
    (world, mailer)
}

fn addressees(mailer: &ScriptedMailer) -> Vec<String> {
    let mut to: Vec<String> = mailer.sent().into_iter().map(|mail| mail.to.to_string()).collect();
    to.sort();
    to
}

async fn entry(world: &World) -> EntryRef {
    let facts = world.journal(DEFAULT_ORG).await;
    let fact = facts.into_iter().find(|fact| fact.event.name() == "submission.accepted").expect("a submission");
    EntryRef { org: DEFAULT_ORG, entry: fact.id }
}

async fn state(world: &World, kind: MailKind) -> State {
    let row = delivery::read(&world.system.env, entry(world).await, kind.consumer()).await.expect("a read");
    row.expect("a delivery").state
}

#[tokio::test]
async fn a_submission_is_confirmed_to_the_visitor_and_told_to_the_team() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.post("/api/leads", lead("ada@example.com")).header("accept-language", "en").await.expect(201);
    world.work().await;
    let mails = world.mails();
    let to = |to: &str| mails.iter().find(|mail| mail.to == to).unwrap_or_else(|| panic!("no mail to {to}"));
    assert_eq!(mails.len(), 2);
    let confirmed = to("ada@example.com");
    assert!(confirmed.text.starts_with("Hello,") && confirmed.text.contains("2026-11-20"), "{}", confirmed.text);
    assert!(
        to("team@example.com").subject.contains("Ada Lovelace")
            && to("team@example.com").html.contains("示例科技有限公司")
    );
}

#[tokio::test]
async fn mails_to_unproven_addresses_have_no_text_of_those_who_entered_the_address() {
    let world = World::new().await;
    let owner = world.owner().await;
    let mut posted = lead("eva@example.com");
    for field in ["first_name", "company", "job_title", "requirements", "anything_else", "utm_source"] {
        posted[field] = json!("Win at evil.example");
    }
    let visitor = world.visitor();
    visitor.post("/api/leads", posted.clone()).await.expect(201);
    posted["special_requirements"] = json!("Win at evil.example");
    visitor.post("/api/demos", posted).await.expect(201);
    let evil = "evil.example";
    let message = json!({"email": "eva@example.com", "name": evil, "subject": evil, "message": evil});
    visitor.post("/api/contact", message).await.expect(201);
    let invited = json!({"email": "eva@example.com", "role": "sales", "name": "Win at evil.example"});
    owner.post("/api/invitations", invited).await.expect(201);
    world.work().await;
    let mails: Vec<_> = world.mails().into_iter().filter(|mail| mail.to == "eva@example.com").collect();
    assert_eq!(mails.len(), 4);
    for mail in mails {
        assert!(!format!("{}{}{}", mail.subject, mail.text, mail.html).contains("evil"), "{}", mail.text);
    }
}

#[tokio::test]
async fn what_staff_enter_is_told_to_the_team_alone() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    let to: Vec<String> = world.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to.len(), 1);
    assert!(to[0].ends_with("@staff.example"), "{to:?}");
}

#[tokio::test]
async fn entries_that_come_again_send_nothing_twice() {
    let world = World::new().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    for _ in 0..5 {
        let again = world.system.workers.catch_up().await.expect("a journal");
        assert!(again > 0, "no message was delivered again");
        world.work().await;
    }
    assert_eq!(world.mails().len(), 2);
}

#[tokio::test]
async fn a_mail_that_can_t_go_now_goes_later() {
    let (world, mailer) = scripted().await;
    for _ in 0..6 {
        mailer.fail_next(SendError::Temporary("throttled".to_owned()));
    }
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    assert!(mailer.sent().is_empty());
    assert_eq!(due::all(&world.system.env).await.expect("a read").len(), 2);
    world.pass(QUARTER).await;
    assert_eq!(addressees(&mailer), ["ada@example.com", "team@example.com"]);
    assert!(due::all(&world.system.env).await.expect("a read").is_empty());
}

#[tokio::test]
async fn the_trace_of_a_request_goes_along_to_the_last_try_of_its_mails() {
    let (world, mailer) = scripted().await;
    mailer.fail_next(SendError::Temporary("throttled".to_owned()));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    world.visitor().post("/api/leads", lead("ada@example.com")).header("traceparent", trace).await.expect(201);
    world.work().await;
    assert!(world.journal(DEFAULT_ORG).await.iter().all(|fact| fact.trace.as_deref() == Some(trace)));
    let waiting = due::all(&world.system.env).await.expect("a read");
    let message: serde_json::Value = serde_json::from_str(&waiting[0].message).expect("JSON");
    assert_eq!((&message["trace"], &message["attempt"]), (&json!(trace), &json!(1)));
}

#[tokio::test]
async fn a_mail_that_is_refused_is_given_up_at_once() {
    let (world, mailer) = scripted().await;
    mailer.fail_next(SendError::Refused("no such address".to_owned()));
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    world.pass(QUARTER).await;
    assert_eq!(mailer.sent().len(), 1);
    let states = [state(&world, MailKind::Confirmation).await, state(&world, MailKind::Notification).await];
    assert!(states.contains(&State::Failed) && states.contains(&State::Sent), "{states:?}");
}

#[tokio::test]
async fn a_mail_nobody_heard_of_waits_for_word_and_goes_once_more_only_when_none_comes() {
    let (world, mailer) = scripted().await;
    mailer.fail_next(SendError::OutcomeUnknown("timeout".to_owned()));
    mailer.fail_next(SendError::OutcomeUnknown("timeout".to_owned()));
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    assert_eq!(mailer.sent().len(), 2);
    assert_eq!(state(&world, MailKind::Confirmation).await, State::OutcomeUnknown);
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(mailer.sent().len(), 2, "sent again before its time");

    // SES reports the delivery of one mail; the other gets no event.
    let job = MailJob { entry: entry(&world).await, kind: MailKind::Confirmation, about: None };
    let event =
        json!({"detail": {"eventType": "Delivery", "mail": {"tags": {"mail_id": [mail_id(&job)]}}}}).to_string();
    assert!(world.deliver("send-mail", [event]).await.is_empty());
    world.pass(QUARTER).await;
    assert_eq!(addressees(&mailer), ["ada@example.com", "team@example.com", "team@example.com"]);
    assert!(due::all(&world.system.env).await.expect("a read").is_empty());
}

#[tokio::test]
async fn a_bounce_puts_an_address_on_the_list_and_the_list_is_heeded() {
    let (world, mailer) = scripted().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    let job = MailJob { entry: entry(&world).await, kind: MailKind::Confirmation, about: None };
    let event = json!({"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "Ada@example.com"}]}, "mail": {"tags": {"mail_id": [mail_id(&job)]}}});
    assert!(world.deliver("send-mail", [event.to_string()]).await.is_empty());
    let address = EmailAddress::parse("ADA@example.com").expect("an address");
    assert!(suppression::holds(&world.system.env, DEFAULT_ORG, &address).await.expect("a read"));

    let mut again = lead("ada@example.com");
    again["requirements"] = json!("again");
    world.visitor().post("/api/leads", again).await.expect(201);
    world.work().await;
    assert_eq!(addressees(&mailer), ["ada@example.com", "team@example.com", "team@example.com"]);
}

#[tokio::test]
async fn a_worker_that_died_at_work_is_followed_by_one_that_finds_out() {
    let (world, mailer) = scripted().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    let (env, entry) = (&world.system.env, entry(&world).await);
    let taken =
        delivery::take(env, entry, MailKind::Confirmation.consumer(), Duration::from_secs(60)).await.expect("a row");
    assert!(matches!(taken, delivery::Turn::Go));
    world.work().await;
    assert_eq!(addressees(&mailer), ["team@example.com"]);
    world.pass(QUARTER + QUARTER).await;
    assert_eq!(addressees(&mailer), ["ada@example.com", "team@example.com"]);
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A consumer whose job is a number.
static NUMBERS: Consumer<u32> = Consumer {
    queue: Queue { name: "numbers" },
    long: None,
    function: "numbers",
    presence: Presence::Always,
    wants: None,
    org: |_| DEFAULT_ORG,
    limits: Limits::DEFAULT,
    retry: RetryPolicy::DEFAULT,
};

/// Its worker: even numbers succeed, odd ones fail in the way of their remainder.
fn numbers(world: &World) -> Worker {
    let work = |_, _, message: Message<u32>| async move {
        assert!(message.job % 4 != 3, "a job that panics");
        Ok(Outcome::Done)
    };
    NUMBERS.worker(world.system.workers.queues(), (), work)
}

#[tokio::test]
async fn of_a_batch_just_those_come_back_that_failed_in_every_combination() {
    let world = World::new().await;
    std::panic::set_hook(Box::new(|_| {}));
    for subset in 0..1024_u32 {
        let bad = |n: u32| subset >> n & 1 == 1;
        let batch = (0..10)
            .map(|n| {
                let body = match (bad(n), n % 2) {
                    (true, 0) => "not json".to_owned(),
                    (true, _) => json!({"job": 3}).to_string(),
                    (false, _) => json!({"job": 4}).to_string(),
                };
                Delivered { id: n.to_string(), body }
            })
            .collect();
        let mut failed = run_batch(&numbers(&world), &world.system.env, batch, soon()).await;
        failed.sort();
        let expected: Vec<String> = (0..10).filter(|n| bad(*n)).map(|n| n.to_string()).collect();
        assert_eq!(failed, expected);
    }
    let _ = std::panic::take_hook();
}

#[tokio::test]
async fn messages_for_which_no_time_is_left_go_back() {
    let world = World::new().await;
    let batch = vec![Delivered { id: "1".to_owned(), body: json!({"job": 4}).to_string() }];
    let late = Instant::now() + Duration::from_secs(1);
    assert_eq!(run_batch(&numbers(&world), &world.system.env, batch, late).await, ["1"]);
}

#[tokio::test]
async fn an_entry_that_is_gone_sends_nothing() {
    let (world, mailer) = scripted().await;
    let nothing = EntryRef { org: DEFAULT_ORG, entry: EntryId::new(world.system.env.ids.next()) };
    let body =
        serde_json::to_string(&Message::new(MailJob { entry: nothing, kind: MailKind::Confirmation, about: None }))
            .expect("JSON");
    assert!(world.deliver("send-mail", [body]).await.is_empty() && mailer.sent().is_empty());
}

#[tokio::test]
async fn a_mail_nobody_ever_hears_of_goes_twice_and_is_given_up() {
    let (world, mailer) = scripted().await;
    for _ in 0..20 {
        mailer.fail_next(SendError::OutcomeUnknown("timeout".to_owned()));
    }
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    for _ in 0..6 {
        world.pass(QUARTER).await;
    }
    assert_eq!(addressees(&mailer), ["ada@example.com", "ada@example.com", "team@example.com", "team@example.com"]);
    assert_eq!(state(&world, MailKind::Confirmation).await, State::Failed);
    assert!(due::all(&world.system.env).await.expect("a read").is_empty());
}

#[tokio::test]
async fn a_long_outage_leaves_one_chain_of_retries_per_mail() {
    let (world, mailer) = scripted().await;
    for _ in 0..100 {
        mailer.fail_next(SendError::Temporary("throttled".to_owned()));
    }
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    for _ in 0..12 {
        world.pass(QUARTER).await;
        assert_eq!(due::all(&world.system.env).await.expect("a read").len(), 2);
    }
    // Three and a half hours with a back-off of at most 15 minutes: dozens of tries, not thousands.
    assert_eq!(mailer.sent().len(), 0);
    assert!(mailer.left() > 0, "there were too many tries");
}

#[tokio::test]
async fn an_answer_to_the_team_s_mail_goes_to_the_visitor() {
    let (world, mailer) = scripted().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    let mails = mailer.sent();
    let to_team = mails.iter().find(|mail| mail.to.as_str() == "team@example.com").expect("a mail to the team");
    assert_eq!(to_team.reply_to.as_ref().map(EmailAddress::as_str), Some("ada@example.com"));
}

#[tokio::test]
async fn a_mail_that_is_refused_further_on_is_failed_in_the_end() {
    let (world, _mailer) = scripted().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    let job = MailJob { entry: entry(&world).await, kind: MailKind::Confirmation, about: None };
    let event = json!({"eventType": "Reject", "mail": {"tags": {"mail_id": [mail_id(&job)]}}}).to_string();
    assert!(world.deliver("send-mail", [event]).await.is_empty());
    assert_eq!(state(&world, MailKind::Confirmation).await, State::Failed);
}

#[tokio::test]
async fn an_outage_of_the_table_that_outlasts_any_number_of_receives_loses_no_mail() {
    let world = World::new().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    assert!(world.system.workers.dispatch().await > 0);
    world.faults.randomly(1, 1.1);
    for _ in 0..12 {
        world.clock.advance(Duration::from_secs(61));
        let workers = &world.system.workers;
        let worker = workers.of_function("send-mail").expect("a worker");
        workers.work_on(worker, worker.consumer.lines()[0], 10).await;
    }
    world.faults.heal();
    world.pass(QUARTER).await;
    assert_eq!(world.mails().len(), 2);
    assert!(due::all(&world.system.env).await.expect("a read").is_empty());
}

fn the_job() -> MailJob {
    let id = Uuid::from_u128(0x0193_4567_89ab_7def_8123_4567_89ab_cdef);
    let entry = EntryRef { org: OrgId::new(id), entry: EntryId::new(id) };
    MailJob { entry, kind: MailKind::Confirmation, about: None }
}

#[test]
fn an_event_finds_its_mail() {
    let body = json!({
        "source": "aws.ses", "detail-type": "Email Bounced",
        "detail": {"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "a@b.example"}]}, "mail": {"tags": {"mail_id": [mail_id(&the_job())]}}}
    });
    assert_eq!(
        MailEvent::read(&body.to_string()),
        Some((the_job(), MailEvent::Bounced(vec![EmailAddress::parse("a@b.example").expect("an address")])))
    );
}

#[test]
fn what_is_no_event_is_none() {
    for body in ["", "{}", "[]", "{\"detail\":{\"eventType\":\"Send\"}}", "{\"job\":1}"] {
        assert_eq!(MailEvent::read(body), None, "{body}");
    }
}
