//! Dead letters that are sent again: once, as they were, and counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use touchstone_kafka::dlq::{DeadLetter, Fate, Replay, ReplayOptions, list, replay};
use touchstone_kafka::topics::TopicOptions;
use touchstone_kafka::{Bench, Judging, Record, Sender, Source};
use touchstone_testkit::KafkaCluster;
use touchstone_types::{CatalogKey, CatalogRecord, Listing};

use crate::support::{LIMIT, Stage, StubJudging, Worker, listing};

/// The next release: it can judge what the one before could not.
#[derive(Default)]
struct Repaired(StubJudging);

impl Judging for Repaired {
    fn insert(&mut self, record: CatalogRecord) {
        self.0.insert(record);
    }

    fn remove(&mut self, key: &CatalogKey) {
        self.0.remove(key);
    }

    fn bench(&mut self) -> Bench {
        let Bench { judge, max_images, .. } = self.0.bench();
        let repaired = move |listing: &Listing, photos: &[_]| {
            let title = listing.title.replace("panic", "quiet");
            judge(&Listing { title, ..listing.clone() }, photos)
        };
        Bench::new(Arc::new(repaired), max_images)
    }
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn send(stage: &Stage, inputs: &[(&str, Vec<u8>)]) -> Result<()> {
    let mut sender = Sender::new(&stage.settings)?;
    let headers = vec![("traceparent".to_owned(), Some(TRACE.as_bytes().to_vec()))];
    for (key, value) in inputs {
        sender.record(&stage.topics().listings, Some(key.as_bytes()), Some(value), &headers)?;
    }
    sender.finish()?;
    Ok(())
}

async fn work(stage: &Stage, judging: impl Judging + 'static, n_inputs: usize) -> Result<(usize, usize)> {
    let worker = Worker::start(&stage.settings, judging);
    let report = stage.wait_done(n_inputs, LIMIT)?;
    worker.stop().await?;
    assert_eq!(report.violations, []);
    Ok((report.n_verdicts, report.n_dead_letters))
}

fn fates(replay: &Replay) -> Vec<Fate> {
    replay.letters.iter().map(|replayed| replayed.fate).collect()
}

fn replayed(stage: &Stage) -> Result<Vec<Record>> {
    let mut records = stage.records(&stage.topics().listings)?;
    records.retain(|record| record.header("touchstone-replayed-from").is_some());
    Ok(records)
}

fn of_reason(reason: &str) -> ReplayOptions {
    ReplayOptions { reason: Some(reason.to_owned()), ..ReplayOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_sent_again_once_as_it_was_and_its_tries_are_counted() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    let inputs = [
        ("EX-1", listing("EX-1", 1, "panic one")),
        ("EX-2", listing("EX-2", 1, "Lumora 20")),
        ("EX-3", b"{broken".to_vec()),
        ("EX-4", listing("EX-4", 1, "panic two")),
        ("EX-5", listing("EX-5", 1, "panic three")),
    ];
    send(&stage, &inputs)?;
    assert_eq!(work(&stage, StubJudging::default(), 5).await?, (1, 4));
    let letters = list(&stage.settings, 10)?;

    let dry = replay(&stage.settings, &ReplayOptions { dry_run: true, ..of_reason("panic") })?;
    assert_eq!(fates(&dry), [Fate::Ready; 3]);
    assert_eq!(replayed(&stage)?, [], "a dry run sends nothing");

    assert_eq!(fates(&replay(&stage.settings, &of_reason("panic"))?), [Fate::Sent; 3]);
    let sent = replayed(&stage)?;
    assert_eq!(sent.len(), 3);
    for record in &sent {
        let from = Source::parse(record.header("touchstone-replayed-from").unwrap()).context("no place")?;
        let letter: &DeadLetter = letters.iter().find(|letter| letter.at == from).context("no letter")?;
        let source = letter.source.as_ref().unwrap();
        let (_, value) = inputs.iter().find(|(key, _)| Some(*key) == letter.key.as_deref()).unwrap();
        assert_eq!(record.key.as_deref(), letter.key.as_deref().map(str::as_bytes));
        assert_eq!(record.value.as_deref(), Some(value.as_slice()));
        assert_eq!(record.at.partition, source.partition, "beside the input");
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["traceparent", "touchstone-attempts", "touchstone-replayed-from"]);
        assert_eq!(record.header("traceparent"), Some(TRACE));
        assert_eq!(record.header("touchstone-attempts"), Some("1"));
    }

    assert_eq!(fates(&replay(&stage.settings, &of_reason("panic"))?), [Fate::ReplayedBefore; 3]);
    assert_eq!(replayed(&stage)?.len(), 3, "the second time nothing is sent");

    // They fail once more, and say so.
    assert_eq!(work(&stage, StubJudging::default(), 8).await?, (1, 7));
    let tries =
        |n| Ok::<_, anyhow::Error>(list(&stage.settings, 99)?.iter().filter(|l| l.attempts == n).count());
    assert_eq!((tries(1)?, tries(2)?), (4, 3));
    // Of the six letters, the first three are done with. The next release takes the others.
    let all = replay(&stage.settings, &of_reason("panic"))?;
    let sent = |letters: &Replay| letters.letters.iter().filter(|l| l.fate == Fate::Sent).count();
    assert_eq!((all.letters.len(), sent(&all)), (6, 3));
    assert!(all.letters.iter().all(|l| (l.fate == Fate::Sent) == (l.letter.attempts == 2)));
    assert_eq!(work(&stage, Repaired::default(), 11).await?, (4, 7));
    let attempts: BTreeSet<_> =
        replayed(&stage)?.iter().map(|r| r.header("touchstone-attempts").unwrap().to_owned()).collect();
    assert_eq!(attempts.into_iter().collect::<Vec<_>>(), ["1", "2"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_chosen_by_place_and_number_and_sent_twice_only_on_demand() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let inputs: Vec<(&str, Vec<u8>)> =
        ["A", "B", "C", "D"].map(|id| (id, format!("{{\"listing_id\":\"{id}\"").into_bytes())).to_vec();
    send(&stage, &inputs)?;
    assert_eq!(work(&stage, StubJudging::default(), 4).await?, (0, 4));
    let letters = list(&stage.settings, 10)?;
    let nowhere = Source { offset: 99, ..letters[0].at.clone() };
    let by_place = ReplayOptions {
        from: vec![letters[0].at.clone(), letters[2].source.clone().unwrap(), nowhere.clone()],
        ..ReplayOptions::default()
    };
    let chosen = replay(&stage.settings, &by_place)?;
    let places: Vec<_> = chosen.letters.iter().map(|replayed| &replayed.letter.at).collect();
    assert_eq!(places, [&letters[0].at, &letters[2].at]);
    assert_eq!((fates(&chosen), chosen.not_found), (vec![Fate::Sent; 2], vec![nowhere]));

    let last = ReplayOptions { last: Some(3), ..ReplayOptions::default() };
    let expected = [Fate::Sent, Fate::ReplayedBefore, Fate::Sent];
    assert_eq!(fates(&replay(&stage.settings, &last)?), expected);
    let again = ReplayOptions { again: true, ..last };
    assert_eq!(fates(&replay(&stage.settings, &again)?), [Fate::Sent; 3]);
    assert_eq!(replayed(&stage)?.len(), 2 + 2 + 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_again_is_named_and_the_rest_goes() -> Result<()> {
    let options = TopicOptions { n_partitions: 1, ..TopicOptions::default() };
    let stage = Stage::with_options(KafkaCluster::shared()?, options).await?;
    let big = TopicOptions { n_partitions: 1, max_message_bytes: 6 << 20, ..options };
    let other = Stage::with_options(KafkaCluster::shared()?, big).await?;
    let mut settings = stage.settings.clone();
    settings.topics.listings.clone_from(&other.topics().listings);
    let stage = Stage { settings };
    send(&stage, &[("EX-1", b"broken".to_vec()), ("EX-2", listing("EX-2", 1, &"y".repeat(4 << 20)))])?;
    assert_eq!(work(&stage, StubJudging::default(), 2).await?, (0, 2));
    let all = ReplayOptions::default();
    assert_eq!(fates(&replay(&stage.settings, &all)?), [Fate::Sent, Fate::Truncated]);

    let mut settings = stage.settings.clone();
    settings.topics.listings.clone_from(&stage.topics().catalog);
    assert_eq!(fates(&replay(&settings, &all)?), [Fate::OtherTopic; 2]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_whose_input_is_gone_is_left_alone() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    send(&stage, &[("EX-1", b"broken".to_vec()), ("EX-2", b"broken".to_vec())])?;
    assert_eq!(work(&stage, StubJudging::default(), 2).await?, (0, 2));
    let kafka = stage.settings.kafka()?;
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &kafka.bootstrap_servers).create()?;
    let mut up_to = TopicPartitionList::new();
    up_to.add_partition_offset(&stage.topics().listings, 0, Offset::Offset(1))?;
    admin.delete_records(&up_to, &AdminOptions::new()).await?;
    let all = ReplayOptions::default();
    assert_eq!(fates(&replay(&stage.settings, &all)?), [Fate::InputGone, Fate::Sent]);
    let again = ReplayOptions { again: true, ..all };
    assert_eq!(fates(&replay(&stage.settings, &again)?), [Fate::Sent; 2]);
    Ok(())
}
