//! The clients of SES and SQS against sockets that answer as those do.

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use daybook_domain::{EmailAddress, Line};
use daybook_jobs::mail::{Content, Mail, Mailer, SendError, Sender, Ses};
use daybook_jobs::{Outgoing, Queue, Queues, Sqs};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// A server that answers everything alike, and keeps what it was sent.
struct Fake {
    config: SdkConfig,
    requests: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Fake {
    async fn answering(status: u16, kind: &'static str, body: Value) -> Fake {
        let requests: Arc<Mutex<Vec<(HeaderMap, Value)>>> = Arc::default();
        let seen = requests.clone();
        let answer = async move |headers: HeaderMap, sent: Bytes| {
            let sent = serde_json::from_slice(&sent).unwrap_or_default();
            seen.lock().expect("no panic").push((headers, sent));
            if status == 0 {
                std::future::pending::<()>().await;
            }
            let status = StatusCode::from_u16(status).expect("a status");
            (status, [("x-amzn-errortype", kind)], body.to_string())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Fake { config: config(&format!("http://{address}")), requests }
    }

    fn request(&self) -> (HeaderMap, Value) {
        self.requests.lock().expect("no panic").last().cloned().expect("a request")
    }
}

fn config(endpoint: &str) -> SdkConfig {
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
        assert_eq!(fake.requests.lock().expect("no panic").len(), 1, "{status} {kind}");
    };
    let refused: fn(&SendError) -> bool = |error| matches!(error, SendError::Refused(_));
    let not_now: fn(&SendError) -> bool = |error| matches!(error, SendError::NotNow(_));
    let unheard: fn(&SendError) -> bool = |error| matches!(error, SendError::Unheard(_));
    check(400, "MessageRejected", refused).await;
    check(400, "BadRequestException", refused).await;
    check(429, "TooManyRequestsException", not_now).await;
    check(400, "SendingPausedException", not_now).await;
    check(403, "AccessDeniedException", not_now).await;
    check(500, "InternalFailure", unheard).await;
    check(0, "", unheard).await;
}

#[tokio::test]
async fn a_mail_that_never_left_may_be_sent_again() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let error = Ses::new(&config(&format!("http://{gone}")), None).send(&mail()).await.expect_err("an error");
    assert!(matches!(error, SendError::NotNow(_)), "{error:?}");
}

#[tokio::test]
async fn a_message_reaches_its_queue_with_its_delay_in_whole_seconds() {
    let fake =
        Fake::answering(200, "", json!({"MessageId": "m-1", "MD5OfMessageBody": "c5e179508b1710fec2b8c51a8a5efd8e"}))
            .await;
    let queues = Sqs::new(&fake.config, HashMap::from([(Queue::Mail, "http://queue/mail".to_owned())]));
    let outgoing = Outgoing { body: "{\"job\":1}".to_owned(), delay: Duration::from_millis(1500), entry: None };

    queues.send(Queue::Mail, outgoing).await.expect("sent");

    let (headers, sent) = fake.request();
    assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessage");
    assert_eq!((&sent["QueueUrl"], &sent["DelaySeconds"]), (&json!("http://queue/mail"), &json!(2)));
    assert_eq!(sent["MessageBody"], "{\"job\":1}");
}
