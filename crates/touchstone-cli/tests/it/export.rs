//! `touchstone export` and what reads its files: `train`, `eval listings`, `catalog check` and `catalog submit`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use touchstone_kafka::sim::SimulatedBroker;
use touchstone_kafka::{Sender, Settings, TopicNames, read_topic};
use touchstone_types::{ListingId, flag_id};

use crate::support::{check_status, command, stderr, stdout, touchstone};

/// A simulated broker and what stands in its topics.
struct Topics {
    broker: SimulatedBroker,
    settings: Settings,
}

impl Topics {
    fn new() -> Self {
        let broker = SimulatedBroker::start(&TopicNames::default()).unwrap();
        let settings = broker.settings();
        Self { broker, settings }
    }

    /// Sends values under their listings.
    fn send<'a>(&self, topic: &str, values: impl IntoIterator<Item = (&'a str, String)>) {
        let mut sender = Sender::new(&self.settings).unwrap();
        for (key, value) in values {
            sender.record(topic, Some(key.as_bytes()), Some(value.as_bytes()), &Vec::new()).unwrap();
        }
        sender.finish().unwrap();
    }

    fn run(&self, args: &[&str], paths: &[&Path]) -> Output {
        command().args(args).args(paths).args(["--bootstrap", self.broker.bootstrap()]).output().unwrap()
    }
}

