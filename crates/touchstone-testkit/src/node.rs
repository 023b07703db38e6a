//! One node: formatting its folder, starting its process, and knowing when it is ready.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::installation::Installation;
use crate::layout::Layout;
use crate::metadata::brokers_seen_by;
use crate::wait::wait_until;

/// Three nodes of this size and a worker fit into 4 GB. The quick compiler alone (tier 1) starts fastest and is fast enough for tests.
const JVM_OPTIONS: [&str; 7] = [
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
];

/// A node takes 1 to 4 s to start on an idle machine; this is for a busy one.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long one broker may take to answer one question.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A node that was just started: readiness is looked for in what its log says from `log_offset` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    pub(crate) id: usize,
    pub(crate) log_offset: u64,
}

/// Writes every node's settings and formats its data folder, all nodes at once.
pub(crate) fn format_all(installation: &Installation, layout: &Layout) -> Result<()> {
    let cluster_id = random_cluster_id();
    let mut formatters = Vec::new();
    for id in layout.ids() {
        let folder = layout.node_folder(id);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let settings = layout.settings_file(id);
        fs::write(&settings, layout.settings(id))
            .with_context(|| format!("cannot write {}", settings.display()))?;
        let mut command = java(installation);
        // A cluster id may begin with a hyphen, which only the joined form keeps from being read as an option.
        command.args(["kafka.tools.StorageTool", "format", &format!("--cluster-id={cluster_id}")]);
        command.arg("--config").arg(&settings).stdout(Stdio::null()).stderr(Stdio::piped());
        formatters.push((id, command.spawn().context("cannot start java")?));
    }
    for (id, formatter) in formatters {
        let output = formatter.wait_with_output().context("cannot wait for java")?;
        ensure!(
            output.status.success(),
            "Kafka cannot format the folder of node {id}:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Starts the node in a process group of its own; its output is appended to its log.
pub(crate) fn spawn(
    installation: &Installation,
    layout: &Layout,
    id: usize,
    more_jvm_options: &[OsString],
) -> Result<Child> {
    let path = layout.log_file(id);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let both = log.try_clone().with_context(|| format!("cannot open {} twice", path.display()))?;
    java_with(installation, more_jvm_options)
        .arg("kafka.Kafka")
        .arg(layout.settings_file(id))
        .stdout(log)
        .stderr(both)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", installation.java.program.display()))
}

/// Where the log of a node ends now; taken before [`spawn`].
pub(crate) fn log_offset(layout: &Layout, id: usize) -> u64 {
    fs::metadata(layout.log_file(id)).map_or(0, |metadata| metadata.len())
}

/// Waits until each of the `running` nodes sees all of them, and until those just `started` say that they are.
///
/// The log is asked as well because a broker answers a moment before it is unfenced, and because after a quick restart
/// the other brokers may still hold the node's previous life to be alive. `is_alive` tells whether a process still runs.
pub(crate) fn wait_ready(
    layout: &Layout,
    running: &[usize],
    started: &[Started],
    mut is_alive: impl FnMut(usize) -> Result<bool>,
) -> Result<()> {
    let result = wait_until("all brokers to see each other", READY_LIMIT, || {
        for &id in running {
            if !is_alive(id)? {
                bail!("node {id} ended while it was starting");
            }
        }
        Ok(started.iter().all(|&node| says_started(layout, node))
            && running.iter().all(|&id| sees_all(layout, id, running)))
    });
    result.with_context(|| {
        let tails: Vec<_> = running
            .iter()
            .map(|&id| format!("--- the end of {}\n{}", layout.log_file(id).display(), log_tail(layout, id)))
            .collect();
        format!("Kafka did not get ready\n{}", tails.join("\n"))
    })
}

fn says_started(layout: &Layout, node: Started) -> bool {
    read_from(&layout.log_file(node.id), node.log_offset)
        .is_ok_and(|text| text.contains("Kafka Server started"))
}

fn sees_all(layout: &Layout, id: usize, wanted: &[usize]) -> bool {
    sees(layout, id).is_some_and(|seen| wanted.iter().all(|id| seen.contains(id)))
}

/// The nodes that node `id` holds to be alive; nothing if it does not answer.
pub(crate) fn sees(layout: &Layout, id: usize) -> Option<Vec<usize>> {
    let seen = brokers_seen_by(layout.broker_address(id), ANSWER_LIMIT).ok()?;
    Some(seen.into_iter().filter_map(|id| usize::try_from(id).ok()).collect())
}

/// The last lines of a node's log, for messages.
fn log_tail(layout: &Layout, id: usize) -> String {
    let text = read_from(&layout.log_file(id), 0).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn read_from(path: &Path, offset: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn java(installation: &Installation) -> Command {
    java_with(installation, &[])
}

fn java_with(installation: &Installation, more_jvm_options: &[OsString]) -> Command {
    let mut command = Command::new(&installation.java.program);
    command.args(JVM_OPTIONS).args(more_jvm_options);
    if let Some(archive) = &installation.archive {
        let mut option = OsString::from("-XX:SharedArchiveFile=");
        option.push(archive);
        command.arg(option);
    }
    let mut option = OsString::from("-Dlog4j2.configurationFile=");
    option.push(&installation.log_settings);
    command.arg(option).arg("-cp").arg(&installation.class_path).stdin(Stdio::null());
    // Options that a user's shell sets for other programs must not change the brokers.
    command.env_remove("JAVA_TOOL_OPTIONS").env_remove("JDK_JAVA_OPTIONS").env_remove("CLASSPATH");
    command
}

/// 16 random bytes in URL-safe base 64 without padding: the form of Kafka's own ids.
fn random_cluster_id() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let random = RandomState::new();
    let bits = u128::from(random.hash_one(0)) << 64 | u128::from(random.hash_one(1));
    // 22 digits hold 132 bits; the last four of them are zero.
    let first = (0..21).map(|i| bits >> (122 - 6 * i) & 63);
    let last = std::iter::once(bits << 4 & 63);
    first.chain(last).map(|digit| char::from(DIGITS[usize::try_from(digit).unwrap_or(0)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_ids_have_22_digits_and_differ() {
        let (first, second) = (random_cluster_id(), random_cluster_id());
        assert_eq!(first.len(), 22);
        assert_ne!(first, second);
    }
}
