//! The workers, and what a supervisor would do: start again what has ended.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use touchstone_testkit::wait_until;

use super::fault::N_WORKERS;
use crate::process::WorkerProcess;
use crate::support::LIMIT;

/// With this a worker may end by itself: another of its name took over, or a thread stood still for too long.
const GAVE_UP: i32 = 70;

pub(crate) struct Fleet {
    /// Settings without a name of the worker's own, which may be followed by more of `[kafka]`.
    settings: Box<dyn Fn(&str) -> String>,
    /// Those that are meant to run.
    workers: Vec<Option<WorkerProcess>>,
    /// The exit codes of workers that ended by themselves.
    pub(crate) ended: Vec<i32>,
    started: Instant,
}

impl Fleet {
    pub(crate) fn start(settings: impl Fn(&str) -> String + 'static) -> Result<Self> {
        let settings = Box::new(settings);
        let workers = (0..N_WORKERS).map(|_| None).collect();
        let mut fleet = Self { settings, workers, ended: Vec::new(), started: Instant::now() };
        (0..fleet.workers.len()).try_for_each(|worker| fleet.restart(worker))?;
        Ok(fleet)
    }

    /// The line of the settings that names a worker.
    pub(crate) fn name(worker: usize) -> String {
        format!("instance_id = \"worker-{worker}\"")
    }

    fn named(&self, worker: usize) -> String {
        (self.settings)(&Self::name(worker))
    }

    /// Starts what has ended by itself.
    pub(crate) fn supervise(&mut self) -> Result<()> {
        for worker in 0..self.workers.len() {
            let Some(process) = &mut self.workers[worker] else { continue };
            if let Some(status) = process.try_end()? {
                let code = status.code().unwrap_or(-1);
                eprintln!(
                    "{:8.1} s  worker {worker} ended with {code}",
                    self.started.elapsed().as_secs_f64()
                );
                if code != GAVE_UP {
                    bail!("worker {worker} ended with {status}");
                }
                self.ended.push(code);
                self.restart(worker)?;
            }
        }
        Ok(())
    }

    /// SIGKILL; it stays away until it is started again.
    pub(crate) fn kill(&mut self, worker: usize) -> Result<()> {
        // Should it have ended a moment before by itself, it is dead all the same.
        self.take(worker)?.kill_now()
    }

    pub(crate) fn restart(&mut self, worker: usize) -> Result<()> {
        self.workers[worker] = Some(WorkerProcess::start(&self.named(worker))?);
        Ok(())
    }

    /// Kills a worker where it stands in a commit, which it must be busy to come to.
    pub(crate) fn kill_in_commit(&mut self, worker: usize, step: &str) -> Result<()> {
        self.kill(worker)?;
        let mut held = WorkerProcess::start_held(&self.named(worker), step, 3)?;
        held.wait_held()?;
        held.kill_now()
    }

    pub(crate) fn stop(&mut self, worker: usize) -> Result<()> {
        let status = self.take(worker)?.terminate()?;
        ensure!(status.code() == Some(0), "a worker that was told to stop ended with {status}");
        Ok(())
    }

    /// The same for a worker that may have been started a moment ago: until it listens to SIGTERM, that is its end.
    pub(crate) fn stop_also_starting(&mut self, worker: usize) -> Result<()> {
        let status = self.take(worker)?.terminate()?;
        ensure!(
            status.code().is_none_or(|code| code == 0),
            "a worker that was told to stop ended with {status}"
        );
        Ok(())
    }

    pub(crate) fn freeze(&mut self, worker: usize, time: Duration) -> Result<()> {
        let process = self.workers[worker].as_ref().context("it does not run")?;
        process.freeze()?;
        std::thread::sleep(time);
        process.thaw()
    }

    /// Starts a second worker of the same name; the first must give way.
    pub(crate) fn twin(&mut self, worker: usize) -> Result<()> {
        let mut older = self.take(worker)?;
        self.restart(worker)?;
        wait_until("the older worker to give way", LIMIT, || Ok(older.try_end()?.is_some()))
    }

    pub(crate) fn extra(&mut self, stays: Duration) -> Result<()> {
        let extra = WorkerProcess::start(&(self.settings)(""))?;
        std::thread::sleep(stays);
        let status = extra.terminate()?;
        ensure!(status.code() == Some(0), "a worker that was told to stop ended with {status}");
        Ok(())
    }

    /// Stops all in good order.
    pub(crate) fn end(mut self) -> Result<()> {
        (0..self.workers.len()).try_for_each(|worker| self.stop(worker))
    }

    fn take(&mut self, worker: usize) -> Result<WorkerProcess> {
        self.workers[worker].take().context("it does not run")
    }
}
