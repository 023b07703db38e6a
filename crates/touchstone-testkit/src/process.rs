//! Signals and process lists without unsafe code: the shell's `kill`, and what `/proc` or `ps` say.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

/// Signals that the nodes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Please stop: Kafka shuts down cleanly.
    Term,
    /// Stop at once.
    Kill,
    /// Freeze.
    Stop,
    /// Thaw.
    Cont,
}

/// Sends a signal. `kill` is built into every shell, so no further program is needed.
pub(crate) fn send(signal: Signal, pid: u32) -> io::Result<()> {
    let name = match signal {
        Signal::Term => "TERM",
        Signal::Kill => "KILL",
        Signal::Stop => "STOP",
        Signal::Cont => "CONT",
    };
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\" 2>/dev/null", "sh", name, &pid.to_string()])
        .stdin(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("process {pid} cannot be sent SIG{name}")))
    }
}

/// The command line of a running process, its arguments joined by blanks; nothing if there is no such process or it is
/// only waiting to be reaped.
pub(crate) fn command_line(pid: u32) -> Option<String> {
    let text = if Path::new("/proc/self/cmdline").exists() {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    } else {
        let output = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Resident memory in bytes, where the system tells it.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wait::wait_until;

    #[test]
    fn a_running_process_has_a_command_line_and_a_dead_one_has_none() {
        let mut child = Command::new("sh").args(["-c", "read _"]).stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        // A process has no command line for the moment in which its program is being exchanged.
        wait_until("the command line", Duration::from_secs(10), || {
            Ok(command_line(pid).is_some_and(|line| line.contains("read _")))
        })
        .unwrap();
        send(Signal::Kill, pid).unwrap();
        child.wait().unwrap();
        assert_eq!(command_line(pid), None);
        assert!(send(Signal::Term, pid).is_err());
    }
}
