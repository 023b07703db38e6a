//! The load generator against a real worker: everything that was sent comes back once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use touchstone_catalog::Catalog;
use touchstone_kafka::load::{
    HostSettings, Kind, LoadOptions, LoadReport, Message, Mix, MixSettings, PhotoHost, PhotoMix, Template,
    pictures, run,
};
use touchstone_kafka::{Error, PipelineJudging, Settings};
use touchstone_pipeline::{Context, Policy};
use touchstone_testkit::KafkaCluster;
use touchstone_text::Lexicon;
use touchstone_types::Verdict;

use crate::support::{LIMIT, Stage, StubJudging, Worker, listing};

fn mix(settings: MixSettings) -> Mix {
    let titles = ["Lumora 20", "Lumora 20 suspicious", "Wooden spoon"];
    let templates = titles.map(|title| Template::from_json(&listing("EX", 1, title)).unwrap());
    Mix::new(templates.to_vec(), settings).unwrap()
}

async fn load(settings: &Settings, mix: Mix, options: LoadOptions) -> Result<LoadReport, Error> {
    let settings = settings.clone();
    let load = move || run(&settings, mix, &options, |_| {});
    tokio::task::spawn_blocking(load).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_found_again_as_verdict_or_dead_letter() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    let mix = mix(MixSettings {
        n_messages: 3_000,
        n_ids: Some(200),
        skew: 0.8,
        duplicates: 0.05,
        reorder: 0.05,
        poison: 0.02,
        ..MixSettings::default()
    });
    let sent: Vec<Message> = mix.clone().collect();
    let n_poison = sent.iter().filter(|message| matches!(message.kind, Kind::Poison(_))).count();
    let worker = Worker::start(&stage.settings, StubJudging::default());
    let options = LoadOptions { rate: 5_000.0, watch: true, patience: LIMIT };
    let report = load(&stage.settings, mix, options).await?;
    worker.stop().await?;

    let counts = (report.n_sent, report.n_judged, report.n_dead_letters, report.n_missing);
    assert_eq!(counts, (3_000, 3_000 - n_poison as u64, n_poison as u64, 0));
    assert_eq!(report.kinds.values().sum::<u64>(), 3_000);
    let latency = report.latency.unwrap();
    assert!(latency.p50 <= latency.p90 && latency.p90 <= latency.p99 && latency.p999 <= latency.max);
    assert!(Duration::ZERO < latency.p50 && latency.p999 <= report.total);
    let ledger = stage.wait_done(3_000, LIMIT)?;
    assert_eq!(
        (ledger.violations, ledger.n_verdicts, ledger.n_dead_letters),
        (vec![], 3_000 - n_poison, n_poison)
    );
    let inputs = stage.records(&stage.topics().listings)?;
    let mut written: Vec<_> = inputs.into_iter().map(|record| (record.key, record.value)).collect();
    let mut expected: Vec<_> = sent.into_iter().map(|message| (Some(message.key), message.value)).collect();
    written.sort();
    expected.sort();
    assert!(written == expected, "what stands in the topic is not what the mix says");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_everything_is_missing_and_without_watching_nothing_is() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let messages = || mix(MixSettings { n_messages: 50, ..MixSettings::default() });
    let patience = Duration::from_millis(100);
    let options = LoadOptions { rate: 0.0, watch: true, patience };
    let report = load(&stage.settings, messages(), options.clone()).await?;
    assert_eq!((report.n_sent, report.n_judged, report.n_missing), (50, 0, 50));
    assert_eq!(report.latency, None);
    let report = load(&stage.settings, messages(), LoadOptions { watch: false, ..options }).await?;
    assert_eq!((report.n_sent, report.n_missing), (50, 0));
    assert_eq!(stage.records(&stage.topics().listings)?.len(), 100);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_missing_topics_are_named_before_anything_is_sent() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    let mut settings = stage.settings.clone();
    settings.topics.verdicts = "no-such.verdicts".to_owned();
    settings.topics.dead_letters = "no-such.dlq".to_owned();
    let error = load(&settings, mix(MixSettings::default()), LoadOptions::default()).await.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let names = ["no-such.verdicts", "no-such.dlq"];
    assert!(names.iter().all(|name| error.to_string().contains(name)), "{error}");
    assert_eq!(stage.records(&stage.topics().listings)?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_fetch_the_photos_that_the_host_serves() -> Result<()> {
    const N_PICTURES: usize = 3;
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let slow = Duration::from_millis(2);
    let host_settings = HostSettings { address, latency: Duration::from_millis(1), slow };
    let host = PhotoHost::start(host_settings, pictures(1, N_PICTURES)).await?;
    let mut settings = stage.settings.clone();
    settings.photos.test_origins = vec![host.origin()];
    let (n_per_listing, slow, dead) = (1, 0.2, 0.0);
    let photos = PhotoMix { origin: host.origin(), n_per_listing, n_pictures: N_PICTURES, slow, dead };
    let mix = mix(MixSettings { n_messages: 40, photos: Some(photos), ..MixSettings::default() });
    let lexicon = Arc::new(Lexicon::builtin());
    let snapshot = Arc::new(Catalog::new().snapshot(&lexicon));
    let context = Context::new(snapshot, &lexicon, None, Arc::new(Policy::builtin()));
    let worker = Worker::start(&settings, PipelineJudging::new(lexicon, context));
    let report = load(&settings, mix, LoadOptions { patience: LIMIT, ..LoadOptions::default() }).await?;
    worker.stop().await?;
    assert_eq!((report.n_judged, report.n_missing), (40, 0));
    for verdict in stage.records(&stage.topics().verdicts)? {
        let verdict = Verdict::from_json(verdict.value.as_deref().unwrap())?;
        let missing: Vec<String> = verdict.missing.iter().map(ToString::to_string).collect();
        assert!(!missing.iter().any(|missing| missing.starts_with("image")), "{missing:?}");
    }
    let counts = host.counts();
    assert_eq!((counts.n_pictures + counts.n_unchanged, counts.n_dead), (40, 0));
    assert!(counts.n_unchanged > 0, "{counts:?}");
    Ok(())
}
