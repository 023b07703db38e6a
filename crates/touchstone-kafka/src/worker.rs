//! The worker: follows the catalog, judges listings, and keeps a session with Kafka going until it is told to stop.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use touchstone_image_hash::DecodeLimits;

use crate::Error;
use crate::catalog_follower::CatalogFollower;
use crate::client::{HEARTBEAT, TRANSACTION_TIMEOUT};
use crate::committer::CommitterEnd;
use crate::dead_letter::DeadLetterWindow;
use crate::gate::Gate;
use crate::health::{Health, Pulse};
use crate::http::{self, HttpState};
use crate::judge_pool::JudgePool;
use crate::judging::Judging;
use crate::metrics::Metrics;
use crate::photos::Photographer;
use crate::poller::PollerEnd;
use crate::queue::WorkQueue;
use crate::session::{Session, SessionEvent, SessionParts};
use crate::settings::{KafkaSettings, NullValue, Settings};
use crate::stage::Stages;
use crate::topics;

/// How long a session's threads may take to end once it is over; the clients' own calls take up to 10 s.
const SESSION_END_LIMIT: Duration = Duration::from_secs(20);

/// After so many sessions without one commit the worker gives up, and a new process may have more luck.
const MAX_FRUITLESS_SESSIONS: u32 = 20;

/// A session that held so long was worth setting up, even if there was nothing to commit.
const FRUITFUL_LIFE: Duration = Duration::from_secs(120);

/// So often within [`FENCING_WINDOW`] another producer of the same name took over: it is no accident.
const MAX_FENCINGS: usize = 3;
const FENCING_WINDOW: Duration = Duration::from_secs(60);

/// Runs the worker until `shutdown` completes: then it takes no more listings, finishes and commits what it has, and leaves
/// the group.
///
/// Listings are judged by `judging`, which first gets everything in the catalog topic and then every change. Must be
/// called on a multi-thread Tokio runtime. Messages, keys and sellers are never logged.
///
/// # Errors
/// Whatever makes going on pointless; [`Error::exit_code`] says how the process should end. After an error with exit code
/// 70 a thread may still be stuck in a call, so the process must end with `std::process::exit`.
pub async fn run(
    settings: &Settings,
    judging: Box<dyn Judging>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let kafka = settings.kafka()?;
    if !settings.photos.test_origins.is_empty() {
        tracing::warn!(origins = ?settings.photos.test_origins, "photos.test_origins is set: for tests only");
    }
    let mut shutdown = pin!(shutdown);
    let metrics = Metrics::new();
    let gate = Gate::new(settings.limits.max_in_flight, settings.limits.max_in_flight_bytes);
    let poller_pulse = Pulse::new("poller", Duration::from_secs(60));
    let committer_pulse = Pulse::new("committer", TRANSACTION_TIMEOUT.mul_f32(1.5));
    let health =
        Health::new(Arc::clone(&gate), vec![Arc::clone(&poller_pulse), Arc::clone(&committer_pulse)]);
    let _server = serve(settings, &health, &metrics).await?;
    let photographer = Photographer::new(&settings.photos, Arc::clone(&metrics))?;

    let max_record_bytes = topics::check_for_worker(settings).await?;
    let delete_retention = match settings.catalog.snapshot_path {
        Some(_) => topics::delete_retention(settings).await,
        None => Duration::ZERO,
    };
    let (for_health, for_metrics) = (Arc::clone(&health), Arc::clone(&metrics));
    let mut follower =
        CatalogFollower::start(settings, judging, for_health, for_metrics, &photographer, delete_retention)?;
    let bench = tokio::select! {
        bench = follower.wait_read() => bench?,
        () = &mut shutdown => return Ok(()),
    };
    let queue = Arc::new(WorkQueue::default());
    let stages = Arc::new(Stages {
        bench: Arc::clone(&bench),
        photographer,
        decode_limits: DecodeLimits::default(),
        max_listing_bytes: settings.limits.max_listing_bytes,
        null_is_removed: settings.limits.null_value == NullValue::Removed,
        queue: Arc::clone(&queue),
        runtime: tokio::runtime::Handle::current(),
        metrics: Arc::clone(&metrics),
    });
    let _judges = JudgePool::start(&stages, settings.limits.n_threads())?;
    let window = Arc::new(Mutex::new(DeadLetterWindow::new(settings.limits.dead_letter_limit)));
    let parts = Arc::new(SessionParts {
        settings: settings.clone(),
        transactional_id: transactional_id(kafka),
        gate,
        queue,
        bench,
        news: Arc::clone(&follower.news),
        window,
        metrics,
        health,
        poller_pulse,
        committer_pulse,
    });
    let mut sessions =
        Sessions { parts, max_record_bytes, follower, n_fruitless: 0, fencings: VecDeque::new() };
    sessions.run(shutdown).await
}

