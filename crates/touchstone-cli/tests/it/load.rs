//! `touchstone load` and `touchstone dlq replay`, with the worker as a user starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use touchstone_testkit::{KafkaCluster, wait_until};

use crate::stream::{Worker, with_config, write_config};
use crate::support::{check_status, command, root, stderr, stdout, touchstone};

const LIMIT: Duration = Duration::from_secs(120);

/// Topics of their own on the shared node, and the settings file of their worker.
fn topics(prefix: &str) -> (TempDir, PathBuf) {
    let cluster = KafkaCluster::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("worker.toml");
    write_config(cluster, prefix, &config);
    with_config(&config, &["topics", "create", "--partitions", "3"]);
    (folder, config)
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a command says, and its exit status.
fn ending(config: &Path, args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = command().args(args).arg("--config").arg(config).output().unwrap();
    (output.status.code(), objects(&stdout(&output)))
}

#[test]
fn a_load_with_every_fault_comes_back_whole_and_its_dead_letters_are_sent_again_once() {
    let (folder, config) = topics("load");
    let catalog = root().join("fixtures/catalog.jsonl");
    with_config(&config, &["catalog", "submit", catalog.to_str().unwrap()]);
    let market = folder.path().join("market");
    let simulated =
        touchstone(["simulate", "--seed", "5", "--listings", "60", "--out", market.to_str().unwrap()]);
    check_status(&simulated, 0);
    let worker = Worker::start(&config);
    let listings = market.join("listings.jsonl");
    let sources: [&[&str]; 3] =
        [&[], &["--listings", listings.to_str().unwrap()], &["--catalog", catalog.to_str().unwrap()]];
    let mut n_poison = 0;
    for (idx, source) in sources.into_iter().enumerate() {
        let seed = idx.to_string();
        let args: [&[&str]; 3] = [
            &[
                "load",
                "--count",
                "400",
                "--rate",
                "2000",
                "--ids",
                "50",
                "--skew",
                "1",
                "--duplicates",
                "0.1",
            ],
            &["--reorder", "0.1", "--poison", "0.05", "--watch", "--json", "--seed", seed.as_str()],
            source,
        ];
        let said = objects(&with_config(&config, &args.concat()));
        let [report] = said.as_slice() else { panic!("{said:?}") };
        let number = |name: &str| report[name].as_u64().unwrap();
        assert_eq!((number("sent"), number("missing")), (400, 0), "{report}");
        assert_eq!((number("judged"), number("dead_letters")), (400 - number("poison"), number("poison")));
        for name in ["fresh", "duplicates", "late", "poison"] {
            assert!(number(name) > 0, "{name} in {report}");
        }
        let latency = |name: &str| report["latency_ms"][name].as_f64().unwrap();
        assert!(0.0 < latency("p50") && latency("p99.9") <= latency("max"), "{report}");
        n_poison += number("poison");
    }
    let shown = with_config(&config, &["load", "--count", "10", "--watch"]);
    assert!(shown.contains("p99.9") && shown.contains("dead letters"), "{shown}");

    let replay = ["dlq", "replay", "--json", "--reason", "null_value"];
    let (status, dry) = ending(&config, &[&replay[..], &["--dry-run"]].concat());
    assert_eq!(status, Some(0));
    assert!(!dry.is_empty() && dry.iter().all(|letter| letter["outcome"] == "ready"), "{dry:?}");
    let (status, sent) = ending(&config, &replay);
    assert_eq!((status, sent.len()), (Some(0), dry.len()));
    assert!(sent.iter().all(|letter| letter["outcome"] == "sent"), "{sent:?}");
    let n_letters = n_poison as usize + sent.len();
    let letters = || objects(&with_config(&config, &["dlq", "list", "--json", "--last", "9999"]));
    wait_until("the letters to come back", LIMIT, || Ok(letters().len() == n_letters)).unwrap();
    let twice: Vec<Value> = letters().into_iter().filter(|letter| letter["attempts"] == 2).collect();
    assert_eq!(twice.len(), sent.len());

    // Named by its place, one of those that failed twice; and one that was sent again before.
    let (new, old) = (twice[0]["at"].as_str().unwrap(), sent[0]["source"].as_str().unwrap());
    let (status, chosen) = ending(&config, &["dlq", "replay", "--json", "--from", new, old]);
    assert_eq!(status, Some(0));
    let outcome =
        |at: &str| chosen.iter().find(|l| l["at"] == at || l["source"] == at).unwrap()["outcome"].clone();
    assert_eq!((outcome(new), outcome(old)), ("sent".into(), "replayed_before".into()));
    wait_until("the letter to come back", LIMIT, || Ok(letters().len() == n_letters + 1)).unwrap();
    assert_eq!(letters().iter().filter(|letter| letter["attempts"] == 3).count(), 1);
    let nowhere = format!("{}@999999", old.split('@').next().unwrap());
    assert_eq!(ending(&config, &["dlq", "replay", "--json", "--from", &nowhere]), (Some(1), vec![]));

    worker.stop();
    let report = objects(&with_config(&config, &["verify", "--json"]));
    assert_eq!((&report[0]["exact"], &report[0]["pending"]), (&true.into(), &0.into()), "{report:?}");
}

#[test]
fn a_load_that_nobody_judges_fails_and_says_how_much_is_missing() {
    let (_folder, config) = topics("unjudged");
    let args = ["load", "--count", "20", "--watch", "--timeout", "0.2", "--config", config.to_str().unwrap()];
    let output = touchstone(args);
    check_status(&output, 1);
    assert!(stderr(&output).contains("20 of 20 messages without a verdict"), "{}", stderr(&output));
}

#[test]
fn wrong_arguments_end_with_status_2_and_say_what_is_wrong() {
    let bootstrap = ["--bootstrap", "127.0.0.1:1"];
    let cases: [(&[&str], &str); 15] = [
        (&["--poison", "1.5"], "poison = 1.5"),
        (&["--duplicates", "-0.1"], "duplicates = -0.1"),
        (&["--reorder", "NaN"], "reorder = NaN"),
        (&["--reorder", "0.4", "--duplicates", "0.3"], "twice reorder"),
        (&["--listings", "a.jsonl", "--catalog", "b.jsonl"], "cannot be used with"),
        (&["--listings", "no-such-file.jsonl"], "no-such-file.jsonl"),
        (&["--listings", "README.md"], "README.md, line 1"),
        (&["--rate", "-1"], "--rate -1"),
        (&["--count", "0"], "nothing to send"),
        (&["--ids", "0"], "ids = 0"),
        (&["--skew", "1"], "--ids"),
        (&["--timeout", "inf"], "--timeout"),
        (&["--photos", "1", "--photo-host", "0.0.0.0:0"], "must be 127.0.0.1:PORT"),
        (&["--photos", "1", "--photo-slow", "0.6", "--photo-dead", "0.6"], "photo-slow + photo-dead = 1.2"),
        (&["--keep-serving"], "needs --photos"),
    ];
    for (args, said) in cases {
        let args: Vec<String> =
            ["load"].iter().chain(&bootstrap).chain(args).map(|s| (*s).to_owned()).collect();
        let args = joined(args);
        let output = touchstone(&args);
        check_status(&output, 2);
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    }
    for (args, said) in [
        (["--reason", "nonsense"], "too_deep"),
        (["--from", "listings/3"], "listings/3@1041"),
        (["--from", "elsewhere/0@1"], "listings or listings.dlq"),
    ] {
        let output = touchstone(["dlq", "replay"].iter().chain(&bootstrap).chain(&args));
        check_status(&output, 2);
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    }
    check_status(&touchstone(["load"]), 2);
}

/// A value that begins with a hyphen stands in one word with its option.
fn joined(args: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for arg in args {
        let is_negative = arg.starts_with('-') && arg[1..].starts_with(|c: char| c.is_ascii_digit());
        match joined.last_mut() {
            Some(option) if is_negative => *option = format!("{option}={arg}"),
            _ => joined.push(arg),
        }
    }
    joined
}

#[test]
fn without_topics_a_load_fails_with_status_1() {
    let output =
        touchstone(["load", "--bootstrap", KafkaCluster::shared().unwrap().bootstrap().as_str(), "--watch"]);
    check_status(&output, 1);
    assert!(
        stderr(&output).contains("missing topics: listings, verdicts, listings.dlq"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn photos_are_served_to_the_worker_while_the_load_runs() {
    let (folder, config) = topics("pictured");
    // The worker must know the port before the load begins.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = fs::read_to_string(&config).unwrap();
    let photos = format!("[photos]\ntest_origins = [\"http://127.0.0.1:{port}\"]\n");
    fs::write(&config, text + &photos).unwrap();
    let worker = Worker::start(&config);
    let host = format!("127.0.0.1:{port}");
    let args = ["load", "--count", "30", "--photos", "2", "--photo-host", &host, "--photo-latency-ms", "1"];
    let said = with_config(&config, &[&args[..], &["--distinct-photos", "4", "--watch", "--json"]].concat());
    worker.stop();
    let report: Value = serde_json::from_str(&said).unwrap();
    let count = |name: &str| report["photos"][name].as_u64().unwrap();
    assert_eq!((&report["judged"], count("dead")), (&30.into(), 0), "{report}");
    assert_eq!(count("sent") + count("unchanged"), 60, "{report}");
    assert!(count("unchanged") > 0, "{report}");
    drop(folder);
}
