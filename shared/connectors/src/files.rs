//! File stores: files too large for a response, and write-once archives. In S3, or in a folder on one machine.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The least size of an upload part except the last, in bytes: 8 MiB (S3 requires 5 MiB).
pub const PART_BYTES: usize = 8 << 20;

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{what} {key}: {reason}")]
pub struct FileError {
    /// The operation.
    pub what: &'static str,
    /// The key of the file.
    pub key: String,
    /// The store's error message.
    pub reason: String,
}

type Result<T> = std::result::Result<T, FileError>;

/// A store that files are written to. Keys consist of letters, digits, `_`, `-`, `.` and `/`.
///
/// The operations on files are split into three traits, because a function's program contains all calls of a trait,
/// and no function needs more than one of the three.
pub trait Files: Send + Sync {
    /// Begins a file. It becomes visible only when it is finished; then it replaces the file that had the key.
    fn begin<'a>(&'a self, key: &'a str, media_type: &'a str) -> BoxFuture<'a, Result<Box<dyn Writing>>>;

    /// Goes on with a file from where it was paused. What was added since is dropped.
    fn resume<'a>(&'a self, key: &'a str, paused: &'a str) -> BoxFuture<'a, Result<Box<dyn Writing>>>;

    /// Removes a file, if there is one.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;
}

/// A store whose files can be downloaded by link.
pub trait Links: Send + Sync {
    /// Returns a URL from which any client can download the file while it is valid, saved under a name.
    fn link<'a>(&'a self, key: &'a str, name: &'a str, valid: Duration) -> BoxFuture<'a, Result<String>>;
}

/// A write-once store of small files.
pub trait Archive: Send + Sync {
    /// Writes a file unless the key exists; returns whether it was written.
    fn write_once<'a>(&'a self, key: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>>;

    /// The bytes of a file, if there is one.
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>>>;
}

/// A file that is being written.
pub trait Writing: Send {
    /// Adds bytes.
    fn add<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>>;

    /// Pauses the file; returns what [`Files::resume`] needs, which may have 7 MB: S3 stores no part of less than 5 MiB, so
    /// that the bytes since the last part are in it.
    fn pause(&mut self) -> BoxFuture<'_, Result<String>>;

    /// Finishes the file, and returns its size in bytes.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<u64>>;
}

/// An S3 bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// The bucket of this name, reached by this SDK configuration.
    pub fn shared(sdk: &aws_config::SdkConfig, name: &str) -> Arc<Bucket> {
        let mut config = aws_sdk_s3::config::Builder::from(sdk);
        // A local stand-in for AWS has one host name for all buckets.
        if sdk.endpoint_url().is_some() {
            config = config.force_path_style(true);
        }
        Arc::new(Bucket { client: Client::from_conf(config.build()), name: name.to_owned() })
    }
}

fn failed(what: &'static str, key: &str, error: impl std::error::Error) -> FileError {
    FileError { what, key: key.to_owned(), reason: DisplayErrorContext(&error).to_string() }
}

impl Files for Bucket {
    fn begin<'a>(&'a self, key: &'a str, media_type: &'a str) -> BoxFuture<'a, Result<Box<dyn Writing>>> {
        Box::pin(async move {
            let call = self.client.create_multipart_upload().bucket(&self.name).key(key).content_type(media_type);
            let call = call.checksum_algorithm(ChecksumAlgorithm::Crc32);
            let begun = call.send().await.map_err(|error| failed("begin a file", key, error))?;
            let upload = begun.upload_id.unwrap_or_default();
            let begun = Paused { upload, parts: Vec::new(), bytes: 0, rest: String::new() };
            Ok(Box::new(Upload::of(self.clone(), key, begun, Vec::new())) as Box<dyn Writing>)
        })
    }

    fn resume<'a>(&'a self, key: &'a str, paused: &'a str) -> BoxFuture<'a, Result<Box<dyn Writing>>> {
        let paused = serde_json::from_str(paused);
        Box::pin(async move {
            let mut paused: Paused = paused.map_err(|error| failed("go on with a file", key, error))?;
            let rest = STANDARD.decode(std::mem::take(&mut paused.rest));
            let rest = rest.map_err(|error| failed("go on with a file", key, error))?;
            Ok(Box::new(Upload::of(self.clone(), key, paused, rest)) as Box<dyn Writing>)
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let removed = self.client.delete_object().bucket(&self.name).key(key).send().await;
            removed.map(|_| ()).map_err(|error| failed("remove a file", key, error))
        })
    }
}

