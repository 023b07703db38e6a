//! Real clients and a real node with the proxy between them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{Mutex, MutexGuard};
use touchstone_testkit::{ApiKey, KafkaCluster, Proxy, Rule, Way, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
/// What [`send`] says of a message that was given up.
const TIMED_OUT: Result<(), KafkaError> =
    Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));

/// The node that these tests share and its proxy, for one test at a time: a cut is for all clients.
async fn shared() -> (MutexGuard<'static, ()>, &'static KafkaCluster, &'static Proxy) {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let cluster = KafkaCluster::shared().unwrap();
    (turn, cluster, cluster.proxy().unwrap())
}

async fn create_topic(cluster: &KafkaCluster, name: &str, n_partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = config(&cluster.bootstrap()).create().unwrap();
    let topic = NewTopic::new(name, n_partitions, TopicReplication::Fixed(-1));
    let created = admin.create_topics([&topic], &AdminOptions::new().operation_timeout(Some(LIMIT))).await;
    created.unwrap().remove(0).unwrap();
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("reconnect.backoff.max.ms", "500");
    config
}

/// Gives up on a message after five seconds.
fn producer(proxy: &Proxy) -> FutureProducer {
    let mut config = config(&proxy.bootstrap());
    config.set("message.timeout.ms", "5000").create().unwrap()
}

async fn send(producer: &FutureProducer, topic: &str, partition: i32, text: &str) -> Result<(), KafkaError> {
    let record = FutureRecord::<(), _>::to(topic).partition(partition).payload(text);
    producer.send(record, LIMIT).await.map(|_| ()).map_err(|(error, _)| error)
}

/// What partition 0 holds for a reader who waits for the end of transactions, read past the proxy.
fn committed(cluster: &KafkaCluster, topic: &str) -> Vec<String> {
    let mut config = config(&cluster.bootstrap());
    config.set("group.id", "reader").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.set("isolation.level", "read_committed").create().unwrap();
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&start).unwrap();
    let mut texts = Vec::new();
    loop {
        match consumer.poll(LIMIT).expect("the partition has an end") {
            Ok(message) => texts.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap()),
            Err(KafkaError::PartitionEOF(_)) => return texts,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_begins_at_the_proxy_stays_behind_it() {
    let (_turn, cluster, proxy) = shared().await;
    create_topic(cluster, "behind", 1).await;
    let kinds = [
        ApiKey::Metadata,
        ApiKey::Produce,
        ApiKey::FindCoordinator,
        ApiKey::JoinGroup,
        ApiKey::SyncGroup,
        ApiKey::OffsetFetch,
        ApiKey::Fetch,
    ];
    let before = kinds.map(|kind| proxy.n_requests(kind));

    let producer = producer(proxy);
    let metadata = producer.client().fetch_metadata(None, LIMIT).unwrap();
    let named = metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port()));
    assert_eq!(named.collect::<Vec<_>>().join(","), proxy.bootstrap());
    let expected: BTreeSet<_> = (0..100).map(|number| format!("Lumora {number}")).collect();
    for text in &expected {
        send(&producer, "behind", 0, text).await.unwrap();
    }
    let mut config = config(&proxy.bootstrap());
    config.set("group.id", "behind").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&["behind"]).unwrap();
    let mut texts = BTreeSet::new();
    // A poll in which the group is joined ends without a message.
    wait_until("the messages", LIMIT, || {
        while let Some(message) = consumer.poll(Duration::from_millis(100)) {
            texts.insert(String::from_utf8(message?.payload().unwrap().to_vec())?);
        }
        Ok(texts.len() >= expected.len())
    })
    .unwrap();
    assert_eq!(texts, expected);
    for (kind, before) in kinds.into_iter().zip(before) {
        assert!(proxy.n_requests(kind) > before, "{kind:?} did not go through the proxy");
    }
}

