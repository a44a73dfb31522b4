//! Files: what is too large for an answer, and what nobody may change. S3, or a folder on one machine.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// The fewest bytes of a part that isn't the last (S3: 5 MiB).
pub const PART_BYTES: usize = 8 << 20;

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{what} {key}: {reason}")]
pub struct FileError {
    /// What was tried.
    pub what: &'static str,
    /// The file.
    pub key: String,
    /// What the other side said.
    pub reason: String,
}

type Result<T> = std::result::Result<T, FileError>;

/// A place that files are written to. Keys are ours: letters, digits, `_`, `-`, `.` and `/`.
///
/// What is done with files is split into three traits, because a function has all of a trait's calls in its program,
/// and none does more than one of the three.
pub trait Files: Send + Sync {
    /// Begins a file. Nobody sees it before it is finished; then it takes the place of what was there.
    fn begin<'a>(&'a self, key: &'a str, media_type: &'a str) -> BoxFuture<'a, Result<Box<dyn Writing>>>;

    /// Removes a file, if there is one.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;
}

/// A place that files are fetched from.
pub trait Links: Send + Sync {
    /// An address that anybody who has it can fetch the file from for some time, saved under a name.
    fn link<'a>(&'a self, key: &'a str, name: &'a str, valid: Duration) -> BoxFuture<'a, Result<String>>;
}

/// A place for small files that stay as they are.
pub trait Archive: Send + Sync {
    /// Writes a file, unless there is one by that name; says whether it did.
    fn write_once<'a>(&'a self, key: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>>;

    /// The bytes of a file, if there is one.
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>>>;
}

/// A file that is being written.
pub trait Writing: Send {
    /// Adds bytes.
    fn add<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>>;

    /// Ends the file, and says how many bytes it has.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<u64>>;
}

/// A bucket of S3.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// The bucket of this name, as a configuration of the SDK reaches it.
    pub fn shared(sdk: &aws_config::SdkConfig, name: &str) -> Arc<Bucket> {
        let mut config = aws_sdk_s3::config::Builder::from(sdk);
        // What stands for AWS on one machine has one name for all buckets.
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
            let upload = Upload {
                bucket: self.clone(),
                key: key.to_owned(),
                id: begun.upload_id.unwrap_or_default(),
                buffer: Vec::new(),
                parts: Vec::new(),
                bytes: 0,
            };
            Ok(Box::new(upload) as Box<dyn Writing>)
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
            // A bucket with a lock asks for a checksum.
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

/// A file on its way into a bucket, part by part. What isn't finished is removed by the bucket's rule.
struct Upload {
    bucket: Bucket,
    key: String,
    id: String,
    buffer: Vec<u8>,
    parts: Vec<CompletedPart>,
    bytes: u64,
}

impl Upload {
    async fn send(&mut self) -> Result<()> {
        let number = self.parts.len() as i32 + 1;
        let part = std::mem::take(&mut self.buffer);
        let call = self.bucket.client.upload_part().bucket(&self.bucket.name).key(&self.key).upload_id(&self.id);
        let call = call.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let sent = call.part_number(number).body(ByteStream::from(part)).send().await;
        let sent = sent.map_err(|error| failed("write a file", &self.key, error))?;
        let done = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        self.parts.push(done.set_checksum_crc32(sent.checksum_crc32).build());
        Ok(())
    }
}

impl Writing for Upload {
    fn add<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.bytes += bytes.len() as u64;
            self.buffer.extend_from_slice(bytes);
            if self.buffer.len() >= PART_BYTES { self.send().await } else { Ok(()) }
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<u64>> {
        Box::pin(async move {
            if !self.buffer.is_empty() || self.parts.is_empty() {
                self.send().await?;
            }
            let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
            let call = self.bucket.client.complete_multipart_upload().bucket(&self.bucket.name).key(&self.key);
            let ended = call.upload_id(&self.id).multipart_upload(parts).send().await;
            ended.map(|_| self.bytes).map_err(|error| failed("end a file", &self.key, error))
        })
    }
}
