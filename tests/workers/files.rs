//! Files in S3, over a fake of its multipart uploads: what is paused and resumed is the same file.

use crate::aws::config;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use daybook_jobs::files::{Bucket, Files, PART_BYTES};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// The least bytes of a part but the last (S3, "Amazon S3 multipart upload limits").
const LEAST_PART: usize = 5 << 20;

/// A fake of S3's multipart uploads. Clones are the same one.
#[derive(Clone, Debug, Default)]
struct FakeS3 {
    stored: Arc<Mutex<Stored>>,
}

#[derive(Debug, Default)]
struct Stored {
    /// The parts of each upload, by number.
    uploads: BTreeMap<String, BTreeMap<i32, Bytes>>,
    files: BTreeMap<String, Vec<u8>>,
}

impl FakeS3 {
    /// An empty bucket, and the client's configuration for it.
    async fn start() -> (FakeS3, SdkConfig) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let fake = FakeS3::default();
        let router = Router::new().route("/bucket/{*key}", any(answer)).layer(DefaultBodyLimit::disable());
        let router = router.with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        // A part of 8 MB takes its time.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(20)).build();
        let config = config(&url).into_builder().timeout_config(timeouts).build();
        (fake, config)
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, key: &str) -> Option<Vec<u8>> {
        self.stored().files.get(key).cloned()
    }
}

async fn answer(
    State(fake): State<FakeS3>,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    body: Bytes,
) -> Response {
    let mut stored = fake.stored();
    let upload = query.get("uploadId").cloned().unwrap_or_default();
    match (method, query.contains_key("uploads")) {
        (Method::POST, true) => {
            let upload = format!("upload-{}", stored.uploads.len());
            stored.uploads.insert(upload.clone(), BTreeMap::new());
            xml(&format!(
                "<InitiateMultipartUploadResult><Key>{key}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            ))
        }
        (Method::PUT, _) => {
            let Some(parts) = stored.uploads.get_mut(&upload) else { return refused("NoSuchUpload") };
            let number = query.get("partNumber").and_then(|number| number.parse().ok()).unwrap_or_default();
            parts.insert(number, body);
            (StatusCode::OK, [(HeaderName::from_static("etag"), format!("\"part-{number}\""))]).into_response()
        }
        (Method::POST, false) => {
            let Some(parts) = stored.uploads.remove(&upload) else { return refused("NoSuchUpload") };
            let named = String::from_utf8_lossy(&body).matches("<PartNumber>").count();
            if parts.values().rev().skip(1).any(|part| part.len() < LEAST_PART) {
                return refused("EntityTooSmall");
            }
            let whole = parts.into_values().take(named).collect::<Vec<_>>().concat();
            stored.files.insert(key.clone(), whole);
            xml(&format!("<CompleteMultipartUploadResult><Key>{key}</Key></CompleteMultipartUploadResult>"))
        }
        _ => refused("MethodNotAllowed"),
    }
}

fn xml(body: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/xml".parse().expect("a media type"));
    (headers, body.to_owned()).into_response()
}

fn refused(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, xml(&format!("<Error><Code>{code}</Code><Message>no</Message></Error>"))).into_response()
}

/// Bytes that are different in every place.
fn bytes(from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(|n| (n * 31 + n / 251) as u8).collect()
}

#[tokio::test]
async fn a_file_that_is_paused_and_resumed_is_whole() {
    let (fake, config) = FakeS3::start().await;
    let bucket = Bucket::shared(&config, "bucket");
    let pieces = [7, PART_BYTES + 10, LEAST_PART, 3, LEAST_PART - 1, 1, 5];
    let mut at = 0;
    let mut writing = bucket.begin("org/file", "text/csv").await.expect("a file");
    for (n, size) in pieces.into_iter().enumerate() {
        writing.add(&bytes(at, size)).await.expect("it is written");
        at += size;
        if n + 1 < pieces.len() {
            let paused = writing.pause().await.expect("a pause");
            // What was added since is dropped.
            writing.add(b"lost with its process").await.expect("it is written");
            drop(writing);
            writing = bucket.resume("org/file", &paused).await.expect("it goes on");
        }
    }
    assert_eq!(writing.finish().await.expect("the end"), at as u64);
    assert!(fake.file("org/file").expect("a file") == bytes(0, at), "the file isn't what was written");
}

#[tokio::test]
async fn an_upload_that_is_gone_is_told() {
    let (_, config) = FakeS3::start().await;
    let bucket = Bucket::shared(&config, "bucket");
    let mut writing = bucket.begin("gone", "text/csv").await.expect("a file");
    writing.add(&bytes(0, LEAST_PART)).await.expect("it is written");
    let paused = writing.pause().await.expect("a pause");
    writing.finish().await.expect("the end");
    let mut resumed = bucket.resume("gone", &paused).await.expect("nothing is asked yet");
    let error = resumed.add(&bytes(0, PART_BYTES)).await.expect_err("the upload has ended");
    assert!(error.to_string().contains("NoSuchUpload"), "{error}");
}
