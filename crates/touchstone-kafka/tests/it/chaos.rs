//! 20,000 listings on three nodes, while the worker is killed again and again and a broker dies and comes back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use touchstone_kafka::Sender;
use touchstone_testkit::{KafkaCluster, wait_until};
use touchstone_types::ListingId;

use crate::process::WorkerProcess;
use crate::support::{Stage, listing};

const N_LISTINGS: usize = 20_000;
const N_IDS: usize = 3_000;
const N_KILLS: usize = 6;

/// splitmix64: the moments of the kills follow from the seed alone.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Asks how much the group has committed.
pub(crate) struct Progress {
    consumer: BaseConsumer,
    topic: String,
    n_partitions: i32,
}

impl Progress {
    pub(crate) fn new(stage: &Stage, n_partitions: i32) -> Result<Self> {
        let kafka = stage.settings.kafka()?;
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", &kafka.bootstrap_servers)
            .set("group.id", &kafka.group_id)
            .create()?;
        Ok(Self { consumer, topic: stage.topics().listings.clone(), n_partitions })
    }

    /// The sum of the committed offsets; nothing while the brokers do not answer.
    pub(crate) fn committed(&self) -> Option<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.n_partitions - 1);
        let list = self.consumer.committed_offsets(list, Duration::from_secs(2)).ok()?;
        let offset = |offset| match offset {
            Offset::Offset(offset) => offset,
            _ => 0,
        };
        Some(list.elements().iter().map(|e| offset(e.offset())).sum())
    }

    pub(crate) fn wait_for(&self, n: i64, limit: Duration) -> Result<()> {
        wait_until(&format!("{n} inputs to be committed"), limit, || {
            Ok(self.committed().is_some_and(|c| c >= n))
        })
    }
}

fn send(stage: &Stage) -> Result<()> {
    let mut sender = Sender::new(&stage.settings)?;
    for number in 0..N_LISTINGS {
        let id = format!("EX-{}", number % N_IDS);
        let title = if number % 7 == 0 { "Lumora 20 suspicious" } else { "Lumora 20" };
        let json = match number % 400 {
            399 => b"{poison".to_vec(),
            _ => listing(&id, (number / N_IDS + 1) as u64, title),
        };
        sender.listing(&ListingId::new(id)?, &json)?;
    }
    anyhow::ensure!(sender.finish()? == N_LISTINGS);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_exact_after_kills_of_the_worker_and_of_a_broker() -> Result<()> {
    let cluster = KafkaCluster::start(3)?;
    let stage = Stage::new(&cluster, 6).await?;
    send(&stage)?;
    let progress = Progress::new(&stage, 6)?;
    let seed = std::env::var("TOUCHSTONE_SEED").map_or(Ok(20_260_302), |text| text.parse())?;
    let mut seeded = Seeded(seed);
    let settings = stage.toml(
        "instance_id = \"worker-1\"\n[limits]\ndead_letter_limit = 10000\nmax_in_flight = 1000\ncommit_interval_ms = 0\n",
    );
    let started = Instant::now();
    for kill in 0..N_KILLS {
        let mut before = 0;
        wait_until("the committed offsets", Duration::from_secs(60), || {
            before = progress.committed().unwrap_or(-1);
            Ok(before >= 0)
        })?;
        let worker = WorkerProcess::start(&settings)?;
        let moment = before + 1 + i64::try_from(seeded.below(1_200))?;
        progress.wait_for(moment, Duration::from_secs(60)).with_context(|| format!("seed {seed}"))?;
        worker.kill()?;
        eprintln!("{:.1} s: worker killed after {moment}", started.elapsed().as_secs_f64());
        match kill {
            2 => cluster.kill(2)?,
            4 => cluster.restart(2)?,
            _ => {}
        }
    }
    let worker = WorkerProcess::start(&settings)?;
    progress.wait_for(i64::try_from(N_LISTINGS)?, Duration::from_secs(60))?;
    let report = stage.wait_done(N_LISTINGS, Duration::from_secs(60))?;
    assert_eq!(worker.terminate()?.code(), Some(0));
    assert_eq!(report.violations, [], "seed {seed}");
    assert_eq!((report.n_inputs, report.n_dead_letters), (N_LISTINGS, N_LISTINGS / 400));
    assert_eq!(report.n_verdicts, N_LISTINGS - N_LISTINGS / 400);
    Ok(())
}
