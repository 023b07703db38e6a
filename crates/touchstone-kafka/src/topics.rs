//! The topics with the right settings: creating them, and saying where existing ones differ.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use crate::Error;
use crate::client::{self, LogContext, REQUEST_TIMEOUT};
use crate::error::ClientError;
use crate::producer::is_denial;
use crate::settings::{KafkaSettings, Settings, TopicNames};
use crate::stage::MaxRecordBytes;

/// What a user may choose when topics are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicOptions {
    /// Partitions of the topics that carry listings and verdicts: an upper bound for the number of workers.
    pub n_partitions: i32,
    /// The largest listing message that the topic takes, in bytes. The topics of outputs are sized after it.
    pub max_message_bytes: usize,
    /// Copies of each partition; `None` is 3, or as many as there are brokers.
    pub replication: Option<i32>,
}

impl Default for TopicOptions {
    /// Twelve partitions, messages up to 2 MiB: a listing of 1 MiB with headers fits easily.
    fn default() -> Self {
        Self { n_partitions: 12, max_message_bytes: 2 << 20, replication: None }
    }
}

/// How one topic should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// The topic's key in `[topics]`.
    pub role: &'static str,
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub n_partitions: i32,
    /// How many copies of each.
    pub replication: i32,
    /// Topic settings by name, as Kafka spells them.
    pub settings: BTreeMap<&'static str, String>,
}

/// What `create` did about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The plan.
    pub plan: TopicPlan,
    /// Whether the topic was there before. It is left as it is; [`describe`] says where it differs.
    pub existed: bool,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// How it should be.
    pub plan: TopicPlan,
    /// How many partitions it has; `None` if there is no such topic.
    pub n_partitions: Option<i32>,
    /// How many copies of each partition it has: the least of all partitions.
    pub replication: Option<i32>,
    /// Where it differs from the plan.
    pub differences: Vec<Difference>,
}

/// One thing that differs from the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `topic`, `partitions`, `replication` or the name of a setting.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What is right.
    pub right: String,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Room for headers around a message of the largest size.
const HEADROOM: usize = 64 << 10;

/// The topics as they should be on a cluster of `n_brokers`.
///
/// The outputs are sized so that a flag, which repeats the listing beside its evidence, and a dead letter, which repeats
/// it beside the reason, fit wherever the listing fitted.
pub fn plan(names: &TopicNames, options: &TopicOptions, n_brokers: usize) -> Vec<TopicPlan> {
    let brokers = i32::try_from(n_brokers).unwrap_or(i32::MAX).max(1);
    let replication = options.replication.unwrap_or(3).min(brokers).max(1);
    let min_in_sync = if replication >= 3 { 2 } else { 1 };
    let (n, input) = (options.n_partitions, options.max_message_bytes);
    let output = (input + HEADROOM).max(4 << 20);
    let topic = |role, name: &str, n_partitions, retention: Retention, max_bytes: usize| TopicPlan {
        role,
        name: name.to_owned(),
        n_partitions,
        replication,
        settings: retention
            .settings()
            .into_iter()
            .chain([
                ("max.message.bytes", max_bytes.to_string()),
                ("min.insync.replicas", min_in_sync.to_string()),
            ])
            .collect(),
    };
    vec![
        topic("listings", &names.listings, n, Retention::Days(7), input),
        topic("catalog", &names.catalog, 1, Retention::Compacted, 4 << 20),
        topic("review", &names.review, n, Retention::Days(30), output),
        topic("verdicts", &names.verdicts, n, Retention::Days(30), output),
        topic("dead_letters", &names.dead_letters, n.min(3), Retention::Days(30), input + HEADROOM),
        topic("decisions", &names.decisions, n.min(3), Retention::Forever, 1 << 20),
        topic("recheck", &names.recheck, n, Retention::Days(7), output),
        topic("state", &names.state, n, Retention::OftenCompacted, output),
    ]
}

#[derive(Debug, Clone, Copy)]
enum Retention {
    Days(i64),
    Forever,
    Compacted,
    /// Compacted in small steps: what has not been compacted is read at every assignment.
    OftenCompacted,
}

