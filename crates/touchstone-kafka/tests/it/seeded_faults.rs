//! `verify` on real topics into which faults were written by hand: it finds each, and nothing else.

use std::time::Duration;

use anyhow::Result;
use rdkafka::ClientConfig;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::{Value, json};
use touchstone_kafka::verify::{Report, Violation, verify};
use touchstone_kafka::{Record, Sender};
use touchstone_testkit::KafkaCluster;

use crate::support::{LIMIT, Stage, StubJudging, Worker, send_listings};

/// Topics in which a worker has judged sixty listings and rejected one.
async fn judged() -> Result<Stage> {
    let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    send_listings(&stage.settings, 60, 20)?;
    let mut sender = Sender::new(&stage.settings)?;
    sender.record(&stage.topics().listings, Some(b"EX-1"), Some(b"{poison"), &Vec::new())?;
    sender.finish()?;
    let worker = Worker::start(&stage.settings, StubJudging::default());
    stage.wait_done(61, LIMIT)?;
    worker.stop().await?;
    Ok(stage)
}

/// Writes a record with its own key, value and headers once more, changed by `change`.
fn write(stage: &Stage, topic: &str, mut record: Record, change: impl FnOnce(&mut Record)) -> Result<()> {
    change(&mut record);
    let mut sender = Sender::new(&stage.settings)?;
    sender.record(topic, record.key.as_deref(), record.value.as_deref(), &record.headers)?;
    sender.finish()?;
    Ok(())
}

fn set_header(record: &mut Record, name: &str, value: &str) {
    record.headers.retain(|(found, _)| found != name);
    record.headers.push((name.into(), Some(value.into())));
}

