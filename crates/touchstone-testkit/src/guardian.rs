//! The process that outlives us: kills the nodes and removes their folder when this process is gone, however it went.
//!
//! A shell reads commands from a pipe of which we hold the only writing end. The kernel closes that end when we exit or
//! are killed, the shell sees the end of its input, and cleans up. The parent-death signal of Linux would not do: it is
//! sent when the *thread* that started the child ends, and test harnesses start a thread for every test.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};

/// `$1` is the folder to remove, or empty. Signals meant for the whole terminal must not stop the guardian early.
/// Removing is repeated for a moment, as a node that is being killed may still create a file.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=
while read -r verb pid; do
  case $verb in
    watch) pids="$pids $pid" ;;
    forget)
      kept=
      for p in $pids; do [ "$p" = "$pid" ] || kept="$kept $p"; done
      pids=$kept ;;
  esac
done
for p in $pids; do kill -s KILL "$p" 2>/dev/null; done
tries=0
while [ -n "$1" ] && [ -e "$1" ] && [ "$tries" -lt 50 ]; do
  rm -rf -- "$1" 2>/dev/null || sleep 0.1
  tries=$((tries + 1))
done
"#;

/// A running guardian. Dropping it makes it act and waits until it has.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
    /// The writing end; `None` only while being dropped.
    commands: Option<ChildStdin>,
}

impl Guardian {
    /// Starts one that will remove `folder` (if given) at the end.
    pub(crate) fn start(folder: Option<&Path>) -> Result<Self> {
        let mut shell = Command::new("sh")
            .arg("-c")
            .arg(SCRIPT)
            .arg("touchstone-guardian")
            .arg(folder.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group, so that a signal to ours leaves it the time to clean up.
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let commands = shell.stdin.take();
        Ok(Self { shell, commands })
    }

    /// From now on the process is killed when we are gone.
    pub(crate) fn watch(&mut self, pid: u32) -> Result<()> {
        self.say("watch", pid)
    }

    /// The process is dead but not yet reaped. Say so before reaping, since afterwards the number may be given away.
    pub(crate) fn forget(&mut self, pid: u32) -> Result<()> {
        self.say("forget", pid)
    }

    fn say(&mut self, verb: &str, pid: u32) -> Result<()> {
        let pipe = self.commands.as_mut().context("the guardian has been dismissed")?;
        writeln!(pipe, "{verb} {pid}").context("the guardian of the Kafka nodes is gone")
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.commands.take());
        // Nothing is left to do about a shell that cannot be waited for.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sh").args(["-c", "read _"]).stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn the_end_of_the_guarded_process_kills_what_is_watched_and_removes_the_folder() {
        let folder = std::env::temp_dir().join(format!("touchstone-guardian-{}", std::process::id()));
        fs::create_dir_all(folder.join("data")).unwrap();
        let (mut watched, mut forgotten) = (sleeper(), sleeper());
        let mut guardian = Guardian::start(Some(&folder)).unwrap();
        guardian.watch(watched.id()).unwrap();
        guardian.watch(forgotten.id()).unwrap();
        guardian.forget(forgotten.id()).unwrap();
        drop(guardian);
        assert!(!watched.wait().unwrap().success());
        assert!(forgotten.try_wait().unwrap().is_none());
        assert!(!folder.exists());
        forgotten.kill().unwrap();
        forgotten.wait().unwrap();
    }
}
