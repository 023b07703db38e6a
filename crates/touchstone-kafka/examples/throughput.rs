//! How many listings a second one worker takes from Kafka to committed verdicts, on one node or three on this machine.
//!
//! `cargo run --release -p touchstone-kafka --example throughput -- [LISTINGS] [NODES]`
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use touchstone_kafka::topics::{TopicOptions, create};
use touchstone_kafka::{PipelineJudging, Sender, Settings, run, submit_catalog, verify};
use touchstone_pipeline::{Context, Policy};
use touchstone_testkit::{KafkaCluster, wait_until};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogRecord, ListingId};

const N_PARTITIONS: i32 = 6;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (n_listings, n_nodes) = (number(100_000)?, number(1)?);
    let cluster = KafkaCluster::start(n_nodes)?;
    let settings = Settings::with_bootstrap(cluster.bootstrap());
    create(&settings, &TopicOptions { n_partitions: N_PARTITIONS, ..TopicOptions::default() }).await?;
    submit_catalog(&settings, &catalog()?)?;
    let mut sender = Sender::new(&settings)?;
    for number in 0..n_listings {
        let id = ListingId::new(format!("EX-{number}"))?;
        sender.listing(&id, listing(id.as_str(), number).as_bytes())?;
    }
    sender.finish()?;

    let lexicon = Arc::new(Lexicon::builtin());
    let empty = Arc::new(touchstone_catalog::Catalog::new().snapshot(&lexicon));
    let context = Context::new(empty, &lexicon, None, Arc::new(Policy::builtin()));
    let judging = Box::new(PipelineJudging::new(lexicon, context));
    let (stop, wait_stop) = tokio::sync::oneshot::channel::<()>();
    let worker = tokio::spawn({
        let settings = settings.clone();
        async move { run(&settings, judging, async { wait_stop.await.unwrap_or_default() }).await }
    });
    let observer = observer(&settings)?;
    let limit = Duration::from_secs(600);
    let mut at_start = 0;
    wait_until("the first commit", limit, || {
        at_start = committed(&observer, &settings)?;
        Ok(at_start > 0)
    })?;
    let started = Instant::now();
    wait_until("the last commit", limit, || Ok(committed(&observer, &settings)? >= n_listings as i64))?;
    let seconds = started.elapsed().as_secs_f64();
    let n = n_listings as i64 - at_start;
    println!("{n} listings in {seconds:.2} s: {:.0} listings/s, {n_nodes} node(s)", n as f64 / seconds);
    let _ = stop.send(());
    worker.await??;
    let report = verify::verify(&settings)?;
    println!("ledger: {} inputs, {} flags, exact: {}", report.n_inputs, report.n_flags, report.is_exact());
    Ok(())
}

fn catalog() -> Result<Vec<CatalogRecord>> {
    let brands = (0..20).map(|n| format!(r#"{{"kind":"brand","brand_id":"b{n}","name":"{}"}}"#, name(n)));
    let products = (0..400).map(|n| {
        let brand = n % 20;
        format!(
            r#"{{"kind":"product","brand_id":"b{brand}","product_id":"P-{n}","title":"{} Cartucho {n} preto","mpn":"{}K{n}"}}"#,
            name(brand),
            &name(brand)[..2]
        )
    });
    brands.chain(products).map(|json| CatalogRecord::from_json(json.as_bytes()).context("catalog")).collect()
}

fn name(n: usize) -> String {
    const START: [&str; 5] = ["Lum", "Vel", "Kor", "Tas", "Bre"];
    const END: [&str; 4] = ["ora", "trano", "dex", "milla"];
    format!("{}{}", START[n % 5], END[n / 5 % 4])
}

fn listing(id: &str, number: usize) -> String {
    let brand = name(number % 20);
    format!(
        r#"{{"listing_id":"{id}","title":"Cartucho {brand} {} preto original","description":"Produto novo, caixa lacrada, envio imediato. Compatível com impressoras da linha.","brand":"{brand}","condition":"new","price":{{"amount":"{}.90","currency":"BRL"}},"seller":{{"seller_id":"S-{}","country":"BR"}}}}"#,
        number % 400,
        20 + number % 80,
        number % 997
    )
}

fn observer(settings: &Settings) -> Result<BaseConsumer> {
    let kafka = settings.kafka()?;
    let config = ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", &kafka.group_id)
        .create()?;
    Ok(config)
}

fn committed(observer: &BaseConsumer, settings: &Settings) -> Result<i64> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(&settings.topics.listings, 0, N_PARTITIONS - 1);
    let Ok(list) = observer.committed_offsets(list, Duration::from_secs(5)) else { return Ok(0) };
    let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
    Ok(list.elements().iter().map(|element| offset(element.offset())).sum())
}