impl Retention {
    fn settings(self) -> Vec<(&'static str, String)> {
        let delete =
            |ms: i64| vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", ms.to_string())];
        match self {
            Self::Days(days) => delete(days * DAY_MS),
            Self::Forever => delete(-1),
            Self::Compacted => vec![("cleanup.policy", "compact".to_owned())],
            Self::OftenCompacted => vec![
                ("cleanup.policy", "compact".to_owned()),
                ("segment.bytes", (128 << 20).to_string()),
                ("min.cleanable.dirty.ratio", "0.2".to_owned()),
            ],
        }
    }
}

/// Creates the topics that do not exist, and waits until every partition has a leader.
///
/// # Errors
/// No answer from the brokers, or a refusal.
pub async fn create(settings: &Settings, options: &TopicOptions) -> Result<Vec<Created>, Error> {
    let kafka = settings.kafka()?;
    let admin = admin(kafka)?;
    let plans = plan(&settings.topics, options, metadata(&admin)?.brokers().len());
    let existing = describe_names(&metadata(&admin)?);
    let new: Vec<NewTopic<'_>> =
        plans.iter().filter(|plan| !existing.contains_key(&plan.name)).map(new_topic).collect();
    if !new.is_empty() {
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
        let results = admin.create_topics(&new, &options).await.map_err(Error::kafka("create topics"))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let source = KafkaError::AdminOp(code);
                    return Err(Error::kafka(format!("create the topic {name}"))(source));
                }
            }
        }
        wait_for_leaders(&admin, &plans).await?;
    }
    let created = |plan: TopicPlan| Created { existed: existing.contains_key(&plan.name), plan };
    Ok(plans.into_iter().map(created).collect())
}

/// Says how the topics are, and where they differ from how they should be. More partitions, copies or bytes than planned
/// are not a difference.
///
/// # Errors
/// No answer from the brokers, or a refusal.
pub async fn describe(settings: &Settings, options: &TopicOptions) -> Result<Vec<TopicState>, Error> {
    let admin = admin(settings.kafka()?)?;
    let metadata = metadata(&admin)?;
    let plans = plan(&settings.topics, options, metadata.brokers().len());
    let existing = describe_names(&metadata);
    let names: Vec<&str> =
        plans.iter().map(|p| p.name.as_str()).filter(|name| existing.contains_key(*name)).collect();
    let configs = configs(&admin, &names).await?;
    Ok(plans
        .into_iter()
        .map(|plan| {
            let (found, config) = (existing.get(&plan.name).copied(), configs.get(&plan.name));
            compare(plan, found, config)
        })
        .collect())
}

fn compare(
    plan: TopicPlan,
    found: Option<(i32, i32)>,
    config: Option<&BTreeMap<String, String>>,
) -> TopicState {
    let mut differences = Vec::new();
    let mut differs = |what: &str, found: &str, right: &str| {
        differences.push(Difference { what: what.into(), found: found.into(), right: right.into() });
    };
    let Some((n_partitions, replication)) = found else {
        differs("topic", "missing", "there");
        return TopicState { plan, n_partitions: None, replication: None, differences };
    };
    if n_partitions < plan.n_partitions {
        differs("partitions", &n_partitions.to_string(), &plan.n_partitions.to_string());
    }
    if replication < plan.replication {
        differs("replication", &replication.to_string(), &plan.replication.to_string());
    }
    for (name, right) in &plan.settings {
        let found = config.and_then(|c| c.get(*name)).map_or("unknown", String::as_str);
        if !is_enough(name, found, right) {
            differs(name, found, right);
        }
    }
    TopicState { plan, n_partitions: Some(n_partitions), replication: Some(replication), differences }
}

/// Whether a setting is as planned, or larger where larger is no worse. -1 means without end.
fn is_enough(name: &str, found: &str, right: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().ok().map(|n| if n < 0 { i64::MAX } else { n });
    match (name, number(found), number(right)) {
        ("max.message.bytes" | "retention.ms" | "min.insync.replicas", Some(found), Some(right)) => {
            found >= right
        }
        _ => found == right,
    }
}