/// The one violation that is found.
fn only_violation(stage: &Stage) -> Result<Violation> {
    let violations = verify(&stage.settings)?.violations;
    anyhow::ensure!(violations.len() == 1, "{violations:#?}");
    Ok(violations.into_iter().next().expect("there is one"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_found_for_what_it_is() -> Result<()> {
    let stage = judged().await?;
    assert_eq!(verify(&stage.settings)?.violations, []);
    let (names, verdicts) = (stage.topics().clone(), stage.records(&stage.topics().verdicts)?);
    let plain = verdicts.iter().find(|v| !v.value.as_deref().is_some_and(is_flag)).unwrap().clone();
    let flag = stage.records(&names.review)?[0].clone();
    let letter = stage.records(&names.dead_letters)?[0].clone();

    // Each on topics of its own: a fault stays in the log for ever.
    let doubled = judged().await?;
    write(&doubled, &doubled.topics().verdicts, plain.clone(), |r| {
        set_header(r, "touchstone-source", &format!("{}/0@59", doubled.topics().listings));
    })?;
    assert!(matches!(only_violation(&doubled)?, Violation::Doubled { .. } | Violation::Reordered { .. }));

    let ghost = judged().await?;
    write(&ghost, &ghost.topics().verdicts, plain, |r| {
        set_header(r, "touchstone-source", &format!("{}/0@999", ghost.topics().listings));
    })?;
    assert!(matches!(only_violation(&ghost)?, Violation::NoSource { source, .. } if source.offset == 999));

    let second_flag = judged().await?;
    let own = second_flag.records(&second_flag.topics().review)?[0].clone();
    write(&second_flag, &second_flag.topics().review, own, |_| ())?;
    assert!(matches!(only_violation(&second_flag)?, Violation::FlagDoubled { .. }));

    let stray = judged().await?;
    write(&stray, &stray.topics().review, flag, |r| {
        set_header(r, "touchstone-source", &format!("{}/0@1", stray.topics().listings));
    })?;
    assert!(matches!(only_violation(&stray)?, Violation::FlagWithoutVerdict { .. }));

    let lost = judged().await?;
    lose_one(&lost)?;
    assert!(matches!(only_violation(&lost)?, Violation::Lost { source } if source.offset == 61));

    write(&stage, &names.dead_letters, letter, |r| r.value = Some(b"{other".to_vec()))?;
    let found = verify(&stage.settings)?.violations;
    assert!(found.iter().any(|v| matches!(v, Violation::BadDeadLetter { .. })), "{found:?}");
    assert!(found.iter().any(|v| matches!(v, Violation::Doubled { .. })), "{found:?}");
    Ok(())
}

/// Topics in which everything was written by hand: two lives of flags, as a worker writes them.
struct ByHand {
    stage: Stage,
    sender: Sender,
    n_inputs: usize,
}

impl ByHand {
    /// Listing 1 was flagged, edited and flagged anew; listing 2 was flagged, and withdrawn by a change of the catalog.
    async fn new() -> Result<Self> {
        let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
        let sender = Sender::new(&stage.settings)?;
        let mut hand = Self { stage, sender, n_inputs: 0 };
        let source = hand.listing(1)?;
        hand.verdict(&source, &step(1, 1, 1, "review", &["counterfeit_slang"]))?;
        let source = hand.listing(1)?;
        let mut retract = step(1, 1, 2, "retract", &["superseded_by_flag"]);
        retract["replaced_by"] = flag_id(1, 2).into();
        hand.verdict(&source, &retract)?;
        hand.verdict(&source, &step(1, 2, 1, "takedown", &["counterfeit_slang"]))?;
        hand.state(
            1,
            &json!({"version": 2, "revision": 1, "flag": {"flag_id": flag_id(1, 2), "revision": 1}}),
        )?;

        let source = hand.listing(2)?;
        hand.verdict(&source, &step(2, 1, 1, "review", &["counterfeit_slang"]))?;
        let catalog = hand.stage.topics().catalog.clone();
        hand.sender.record(&catalog, Some(b"withdrawn"), None, &Vec::new())?;
        let source = format!("{catalog}/0@0");
        hand.verdict(&source, &step(2, 1, 2, "retract", &["catalog_withdrawn"]))?;
        hand.verdict(&source, &step(2, 1, 3, "clear", &["nothing_found"]))?;
        hand.state(2, &json!({"version": 1, "revision": 3}))?;
        let cursors = json!({"decisions": {"0": 0}}).to_string();
        let topic = hand.stage.topics().state.clone();
        hand.sender.record(&topic, Some(b"\xffcursors"), Some(cursors.as_bytes()), &Vec::new())?;
        Ok(hand)
    }

    /// Sends a listing; returns its place.
    fn listing(&mut self, number: u32) -> Result<String> {
        let topic = self.stage.topics().listings.clone();
        let json = format!(
            r#"{{"listing_id":"EX-{number}","version":1,"title":"x","seller":{{"seller_id":"S-1"}}}}"#
        );
        let key = format!("EX-{number}");
        self.sender.record(&topic, Some(key.as_bytes()), Some(json.as_bytes()), &Vec::new())?;
        self.n_inputs += 1;
        Ok(format!("{topic}/0@{}", self.n_inputs - 1))
    }

    /// Writes a verdict, and to `review` too if it is a flag.
    fn verdict(&mut self, source: &str, value: &Value) -> Result<()> {
        let decision = value["decision"].as_str().unwrap_or_default();
        let kind = if decision == "retract" { "retract" } else { "verdict" };
        let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        let headers = vec![header("touchstone-source", source), header("touchstone-kind", kind)];
        let names = self.stage.topics().clone();
        let is_flag = ["takedown", "review", "retract"].contains(&decision);
        for topic in [Some(names.verdicts), is_flag.then_some(names.review)].into_iter().flatten() {
            let key = value["listing_id"].as_str().unwrap_or_default();
            self.sender.record(&topic, Some(key.as_bytes()), Some(value.to_string().as_bytes()), &headers)?;
        }
        Ok(())
    }

    fn state(&mut self, number: u32, value: &Value) -> Result<()> {
        let (topic, key) = (self.stage.topics().state.clone(), format!("EX-{number}"));
        Ok(self.sender.record(
            &topic,
            Some(key.as_bytes()),
            Some(value.to_string().as_bytes()),
            &Vec::new(),
        )?)
    }

    fn report(self) -> Result<Report> {
        self.sender.finish()?;
        Ok(verify(&self.stage.settings)?)
    }

    fn only_violation(self) -> Result<Violation> {
        self.sender.finish()?;
        only_violation(&self.stage)
    }
}

fn flag_id(number: u32, version: u64) -> String {
    format!("00000000-0000-5000-8000-{number:04x}{version:08x}")
}

fn step(number: u32, version: u64, revision: u64, decision: &str, reasons: &[&str]) -> Value {
    json!({"listing_id": format!("EX-{number}"), "listing_version": version, "flag_id": flag_id(number, version),
        "revision": revision, "decision": decision, "reasons": reasons})
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_lives_written_by_hand_are_exact_and_counted() -> Result<()> {
    let report = ByHand::new().await?.report()?;
    assert_eq!(report.violations, []);
    assert_eq!(report.unchecked, []);
    assert_eq!((report.n_inputs, report.n_verdicts, report.n_flags), (3, 3, 5));
    assert_eq!((report.n_open, report.n_retracts, report.n_states), (1, 2, 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_skipped_and_two_open_flags() -> Result<()> {
    let mut hand = ByHand::new().await?;
    let source = hand.listing(2)?;
    hand.verdict(&source, &step(2, 1, 5, "clear", &["nothing_found"]))?;
    hand.state(2, &json!({"version": 1, "revision": 5}))?;
    let found = hand.only_violation()?;
    assert!(matches!(found, Violation::Revision { revision: 5, expected: 4, .. }), "{found}");

    let mut hand = ByHand::new().await?;
    let source = hand.listing(1)?;
    hand.verdict(&source, &step(1, 3, 1, "review", &["counterfeit_slang"]))?;
    hand.state(1, &json!({"version": 3, "revision": 1, "flag": {"flag_id": flag_id(1, 3), "revision": 1}}))?;
    let found = hand.only_violation()?;
    assert!(matches!(&found, Violation::TwoOpen { listing_id, .. } if listing_id == "EX-1"), "{found}");

    // The flag goes on as if it had not been cleared meanwhile.
    let mut hand = ByHand::new().await?;
    for (revision, decision) in [(2, "clear"), (3, "review")] {
        let source = hand.listing(1)?;
        hand.verdict(&source, &step(1, 2, revision, decision, &["counterfeit_slang"]))?;
    }
    hand.state(1, &json!({"version": 2, "revision": 3, "flag": {"flag_id": flag_id(1, 2), "revision": 3}}))?;
    let found = hand.only_violation()?;
    assert!(matches!(&found, Violation::NotTakenBack { listing_id, .. } if listing_id == "EX-1"), "{found}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retract_without_flag_and_one_without_cause() -> Result<()> {
    let mut hand = ByHand::new().await?;
    let source = hand.listing(2)?;
    hand.verdict(&source, &step(2, 1, 4, "retract", &["evidence_changed"]))?;
    hand.verdict(&source, &step(2, 1, 5, "clear", &["nothing_found"]))?;
    hand.state(2, &json!({"version": 1, "revision": 5}))?;
    let found = hand.only_violation()?;
    assert!(matches!(found, Violation::RetractWithoutFlag { .. }), "{found}");

    // A reviewer upheld the flag, and it is taken back as dismissed.
    for (ruling, is_right) in [("uphold", false), ("dismiss", true)] {
        let mut hand = ByHand::new().await?;
        let topic = hand.stage.topics().decisions.clone();
        let ruling = json!({"flag_id": flag_id(1, 2), "revision": 1, "listing_id": "EX-1", "listing_version": 2,
            "ruling": ruling});
        hand.sender.record(&topic, Some(b"EX-1"), Some(ruling.to_string().as_bytes()), &Vec::new())?;
        hand.verdict(&format!("{topic}/0@0"), &step(1, 2, 2, "retract", &["dismissed"]))?;
        hand.state(1, &json!({"version": 2, "revision": 2}))?;
        if is_right {
            assert_eq!(hand.report()?.violations, []);
        } else {
            let found = hand.only_violation()?;
            assert!(matches!(found, Violation::RetractWithoutCause { .. }), "{found}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_disagrees_and_a_recheck_that_does_not_explain_itself() -> Result<()> {
    let mut hand = ByHand::new().await?;
    hand.state(1, &json!({"version": 2, "revision": 1}))?;
    let found = hand.only_violation()?;
    assert!(matches!(&found, Violation::StateDiffers { listing_id, .. } if listing_id == "EX-1"), "{found}");

    let mut hand = ByHand::new().await?;
    let (topic, key) = (hand.stage.topics().state.clone(), b"EX-2");
    hand.sender.record(&topic, Some(key), None, &Vec::new())?;
    let found = hand.only_violation()?;
    assert!(matches!(&found, Violation::StateDiffers { at: None, .. }), "{found}");

    let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    for due in [Some("1767000060000"), None] {
        let mut hand = ByHand::new().await?;
        let (topic, source) = (hand.stage.topics().recheck.clone(), hand.listing(2)?);
        let mut headers = vec![
            header("touchstone-kind", "recheck"),
            header("touchstone-source", &source),
            header("touchstone-attempts", "1"),
            header("touchstone-revision", "4"),
        ];
        headers.extend(due.map(|due| header("touchstone-due", due)));
        hand.verdict(&source, &step(2, 1, 4, "clear", &["nothing_found"]))?;
        let json = br#"{"listing_id":"EX-2","version":1,"title":"x","seller":{"seller_id":"S-1"}}"#;
        hand.sender.record(&topic, Some(b"EX-2"), Some(json), &headers)?;
        hand.verdict(&format!("{topic}/0@0"), &step(2, 1, 5, "clear", &["nothing_found"]))?;
        hand.state(2, &json!({"version": 1, "revision": 5}))?;
        if due.is_some() {
            let report = hand.report()?;
            assert_eq!((report.violations, report.n_rechecks), (vec![], 1));
        } else {
            let found = hand.only_violation()?;
            assert!(matches!(found, Violation::BadRecheck { .. }), "{found}");
        }
    }
    Ok(())
}

fn is_flag(value: &[u8]) -> bool {
    String::from_utf8_lossy(value).contains("\"decision\":\"review\"")
}

/// The group commits an input for which nothing was written, as a worker would that commits past its failures.
fn lose_one(stage: &Stage) -> Result<()> {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
    use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
    send_listings(&stage.settings, 1, 1)?;
    let kafka = stage.settings.kafka()?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", &kafka.group_id)
        .create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&stage.topics().listings, 0, Offset::Offset(62))?;
    Ok(consumer.commit(&list, CommitMode::Sync)?)
}

/// A producer with an hour's time-out goes away in the middle of a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_nobody_ends_is_found_and_where_it_hangs() -> Result<()> {
    let stage = judged().await?;
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &stage.settings.kafka()?.bootstrap_servers)
        .set("transactional.id", format!("{}-foreign", stage.name()))
        .set("transaction.timeout.ms", "600000")
        .create()?;
    producer.init_transactions(Duration::from_secs(30))?;
    producer.begin_transaction()?;
    let record: BaseRecord<'_, [u8], [u8]> =
        BaseRecord::to(&stage.topics().verdicts).key(&b"x"[..]).payload(&b"{}"[..]);
    producer.send(record.headers(OwnedHeaders::new())).map_err(|(error, _)| error)?;
    producer.flush(Duration::from_secs(30))?;
    let found = only_violation(&stage)?;
    producer.abort_transaction(Duration::from_secs(30))?;
    assert!(matches!(&found, Violation::Hung { at } if *at.topic == *stage.topics().verdicts), "{found}");
    assert_eq!(verify(&stage.settings)?.violations, []);
    Ok(())
}
