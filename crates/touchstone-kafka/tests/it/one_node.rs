//! One worker on one node: headers, values, the live catalog, the pages.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use touchstone_kafka::{PipelineJudging, Sender, submit_catalog};
use touchstone_pipeline::{Context as JudgingContext, Policy, judge};
use touchstone_testkit::{KafkaCluster, wait_until};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogRecord, Flag, Listing, ListingId};

use crate::progress::Progress;
use crate::support::{LIMIT, Stage, StubJudging, Worker, listing, send_listings};

fn catalog() -> Vec<CatalogRecord> {
    let records = [
        r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#,
        r#"{"kind":"product","brand_id":"lumora","product_id":"LM-20K","title":"Cartucho Lumora 20 Preto"}"#,
    ];
    records.iter().map(|json| CatalogRecord::from_json(json.as_bytes()).unwrap()).collect()
}

fn context(records: &[CatalogRecord]) -> (Arc<Lexicon>, JudgingContext) {
    let lexicon = Arc::new(Lexicon::builtin());
    let catalog: touchstone_catalog::Catalog = records.iter().cloned().collect();
    let snapshot = Arc::new(catalog.snapshot(&lexicon));
    let context = JudgingContext::new(snapshot, &lexicon, None, Arc::new(Policy::builtin()));
    (lexicon, context)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listing_gets_the_verdict_of_the_pure_function_once_with_its_headers() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    let (settings, names) = (&stage.settings, stage.topics());
    submit_catalog(settings, &catalog())?;
    let mut sender = Sender::new(settings)?;
    let trace = vec![(
        "traceparent".to_owned(),
        Some(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec()),
    )];
    for number in 0..300 {
        let id = format!("EX-{number}");
        let title = if number % 3 == 0 { "Lumоra 20 preto original" } else { "Wooden spoon" };
        sender.record(&names.listings, Some(id.as_bytes()), Some(&listing(&id, 1, title)), &trace)?;
    }
    sender.finish()?;

    let (lexicon, empty) = context(&[]);
    let worker = Worker::start(settings, PipelineJudging::new(lexicon, empty));
    let report = stage.wait_done(300, LIMIT)?;
    worker.stop().await?;
    assert_eq!(report.violations, []);
    assert_eq!((report.n_verdicts, report.n_dead_letters), (300, 0));

    let (_, full) = context(&catalog());
    let inputs = stage.records(&names.listings)?;
    let verdicts = stage.records(&names.verdicts)?;
    let mut n_flags = 0;
    for input in &inputs {
        let source = input.at.to_string();
        let is_of = |r: &&touchstone_kafka::Record| r.header("touchstone-source") == Some(source.as_str());
        let verdict = verdicts.iter().find(is_of).context(source.clone())?;
        let expected = judge(&Listing::from_json(input.value.as_deref().unwrap())?, &[], &full).verdict;
        assert_eq!(std::str::from_utf8(verdict.value.as_deref().unwrap())?, expected.to_json());
        n_flags += usize::from(expected.decision.is_flag());
        assert_eq!(verdict.key, input.key);
        assert_eq!(verdict.header("touchstone-kind"), Some("verdict"));
        assert_eq!(verdict.header("touchstone-catalog-offsets"), Some("0:2"));
        assert_eq!(verdict.header("traceparent").map(str::len), Some(55));
        assert_eq!(verdict.headers.len(), 4);
    }
    assert_eq!(report.n_flags, n_flags);
    for flag in stage.records(&names.review)? {
        let flag = Flag::from_json(flag.value.as_deref().unwrap())?;
        assert_eq!(flag.listing().listing_id, flag.verdict().listing_id);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_catalog_is_live_within_a_second_and_bad_records_change_nothing() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    let (settings, names) = (&stage.settings, stage.topics());
    let brand = CatalogRecord::from_json(br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#)?;
    submit_catalog(settings, [&brand])?;
    let worker = Worker::start(settings, StubJudging::default());
    send_listings(settings, 1, 1)?;
    stage.wait_done(1, LIMIT)?;
    assert_eq!(catalog_of_last_verdict(&stage)?, ("1 records".into(), "0:1".into()));

    let mut sender = Sender::new(settings)?;
    sender.record(&names.catalog, Some(b"nonsense"), Some(b"{}"), &Vec::new())?;
    sender.record(&names.catalog, Some(b"brand/x"), Some(b"{\"kind\":\"brand\"}"), &Vec::new())?;
    sender.catalog(&brand.key(), None)?;
    sender.finish()?;
    let progress = Progress::new(&stage, 1)?;
    let mut n_sent = 1;
    wait_until("the change to be live", LIMIT, || {
        send_listings(settings, 1, 1)?;
        n_sent += 1;
        progress.wait_for(n_sent, LIMIT)?;
        Ok(n_sent % 8 == 0 && catalog_of_last_verdict(&stage)? == ("0 records".into(), "0:4".into()))
    })?;
    let changed = stage.records(&names.catalog)?.last().context("no change")?.timestamp_ms;
    for verdict in stage.records(&names.verdicts)? {
        let is_old = verdict.header("touchstone-catalog-offsets") == Some("0:1");
        let late_ms = verdict.timestamp_ms.zip(changed).map(|(verdict, changed)| verdict - changed);
        assert!(!is_old || late_ms < Some(1_000), "{late_ms:?} ms after the change");
    }
    worker.stop().await
}

fn catalog_of_last_verdict(stage: &Stage) -> Result<(String, String)> {
    let mut verdicts = stage.records(&stage.topics().verdicts)?;
    verdicts.sort_by_key(|verdict| verdict.at.offset);
    let last = verdicts.last().context("no verdict")?;
    let verdict = touchstone_types::Verdict::from_json(last.value.as_deref().unwrap())?;
    let offsets = last.header("touchstone-catalog-offsets").context("no header")?;
    Ok((verdict.versions.catalog, offsets.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_say_alive_ready_and_what_was_counted() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let mut settings = stage.settings.clone();
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    settings.http.listen = Some(address);
    send_listings(&settings, 70, 10)?;
    let worker = Worker::start(&settings, StubJudging::default());
    wait_until("the worker to be ready", LIMIT, || {
        Ok(get(address, "/readyz").is_ok_and(|text| text.contains(" 200 ")))
    })?;
    stage.wait_done(70, LIMIT)?;
    assert!(get(address, "/healthz")?.contains(" 200 "));
    let line = |name: &str| -> Result<f64> {
        let text = get(address, "/metrics")?;
        let line =
            text.lines().find(|line| line.starts_with(name)).with_context(|| format!("{name} in {text}"))?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
    };
    assert!((line("touchstone_listings_total{outcome=\"review\"}")? - 10.0).abs() < 0.1);
    assert!((line("touchstone_listings_total{outcome=\"clear\"}")? - 60.0).abs() < 0.1);
    assert!(line("touchstone_transactions_total{outcome=\"committed\"}")? >= 1.0);
    assert!(line("touchstone_oldest_uncommitted_seconds")? < 60.0);
    assert!(line("touchstone_catalog_age_seconds")? < 60.0);
    wait_until("the lag to be known and zero", LIMIT, || {
        Ok(line("touchstone_lag{partition=\"0\"}").is_ok_and(|lag| lag == 0.0))
    })?;
    worker.stop().await
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_room_for_a_few_listings_still_judges_them_all() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    let mut settings = stage.settings.clone();
    settings.limits.max_in_flight = 8;
    send_listings(&settings, 400, 40)?;
    let worker = Worker::start(&settings, StubJudging::default());
    let report = stage.wait_done(400, LIMIT)?;
    worker.stop().await?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], 400));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn key_of_a_listing_decides_its_partition_as_in_java() -> Result<()> {
    // org.apache.kafka.common.utils.Utils.murmur2, as the Java client uses it: checked with Kafka's own test vectors
    // ("21" -> -973932308, "foobar" -> -790332482), modulo 3 after clearing the sign.
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    let mut sender = Sender::new(&stage.settings)?;
    for key in ["21", "foobar"] {
        sender.listing(&ListingId::new(key)?, b"{}")?;
    }
    sender.finish()?;
    for record in stage.records(&stage.topics().listings)? {
        let hash = if record.key.as_deref() == Some(b"21") { -973_932_308_i32 } else { -790_332_482 };
        assert_eq!(record.at.partition, (hash & 0x7fff_ffff) % 3);
    }
    Ok(())
}
