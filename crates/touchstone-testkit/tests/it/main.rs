//! Real nodes: that they get ready, survive being killed, leave nothing behind, and that the proxy breaks what it should.

#![expect(clippy::unwrap_used, reason = "a helper that fails must fail its test")]

mod proxy;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use touchstone_testkit::{DetachedCluster, KafkaCluster, brokers_seen_by, kafka_folder, wait_until};

const LIMIT: Duration = Duration::from_secs(5);

fn exists(pid: u32) -> bool {
    Command::new("sh")
        .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", &pid.to_string()])
        .status()
        .unwrap()
        .success()
}

fn seen_by(cluster: &KafkaCluster, id: usize) -> Vec<i32> {
    let bootstrap = cluster.bootstrap();
    let address = bootstrap.split(',').nth(id - 1).unwrap().parse().unwrap();
    brokers_seen_by(address, LIMIT).unwrap().into_iter().collect()
}

#[test]
fn one_node_gets_ready_and_leaves_nothing_behind() {
    let cluster = KafkaCluster::start(1).unwrap();
    let pid = cluster.pid(1).unwrap();
    let folder = cluster.folder();
    assert_eq!(seen_by(&cluster, 1), [1]);
    assert!(exists(pid) && folder.exists());
    drop(cluster);
    assert!(!exists(pid));
    assert!(!folder.exists());
}

#[test]
fn a_killed_node_of_three_is_missed_and_welcomed_back() {
    let cluster = KafkaCluster::start(3).unwrap();
    for id in 1..=3 {
        assert_eq!(seen_by(&cluster, id), [1, 2, 3]);
    }
    let old = cluster.pid(2).unwrap();
    cluster.kill(2).unwrap();
    assert!(!exists(old));
    assert!(cluster.kill(2).is_err());
    cluster.wait_until_gone(2).unwrap();
    assert_eq!(seen_by(&cluster, 1), [1, 3]);
    cluster.restart(2).unwrap();
    assert_ne!(cluster.pid(2), Some(old));
    for id in 1..=3 {
        assert_eq!(seen_by(&cluster, id), [1, 2, 3]);
    }
    let pids: Vec<_> = (1..=3).map(|id| cluster.pid(id).unwrap()).collect();
    drop(cluster);
    assert!(!pids.into_iter().any(exists));
}

/// Runs this binary's [`holds_a_cluster`] in a process of its own and kills it in the middle.
#[test]
fn a_killed_test_process_takes_its_nodes_along() {
    let note = std::env::temp_dir().join(format!("touchstone-testkit-{}", std::process::id()));
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_cluster"])
        .env("TOUCHSTONE_TESTKIT_NOTE", &note)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the inner test to start its node", Duration::from_secs(180), || Ok(note.exists())).unwrap();
    let text = std::fs::read_to_string(&note).unwrap();
    std::fs::remove_file(&note).unwrap();
    let (pid, folder) = text.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    assert!(exists(pid));
    test.kill().unwrap();
    test.wait().unwrap();
    wait_until("the guardian to clean up", Duration::from_secs(30), || {
        Ok(is_gone(pid) && !Path::new(folder).exists())
    })
    .unwrap();
}

/// An orphan that nobody reaps, as in a container without an init process, counts as gone.
fn is_gone(pid: u32) -> bool {
    !exists(pid) || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|bytes| bytes.is_empty())
}

/// Does nothing unless the test above calls it; then it holds a node until it is killed.
#[test]
fn holds_a_cluster() {
    let Some(note) = std::env::var_os("TOUCHSTONE_TESTKIT_NOTE") else { return };
    let cluster = KafkaCluster::start(1).unwrap();
    let text = format!("{} {}", cluster.pid(1).unwrap(), cluster.folder().display());
    let unfinished = Path::new(&note).with_extension("part");
    std::fs::write(&unfinished, text).unwrap();
    std::fs::rename(unfinished, note).unwrap();
    loop {
        std::thread::park();
    }
}

/// Removes a detached cluster also when the test fails, since nobody else would.
struct Purge(PathBuf);

impl Drop for Purge {
    fn drop(&mut self) {
        if let Ok(cluster) = DetachedCluster::open(&self.0) {
            cluster.purge().unwrap();
        }
    }
}

#[test]
fn a_detached_node_is_found_again_by_its_folder() {
    let folder = kafka_folder().join(format!("detached-test-{}", std::process::id()));
    let _purge = Purge(folder.clone());
    // Below the ports that other clusters choose from, and different for test runs at the same time.
    let base_port = 10_000 + u16::try_from(std::process::id() % 500).unwrap() * 16;
    let up = DetachedCluster::up(1, base_port, &folder).unwrap();
    assert_eq!(up.bootstrap(), format!("127.0.0.1:{base_port}"));
    drop(up);
    let again = DetachedCluster::open(&folder).unwrap();
    let pid = again.status()[0].pid.unwrap();
    assert_eq!(again.status()[0].sees.as_deref(), Some([1].as_slice()));
    again.kill(1).unwrap();
    assert!(is_gone(pid));
    again.start(1).unwrap();
    let pid = again.status()[0].pid.unwrap();
    assert!(DetachedCluster::up(3, base_port, &folder).is_err(), "another shape must be refused");
    again.purge().unwrap();
    assert!(is_gone(pid));
    assert!(!folder.exists());
}
