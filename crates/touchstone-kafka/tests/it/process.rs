//! A worker in a process of its own, which can be killed: this test binary, started again.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::{env, process};

use anyhow::{Context, Result, bail};
use touchstone_kafka::{Settings, run};
use touchstone_testkit::wait_until;

use crate::support::{LIMIT, StubJudging, log};

/// Settings as TOML, for the test below.
const SETTINGS: &str = "TOUCHSTONE_TEST_WORKER_SETTINGS";

/// Not a test of its own: the entry of the worker process. Without the variable it does nothing.
#[test]
fn worker_process() {
    let Ok(text) = env::var(SETTINGS) else { return };
    let settings = Settings::from_toml(&text).unwrap();
    log();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let shutdown = async {
            term.recv().await;
        };
        run(&settings, Box::new(StubJudging::default()), shutdown).await
    });
    let code = match result {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("worker {}: {error}: {:?}", process::id(), std::error::Error::source(&error));
            i32::from(error.exit_code())
        }
    };
    process::exit(code);
}

/// A running worker process; killed when dropped.
pub(crate) struct WorkerProcess(Child);

impl WorkerProcess {
    pub(crate) fn start(settings: &str) -> Result<Self> {
        let child = Command::new(env::current_exe()?)
            .args(["process::worker_process", "--exact", "--nocapture"])
            .env(SETTINGS, settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the worker process")?;
        Ok(Self(child))
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        if let Some(status) = self.0.try_wait()? {
            bail!("the worker ended by itself: {status}");
        }
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// SIGTERM, and waiting for the end.
    pub(crate) fn terminate(mut self) -> Result<ExitStatus> {
        self.signal("-TERM")?;
        let mut status = None;
        wait_until("the worker to end", LIMIT, || {
            status = self.0.try_wait()?;
            Ok(status.is_some())
        })?;
        status.context("ended without a status")
    }

    /// SIGSTOP: everything stands still, connections stay open.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status()?;
        anyhow::ensure!(sent.success(), "cannot send {name}");
        Ok(())
    }

    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