#[tokio::test]
async fn a_commit_whose_outcome_is_lost_is_repeated_and_counts_once() {
    let (_turn, cluster, proxy) = shared().await;
    create_topic(cluster, "outcome", 1).await;
    let mut config = config(&proxy.bootstrap());
    let producer: FutureProducer = config.set("transactional.id", "outcome").create().unwrap();
    producer.init_transactions(LIMIT).unwrap();
    let rules = [Rule::drop_answer(ApiKey::EndTxn), Rule::drop_request(ApiKey::EndTxn)];
    for (rule, text) in rules.into_iter().zip(["answer lost", "request lost"]) {
        let before = proxy.n_requests(ApiKey::EndTxn);
        producer.begin_transaction().unwrap();
        send(&producer, "outcome", 0, text).await.unwrap();
        let rule = proxy.set(rule.times(1)).unwrap();
        producer.commit_transaction(LIMIT).unwrap();
        rule.wait_fired(1, Duration::ZERO).unwrap();
        assert!(proxy.n_requests(ApiKey::EndTxn) >= before + 2, "{text}: asked again");
    }
    assert_eq!(committed(cluster, "outcome"), ["answer lost", "request lost"]);
}

#[tokio::test]
async fn a_black_hole_lasts_until_it_is_lifted() {
    let (_turn, cluster, proxy) = shared().await;
    create_topic(cluster, "hole", 1).await;
    let producer = producer(proxy);
    send(&producer, "hole", 0, "before").await.unwrap();
    let hole = proxy.set(Rule::black_hole(Way::Requests)).unwrap();
    assert_eq!(send(&producer, "hole", 0, "swallowed").await, TIMED_OUT);
    assert!(hole.n_fired() > 0);
    hole.lift();
    send(&producer, "hole", 0, "after").await.unwrap();
    assert_eq!(committed(cluster, "hole"), ["before", "after"]);
}

#[tokio::test]
async fn a_cut_lasts_until_it_is_lifted() {
    let (_turn, cluster, proxy) = shared().await;
    create_topic(cluster, "cut", 1).await;
    let producer = producer(proxy);
    send(&producer, "cut", 0, "before").await.unwrap();
    let cut = proxy.cut();
    assert_eq!(send(&producer, "cut", 0, "refused").await, TIMED_OUT, "it found a way past the proxy");
    cut.lift().unwrap();
    send(&producer, "cut", 0, "after").await.unwrap();
    assert_eq!(committed(cluster, "cut"), ["before", "after"]);
}

#[tokio::test]
async fn a_delay_takes_at_least_as_long_as_asked() {
    let (_turn, cluster, proxy) = shared().await;
    create_topic(cluster, "delay", 1).await;
    let producer = producer(proxy);
    send(&producer, "delay", 0, "at once").await.unwrap();
    let delay = Duration::from_millis(400);
    let rule = proxy.set(Rule::delay(Way::Answers, delay).of(ApiKey::Produce)).unwrap();
    let started = Instant::now();
    send(&producer, "delay", 0, "late").await.unwrap();
    assert!(started.elapsed() >= delay, "{:?}", started.elapsed());
    assert!(rule.n_fired() >= 1);
}

#[tokio::test]
async fn a_node_that_is_cut_off_is_missed_alone() {
    let cluster = KafkaCluster::start(3).unwrap();
    let proxy = cluster.proxy().unwrap();
    create_topic(&cluster, "alone", 3).await;
    let producer = producer(proxy);
    let mut leaders = Vec::new();
    wait_until("each node to lead a partition", LIMIT, || {
        let metadata = producer.client().fetch_metadata(Some("alone"), LIMIT)?;
        leaders = metadata.topics()[0].partitions().iter().map(|partition| partition.leader()).collect();
        Ok(leaders.iter().collect::<BTreeSet<_>>() == BTreeSet::from([&1, &2, &3]))
    })
    .unwrap();
    for partition in 0..3 {
        send(&producer, "alone", partition, "before").await.unwrap();
    }
    let cut = proxy.cut_node(usize::try_from(leaders[0]).unwrap()).unwrap();
    assert_eq!(send(&producer, "alone", 0, "refused").await, TIMED_OUT);
    for partition in 1..3 {
        send(&producer, "alone", partition, "meanwhile").await.unwrap();
    }
    cut.lift().unwrap();
    send(&producer, "alone", 0, "after").await.unwrap();
    assert_eq!(committed(&cluster, "alone"), ["before", "after"]);
}
