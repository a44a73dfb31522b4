//! A thread that writes, so that those who read don't wait behind a disk that is busy.

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

    /// Has work done; whether anybody waits for its outcome or not.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        // Whoever waits hears of it where the thread is gone, as the job goes with it.
        let _ = self.0.send(Box::new(move || drop(tell.send(work()))));
        told
    }
}
