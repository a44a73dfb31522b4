//! File storage in a folder, with signed download links: the counterpart of S3 on one machine.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse as _;
use daybook_jobs::files::{Archive, FileError, Files, Links, Writing};
use daybook_store::{Env, Purpose};
use futures::future::BoxFuture;
use futures::stream::try_unfold;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::{NamedTempFile, TempPath};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

type Result<T> = std::result::Result<T, FileError>;

/// The bytes of a file that are read at once.
const CHUNK: usize = 64 * 1024;

/// A folder of files.
#[derive(Clone, Debug)]
pub struct Folder {
    env: Arc<Env>,
    path: PathBuf,
}

/// The query parameters of a download link.
#[derive(Deserialize)]
pub struct Signed {
    name: String,
    expires: i64,
    signature: String,
}

impl Folder {
    /// The file storage in a folder, which is created with its first file.
    pub fn at(env: Arc<Env>, path: PathBuf) -> Folder {
        Folder { env, path }
    }

    fn file(&self, what: &'static str, key: &str) -> Result<PathBuf> {
        let plain = FilePath::new(key).components().all(|part| matches!(part, Component::Normal(_)));
        match plain {
            true => Ok(self.path.join(key)),
            false => Err(failed(what, key)(io::Error::new(ErrorKind::InvalidInput, "not a plain path"))),
        }
    }

    /// Serves a download link made by [`Links::link`].
    pub async fn serve(
        State(folder): State<Folder>,
        Path(key): Path<String>,
        Query(query): Query<Signed>,
    ) -> axum::response::Response {
        let Signed { name, expires, signature } = query;
        let message = signed(&key, &name, expires);
        let genuine = folder.env.keys.verify(Purpose::File, message.as_bytes(), &signature);
        if !genuine || expires < folder.env.clock.now().as_second() {
            return (StatusCode::FORBIDDEN, "The link is invalid or has expired; read the job again.").into_response();
        }
        let Some((body, bytes)) = folder.stream(&key).await else {
            return (StatusCode::NOT_FOUND, "The file no longer exists.").into_response();
        };
        let mut answer = Response::new(body);
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        let kind = if name.ends_with(".csv") { "text/csv; charset=utf-8" } else { "application/json" };
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Ok(saved) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
            answer.headers_mut().insert(CONTENT_DISPOSITION, saved);
        }
        answer
    }

    /// The content of a file, read as the client takes it, and its size; none if the file can't be read.
    async fn stream(&self, key: &str) -> Option<(Body, u64)> {
        let file = File::open(self.file("read a file", key).ok()?).await.ok()?;
        let bytes = file.metadata().await.ok()?.len();
        let chunks = try_unfold(file, |mut file| async move {
            let mut chunk = vec![0; CHUNK];
            let read = file.read(&mut chunk).await?;
            chunk.truncate(read);
            Ok::<_, io::Error>((read > 0).then_some((chunk, file)))
        });
        Some((Body::from_stream(chunks), bytes))
    }

    /// Removes files that are older than the retention time.
    pub fn tidy(&self, kept: Duration) -> io::Result<()> {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            let folder = entry.path();
            if folder.is_dir() {
                Folder { path: folder, ..self.clone() }.tidy(kept)?;
            } else if entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > kept) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The text that a download link's signature covers.
fn signed(key: &str, name: &str, expires: i64) -> String {
    format!("{key}|{name}|{expires}")
}

fn failed(what: &'static str, key: &str) -> impl FnOnce(io::Error) -> FileError {
    let key = key.to_owned();
    move |error| FileError { what, key, reason: error.to_string() }
}

/// A new temporary file in the target's folder.
fn temporary(what: &'static str, key: &str, file: &FilePath) -> Result<NamedTempFile> {
    let folder = file.parent().unwrap_or(file);
    std::fs::create_dir_all(folder).and_then(|()| NamedTempFile::new_in(folder)).map_err(failed(what, key))
}

