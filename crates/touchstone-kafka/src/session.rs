//! One session with Kafka: a consumer, a producer, and the two threads that own them.
//!
//! Whenever the outcome of a transaction is not known, the session ends and a new one begins as a new process would: the new
//! producer of the same name aborts or awaits whatever the old one had open, and after that the committed offsets say
//! exactly what has been written. Nothing of the old session is carried over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use rdkafka::config::FromClientConfigAndContext;
use tokio::sync::mpsc::UnboundedSender;

use crate::Error;
use crate::board::Board;
use crate::book::Book;
use crate::catalog_follower::News;
use crate::client;
use crate::committer::{Committer, CommitterEnd};
use crate::dead_letter::DeadLetterWindow;
use crate::failpoint;
use crate::gate::Gate;
use crate::group::{GroupConsumer, GroupContext};
use crate::health::{Health, Pulse};
use crate::metrics::Metrics;
use crate::poller::{Poller, PollerEnd};
use crate::producer::{StepError, TransactionalProducer};
use crate::queue::WorkQueue;
use crate::settings::Settings;
use crate::sidelines::{SidelineParts, Sidelines};
use crate::stage::{CurrentBench, Desk, MaxRecordBytes, Task};
use crate::state::Restorer;
use crate::sweeper::{Sweeper, SweeperParts};

/// What outlives sessions.
pub(crate) struct SessionParts {
    pub(crate) settings: Settings,
    pub(crate) transactional_id: String,
    pub(crate) gate: Arc<Gate>,
    pub(crate) queue: Arc<WorkQueue<Task>>,
    pub(crate) bench: Arc<ArcSwap<CurrentBench>>,
    pub(crate) news: Arc<News>,
    pub(crate) window: Arc<Mutex<DeadLetterWindow>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) poller_pulse: Arc<Pulse>,
    pub(crate) committer_pulse: Arc<Pulse>,
}

/// What a thread of the session says when it ends.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    Poller(PollerEnd),
    Committer(CommitterEnd),
    /// What reads beside the listings, or the state, could not go on.
    Reader(Error),
}

pub(crate) struct Session {
    desk: Arc<Desk>,
    stop: Arc<AtomicBool>,
}

impl Session {
    /// Sets the clients up and starts the threads; each sends one event when it ends.
    pub(crate) fn start(
        parts: &Arc<SessionParts>,
        max_record_bytes: MaxRecordBytes,
        events: &UnboundedSender<SessionEvent>,
    ) -> Result<Self, Error> {
        let kafka = parts.settings.kafka()?;
        let topic: Arc<str> = parts.settings.topics.listings.as_str().into();
        let desk = Arc::new(Desk { board: Board::default(), max_record_bytes });
        let (health, metrics) = (Arc::clone(&parts.health), Arc::clone(&parts.metrics));
        let (restorer, requests) = Restorer::new(&parts.settings, Arc::clone(&desk))?;
        let sidelines = Sidelines::new(
            &parts.settings,
            SidelineParts {
                desk: Arc::clone(&desk),
                bench: Arc::clone(&parts.bench),
                queue: Arc::clone(&parts.queue),
                gate: Arc::clone(&parts.gate),
            },
        )?;
        let context = GroupContext::new(&parts.settings.topics, requests, Arc::clone(&desk), health, metrics);
        let consumer = GroupConsumer::from_config_and_context(&client::group_consumer(kafka), context)
            .map_err(Error::kafka("set up the consumer"))?;
        let (consumer, stop) = (Arc::new(consumer), Arc::new(AtomicBool::new(false)));
        parts.health.desk.store(Some(Arc::clone(&desk)));
        let (ready, wait_ready) = mpsc::channel();
        let session = Self { desk, stop };
        // Only the threads hold the consumer: closing it can take long, and the last of them does it.
        spawn_reader("restorer", events.clone(), || restorer.run())?;
        spawn_reader("sidelines", events.clone(), || sidelines.run())?;
        session.start_committer(parts, Arc::clone(&consumer), ready, events.clone())?;
        session.start_poller(parts, consumer, &topic, wait_ready, events.clone())?;
        Ok(session)
    }