/// What the worker must know before it starts: that its topics are there, and how much fits into them. Asks again while
/// brokers come and go, each time with a new client: an old one may go on asking a broker that has died.
pub(crate) async fn check_for_worker(settings: &Settings) -> Result<MaxRecordBytes, Error> {
    let started = Instant::now();
    loop {
        match check_once(settings).await {
            Err(error) if may_pass(&error, started) => {
                tracing::warn!(%error, "asking again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            result => return result,
        }
    }
}

/// Whether it is worth asking again: brokers come and go, and learn of new topics one after the other.
pub(crate) fn may_pass(error: &Error, started: Instant) -> bool {
    match error {
        Error::Kafka { source, .. } if source.0.rdkafka_error_code().is_some_and(is_denial) => false,
        Error::Kafka { .. } => started.elapsed() < Duration::from_secs(60),
        Error::MissingTopics { .. } => started.elapsed() < Duration::from_secs(3),
        _ => false,
    }
}

async fn check_once(settings: &Settings) -> Result<MaxRecordBytes, Error> {
    let (kafka, names) = (settings.kafka()?, &settings.topics);
    let admin = admin(kafka)?;
    let existing = describe_names(&metadata(&admin)?);
    let needed = names.all().into_iter().map(|(_, name)| name);
    let missing: Vec<String> =
        needed.filter(|name| !existing.contains_key(*name)).map(str::to_owned).collect();
    if !missing.is_empty() {
        return Err(Error::MissingTopics { topics: missing });
    }
    check_partitions(names, &existing)?;
    let outputs = [&names.verdicts, &names.review, &names.dead_letters, &names.state].map(String::as_str);
    let found = match configs(&admin, if kafka.simulated { &[] } else { &outputs }).await {
        Err(Error::Kafka { source: ClientError(KafkaError::AdminOp(code)), .. }) if is_denial(code) => {
            // To describe topics needs a permission of its own, and the worker can do without.
            tracing::warn!(%code, "may not describe topics: assuming the default max.message.bytes");
            BTreeMap::new()
        }
        result => result?,
    };
    let limit = |name: &String| {
        let text = found.get(name).and_then(|config| config.get("max.message.bytes"));
        text.and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_MAX_MESSAGE_BYTES)
    };
    Ok(MaxRecordBytes {
        verdicts: limit(&names.verdicts),
        review: limit(&names.review),
        dead_letters: limit(&names.dead_letters),
        state: limit(&names.state).min(limit(&names.recheck)),
    })
}

/// What is remembered of a listing, and its re-checks, stand in the partition of its input.
fn check_partitions(names: &TopicNames, existing: &BTreeMap<String, (i32, i32)>) -> Result<(), Error> {
    let count = |name: &String| existing.get(name).map_or(0, |(n_partitions, _)| *n_partitions);
    let wanted = count(&names.listings);
    for (role, name) in [("state", &names.state), ("recheck", &names.recheck)] {
        let found = count(name);
        if found != wanted {
            let (topic, listings) = (name.clone(), names.listings.clone());
            return Err(Error::UnequalPartitions { role, topic, found, listings, wanted });
        }
    }
    Ok(())
}

/// For how long the catalog topic shows that a record was deleted; zero where the cluster does not tell.
pub(crate) async fn delete_retention(settings: &Settings) -> Duration {
    let name = settings.topics.catalog.as_str();
    let configs = match settings.kafka().map_err(Error::from).and_then(admin) {
        Ok(admin) => configs(&admin, &[name]).await.unwrap_or_default(),
        Err(_) => BTreeMap::new(),
    };
    let text = configs.get(name).and_then(|config| config.get("delete.retention.ms"));
    text.and_then(|text| text.parse().ok()).map_or(Duration::ZERO, Duration::from_millis)
}

/// Kafka's default of `max.message.bytes`.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

type Admin = AdminClient<LogContext>;

fn admin(kafka: &KafkaSettings) -> Result<Admin, Error> {
    AdminClient::from_config_and_context(&client::admin(kafka), LogContext)
        .map_err(Error::kafka("set up a Kafka client"))
}

fn metadata(admin: &Admin) -> Result<Metadata, Error> {
    admin.inner().fetch_metadata(None, REQUEST_TIMEOUT).map_err(Error::kafka("reach the Kafka brokers"))
}

/// Partitions and least number of copies of every topic.
fn describe_names(metadata: &Metadata) -> BTreeMap<String, (i32, i32)> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let topics = metadata.topics().iter().filter(|t| !t.partitions().is_empty());
    topics
        .map(|topic| {
            let copies = topic.partitions().iter().map(|p| count(p.replicas().len())).min().unwrap_or(0);
            (topic.name().to_owned(), (count(topic.partitions().len()), copies))
        })
        .collect()
}