fn ruling(flag: &Value, ruling: &str) -> String {
    json!({
        "flag_id": flag["flag_id"], "revision": flag["revision"], "listing_id": flag["listing_id"],
        "listing_version": flag["listing_version"], "ruling": ruling, "reviewer": "R. Example",
        "decided_at": "2026-03-02T10:15:00Z",
    })
    .to_string()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The flags of a market, each with its listing, as they stand in the topic.
fn flags_of(market: &Path) -> Vec<Value> {
    let (catalog, listings) = (market.join("catalog.jsonl"), market.join("listings.jsonl"));
    let scan = touchstone([
        "scan".as_ref(),
        "--catalog".as_ref(),
        catalog.as_os_str(),
        "--listings".as_ref(),
        listings.as_os_str(),
    ]);
    check_status(&scan, 0);
    let version = |listing: &Value| listing["version"].as_u64().unwrap_or(1);
    let listings: BTreeMap<(String, u64), Value> = objects(&fs::read_to_string(listings).unwrap())
        .into_iter()
        .map(|listing| ((listing["listing_id"].as_str().unwrap().to_owned(), version(&listing)), listing))
        .collect();
    let flag = |mut flag: Value| {
        let id = flag["listing_id"].as_str().unwrap().to_owned();
        flag["listing"] = listings[&(id, flag["listing_version"].as_u64().unwrap())].clone();
        flag
    };
    objects(&stdout(&scan)).into_iter().map(flag).collect()
}

#[test]
fn rulings_are_exported_trained_on_with_weights_and_judged() {
    let topics = Topics::new();
    let folder = tempfile::tempdir().unwrap();
    let (market, out) = (folder.path().join("market"), folder.path().join("ruled"));
    let simulated = command()
        .args(["simulate", "--seed", "5", "--listings", "900", "--counterfeits", "0.3", "--out"])
        .arg(&market)
        .output()
        .unwrap();
    check_status(&simulated, 0);
    check_status(&topics.run(&["catalog", "submit"], &[&market.join("catalog.jsonl")]), 0);
    let mut flags = flags_of(&market);
    flags.sort_by_key(|flag| flag["priority"].as_u64().unwrap());
    let n = flags.len();
    assert!(n > 100, "{n} flags");
    let key = |flag: &Value| flag["listing_id"].as_str().unwrap().to_owned();
    let keys: Vec<String> = flags.iter().map(key).collect();
    topics.send("review", keys.iter().map(String::as_str).zip(flags.iter().map(Value::to_string)));
    // The upper half is ruled, and every fifth of the lower one.
    let is_ruled = |idx: usize| idx >= n / 2 || idx.is_multiple_of(5);
    let word = |idx: usize| if idx.is_multiple_of(3) { "dismiss" } else { "uphold" };
    let ruled =
        (0..n).filter(|&idx| is_ruled(idx)).map(|idx| (keys[idx].as_str(), ruling(&flags[idx], word(idx))));
    let ruled: Vec<(&str, String)> = ruled.collect();
    let n_ruled = ruled.len();
    topics.send("decisions", ruled);
    let gone = json!({"flag_id": flag_id("", &ListingId::new("EX-0").unwrap(), 1).to_string(), "revision": 1,
                      "listing_id": "EX-0", "listing_version": 1});
    topics.send("decisions", [("EX-0", ruling(&gone, "uphold")), ("EX-1", "no JSON".to_owned())]);

    let exported = topics.run(&["export", "labels", "--json", "--out"], &[&out]);
    check_status(&exported, 0);
    let counts: Value = serde_json::from_str(&stdout(&exported)).unwrap();
    assert_eq!(
        (&counts["rulings"], &counts["exported"]),
        (&(n_ruled + 1).into(), &n_ruled.into()),
        "{counts}"
    );
    assert_eq!((&counts["gone"], &counts["flags"]), (&1.into(), &n.into()), "{counts}");
    let talk = stderr(&exported);
    for part in
        ["decisions/", "1 records could not be read", "no longer in review", "never flagged are not among"]
    {
        assert!(talk.contains(part), "{part} is missing: {talk}");
    }
    let labels = fs::read_to_string(out.join("labels.csv")).unwrap();
    let selection: Vec<f64> =
        labels.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(selection.len(), n_ruled);
    assert!(selection.iter().any(|p| *p < 0.35) && selection.iter().any(|p| *p > 0.9), "{selection:?}");

    let train = |dir: &Path, model: &str| {
        let model = folder.path().join(model);
        let output =
            command().args(["train", "--listings"]).arg(dir).arg("--out").arg(&model).output().unwrap();
        check_status(&output, 0);
        let card = fs::read_to_string(model.with_extension("md")).unwrap();
        (fs::read(model).unwrap(), card, stderr(&output))
    };
    let (weighted, card, talk) = train(&out, "weighted.json");
    assert!(card.contains("The labels are no random sample") && talk.contains("weighed by"), "{talk}");
    assert!(talk.contains("pictures could not be read"), "there are none beside the labels: {talk}");
    // Without the column the same rows teach something else.
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    for name in ["catalog.jsonl", "listings.jsonl"] {
        fs::copy(out.join(name), plain.join(name)).unwrap();
    }
    let without = |line: &str| line.rsplit_once(',').unwrap().0.to_owned() + "\n";
    fs::write(plain.join("labels.csv"), labels.lines().map(without).collect::<String>()).unwrap();
    let (unweighted, card, talk) = train(&plain, "plain.json");
    assert!(!card.contains("no random sample") && !talk.contains("weighed by"));
    assert_ne!(weighted, unweighted);
    let eval = command().args(["eval", "listings", "--json"]).arg(&out).output().unwrap();
    check_status(&eval, 0);
    let report: Value = serde_json::from_str(&stdout(&eval)).unwrap();
    assert!(report["metrics"]["recall.ruled"].is_number(), "{report}");
}

/// An entry of the state with an open flag and two photos, of which the first is the brand's own.
fn open_flag(listing: &str) -> Value {
    let id = flag_id("example", &ListingId::new(listing).unwrap(), 1).to_string();
    let photo = |image: usize| {
        let pdq = format!("{image:x}").repeat(64);
        json!({"image": image, "features": {"version": 1, "pdq": pdq, "quality": 97}, "turned": vec!["0".repeat(64); 8],
               "sha256": "ab".repeat(32)})
    };
    let flag = json!({
        "flag_id": id, "revision": 1, "listing_id": listing, "listing_version": 1, "marketplace": "example",
        "seller_id": "S-1", "decision": "review", "priority": 10, "brand_id": "lumora", "reasons": ["counterfeit_slang"],
        "evidence": [{"stage": "image", "kind": "photo_match", "image": 0, "reference": "product/lumora/LM-20K#0", "bank": "genuine",
                      "distance": 6, "transform": "none", "quality": 97}],
        "completeness": "full", "missing": [], "versions": {"engine": "0.1.0", "catalog": "c", "policy": "p"},
        "listing": {"listing_id": listing, "version": 1, "marketplace": "example", "title": "Cartucho Lumora 20",
                    "images": [{"url": "https://img.example/0"}, {"url": "https://img.example/1"}],
                    "seller": {"seller_id": "S-1"}},
    });
    json!({"version": 1, "revision": 1, "seller_id": "S-1", "seen_ms": 0, "flag": flag, "features": [photo(0), photo(1)]})
}

#[test]
fn a_proposed_fake_counts_when_somebody_has_approved_it() {
    let topics = Topics::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fakes.jsonl");
    let states = ["EX-1", "EX-2", "EX-3"].map(|id| (id, open_flag(id)));
    topics.send("listings.state", states.iter().map(|(id, state)| (*id, state.to_string())));
    let words = ["uphold", "uphold", "dismiss"];
    topics.send(
        "decisions",
        states.iter().zip(words).map(|((id, state), word)| (*id, ruling(&state["flag"], word))),
    );
    let exported = topics.run(&["export", "fakes", "--json", "--out"], &[&file]);
    check_status(&exported, 0);
    assert!(stderr(&exported).contains("2 known fakes proposed"), "{}", stderr(&exported));
    let counts = json!({
        "rulings": 3, "upheld": 2, "proposed": 2, "closed": 0, "known": 0, "without_brand": 0, "title_only": 0,
        "photos_left_out": 2, "unreadable": [],
    });
    assert_eq!(objects(&String::from_utf8(exported.stdout).unwrap()), [counts]);
    let mut proposals = objects(&fs::read_to_string(&file).unwrap());
    assert_eq!(proposals.len(), 2);
    for proposal in &proposals {
        assert_eq!(proposal["record"]["images"].as_array().unwrap().len(), 1, "{proposal}");
        assert_eq!(proposal["record"]["images"][0]["features"]["pdq"], "1".repeat(64));
    }

    let catalog = || {
        let mut keys = Vec::new();
        read_topic(&topics.settings, "catalog", |record| {
            keys.push(String::from_utf8(record.key.unwrap()).unwrap());
        })
        .unwrap();
        keys
    };
    let submitted = topics.run(&["catalog", "submit"], &[&file]);
    check_status(&submitted, 0);
    let expected = "0 of 2 proposals are approved; set approved_by to a name in the lines you approve";
    assert!(stderr(&submitted).contains(expected), "{}", stderr(&submitted));
    assert_eq!(catalog(), [] as [String; 0]);

    proposals[0]["approved_by"] = "R. Example".into();
    fs::write(&file, proposals.iter().map(|proposal| format!("{proposal}\n")).collect::<String>()).unwrap();
    let checked = command().args(["catalog", "check", "--json"]).arg(&file).output().unwrap();
    check_status(&checked, 0);
    let counts: Value = serde_json::from_str(&stdout(&checked)).unwrap();
    assert_eq!(
        (&counts["proposals"], &counts["approved"], &counts["fakes"]),
        (&2.into(), &1.into(), &1.into())
    );
    check_status(&topics.run(&["catalog", "submit"], &[&file]), 0);
    assert_eq!(catalog(), [format!("fake/lumora/{}", proposals[0]["record"]["id"].as_str().unwrap())]);
}

#[test]
fn only_what_the_catalog_has_is_withdrawn() {
    let topics = Topics::new();
    let brand = json!({"kind": "brand", "brand_id": "lumora", "name": "Lumora"}).to_string();
    topics.send("catalog", [("brand/lumora", brand)]);
    let n_records = || {
        let mut n = 0;
        read_topic(&topics.settings, "catalog", |_| n += 1).unwrap();
        n
    };
    let wrong = topics.run(&["catalog", "withdraw", "brand/lumora", "brand/lumroa"], &[]);
    check_status(&wrong, 2);
    assert!(
        stderr(&wrong).contains("catalog has no brand/lumroa: nothing was withdrawn"),
        "{}",
        stderr(&wrong)
    );
    assert_eq!(n_records(), 1);
    check_status(&topics.run(&["catalog", "withdraw", "brand/lumora"], &[]), 0);
    assert_eq!(n_records(), 2);
    check_status(&topics.run(&["catalog", "withdraw", "brand/lumora"], &[]), 2);
}
