//! A worker in a process of its own, which can be killed: this test binary, started again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::{env, process, thread};

use anyhow::{Context, Result, bail};
use touchstone_kafka::{Judging, Settings, run};
use touchstone_testkit::wait_until;

use crate::life::judging;
use crate::support::{LIMIT, StubJudging, log};

/// Settings as TOML, for the test below.
const SETTINGS: &str = "TOUCHSTONE_TEST_WORKER_SETTINGS";

/// With this line in its settings a worker judges as `touchstone run` does.
pub(crate) const PIPELINE: &str = "# judges with the pipeline";

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
        let judging: Box<dyn Judging> = match text.contains(PIPELINE) {
            true => Box::new(judging()),
            false => Box::new(StubJudging::default()),
        };
        run(&settings, judging, shutdown).await
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
pub(crate) struct WorkerProcess {
    child: Child,
    /// Where it stands still, once it does.
    held: Option<Receiver<String>>,
}

impl WorkerProcess {
    pub(crate) fn start(settings: &str) -> Result<Self> {
        let child = Self::command(settings)?.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Ok(Self { child: child.context("cannot start the worker process")?, held: None })
    }

    /// A worker that will stand still when it passes a place for the `nth` time; see `src/failpoint.rs`.
    pub(crate) fn start_held(settings: &str, place: &str, nth: u32) -> Result<Self> {
        let mut command = Self::command(settings)?;
        command.env("TOUCHSTONE_HOLD_AT", format!("{place}@{nth}"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        let (sender, held) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(place) = line.strip_prefix("held at ") {
                    // The test may be over.
                    let _ = sender.send(place.to_owned());
                }
            }
        });
        Ok(Self { child, held: Some(held) })
    }

    fn command(settings: &str) -> Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["process::worker_process", "--exact", "--nocapture"]).env(SETTINGS, settings);
        Ok(command)
    }

    /// Waits until it stands still.
    pub(crate) fn wait_held(&self) -> Result<()> {
        let held = self.held.as_ref().context("it was not asked to stand still")?;
        held.recv_timeout(LIMIT).map(drop).context("the worker did not come to the place")
    }

    /// Whether it has come to stand still since this was asked last.
    pub(crate) fn try_held(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.try_recv().is_ok())
    }

    /// Lets it go on.
    pub(crate) fn release(&mut self) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("no stdin")?;
        Ok(stdin.write_all(b"go on\n")?)
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the worker ended by itself: {status}");
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waiting for the end.
    pub(crate) fn terminate(self) -> Result<ExitStatus> {
        self.signal("-TERM")?;
        self.wait_end()
    }

    /// Waits for the end.
    pub(crate) fn wait_end(mut self) -> Result<ExitStatus> {
        let mut status = None;
        wait_until("the worker to end", LIMIT, || {
            status = self.child.try_wait()?;
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

    /// SIGKILL, also to one that has ended already.
    pub(crate) fn kill_now(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// How it ended, if it has.
    pub(crate) fn try_end(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status()?;
        anyhow::ensure!(sent.success(), "cannot send {name}");
        Ok(())
    }

    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