    /// Asks the poller to stop taking, to finish what is in hand and to leave.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn start_committer(
        &self,
        parts: &Arc<SessionParts>,
        consumer: Arc<GroupConsumer>,
        ready: mpsc::Sender<()>,
        events: UnboundedSender<SessionEvent>,
    ) -> Result<(), Error> {
        let (parts, desk) = (Arc::clone(parts), Arc::clone(&self.desk));
        spawn("committer", move || {
            let end = match init_producer(&parts, &desk) {
                Ok(producer) => {
                    // The poller is gone only if the session is over, which the committer finds out by itself.
                    let _ = ready.send(());
                    committer(&parts, desk, consumer, producer).run()
                }
                Err(end) => end,
            };
            // Nobody listens any more once the worker has ended.
            let _ = events.send(SessionEvent::Committer(end));
        })
    }

    fn start_poller(
        &self,
        parts: &Arc<SessionParts>,
        consumer: Arc<GroupConsumer>,
        topic: &Arc<str>,
        ready: mpsc::Receiver<()>,
        events: UnboundedSender<SessionEvent>,
    ) -> Result<(), Error> {
        let poller = Poller {
            consumer,
            topic: Arc::clone(topic),
            desk: Arc::clone(&self.desk),
            gate: Arc::clone(&parts.gate),
            queue: Arc::clone(&parts.queue),
            stop: Arc::clone(&self.stop),
            pulse: Arc::clone(&parts.poller_pulse),
            max_listing_bytes: parts.settings.limits.max_listing_bytes,
            drain_limit: parts.settings.limits.shutdown(),
        };
        spawn("poller", move || {
            let end = match wait_for_producer(&poller, &ready) {
                None => poller.run(),
                Some(end) => end,
            };
            let _ = events.send(SessionEvent::Poller(end));
        })
    }
}

impl Drop for Session {
    /// Lets the threads end. Results were committed before; what is still in hand is void.
    fn drop(&mut self) {
        self.desk.board.end();
    }
}

/// Only when no transaction of an earlier life is open are the committed offsets final, and reading may begin.
fn wait_for_producer(poller: &Poller, ready: &mpsc::Receiver<()>) -> Option<PollerEnd> {
    loop {
        poller.pulse.beat();
        match ready.recv_timeout(Duration::from_millis(50)) {
            Ok(()) => return None,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Some(PollerEnd::Over),
            Err(mpsc::RecvTimeoutError::Timeout) if poller.stop.load(Ordering::Relaxed) => {
                return Some(PollerEnd::Stopped { drained: true });
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
}

fn init_producer(parts: &SessionParts, desk: &Desk) -> Result<TransactionalProducer, CommitterEnd> {
    let failed = |error: Error| CommitterEnd::Failed(error);
    let kafka = parts.settings.kafka().map_err(|error| failed(error.into()))?;
    // A batch larger than the smallest output topic allows would be refused although each record fits.
    let MaxRecordBytes { verdicts, review, dead_letters, state } = desk.max_record_bytes;
    let batch_bytes = verdicts.min(review).min(dead_letters).min(state).min(1_000_000);
    let pulse = Arc::clone(&parts.committer_pulse);
    let producer = TransactionalProducer::create(kafka, &parts.transactional_id, batch_bytes, pulse)
        .map_err(|source| failed(Error::kafka("set up the producer")(source)))?;
    let rebuild = |reason: String, fenced| Err(CommitterEnd::Rebuild { reason, fenced });
    match producer.init(|| desk.board.has_ended()) {
        Ok(()) => Ok(producer),
        Err(StepError::Denied(source)) => {
            Err(failed(Error::kafka(format!("begin transactions as {}", parts.transactional_id))(source)))
        }
        Err(StepError::Fenced(error)) => rebuild(error.to_string(), true),
        Err(StepError::Abort(error) | StepError::Indefinite(error)) => rebuild(error.to_string(), false),
    }
}

fn committer(
    parts: &SessionParts,
    desk: Arc<Desk>,
    consumer: Arc<GroupConsumer>,
    producer: TransactionalProducer,
) -> Committer {
    let max_dead_letter_bytes = desk.max_record_bytes.dead_letters;
    Committer {
        producer,
        consumer,
        desk,
        topics: parts.settings.topics.clone(),
        window: Arc::clone(&parts.window),
        metrics: Arc::clone(&parts.metrics),
        pulse: Arc::clone(&parts.committer_pulse),
        interval: parts.settings.limits.commit_interval(),
        commits_outside: parts.settings.kafka.as_ref().is_some_and(|kafka| kafka.simulated)
            || failpoint::without_transactions(),
        max_items: usize::MAX,
        book: Book::new(&parts.settings, max_dead_letter_bytes),
        sweeper: Sweeper::new(SweeperParts {
            bench: Arc::clone(&parts.bench),
            news: Arc::clone(&parts.news),
            queue: Arc::clone(&parts.queue),
            gate: Arc::clone(&parts.gate),
            health: Arc::clone(&parts.health),
            metrics: Arc::clone(&parts.metrics),
            per_second: parts.settings.limits.sweep_per_second,
        }),
    }
}

/// A thread that says so if it cannot go on.
fn spawn_reader(
    name: &str,
    events: UnboundedSender<SessionEvent>,
    read: impl FnOnce() -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    spawn(name, move || {
        if let Err(error) = read() {
            // Nobody listens any more once the worker has ended.
            let _ = events.send(SessionEvent::Reader(error));
        }
    })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(Error::Thread)
}
