//! A dedicated thread for writes, so that reads don't wait for a busy disk.

use std::io;
use std::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that runs jobs one after the other. It ends when this is dropped and its queue is empty.
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

    /// Queues a job, which runs even if the caller drops the receiver of its result.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (done, outcome) = oneshot::channel();
        // If the thread is gone, the job is dropped, and the receiver gets an error.
        let _ = self.0.send(Box::new(move || drop(done.send(work()))));
        outcome
    }
}
