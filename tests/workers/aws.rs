//! Tests of the clients of SES, SQS and Parameter Store, against fake servers on local sockets.

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use daybook_domain::{EmailAddress, Line};
use daybook_jobs::mail::{Content, Mail, Mailer, SendError, Sender, Ses};
use daybook_jobs::{Outgoing, Queue, Queues, Sqs};
use daybook_store::secrets::{FRESH, PAUSE};
use daybook_store::{Clock, Secrets};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

const MAIL: Queue = Queue { name: "mail" };

/// A server that gives every request the same answer and records the requests.
struct Fake {
    config: SdkConfig,
    requests: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    body: Arc<Mutex<Value>>,
}

impl Fake {
    async fn answering(status: u16, kind: &'static str, body: Value) -> Fake {
        let requests: Arc<Mutex<Vec<(HeaderMap, Value)>>> = Arc::default();
        let body = Arc::new(Mutex::new(body));
        let (seen, says) = (requests.clone(), body.clone());
        let answer = async move |headers: HeaderMap, sent: Bytes| {
            let sent = serde_json::from_slice(&sent).unwrap_or_default();
            seen.lock().expect("no panic").push((headers, sent));
            if status == 0 {
                std::future::pending::<()>().await;
            }
            let status = StatusCode::from_u16(status).expect("a status");
            (status, [("x-amzn-errortype", kind)], says.lock().expect("no panic").to_string())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Fake { config: config(&format!("http://{address}")), requests, body }
    }

    /// Sets the answer.
    fn says(&self, body: Value) {
        *self.body.lock().expect("no panic") = body;
    }

    fn asked(&self) -> usize {
        self.requests.lock().expect("no panic").len()
    }

    fn request(&self) -> (HeaderMap, Value) {
        self.requests.lock().expect("no panic").last().cloned().expect("a request")
    }
}

pub fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(300)).build())
        .build()
}

fn mail() -> Mail {
    let address = |text| EmailAddress::parse(text).expect("an address");
    let subject = Line::parse("新线索: Ada").expect("a line");
    Mail {
        id: "org-entry-c".to_owned(),
        from: Sender { name: Line::parse("示例").expect("a line"), address: address("daybook@example.com") },
        to: address("Anna@B\u{fc}cher.example"),
        reply_to: Some(address("ada@example.com")),
        content: Content { subject, text: "text".to_owned(), html: "<p>html</p>".to_owned() },
    }
}

#[tokio::test]
async fn a_mail_reaches_ses_with_its_id_as_a_tag() {
    let fake = Fake::answering(200, "", json!({"MessageId": "m-1"})).await;
    let ses = Ses::new(&fake.config, Some("events".to_owned()));

    assert_eq!(ses.send(&mail()).await, Ok("m-1".to_owned()));

    let (headers, sent) = fake.request();
    assert!(headers["authorization"].to_str().expect("text").starts_with("AWS4-HMAC-SHA256"));
    assert_eq!(sent["FromEmailAddress"], "=?UTF-8?B?56S65L6L?= <daybook@example.com>");
    assert_eq!(sent["Destination"]["ToAddresses"], json!(["anna@xn--bcher-kva.example"]));
    assert_eq!(sent["ReplyToAddresses"], json!(["ada@example.com"]));
    assert_eq!(sent["Content"]["Simple"]["Subject"]["Data"], "新线索: Ada");
    assert_eq!(sent["Content"]["Simple"]["Body"]["Html"]["Data"], "<p>html</p>");
    assert_eq!(sent["EmailTags"], json!([{"Name": "mail_id", "Value": "org-entry-c"}]));
    assert_eq!(sent["ConfigurationSetName"], "events");
}

#[tokio::test]
async fn answers_of_ses_mean_what_they_say_and_none_is_asked_twice() {
    let check = async |status: u16, kind: &'static str, expected: fn(&SendError) -> bool| {
        let fake = Fake::answering(status, kind, json!({"message": "no"})).await;
        let error = Ses::new(&fake.config, None).send(&mail()).await.expect_err("an error");
        assert!(expected(&error), "{status} {kind}: {error:?}");
        assert_eq!(fake.asked(), 1, "{status} {kind}");
    };
    let refused: fn(&SendError) -> bool = |error| matches!(error, SendError::Refused(_));
    let not_now: fn(&SendError) -> bool = |error| matches!(error, SendError::Temporary(_));
    let blocked: fn(&SendError) -> bool = |error| matches!(error, SendError::Blocked(_));
    let outcome_unknown: fn(&SendError) -> bool = |error| matches!(error, SendError::OutcomeUnknown(_));
    check(400, "MessageRejected", refused).await;
    check(400, "BadRequestException", refused).await;
    check(429, "TooManyRequestsException", not_now).await;
    check(400, "SendingPausedException", blocked).await;
    check(403, "AccessDeniedException", blocked).await;
    check(500, "InternalFailure", outcome_unknown).await;
    check(0, "", outcome_unknown).await;
}

