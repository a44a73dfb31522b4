//! A thread that writes, so that reads don't wait for a busy disk.

use std::io;
use std::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that carries out one piece of work after the other. It ends when this is dropped and nothing is left to do.
#[derive(Debug)]
pub struct Writer(Sender<Job>);

impl Writer {
    /// Starts the thread.
    pub fn start() -> io::Result<Writer> {
        let (jobs, work) = channel::<Job>();
        std::thread::Builder::new().name("table-write".to_owned()).spawn(move || {
            for job in work {
                job();
            }
        })?;
        Ok(Writer(jobs))
    }

    /// Has work done, also where the caller doesn't wait for its outcome.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        // If the thread is gone, the job is dropped, and the receiver gets an error.
        let _ = self.0.send(Box::new(move || drop(tell.send(work()))));
        told
    }
}
