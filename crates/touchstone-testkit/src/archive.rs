//! Recording a class-data archive, which halves the time and the processor seconds that a broker needs to start.
//!
//! Java spends most of a broker's start on loading and verifying some ten thousand classes. An archive of them (JEP 350)
//! is recorded once by starting a node and stopping it cleanly. Java itself checks that archive, jars and its own build
//! belong together and goes on without the archive otherwise, so a stale one costs time and nothing else.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process};

use anyhow::{Context, Result};

use crate::guardian::Guardian;
use crate::installation::{Installation, remove_folder};
use crate::layout::Layout;
use crate::node::{self, Started};
use crate::ports;
use crate::process::{Signal, send};
use crate::wait::wait_until;

/// The archive for this Java and these jars in `folder`, recorded now if there is none. An empty file stands for a
/// recording that failed: brokers then start without, and it is not tried again. The caller holds the folder's lock.
pub(crate) fn find_or_record(installation: &Installation, folder: &Path) -> Result<Option<PathBuf>> {
    let mut hasher = DefaultHasher::new();
    installation.java.version.hash(&mut hasher);
    installation.class_path.hash(&mut hasher);
    let archive = folder.join(format!("classes-{:016x}.jsa", hasher.finish()));
    if !archive.exists() {
        let fresh = folder.join("classes.tmp");
        if record(installation, &fresh).is_err() || !fresh.exists() {
            fs::write(&fresh, "").with_context(|| format!("cannot write {}", fresh.display()))?;
        }
        fs::rename(&fresh, &archive).with_context(|| format!("cannot rename to {}", archive.display()))?;
    }
    let n_bytes = fs::metadata(&archive).with_context(|| format!("cannot read {}", archive.display()))?.len();
    Ok((n_bytes > 0).then_some(archive))
}

/// Starts one node on throw-away data and stops it cleanly, which is when Java writes the archive.
fn record(installation: &Installation, archive: &Path) -> Result<()> {
    let ports = ports::reserve()?;
    let folder = env::temp_dir().join(format!("touchstone-kafka-archive-{}", process::id()));
    remove_folder(&folder)?;
    let mut guardian = Guardian::start(Some(&folder))?;
    let layout = Layout::new(1, ports.base, &folder)?;
    node::format_all(installation, &layout)?;
    let mut option = std::ffi::OsString::from("-XX:ArchiveClassesAtExit=");
    option.push(archive);
    let mut child = node::spawn(installation, &layout, 1, &[option])?;
    guardian.watch(child.id())?;
    let ready = node::wait_ready(&layout, &[1], &[Started { id: 1, log_offset: 0 }], |_| {
        Ok(child.try_wait()?.is_none())
    });
    send(Signal::Term, child.id())?;
    ready?;
    wait_until("Java to write its class archive", Duration::from_secs(60), || {
        Ok(child.try_wait()?.is_some())
    })?;
    guardian.forget(child.id())
}
