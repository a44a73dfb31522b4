//! The turn of a job: after some time of work it stores how far it came, and others get theirs.

use daybook_domain::job::Job;
use daybook_store::Env;
use std::time::{Duration, Instant};

/// A job's turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    began: Instant,
    lasts: Duration,
}

impl Turn {
    /// A turn that begins now.
    pub fn begin(env: &Env) -> Turn {
        Turn { began: Instant::now(), lasts: env.settings.job_turn }
    }

    /// Whether it is over. A job asks after each step, so that every turn makes one.
    pub fn is_over(&self) -> bool {
        self.began.elapsed() >= self.lasts
    }
}

/// How far a job came in its turn.
#[derive(Debug)]
pub enum Progress {
    /// It is done, or has failed for good.
    Ended(Box<Job>),
    /// It has stored how far it came, and goes on in its next turn.
    Paused,
}

impl From<Job> for Progress {
    fn from(job: Job) -> Progress {
        Progress::Ended(Box::new(job))
    }
}
