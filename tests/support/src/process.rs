//! Processes that die: runtimes of their own, whose tasks end wherever they are.

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, spawn_blocking};

/// A runtime of its own, in which requests are answered and messages processed as in another process.
#[derive(Debug)]
pub struct Process {
    runtime: Option<Runtime>,
}

impl Process {
    /// A new process.
    pub fn start() -> Process {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        Process { runtime: Some(runtime) }
    }

    /// Begins work in the process.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.runtime.as_ref().expect("it runs until it is dropped").spawn(work)
    }

    /// Ends all work of the process at once, without letting it finish, as `kill -9` does. Returns when it has ended.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take();
        spawn_blocking(move || drop(runtime)).await.expect("a runtime that ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