impl Files for Folder {
    fn begin<'a>(&'a self, key: &'a str, _: &'a str) -> BoxFuture<'a, Result<Box<dyn Writing>>> {
        Box::pin(async move {
            let place = self.file("begin a file", key)?;
            let file = temporary("begin a file", key, &place)?;
            Ok(Box::new(PartialFile { key: key.to_owned(), place, file, bytes: 0 }) as Box<dyn Writing>)
        })
    }

    fn resume<'a>(&'a self, key: &'a str, paused: &'a str) -> BoxFuture<'a, Result<Box<dyn Writing>>> {
        Box::pin(async move {
            let what = "go on with a file";
            let place = self.file(what, key)?;
            let unreadable = |error| failed(what, key)(io::Error::new(ErrorKind::InvalidData, error));
            let Paused { name, bytes } = serde_json::from_str(paused).map_err(unreadable)?;
            let path = place.with_file_name(name);
            let open = |path: &FilePath| {
                let mut file = OpenOptions::new().read(true).write(true).open(path)?;
                file.set_len(bytes)?;
                file.seek(SeekFrom::End(0))?;
                Ok(file)
            };
            let file = open(&path).map_err(failed(what, key))?;
            let mut path = TempPath::try_from_path(&path).map_err(failed(what, key))?;
            // Kept when this attempt pauses or fails. Removed by `tidy`, where no attempt finishes it.
            path.disable_cleanup(true);
            let file = NamedTempFile::from_parts(file, path);
            Ok(Box::new(PartialFile { key: key.to_owned(), place, file, bytes }) as Box<dyn Writing>)
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match std::fs::remove_file(self.file("remove a file", key)?) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove a file", key)(error)),
                _ => Ok(()),
            }
        })
    }
}

impl Links for Folder {
    fn link<'a>(&'a self, key: &'a str, name: &'a str, valid: Duration) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let Env { keys, settings, clock, .. } = &*self.env;
            let expires = clock.now().plus(valid).as_second();
            let signature = keys.sign(Purpose::File, signed(key, name, expires).as_bytes());
            let url = &settings.public_url;
            Ok(format!("{url}/_local/files/{key}?name={name}&expires={expires}&signature={signature}"))
        })
    }
}

impl Archive for Folder {
    fn write_once<'a>(&'a self, key: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let what = "write a file";
            let place = self.file(what, key)?;
            let mut file = temporary(what, key, &place)?;
            file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(failed(what, key))?;
            match file.persist_noclobber(&place) {
                Ok(_) => Ok(true),
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(failed(what, key)(error.error)),
            }
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>>> {
        Box::pin(async move {
            match std::fs::read(self.file("read a file", key)?) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed("read a file", key)(error)),
            }
        })
    }
}

/// A file that is being written.
struct PartialFile {
    key: String,
    place: PathBuf,
    file: NamedTempFile,
    bytes: u64,
}

/// A file that is written on later.
#[derive(Serialize, Deserialize)]
struct Paused {
    /// The name of the temporary file, in the folder of the file that it becomes.
    name: String,
    bytes: u64,
}

impl Writing for PartialFile {
    fn add<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        self.bytes += bytes.len() as u64;
        let written = self.file.write_all(bytes).map_err(failed("write a file", &self.key));
        Box::pin(async { written })
    }

    fn pause(&mut self) -> BoxFuture<'_, Result<String>> {
        let name = self.file.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let paused = Paused { name: name.unwrap_or_default(), bytes: self.bytes };
        // Kept when this is dropped; `tidy` removes it where no job goes on with it.
        self.file.disable_cleanup(true);
        let text = self.file.as_file().sync_all().and_then(|()| Ok(serde_json::to_string(&paused)?));
        let text = text.map_err(failed("pause a file", &self.key));
        Box::pin(async { text })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<u64>> {
        let PartialFile { key, place, file, bytes } = *self;
        let ended = file.as_file().sync_all().and_then(|()| file.persist(&place).map_err(|error| error.error));
        let ended = ended.map(|_| bytes).map_err(failed("end a file", &key));
        Box::pin(async { ended })
    }
}
