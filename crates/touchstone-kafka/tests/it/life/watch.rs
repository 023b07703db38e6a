//! Reads `verdicts` and `review` as they grow, and holds each record against what the oracle says must come.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use touchstone_kafka::{Source, headers};
use touchstone_types::{Decision, Verdict};

use super::oracle::{Line, OpenFlags};
use crate::support::Stage;

/// Listings that only ask something of a worker; no oracle knows them.
pub(crate) const PROBE: &str = "EX-probe-";

/// One topic of verdicts.
struct Side {
    expected: BTreeMap<String, Vec<Line>>,
    n_seen: HashMap<String, usize>,
    n_total: usize,
    /// Records seen that do not come in their own time.
    n_on_time: usize,
    /// How many of those each phase brings.
    by_phase: BTreeMap<usize, usize>,
}

impl Side {
    fn new(lines: &BTreeMap<String, Vec<Line>>, only_flags: bool) -> Self {
        let kept = |line: &&Line| !only_flags || line.decision.is_flag();
        let expected: BTreeMap<String, Vec<Line>> = lines
            .iter()
            .map(|(id, lines)| (id.clone(), lines.iter().filter(kept).cloned().collect()))
            .collect();
        let mut by_phase = BTreeMap::new();
        for line in expected.values().flatten().filter(|line| !line.in_its_own_time) {
            *by_phase.entry(line.phase).or_default() += 1;
        }
        Self { expected, n_seen: HashMap::new(), n_total: 0, n_on_time: 0, by_phase }
    }

    /// Takes the next record of a listing.
    fn take(&mut self, id: &str, found: &Line, phase: usize) -> Result<()> {
        let n_seen = self.n_seen.entry(id.to_owned()).or_default();
        let next = self.expected.get(id).and_then(|lines| lines.get(*n_seen));
        match next {
            Some(line) if (line.phase <= phase || line.in_its_own_time) && line.is(found) => {
                *n_seen += 1;
                self.n_total += 1;
                self.n_on_time += usize::from(!line.in_its_own_time);
                Ok(())
            }
            _ => bail!("{}", self.difference(id, Some(found), phase)),
        }
    }

    /// Whether all is seen that the phases up to this one bring; what came too early was refused.
    fn is_done(&self, phase: usize) -> bool {
        self.n_on_time == self.by_phase.range(..=phase).map(|(_, n)| n).sum::<usize>()
    }

    /// The listings of which something is still to come in a phase.
    fn late(&self, phase: usize) -> Vec<&str> {
        let is_late = |(id, lines): &(&String, &Vec<Line>)| {
            let next = lines.get(self.n_seen.get(id.as_str()).copied().unwrap_or(0));
            next.is_some_and(|line| line.phase <= phase && !line.in_its_own_time)
        };
        self.expected.iter().filter(is_late).map(|(id, _)| id.as_str()).collect()
    }

    fn difference(&self, id: &str, found: Option<&Line>, phase: usize) -> String {
        let n_seen = self.n_seen.get(id).copied().unwrap_or(0);
        let lines = self.expected.get(id).map_or(&[][..], Vec::as_slice);
        let mut text = format!("{id}, phase {phase}:\n");
        for (idx, line) in lines.iter().enumerate().skip(n_seen.saturating_sub(3)).take(6) {
            let mark = if idx < n_seen { "seen" } else { "due " };
            text.push_str(&format!("  {mark} in phase {}: {line}\n", line.phase));
        }
        let Some(found) = found else { return text };
        text.push_str(&format!("  came:            {found}\n"));
        if let Some(due) = lines.get(n_seen).filter(|due| Line { value: None, ..(*due).clone() }.is(found)) {
            text.push_str("  the values differ:\n");
            text.push_str(&format!("  due:  {}\n", due.value.as_deref().unwrap_or_default()));
            text.push_str(&format!("  came: {}\n", found.value.as_deref().unwrap_or_default()));
        }
        text
    }
}

/// The answer to a probe.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) version: u64,
    pub(crate) catalog_offsets: String,
}

pub(crate) struct Watch {
    consumer: BaseConsumer,
    review: String,
    verdicts: Side,
    flags: Side,
    /// What stands in `review`: the highest revision of each flag.
    view: OpenFlags,
    /// The last answer to each probe.
    pub(crate) answers: HashMap<String, Answer>,
    /// The partitions of `listings` that verdicts on guards came from.
    pub(crate) guarded: BTreeSet<i32>,
    /// The offset behind the last record of each partition of `review`.
    review_ends: BTreeMap<i32, i64>,
}

