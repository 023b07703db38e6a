//! The demo's simulated broker: librdkafka's own, in this process.
//!
//! It speaks the protocol and nothing more: readers see aborted records, offsets of transactions are forgotten (the worker
//! commits them a second time, outside), nothing is fenced, each partition holds 5 MiB, nothing is compacted, and all is
//! gone with the process. It shows the product in ten seconds; it proves nothing.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::Error;
use crate::settings::{KafkaSettings, Settings, TopicNames};

/// librdkafka's mock cluster.
pub type Cluster = MockCluster<'static, DefaultProducerContext>;

type Work = Box<dyn FnOnce(&Cluster) + Send>;

/// A simulated broker that lives as long as this value.
pub struct SimulatedBroker {
    bootstrap: String,
    /// Work for the thread that owns the cluster; it ends when this is dropped.
    work: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl SimulatedBroker {
    /// Starts one broker on a free port of 127.0.0.1, with all topics of `names`.
    ///
    /// # Errors
    /// No port, or no thread.
    pub fn start(names: &TopicNames) -> Result<Self, Error> {
        let names: Vec<String> = names.all().into_iter().map(|(_, name)| name.to_owned()).collect();
        let (work, wait_work) = mpsc::channel::<Work>();
        let (started, wait_started) = mpsc::channel();
        // The cluster may not change threads, so one thread owns it from birth to death.
        let own = move || {
            let cluster = match start_cluster(&names) {
                Ok(cluster) => cluster,
                Err(error) => {
                    // The receiver waits below.
                    let _ = started.send(Err(error));
                    return;
                }
            };
            let _ = started.send(Ok(cluster.bootstrap_servers()));
            while let Ok(work) = wait_work.recv() {
                work(&cluster);
            }
        };
        let thread =
            thread::Builder::new().name("simulated-broker".into()).spawn(own).map_err(Error::Thread)?;
        let bootstrap = wait_started
            .recv()
            .unwrap_or(Err(KafkaError::Canceled))
            .map_err(Error::kafka("start the simulated broker"))?;
        Ok(Self { bootstrap, work: Some(work), thread: Some(thread) })
    }

    /// Its address, for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Does something to the cluster, for example lets its next answers be errors, and waits until it is done.
    pub fn with_cluster(&self, work: impl FnOnce(&Cluster) + Send + 'static) {
        let (done, wait_done) = mpsc::channel();
        let work: Work = Box::new(move |cluster| {
            work(cluster);
            // The other side waits below.
            let _ = done.send(());
        });
        if self.work.as_ref().is_some_and(|sender| sender.send(work).is_ok()) {
            // Fails only if the work panicked, which has been reported already.
            let _ = wait_done.recv();
        }
    }

    /// Settings for workers and commands on this broker. A worker must use these: it makes up for offsets that the broker
    /// forgets.
    pub fn settings(&self) -> Settings {
        let mut kafka = KafkaSettings::new(&self.bootstrap)
            // The broker answers a fetch that finds nothing only when this time is over, whatever comes in meanwhile.
            .with_property("fetch.wait.max.ms", "10");
        kafka.simulated = true;
        Settings { kafka: Some(kafka), ..Settings::default() }
    }
}

fn start_cluster(names: &[String]) -> Result<Cluster, KafkaError> {
    let cluster = MockCluster::new(1)?;
    for name in names {
        cluster.create_topic(name, 4, 1)?;
    }
    Ok(cluster)
}

impl Drop for SimulatedBroker {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported already.
            let _ = thread.join();
        }
    }
}