/// The name under which this worker's transactions are known; see [`KafkaSettings::transactional_id`].
fn transactional_id(kafka: &KafkaSettings) -> String {
    if let Some(id) = &kafka.transactional_id {
        return id.clone();
    }
    let instance = kafka.instance_id.clone().unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        format!("{}-{}", std::process::id(), now.as_nanos())
    });
    format!("touchstone-{}-{instance}", kafka.group_id)
}

/// Serves the pages while the guard lives.
async fn serve(
    settings: &Settings,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> Result<Option<AbortOnDrop>, Error> {
    let Some(address) = settings.http.listen else { return Ok(None) };
    let listener = http::listen(address).await?;
    let app = http::app(HttpState { health: Arc::clone(health), metrics: Arc::clone(metrics) });
    Ok(Some(AbortOnDrop(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the web server ended");
        }
    }))))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a session ended.
enum SessionEnd {
    Stopped,
    Rebuild { reason: String, fenced: bool },
}

struct Sessions {
    parts: Arc<SessionParts>,
    max_record_bytes: crate::stage::MaxRecordBytes,
    follower: CatalogFollower,
    n_fruitless: u32,
    fencings: VecDeque<Instant>,
}

impl Sessions {
    /// One session after the other until the worker is told to stop, or nothing helps.
    async fn run(&mut self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let mut shutdown = pin!(shutdown);
        let mut stopping = false;
        loop {
            let (n_before, started) = (self.parts.metrics.n_commits(), Instant::now());
            let end = self.session(shutdown.as_mut(), &mut stopping).await?;
            let (reason, fenced) = match end {
                SessionEnd::Stopped => return Ok(()),
                SessionEnd::Rebuild { reason, fenced } => (reason, fenced),
            };
            self.parts.health.has_joined.store(false, std::sync::atomic::Ordering::Relaxed);
            if stopping {
                // What was in hand is void: whoever takes the partitions over begins at the committed offsets.
                return Ok(());
            }
            tracing::warn!(reason, "setting up a new session");
            let fruitful = self.parts.metrics.n_commits() > n_before || started.elapsed() > FRUITFUL_LIFE;
            self.count_failure(reason, fenced, fruitful)?;
            let pause = Duration::from_millis(100) * 2_u32.pow(self.n_fruitless.min(5));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = &mut shutdown => return Ok(()),
            }
        }
    }

    fn count_failure(&mut self, last_reason: String, fenced: bool, fruitful: bool) -> Result<(), Error> {
        self.n_fruitless = if fruitful { 1 } else { self.n_fruitless + 1 };
        if self.n_fruitless >= MAX_FRUITLESS_SESSIONS {
            return Err(Error::GaveUp { n_sessions: self.n_fruitless, last_reason });
        }
        if fenced {
            self.fencings.push_back(Instant::now());
            self.fencings.retain(|at| at.elapsed() < FENCING_WINDOW);
            if self.fencings.len() >= MAX_FENCINGS {
                return Err(Error::Replaced { what: "kafka.transactional_id" });
            }
        }
        Ok(())
    }

    async fn session(
        &mut self,
        mut shutdown: std::pin::Pin<&mut impl Future<Output = ()>>,
        stopping: &mut bool,
    ) -> Result<SessionEnd, Error> {
        let (sender, mut events) = unbounded_channel();
        self.parts.poller_pulse.beat();
        self.parts.committer_pulse.beat();
        let session = Session::start(&self.parts, self.max_record_bytes, &sender)?;
        drop(sender);
        let mut look = tokio::time::interval(Duration::from_millis(250));
        let event = loop {
            tokio::select! {
                event = events.recv() => break event,
                () = &mut shutdown, if !*stopping => {
                    *stopping = true;
                    session.stop();
                }
                error = self.follower.failed() => return Err(error),
                _ = look.tick() => self.watch()?,
            }
        };
        let end = conclude(event)?;
        if matches!(end, SessionEnd::Rebuild { fenced: true, .. }) {
            self.look_for_successor(&mut events).await?;
        }
        drop(session);
        match (self.wait_for_threads(&mut events).await, &end) {
            // Everything is committed; only the closing of the clients hangs, and the process ends now.
            (Err(error), SessionEnd::Stopped) => tracing::warn!(%error, "leaving all the same"),
            (result, _) => result?,
        }
        Ok(end)
    }

    /// Another producer of our name may be a worker that was started in our place; then it has joined the group as us, which the
    /// poller hears with the next heartbeat. To set up a new session would throw that worker out again, so listen first. Only
    /// workers with a name of their own can have a successor.
    async fn look_for_successor(&self, events: &mut UnboundedReceiver<SessionEvent>) -> Result<(), Error> {
        if self.parts.settings.kafka()?.instance_id.is_none() {
            return Ok(());
        }
        match tokio::time::timeout(2 * HEARTBEAT, events.recv()).await {
            Ok(Some(SessionEvent::Poller(PollerEnd::Failed(error)))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends the worker if a thread has been inside one call for too long.
    fn watch(&self) -> Result<(), Error> {
        match self.parts.health.stuck() {
            Some((thread, silence)) => Err(Error::Stuck { thread, seconds: silence.as_secs() }),
            None => Ok(()),
        }
    }

    /// The session is over; its threads notice within their next call. The channel closes with the last of them.
    async fn wait_for_threads(&self, events: &mut UnboundedReceiver<SessionEvent>) -> Result<(), Error> {
        let all_ended = async { while events.recv().await.is_some() {} };
        match tokio::time::timeout(SESSION_END_LIMIT, all_ended).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::Stuck { thread: "session", seconds: SESSION_END_LIMIT.as_secs() }),
        }
    }
}

