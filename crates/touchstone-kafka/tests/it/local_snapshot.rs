//! A worker that starts with its local snapshot reads what is new, judges as if it had read everything, and does without where
//! the snapshot is not a copy of the topic.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use touchstone_catalog::Catalog;
use touchstone_kafka::{PipelineJudging, Sender, Settings, submit_catalog};
use touchstone_pipeline::{Context, Policy};
use touchstone_testkit::{KafkaCluster, wait_until};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogRecord, ListingId, Verdict};

use crate::one_node::get;
use crate::support::{LIMIT, Stage, Worker, listing};

fn record(json: &str) -> CatalogRecord {
    CatalogRecord::from_json(json.as_bytes()).unwrap()
}

fn product(id: usize) -> CatalogRecord {
    record(&format!(
        r#"{{"kind":"product","brand_id":"lumora","product_id":"LM-{id}","title":"Cartucho Lumora {id} preto"}}"#
    ))
}

fn judging() -> PipelineJudging {
    let lexicon = Arc::new(Lexicon::builtin());
    let snapshot = Arc::new(Catalog::new().snapshot(&lexicon));
    let context = Context::new(snapshot, &lexicon, None, Arc::new(Policy::builtin()));
    PipelineJudging::new(lexicon, context)
}

/// One life of a worker.
struct Life {
    /// How many records of the catalog topic it read.
    n_read: usize,
    catalog_offsets: String,
    verdict: Verdict,
}

/// Lets a worker judge one listing, and keep its snapshot up to date if it is out of date.
async fn life(stage: &Stage, settings: &Settings, number: usize) -> Result<Life> {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut settings = settings.clone();
    settings.http.listen = Some(address);
    let stamp = settings.catalog.snapshot_path.clone().context("no folder")?.join("catalog.json");
    let before = fs::read(&stamp).unwrap_or_default();
    let id = format!("EX-{number}");
    let mut sender = Sender::new(&settings)?;
    sender.listing(&ListingId::new(id.as_str())?, &listing(&id, 1, "Cartucho Lumora 7 preto original"))?;
    sender.finish()?;
    let worker = Worker::start(&settings, judging());
    stage.wait_done(number, LIMIT)?;
    let n_read = n_applied(address)?;
    if n_read > 2 {
        wait_until("the snapshot to be written", LIMIT, || {
            Ok(fs::read(&stamp).unwrap_or_default() != before)
        })?;
    }
    worker.stop().await?;
    let records = stage.records(&stage.topics().verdicts)?;
    let verdict = records.iter().find(|r| r.key.as_deref() == Some(id.as_bytes())).context(id)?;
    let catalog_offsets = verdict.header("touchstone-catalog-offsets").context("no offsets")?.to_owned();
    let verdict = Verdict::from_json(verdict.value.as_deref().context("no value")?)?;
    Ok(Life { n_read, catalog_offsets, verdict })
}

fn n_applied(address: SocketAddr) -> Result<usize> {
    let text = get(address, "/metrics")?;
    let name = "touchstone_catalog_records_total{outcome=\"applied\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("not counted")?;
    Ok(line.parse()?)
}

fn only_file(folder: &Path) -> Result<std::path::PathBuf> {
    let mut files =
        fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|e| e == "bin")).context("no compiled catalog")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_what_is_new_and_judges_as_if_it_had_read_everything() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    let folder = tempfile::tempdir()?;
    let mut settings = stage.settings.clone();
    settings.catalog.snapshot_path = Some(folder.path().join("snapshot"));
    let brand = record(r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#);
    let mut records: Vec<CatalogRecord> = std::iter::once(brand).chain((0..40).map(product)).collect();
    submit_catalog(&settings, &records)?;
    let first = life(&stage, &settings, 1).await?;
    assert_eq!((first.n_read, first.catalog_offsets.as_str()), (41, "0:41"));

    let second = life(&stage, &settings, 2).await?;
    assert_eq!((second.n_read, second.catalog_offsets.as_str()), (0, "0:41"));
    assert_eq!(second.verdict.versions, first.verdict.versions);
    assert_eq!(second.verdict.evidence, first.verdict.evidence);

    // A product goes and another one comes while no worker runs.
    let mut sender = Sender::new(&settings)?;
    sender.catalog(&records.remove(8).key(), None)?;
    sender.finish()?;
    records.push(product(99));
    submit_catalog(&settings, records.last())?;
    let third = life(&stage, &settings, 3).await?;
    assert_eq!((third.n_read, third.catalog_offsets.as_str()), (2, "0:43"));
    let fresh = records.into_iter().collect::<Catalog>().snapshot(&Arc::new(Lexicon::builtin()));
    assert_eq!(third.verdict.versions.catalog, fresh.digest());
    assert_ne!(third.verdict.versions.catalog, first.verdict.versions.catalog);

    // A file that has been damaged, and one of a topic that was made anew of the same records, are not used.
    let file = only_file(&folder.path().join("snapshot"))?;
    let mut bytes = fs::read(&file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes)?;
    let fourth = life(&stage, &settings, 4).await?;
    assert_eq!((fourth.n_read, &fourth.verdict.versions), (43, &third.verdict.versions));
    let stamp = folder.path().join("snapshot/catalog.json");
    let mut moved: serde_json::Value = serde_json::from_slice(&fs::read(&stamp)?)?;
    let time = moved["marks"]["0"]["timestamp_ms"].as_i64().context("no time")?;
    moved["marks"]["0"]["timestamp_ms"] = (time - 1).into();
    fs::write(&stamp, serde_json::to_vec(&moved)?)?;
    let fifth = life(&stage, &settings, 5).await?;
    assert_eq!((fifth.n_read, &fifth.verdict.versions), (43, &third.verdict.versions));
    let sixth = life(&stage, &settings, 6).await?;
    assert_eq!((sixth.n_read, &sixth.verdict.versions), (0, &third.verdict.versions));
    Ok(())
}
