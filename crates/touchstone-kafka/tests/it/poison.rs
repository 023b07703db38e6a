//! Inputs that no worker can judge: one dead letter each, neighbours untouched.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use touchstone_kafka::topics::TopicOptions;
use touchstone_kafka::{Sender, dlq};
use touchstone_testkit::KafkaCluster;

use crate::seeded::Seeded;
use crate::support::{LIMIT, Stage, StubJudging, Worker, listing, send_listings};

/// Poison with the reason it must be rejected for, and a piece of the explanation.
fn poison() -> Vec<(Option<Vec<u8>>, &'static str, &'static str)> {
    let deep = |n: usize| format!("{{\"listing_id\":{}1{}}}", "[".repeat(n), "]".repeat(n)).into_bytes();
    let text = |bytes: usize| listing("EX-1", 1, &"x".repeat(bytes));
    let seller = r#""seller":{"seller_id":"S-1"}"#;
    vec![
        (Some(b"{not json".to_vec()), "json", "line 1"),
        (Some(b"[1,2]".to_vec()), "not_an_object", "an array"),
        (Some(Vec::new()), "not_an_object", "nothing"),
        (Some(br#"{"listing_id":7,"title":"x","seller":{"seller_id":"S-1"}}"#.to_vec()), "json", "listing_id"),
        (Some(br#"{"title":"x","seller":{"seller_id":"S-1"}}"#.to_vec()), "json", "listing_id"),
        (Some(br#"{"listing_id":"","title":"x","seller":{"seller_id":"S-1"}}"#.to_vec()), "field", "listing_id"),
        (None, "null_value", "no value"),
        (Some(deep(100_000)), "too_deep", "nested deeper"),
        (Some(format!(r#"{{"listing_id":"EX-1","title":"x",{seller},"price":{{"amount":NaN,"currency":"BRL"}}}}"#).into_bytes()), "json", ""),
        (Some(format!(r#"{{"listing_id":"EX-1","title":"x",{seller},"price":{{"amount":"1e999","currency":"BRL"}}}}"#).into_bytes()), "field", "price"),
        (Some(format!(r#"{{"listing_id":"EX-1","title":"x",{seller},"version":1e400}}"#).into_bytes()), "json", ""),
        (Some(b"{\"listing_id\":\"EX-\xff\"}".to_vec()), "not_utf8", "byte 18"),
        (Some(text(10 << 20)), "too_large", "max_listing_bytes"),
        (Some(text((1 << 20) + 1)), "too_large", "max_listing_bytes"),
        (Some(listing("EX-1", 1, "panic please")), "panic", "told to panic"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_becomes_one_dead_letter_each_and_neighbours_are_judged() -> Result<()> {
    let options = TopicOptions { n_partitions: 2, max_message_bytes: 12 << 20, ..TopicOptions::default() };
    let stage = Stage::with_options(KafkaCluster::shared()?, options).await?;
    let mut settings = stage.settings.clone();
    settings.limits.max_in_flight_bytes = 16 << 20;
    let topic = &stage.topics().listings;
    let poison = poison();
    let mut sender = Sender::new(&settings)?;
    for (number, (value, _, _)) in poison.iter().enumerate() {
        let headers = vec![("number".to_owned(), Some(number.to_string().into_bytes()))];
        sender.record(topic, Some(b"EX-1"), Some(&listing("EX-1", 1, "Lumora 20")), &Vec::new())?;
        sender.record(topic, Some(format!("poison-{number}").as_bytes()), value.as_deref(), &headers)?;
        // Without a key it comes to any partition, so that it must be another listing each time.
        let keyless = listing(&format!("EX-keyless-{number}"), 1, "Lumora 20");
        sender.record(topic, None, Some(&keyless), &Vec::new())?;
    }
    sender.finish()?;
    let worker = Worker::start(&settings, StubJudging::default());
    let report = stage.wait_done(3 * poison.len(), LIMIT)?;
    worker.stop().await?;
    assert_eq!(report.violations, []);
    assert_eq!((report.n_verdicts, report.n_dead_letters), (2 * poison.len(), poison.len()));

    let letters = stage.records(&stage.topics().dead_letters)?;
    for (number, (value, reason, explanation)) in poison.iter().enumerate() {
        let number = number.to_string();
        let letter = letters.iter().find(|l| l.header("number") == Some(&number)).context(number.clone())?;
        let error = letter.header("touchstone-error").context("no error")?;
        assert!(
            error.starts_with(&format!("{reason}: ")) && error.contains(explanation),
            "{number}: {error}"
        );
        assert!(&letter.value == value, "{number}: the bytes are not the input's");
        assert_eq!(letter.key.as_deref(), Some(format!("poison-{number}").as_bytes()));
        let source = letter.header("touchstone-source").context("no source")?;
        let (topic, partition, offset) = (
            letter.header("touchstone-topic").unwrap(),
            letter.header("touchstone-partition").unwrap(),
            letter.header("touchstone-offset").unwrap(),
        );
        assert_eq!(source, format!("{topic}/{partition}@{offset}"));
        assert_eq!(letter.header("touchstone-kind"), Some("dead_letter"));
        assert_eq!(letter.header("touchstone-attempts"), Some("1"));
    }
    let listed = dlq::list(&settings, 5)?;
    assert_eq!(listed.len(), 5);
    assert!(listed.iter().all(|letter| !letter.reason().is_empty() && letter.source.is_some()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_too_long_for_the_dead_letter_topic_is_cut_to_its_first_64_kib() -> Result<()> {
    let options = TopicOptions { n_partitions: 1, ..TopicOptions::default() };
    let stage = Stage::with_options(KafkaCluster::shared()?, options).await?;
    // The dead-letter topic was made for smaller messages than the topic of listings, as it happens after a change.
    let big = TopicOptions { n_partitions: 1, max_message_bytes: 6 << 20, ..options };
    let other = Stage::with_options(KafkaCluster::shared()?, big).await?;
    let mut settings = stage.settings.clone();
    settings.topics.listings.clone_from(&other.topics().listings);
    let input = listing("EX-1", 1, &"y".repeat(4 << 20));
    let mut sender = Sender::new(&settings)?;
    sender.record(&settings.topics.listings, Some(b"EX-1"), Some(&input), &Vec::new())?;
    sender.finish()?;
    let worker = Worker::start(&settings, StubJudging::default());
    let stage = Stage { settings };
    let report = stage.wait_done(1, LIMIT)?;
    worker.stop().await?;
    assert_eq!((report.violations, report.n_dead_letters), (vec![], 1));
    let letter = &stage.records(&stage.topics().dead_letters)?[0];
    assert_eq!(letter.value.as_deref(), Some(&input[..64 << 10]));
    assert_eq!(letter.header("touchstone-truncated"), Some(input.len().to_string().as_str()));
    assert!(dlq::list(&stage.settings, 10)?[0].is_truncated);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_too_long_for_its_topic_makes_a_dead_letter_and_no_loop() -> Result<()> {
    let options = TopicOptions { n_partitions: 1, ..TopicOptions::default() };
    let stage = Stage::with_options(KafkaCluster::shared()?, options).await?;
    let small = Stage::with_options(KafkaCluster::shared()?, options).await?;
    let mut settings = stage.settings.clone();
    // The catalog topic of the other stage takes 4 MiB; a listing of 5 MiB repeated in its flag is too long for it.
    settings.topics.review.clone_from(&small.topics().catalog);
    let big = TopicOptions { n_partitions: 1, max_message_bytes: 8 << 20, ..options };
    let other = Stage::with_options(KafkaCluster::shared()?, big).await?;
    settings.topics.listings.clone_from(&other.topics().listings);
    settings.topics.dead_letters.clone_from(&other.topics().dead_letters);
    settings.limits.max_listing_bytes = 8 << 20;
    let mut sender = Sender::new(&settings)?;
    for title in
        ["Lumora 20 suspicious", &format!("suspicious {}", "z".repeat(5 << 20)), "Lumora 20 suspicious"]
    {
        sender.record(
            &settings.topics.listings,
            Some(b"EX-1"),
            Some(&listing("EX-1", 1, title)),
            &Vec::new(),
        )?;
    }
    sender.finish()?;
    let worker = Worker::start(&settings, StubJudging::default());
    let stage = Stage { settings };
    let report = stage.wait_done(3, LIMIT)?;
    worker.stop().await?;
    assert_eq!((report.violations, report.n_verdicts, report.n_flags), (vec![], 2, 2));
    assert_eq!(dlq::list(&stage.settings, 10)?[0].reason(), "output_too_large");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_dead_letters_stop_the_worker_after_the_limit() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    let mut settings = stage.settings.clone();
    settings.limits.dead_letter_limit = 20;
    let mut sender = Sender::new(&settings)?;
    for _ in 0..100 {
        sender.record(&settings.topics.listings, Some(b"EX-1"), Some(b"no listing"), &Vec::new())?;
    }
    sender.finish()?;
    let error = Worker::start(&settings, StubJudging::default()).end().await?;
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().starts_with("21 of the last 21 inputs"), "{error}");
    assert_eq!(stage.records(&stage.topics().dead_letters)?.len(), 20);
    // The next worker begins where this one stopped, and nothing is doubled.
    settings.limits.dead_letter_limit = 500;
    let worker = Worker::start(&settings, StubJudging::default());
    let report = stage.wait_done(100, Duration::from_secs(30))?;
    worker.stop().await?;
    assert_eq!((report.violations, report.n_dead_letters), (vec![], 100));
    Ok(())
}

/// A topic's limit is lowered while the worker runs: whole batches of flags are refused, and among them flags that are too long
/// alone.
#[tokio::test(flavor = "multi_thread")]
async fn flags_that_kafka_refuses_are_found_among_thousands() -> Result<()> {
    let cluster = KafkaCluster::shared()?;
    let stage = Stage::new(cluster, 2).await?;
    let worker = Worker::start(&stage.settings, StubJudging::default());
    send_listings(&stage.settings, 10, 10)?;
    stage.wait_done(10, LIMIT)?;
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create()?;
    let smaller =
        AlterConfig::new(ResourceSpecifier::Topic(&stage.topics().review)).set("max.message.bytes", "60000");
    for result in admin.alter_configs(&[smaller], &AdminOptions::new()).await? {
        result.map_err(|(_, code)| anyhow::anyhow!("{code}"))?;
    }
    let (mut sender, mut seeded) = (Sender::new(&stage.settings)?, Seeded::new(1));
    for number in 0..3_000 {
        let id = format!("EX-{}", number % 500);
        let title = if number % 1_000 == 600 {
            // Letters that no codec makes shorter.
            let letters = (0..100_000).map(|_| char::from(b'a' + seeded.below(26) as u8));
            format!("suspicious {}", letters.collect::<String>())
        } else {
            "Lumora 20 suspicious".to_owned()
        };
        let json = listing(&id, 1, &title);
        sender.record(&stage.topics().listings, Some(id.as_bytes()), Some(&json), &Vec::new())?;
    }
    sender.finish()?;
    let report = stage.wait_done(3_010, 2 * LIMIT)?;
    worker.stop().await?;
    assert_eq!((report.violations, report.n_dead_letters, report.n_verdicts), (vec![], 3, 3_007));
    assert!(dlq::list(&stage.settings, 10)?.iter().all(|letter| letter.reason() == "refused"));
    Ok(())
}