/// What the first thread to end says about the session.
fn conclude(event: Option<SessionEvent>) -> Result<SessionEnd, Error> {
    let rebuild = |reason: &str| SessionEnd::Rebuild { reason: reason.into(), fenced: false };
    Ok(match event {
        Some(SessionEvent::Poller(PollerEnd::Stopped { drained })) => {
            tracing::info!(drained, "stopped");
            SessionEnd::Stopped
        }
        Some(
            SessionEvent::Poller(PollerEnd::Failed(error))
            | SessionEvent::Committer(CommitterEnd::Failed(error)),
        ) => return Err(error),
        Some(SessionEvent::Reader(error)) if error.may_pass() => rebuild(&error.to_string()),
        Some(SessionEvent::Reader(error)) => return Err(error),
        Some(SessionEvent::Poller(PollerEnd::Rebuild(reason))) => {
            SessionEnd::Rebuild { reason, fenced: false }
        }
        Some(SessionEvent::Committer(CommitterEnd::Rebuild { reason, fenced })) => {
            SessionEnd::Rebuild { reason, fenced }
        }
        Some(SessionEvent::Poller(PollerEnd::Over) | SessionEvent::Committer(CommitterEnd::Over)) => {
            rebuild("a thread ended by itself")
        }
        None => rebuild("a thread panicked"),
    })
}