fn new_topic(plan: &TopicPlan) -> NewTopic<'_> {
    let start = NewTopic::new(&plan.name, plan.n_partitions, TopicReplication::Fixed(plan.replication));
    plan.settings.iter().fold(start, |topic, (name, value)| topic.set(name, value))
}

async fn configs(admin: &Admin, names: &[&str]) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let resources: Vec<ResourceSpecifier<'_>> = names.iter().copied().map(ResourceSpecifier::Topic).collect();
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT / 3));
    let doing = || "read the settings of the topics";
    let results = admin.describe_configs(&resources, &options).await.map_err(Error::kafka(doing()))?;
    names
        .iter()
        .zip(results)
        .map(|(name, result)| {
            let resource = result.map_err(KafkaError::AdminOp).map_err(Error::kafka(doing()))?;
            Ok(((*name).to_owned(), entries(resource)))
        })
        .collect()
}

fn entries(resource: ConfigResource) -> BTreeMap<String, String> {
    resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

/// A new topic is not usable at once: the brokers learn of it one after the other.
async fn wait_for_leaders(admin: &Admin, plans: &[TopicPlan]) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let metadata = metadata(admin)?;
        let has_leaders = |plan: &TopicPlan| {
            let topic = metadata.topics().iter().find(|t| t.name() == plan.name);
            topic.is_some_and(|t| {
                t.partitions().len() >= plan.n_partitions as usize
                    && t.partitions().iter().all(|p| p.leader() >= 0)
            })
        };
        if plans.iter().all(has_leaders) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let source = KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut);
            return Err(Error::kafka("find a leader for every new partition")(source));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(role: &str, n_brokers: usize) -> TopicPlan {
        let all = plan(&TopicNames::default(), &TopicOptions::default(), n_brokers);
        all.into_iter().find(|p| p.role == role).unwrap()
    }

    #[test]
    fn copies_follow_the_cluster_and_losing_one_broker_loses_nothing() {
        for (n_brokers, replication, in_sync) in [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")] {
            let plan = plan_of("verdicts", n_brokers);
            assert_eq!(
                (plan.replication, plan.settings["min.insync.replicas"].as_str()),
                (replication, in_sync)
            );
        }
    }

    #[test]
    fn what_fits_in_fits_out() {
        let options = TopicOptions { max_message_bytes: 12 << 20, ..TopicOptions::default() };
        let plans = plan(&TopicNames::default(), &options, 3);
        let bytes = |role: &str| -> usize {
            plans.iter().find(|p| p.role == role).unwrap().settings["max.message.bytes"].parse().unwrap()
        };
        assert_eq!(bytes("listings"), 12 << 20);
        assert!(["review", "verdicts", "dead_letters"].iter().all(|role| bytes(role) > 12 << 20));
        assert_eq!(plan_of("catalog", 3).settings["cleanup.policy"], "compact");
        assert_eq!(plan_of("review", 3).settings["retention.ms"], "2592000000");
    }

    #[test]
    fn differences_are_named_and_more_than_planned_is_none() {
        let plan = plan_of("review", 3);
        let right: BTreeMap<String, String> =
            plan.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(compare(plan.clone(), Some((24, 5)), Some(&right)).differences, []);
        assert_eq!(compare(plan.clone(), None, None).differences[0].what, "topic");
        let mut wrong = right;
        wrong.insert("retention.ms".into(), "1000".into());
        wrong.insert("cleanup.policy".into(), "compact".into());
        let state = compare(plan.clone(), Some((1, 1)), Some(&wrong));
        let what: Vec<&str> = state.differences.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(what, ["partitions", "replication", "cleanup.policy", "retention.ms"]);
        wrong.insert("retention.ms".into(), "-1".into());
        wrong.insert("cleanup.policy".into(), "delete".into());
        assert_eq!(compare(plan, Some((12, 3)), Some(&wrong)).differences, []);
    }
}