#[tokio::test]
async fn a_mail_that_never_left_may_be_sent_again() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let error = Ses::new(&config(&format!("http://{gone}")), None).send(&mail()).await.expect_err("an error");
    assert!(matches!(error, SendError::Temporary(_)), "{error:?}");
}

#[tokio::test]
async fn a_message_reaches_its_queue_with_its_delay_in_whole_seconds() {
    let fake =
        Fake::answering(200, "", json!({"MessageId": "m-1", "MD5OfMessageBody": "c5e179508b1710fec2b8c51a8a5efd8e"}))
            .await;
    let queues = Sqs::new(&fake.config, HashMap::from([(MAIL, "http://queue/mail".to_owned())]));
    let trace = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    let outgoing = |trace: &str| Outgoing {
        org: Some(daybook_local::DEFAULT_ORG),
        body: "{\"job\":1}".to_owned(),
        delay: Duration::from_millis(1500),
        entry: None,
        trace: Some(trace.to_owned()),
    };

    queues.send(MAIL, outgoing(trace)).await.expect("sent");

    let (headers, sent) = fake.request();
    assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessage");
    assert_eq!((&sent["QueueUrl"], &sent["DelaySeconds"]), (&json!("http://queue/mail"), &json!(2)));
    assert_eq!(sent["MessageBody"], "{\"job\":1}");
    // By their groups a standard queue gives organisations their turns.
    assert_eq!(sent["MessageGroupId"], daybook_local::DEFAULT_ORG.to_string());
    assert_eq!(sent["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"], trace);
    // A trace id in another format isn't forwarded as X-Ray's.
    queues.send(MAIL, outgoing("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")).await.expect("sent");
    assert!(fake.request().1.get("MessageSystemAttributes").is_none());
}

fn parameter(value: &str) -> Value {
    json!({"Parameter": {"Name": "/daybook/jwt", "Type": "SecureString", "Value": value}})
}

const ARN: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/daybook/jwt";

#[tokio::test]
async fn a_secret_is_read_at_the_start_and_again_when_it_is_five_minutes_old() {
    let fake = Fake::answering(200, "", parameter("old")).await;
    let clock = Clock::fake("2026-11-20T12:00:00Z".parse().expect("a time"));
    let arns = [("JWT_SECRET".to_owned(), ARN.to_owned())];
    let secrets = Secrets::read(&fake.config, clock.clone(), arns).await.expect("secrets");
    let (headers, sent) = fake.request();
    assert_eq!(headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert_eq!(sent, json!({"Name": "/daybook/jwt", "WithDecryption": true}));
    assert_eq!(secrets.value("JWT_SECRET").as_deref(), Some("old"));
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = told.clone();
    secrets.watch("JWT_SECRET", move |value| heard.lock().expect("no panic").push(value.to_owned()));

    fake.says(parameter("new"));
    clock.advance(FRESH - Duration::from_secs(1));
    secrets.refresh().await;
    assert_eq!(fake.asked(), 1, "read before its time");
    clock.advance(Duration::from_secs(1));
    secrets.refresh().await;
    assert_eq!(*told.lock().expect("no panic"), ["new"]);

    // Repeated requests for a refresh don't cause repeated reads, and after a failed read the previous value stays.
    fake.says(parameter(" \n"));
    secrets.refresh_now().await;
    assert_eq!(fake.asked(), 2);
    clock.advance(PAUSE);
    secrets.refresh_now().await;
    assert_eq!((fake.asked(), secrets.value("JWT_SECRET").as_deref()), (3, Some("new")));
    assert_eq!(told.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn a_function_whose_secret_can_t_be_read_says_which_and_why() {
    let fake = Fake::answering(400, "AccessDeniedException", json!({"message": "not yours"})).await;
    let arns = [("JWT_SECRET".to_owned(), ARN.to_owned())];
    let error = Secrets::read(&fake.config, Clock::System, arns).await.expect_err("an error").to_string();
    assert!(error.contains("JWT_SECRET_ARN: /daybook/jwt can't be read") && error.contains("not yours"), "{error}");
    let wrong = [("JWT_SECRET".to_owned(), "arn:aws:s3:::bucket".to_owned())];
    let error = Secrets::read(&fake.config, Clock::System, wrong).await.expect_err("an error").to_string();
    assert!(error.contains("JWT_SECRET_ARN: must be the complete ARN"), "{error}");
}
