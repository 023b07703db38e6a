//! The worker on a real Apache Kafka of three nodes: every verdict is what `scan` says, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use touchstone_kafka::{Settings, read_topic, send_listings};
use touchstone_testkit::{KafkaCluster, wait_until};
use touchstone_types::{Listing, ListingId};

use crate::support::{check_status, command, data, root, stdout, touchstone};

const LIMIT: Duration = Duration::from_secs(120);

/// A worker that is told to stop, or killed when the test fails.
pub(crate) struct Worker(Child);

impl Worker {
    pub(crate) fn start(config: &Path) -> Self {
        Self(
            command()
                .args(["run", "--log", "error", "--config"])
                .arg(config)
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap(),
        )
    }

    pub(crate) fn stop(mut self) {
        let pid = self.0.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.0.wait().unwrap();
        assert_eq!(status.code(), Some(0), "a worker that is told to stop ends well");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The settings of a worker with topics of its own.
pub(crate) fn write_config(cluster: &KafkaCluster, prefix: &str, config: &Path) {
    let names = ["listings", "catalog", "review", "verdicts", "decisions", "recheck", "state"];
    let topics: Vec<String> = names.iter().map(|name| format!("{name} = \"{prefix}.{name}\"")).collect();
    let text = format!(
        "[kafka]\nbootstrap_servers = \"{}\"\ngroup_id = \"{prefix}\"\n[topics]\n{}\ndead_letters = \"{prefix}.dlq\"\n",
        cluster.bootstrap(),
        topics.join("\n")
    );
    fs::write(config, text).unwrap();
}

/// What a command says that is pointed at the settings.
pub(crate) fn with_config(config: &Path, args: &[&str]) -> String {
    let output = command().args(args).arg("--config").arg(config).output().unwrap();
    check_status(&output, 0);
    stdout(&output)
}

/// Streams listings through a worker and compares every verdict with `scan`'s.
fn check_stream(cluster: &KafkaCluster, prefix: &str, catalog: &Path, listings: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("worker.toml");
    write_config(cluster, prefix, &config);
    let with_config = |args: &[&str]| with_config(&config, args);
    with_config(&["topics", "create", "--partitions", "3"]);
    with_config(&["topics", "describe", "--partitions", "3"]);
    with_config(&["catalog", "submit", catalog.to_str().unwrap()]);

    let scan = touchstone([
        "scan",
        "--all",
        "--catalog",
        catalog.to_str().unwrap(),
        "--listings",
        listings.to_str().unwrap(),
    ]);
    check_status(&scan, 0);
    let input = fs::read_to_string(listings).unwrap();
    let ids: Vec<ListingId> =
        input.lines().map(|line| Listing::from_json(line.as_bytes()).unwrap().listing_id).collect();
    let expected: BTreeMap<String, String> =
        ids.iter().map(ListingId::to_string).zip(stdout(&scan).lines().map(str::to_owned)).collect();
    assert_eq!(expected.len(), ids.len());

    let settings = Settings::load(&config).unwrap();
    let sent = send_listings(&settings, ids.iter().zip(input.lines().map(str::as_bytes))).unwrap();
    assert_eq!(sent, ids.len());
    let worker = Worker::start(&config);
    let verdicts = || {
        let mut found = BTreeMap::new();
        read_topic(&settings, &settings.topics.verdicts, |record| {
            let key = String::from_utf8(record.key.unwrap()).unwrap();
            found.insert(key, String::from_utf8(record.value.unwrap()).unwrap());
        })
        .unwrap();
        found
    };
    wait_until("a verdict for every listing", LIMIT, || Ok(verdicts().len() == ids.len())).unwrap();
    worker.stop();
    assert!(verdicts() == expected, "a verdict of the stream differs from scan's");
    let report: serde_json::Value = serde_json::from_str(&with_config(&["verify", "--json"])).unwrap();
    assert_eq!((&report["exact"], &report["inputs"]), (&true.into(), &ids.len().into()), "{report}");
    assert_eq!(report["verdicts"], ids.len());
}

#[test]
fn three_nodes_say_what_scan_says() {
    let cluster = KafkaCluster::start(3).unwrap();
    let inline = tempfile::tempdir().unwrap();
    check_stream(&cluster, "fixtures", &root().join("fixtures/catalog.jsonl"), &without_files(inline.path()));
    if let Some(folder) = data("listings/ink-cartridges") {
        check_stream(&cluster, "real", &folder.join("catalog.jsonl"), &folder.join("listings.jsonl"));
    }
}

/// Kafka's own word on how many records a topic holds would count aborted ones too, so the verdicts are read.
fn n_verdicts(settings: &Settings) -> usize {
    let mut n = 0;
    read_topic(settings, &settings.topics.verdicts, |_| n += 1).unwrap();
    n
}

/// The product itself, killed again and again: the invented listings under 20,000 names, with a bad message now and then.
#[test]
fn a_worker_that_is_killed_leaves_an_exact_ledger() {
    const N: usize = 20_000;
    const KILLS: usize = 6;
    let cluster = KafkaCluster::start(3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("worker.toml");
    write_config(&cluster, "killed", &config);
    with_config(&config, &["topics", "create", "--partitions", "4"]);
    with_config(&config, &["catalog", "submit", root().join("fixtures/catalog.jsonl").to_str().unwrap()]);
    let settings = Settings::load(&config).unwrap();
    let text = fs::read_to_string(without_files(folder.path())).unwrap();
    let templates: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|listing: &serde_json::Value| listing["images"].as_array().is_none_or(Vec::is_empty))
        .collect();
    let mut sender = touchstone_kafka::Sender::new(&settings).unwrap();
    for n in 0..N {
        let mut listing = templates[n % templates.len()].clone();
        listing["listing_id"] = format!("EX-{n}").into();
        if n % 500 == 499 {
            listing["title"] = 7.into();
        }
        sender.listing(&ListingId::new(format!("EX-{n}")).unwrap(), listing.to_string().as_bytes()).unwrap();
    }
    assert_eq!(sender.finish().unwrap(), N);

    for kill in 1..=KILLS {
        let worker = Worker::start(&config);
        // The moments differ from kill to kill, but not from run to run.
        let goal = n_verdicts(&settings) + 500 + 977 * kill % 1500;
        wait_until("some more verdicts", LIMIT, || Ok(n_verdicts(&settings) >= goal.min(N - N / 500)))
            .unwrap();
        drop(worker);
    }
    let worker = Worker::start(&config);
    wait_until("every verdict", LIMIT, || Ok(n_verdicts(&settings) >= N - N / 500)).unwrap();
    let report = || -> serde_json::Value {
        serde_json::from_str(&with_config(&config, &["verify", "--json"])).unwrap()
    };
    wait_until("every dead letter", LIMIT, || Ok(report()["pending"] == 0)).unwrap();
    worker.stop();
    let report = report();
    assert_eq!((&report["exact"], &report["inputs"]), (&true.into(), &N.into()), "{report}");
    assert_eq!((&report["verdicts"], &report["dead_letters"]), (&(N - N / 500).into(), &(N / 500).into()));
}

/// The fixtures' listings without the pictures that `scan` reads from files: in the stream nobody could.
fn without_files(folder: &Path) -> std::path::PathBuf {
    let text = fs::read_to_string(root().join("fixtures/listings.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut listing: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(images) = listing["images"].as_array_mut() {
            images.retain(|image| image["data"].is_string());
        }
        listing.to_string() + "\n"
    });
    let file = folder.join("listings.jsonl");
    fs::write(&file, lines.collect::<String>()).unwrap();
    file
}