impl Watch {
    pub(crate) fn new(stage: &Stage, n_partitions: i32, lines: &BTreeMap<String, Vec<Line>>) -> Result<Self> {
        let kafka = stage.settings.kafka()?;
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &kafka.bootstrap_servers)
            .set("group.id", format!("{}-watch", stage.name()))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "50")
            .create()?;
        let mut list = TopicPartitionList::new();
        for topic in [&stage.topics().verdicts, &stage.topics().review] {
            for partition in 0..n_partitions {
                list.add_partition_offset(topic, partition, Offset::Beginning)?;
            }
        }
        consumer.assign(&list)?;
        Ok(Self {
            consumer,
            review: stage.topics().review.clone(),
            verdicts: Side::new(lines, false),
            flags: Side::new(lines, true),
            view: OpenFlags::new(),
            answers: HashMap::new(),
            guarded: BTreeSet::new(),
            review_ends: BTreeMap::new(),
        })
    }

    /// Takes in what is there. An error names the first record that must not be.
    pub(crate) fn look(&mut self, phase: usize) -> Result<()> {
        for _ in 0..5_000 {
            let Some(message) = self.consumer.poll(Duration::from_millis(5)) else { return Ok(()) };
            // Brokers that are away are no reason to give up.
            let Ok(message) = message else { return Ok(()) };
            let verdict = Verdict::from_json(message.payload().context("a verdict without a value")?)?;
            let id = verdict.listing_id.as_str().to_owned();
            let header = |name: &str| {
                let all: Vec<_> = message.headers().into_iter().flat_map(Headers::iter).collect();
                let last = all.into_iter().rev().find(|header| header.key == name)?;
                last.value.and_then(|value| String::from_utf8(value.to_vec()).ok())
            };
            ensure!(message.key() == Some(id.as_bytes()), "{id}: another key");
            let kind = if verdict.decision == Decision::Retract { "retract" } else { "verdict" };
            ensure!(header(headers::KIND).as_deref() == Some(kind), "{id}: kind {:?}", header(headers::KIND));
            let offsets = header(headers::CATALOG_OFFSETS).context("no offsets of the catalog")?;
            let source =
                header(headers::SOURCE).and_then(|text| Source::parse(&text)).context("no source")?;
            if id.starts_with(PROBE) {
                let answer = Answer { version: verdict.listing_version, catalog_offsets: offsets };
                self.answers.insert(id, answer);
                continue;
            }
            if id.starts_with("EX-guard") && kind == "verdict" {
                self.guarded.insert(source.partition);
            }
            if message.topic() != self.review {
                self.verdicts.take(&id, &Line::of(&verdict), phase).context("verdicts")?;
                continue;
            }
            self.review_ends.insert(message.partition(), message.offset() + 1);
            self.flags.take(&id, &Line::of(&verdict), phase).context("review")?;
            let key = (id, verdict.flag_id.to_string());
            let before = self.view.insert(key, (verdict.revision, verdict.decision));
            ensure!(
                before.is_none_or(|(revision, _)| revision < verdict.revision),
                "{} went back from {before:?} to {}",
                verdict.listing_id,
                verdict.revision
            );
        }
        Ok(())
    }

    /// Whether everything of the phases up to this one is there.
    pub(crate) fn is_done(&self, phase: usize) -> bool {
        self.verdicts.is_done(phase) && self.flags.is_done(phase)
    }

    /// What is still to come, told for a few listings.
    pub(crate) fn missing(&self, phase: usize) -> String {
        let mut text = String::new();
        for (name, side) in [("verdicts", &self.verdicts), ("review", &self.flags)] {
            let late = side.late(phase);
            text.push_str(&format!("{name}: {} listings are late\n", late.len()));
            for id in late.iter().take(4) {
                text.push_str(&side.difference(id, None, phase));
            }
        }
        text
    }

    /// Whether everything is there, also what comes in its own time.
    pub(crate) fn is_complete(&self) -> bool {
        let n = |side: &Side| side.expected.values().map(Vec::len).sum::<usize>();
        [&self.verdicts, &self.flags].iter().all(|side| side.n_total == n(side))
    }

    pub(crate) fn review_ends(&self) -> BTreeMap<i32, i64> {
        self.review_ends.clone()
    }

    pub(crate) fn n_records(&self) -> (usize, usize) {
        (self.verdicts.n_total, self.flags.n_total)
    }

    /// The open flags by `review` alone.
    pub(crate) fn open_flags(&self) -> OpenFlags {
        let open = self.view.iter().filter(|(_, (_, decision))| *decision != Decision::Retract);
        open.map(|(key, value)| (key.clone(), *value)).collect()
    }
}