impl Links for Bucket {
    fn link<'a>(&'a self, key: &'a str, name: &'a str, valid: Duration) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let valid = PresigningConfig::expires_in(valid).map_err(|error| failed("link to a file", key, error))?;
            let saved = format!("attachment; filename=\"{name}\"");
            let call = self.client.get_object().bucket(&self.name).key(key).response_content_disposition(saved);
            let link = call.presigned(valid).await.map_err(|error| failed("link to a file", key, error))?;
            Ok(link.uri().to_owned())
        })
    }
}

impl Archive for Bucket {
    fn write_once<'a>(&'a self, key: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let call = self.client.put_object().bucket(&self.name).key(key).if_none_match("*");
            // A bucket with Object Lock requires a checksum.
            let call = call.checksum_algorithm(ChecksumAlgorithm::Crc32).body(ByteStream::from(bytes));
            match call.send().await {
                Ok(_) => Ok(true),
                Err(error) if error.code() == Some("PreconditionFailed") => Ok(false),
                Err(error) => Err(failed("write a file", key, error)),
            }
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(async move {
            let got = match self.client.get_object().bucket(&self.name).key(key).send().await {
                Ok(got) => got,
                Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
                Err(error) => return Err(failed("read a file", key, error)),
            };
            let bytes = got.body.collect().await.map_err(|error| failed("read a file", key, error))?;
            Ok(Some(bytes.to_vec()))
        })
    }
}

/// The least size of a part except the last (S3).
const LEAST_PART: usize = 5 << 20;

/// A multipart upload. The bucket's lifecycle rule removes unfinished uploads.
struct Upload {
    bucket: Bucket,
    key: String,
    buffer: Vec<u8>,
    done: Paused,
}

/// The parts of an upload that are stored.
#[derive(Clone, Serialize, Deserialize)]
struct Paused {
    upload: String,
    parts: Vec<Part>,
    /// The number of bytes in these.
    bytes: u64,
    /// What a paused upload has besides, in base64.
    #[serde(default)]
    rest: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Part {
    tag: Option<String>,
    crc32: Option<String>,
}

impl Upload {
    fn of(bucket: Bucket, key: &str, done: Paused, buffer: Vec<u8>) -> Upload {
        Upload { bucket, key: key.to_owned(), buffer, done }
    }

    async fn send(&mut self) -> Result<()> {
        let number = self.done.parts.len() as i32 + 1;
        let part = std::mem::take(&mut self.buffer);
        self.done.bytes += part.len() as u64;
        let call = self.bucket.client.upload_part().bucket(&self.bucket.name).key(&self.key);
        let call = call.upload_id(&self.done.upload);
        let call = call.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let sent = call.part_number(number).body(ByteStream::from(part)).send().await;
        let sent = sent.map_err(|error| failed("write a file", &self.key, error))?;
        self.done.parts.push(Part { tag: sent.e_tag, crc32: sent.checksum_crc32 });
        Ok(())
    }
}

impl Writing for Upload {
    fn add<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.buffer.extend_from_slice(bytes);
            if self.buffer.len() >= PART_BYTES { self.send().await } else { Ok(()) }
        })
    }

    fn pause(&mut self) -> BoxFuture<'_, Result<String>> {
        Box::pin(async move {
            if self.buffer.len() >= LEAST_PART {
                self.send().await?;
            }
            let rest = STANDARD.encode(&self.buffer);
            let text = serde_json::to_string(&Paused { rest, ..self.done.clone() });
            text.map_err(|error| failed("pause a file", &self.key, error))
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<u64>> {
        Box::pin(async move {
            if !self.buffer.is_empty() || self.done.parts.is_empty() {
                self.send().await?;
            }
            let completed = |(number, part): (i32, Part)| {
                let completed = CompletedPart::builder().part_number(number).set_e_tag(part.tag);
                completed.set_checksum_crc32(part.crc32).build()
            };
            let parts = (1..).zip(std::mem::take(&mut self.done.parts)).map(completed).collect();
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            let call = self.bucket.client.complete_multipart_upload().bucket(&self.bucket.name).key(&self.key);
            let ended = call.upload_id(&self.done.upload).multipart_upload(parts).send().await;
            ended.map(|_| self.done.bytes).map_err(|error| failed("end a file", &self.key, error))
        })
    }
}
