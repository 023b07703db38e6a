//! `verify` on real topics into which faults were written by hand: it finds each, and nothing else.

use std::time::Duration;

use anyhow::Result;
use rdkafka::ClientConfig;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use touchstone_kafka::verify::{Violation, verify};
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
    assert!(matches!(only_violation(&ghost)?, Violation::NoInput { source, .. } if source.offset == 999));

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
