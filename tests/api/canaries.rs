//! Leak tests: personal data and secrets appear in no log line and no error message.

use daybook_testing::{World, WorldOptions};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// All log lines of this process.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Lines;

    fn make_writer(&'w self) -> Lines {
        self.clone()
    }
}

/// A unique word for the field of this name.
fn canary(field: &str) -> String {
    format!("canary9f3{}", field.replace(['_', '/'], ""))
}

#[tokio::test]
async fn what_people_write_and_what_is_secret_reaches_no_log_line_and_no_error() {
    let lines = Lines::default();
    // All levels of our own crates, and the default level of the dependencies.
    let filter: Targets = "info,daybook=trace".parse().expect("a filter");
    let layer = tracing_subscriber::fmt::layer().json().with_writer(lines.clone());
    tracing_subscriber::registry().with(filter).with(layer).try_init().expect("no other test takes the log");
    let world = World::with(WorldOptions::default()).await;
    let mut errors = String::new();
    let text = |fields: &[&str]| -> Value {
        fields.iter().map(|field| ((*field).to_owned(), json!(canary(field)))).collect::<serde_json::Map<_, _>>().into()
    };
    let mut lead = text(&["first_name", "last_name", "company", "job_title", "requirements", "anything_else"]);
    lead["email"] = json!(format!("{}@example.com", canary("email")));
    lead["phone"] = json!("+49 30 998877665");
    let visitor = world.visitor();
    let posted =
        visitor.post("/api/leads?utm_source=canary9f3utm", lead.clone()).header("user-agent", &canary("agent"));
    posted.await.expect(201);
    let mut message = text(&["name", "subject", "message"]);
    message["email"] = lead["email"].clone();
    visitor.post("/api/contact", message).await.expect(201);
    let person = json!({"email": format!("{}@example.com", canary("login")), "username": canary("user"),
        "name": canary("name"), "password": canary("password"), "organization_name": canary("organization")});
    let tokens = visitor.post("/api/auth/register", person.clone()).await.expect(201).json();
    let owner = visitor.with_token(tokens["access_token"].as_str().expect("a token"));
    world.confirm(person["email"].as_str().expect("an address")).await;
    let wrong = json!({"email": person["email"], "password": canary("wrong_password")});
    errors += &visitor.post("/api/auth/login", wrong).await.expect(401).text;
    let key = json!({"name": canary("key_name"), "permissions": ["leads:read:all"]});
    let key = owner.post("/api/api-keys", key).await.expect(201).data();
    let setup = json!({"current_password": canary("password")});
    let factor = owner.post("/api/auth/mfa/setup", setup).await.expect(200).data();
    visitor.post("/api/auth/forgot-password", json!({"email": person["email"]})).await.expect(202);
    let invited =
        json!({"email": format!("{}@example.com", canary("invited")), "role": "sales", "name": canary("guest")});
    owner.post("/api/invitations", invited).await.expect(201);
    world.work().await;
    for (path, body) in [
        ("/api/leads", text(&["email", "phone"])),
        ("/api/users", text(&["email", "role", "nme"])),
        ("/api/auth/register", text(&["email", "password"])),
        ("/api/auth/reset-password", text(&["token", "password"])),
        ("/api/auth/verify-email", text(&["token"])),
        ("/api/auth/refresh", text(&["refresh_token"])),
        ("/api/api-keys", text(&["name", "permissions", "expires_at"])),
        ("/api/invitations", text(&["email", "role"])),
    ] {
        let answer = owner.post(path, body).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.text);
        // Errors name an unknown field by its JSON pointer and never repeat values.
        errors += &answer.text;
    }
    errors += &owner.get("/api/leads?search=canary9f3search&status=canary9f3status").await.expect(400).text;
    errors += &owner.get("/api/leads/canary9f3id").await.expect(404).text;
    let logged = lines.text();
    assert!(logged.contains("/api/auth/register") && logged.contains("/api/contact"), "nothing was logged");
    let mut secrets = vec!["canary9f3".to_owned(), "998877665".to_owned()];
    for (from, name) in [
        (&tokens, "access_token"),
        (&tokens, "refresh_token"),
        (&tokens, "device_token"),
        (&key, "key"),
        (&factor, "secret"),
    ] {
        secrets.push(from[name].as_str().expect("a secret").to_owned());
    }
    for mail in world.mails() {
        let token = mail.text.split_once("/account#").and_then(|(_, rest)| rest.split_whitespace().next());
        secrets.extend(token.and_then(|token| Some(token.split_once('=')?.1.to_owned())));
    }
    assert!(secrets.len() >= 10, "{} secrets", secrets.len());
    for secret in &secrets {
        let found = logged.lines().find(|line| line.contains(secret.as_str()) && !line.contains("canary9f3id"));
        assert_eq!(found, None, "{secret} is in the log");
        assert!(!errors.contains(secret.as_str()), "{secret} is in an error: {errors}");
    }
}
