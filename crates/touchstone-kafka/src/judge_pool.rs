//! The threads that judge. They live as long as the worker; sessions with Kafka come and go.

use std::panic;
use std::sync::{Arc, Once};
use std::thread::{self, JoinHandle};

use crate::Error;
use crate::queue::WorkQueue;
use crate::stage::{Stages, Task};

/// How much work a thread takes at once: few enough that two threads share a burst of listings.
const TAKE: usize = 8;

/// The prefix of the names of threads that judge; see [`quiet_panics`].
const THREAD_NAME: &str = "judge-";

pub(crate) struct JudgePool {
    queue: Arc<WorkQueue<Task>>,
    threads: Vec<JoinHandle<()>>,
}

impl JudgePool {
    pub(crate) fn start(stages: &Arc<Stages>, n_threads: usize) -> Result<Self, Error> {
        quiet_panics();
        let queue = Arc::clone(&stages.queue);
        let start = |idx| {
            let stages = Arc::clone(stages);
            thread::Builder::new().name(format!("{THREAD_NAME}{idx}")).spawn(move || run(&stages))
        };
        let threads = (0..n_threads).map(start).collect::<Result<_, _>>().map_err(Error::Thread)?;
        Ok(Self { queue, threads })
    }
}

impl Drop for JudgePool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A judge's panics are caught for each listing, so there is nothing to be learnt here.
            let _ = thread.join();
        }
    }
}

fn run(stages: &Arc<Stages>) {
    while let Some(tasks) = stages.queue.take(TAKE) {
        for task in tasks {
            stages.work(task);
        }
    }
}

/// A panic while judging is caught and becomes a dead letter. Its message may quote the listing, which must not be logged,
/// so on threads that judge only the place in the code is reported.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = thread::current();
            if thread.name().is_some_and(|name| name.starts_with(THREAD_NAME)) {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                tracing::error!(place, "a stage panicked");
            } else {
                previous(info);
            }
        }));
    });
}
