//! The cluster of a test: made for it, gone with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{env, process};

use anyhow::{Context, Result, anyhow, ensure};

use crate::guardian::Guardian;
use crate::installation::{Installation, remove_folder};
use crate::layout::Layout;
use crate::node::{self, Started};
use crate::ports::{self, PortBlock};
use crate::process::{Signal, resident_bytes, send};
use crate::proxy::Proxy;
use crate::wait::wait_until;

/// How long a node may take to shut down cleanly, and a killed one to be noticed by the others.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// One or three Kafka nodes on ports and in a folder of their own.
///
/// All methods take `&self`, so that a cluster may stand in a `static` or be shared by threads while some of them kill
/// nodes. Nodes are numbered from 1. Dropping the cluster kills all nodes and removes their data; should this process
/// end without dropping it, a guardian process does the same.
#[derive(Debug)]
pub struct KafkaCluster {
    layout: Layout,
    installation: Installation,
    /// Started when it is first asked for.
    proxy: OnceLock<Result<Proxy, String>>,
    state: Mutex<State>,
    /// Given back after everything else has been taken down.
    _ports: PortBlock,
}

#[derive(Debug)]
struct State {
    /// The processes of the nodes that were started and not stopped or killed by us.
    processes: BTreeMap<usize, Child>,
    guardian: Guardian,
}

impl KafkaCluster {
    /// Starts `n_nodes` (1 or 3) and waits until every broker sees every other.
    ///
    /// Takes about 2 s for one node and 5 s for three on two idle cores, and some 15 s more the first time of all, when
    /// the jars are fetched. Replication is 1 of 1 or 3 of 3 with 2 in sync. Topics are never created by themselves.
    ///
    /// # Errors
    /// Whatever [`Installation::prepare`] says is missing, or a broker that does not get ready, with its log's end.
    pub fn start(n_nodes: usize) -> Result<Self> {
        Self::start_with(Installation::prepare()?, n_nodes)
    }

    /// Like [`KafkaCluster::start`] with an installation that is already there.
    ///
    /// # Errors
    /// As [`KafkaCluster::start`].
    pub fn start_with(installation: Installation, n_nodes: usize) -> Result<Self> {
        static N_CLUSTERS: AtomicU32 = AtomicU32::new(0);
        let ports = ports::reserve()?;
        let number = N_CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("touchstone-kafka-{}-{number}", process::id()));
        remove_folder(&folder)?;
        let keep = env::var_os("TOUCHSTONE_KEEP_KAFKA").is_some_and(|value| !value.is_empty());
        let guardian = Guardian::start((!keep).then_some(folder.as_path()))?;
        let layout = Layout::new(n_nodes, ports.base, &folder)?;
        let state = Mutex::new(State { processes: BTreeMap::new(), guardian });
        let cluster = Self { layout, installation, proxy: OnceLock::new(), state, _ports: ports };
        node::format_all(&cluster.installation, &cluster.layout)?;
        let started = cluster.layout.ids().map(|id| cluster.spawn(id)).collect::<Result<Vec<_>>>()?;
        cluster.wait_ready(&started)?;
        Ok(cluster)
    }

    /// One node that all tests of a binary may share; it lives until the process ends. Use topic and group names of your
    /// own in each test.
    ///
    /// # Errors
    /// As [`KafkaCluster::start`]; a failure is remembered and returned to every caller.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<KafkaCluster, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start(1).map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow!("the shared Kafka node did not start: {error}"))
    }

    /// The value for `bootstrap.servers`: all brokers, joined by commas.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.layout.bootstrap()
    }

    /// The proxy through which clients are to go whose connections are to break; it begins to listen with the first call.
    /// It stays the same while nodes come and go. Who uses [`KafkaCluster::bootstrap`] does not go through it.
    ///
    /// # Errors
    /// If a port of the cluster's block has been taken by someone else; the failure is remembered.
    pub fn proxy(&self) -> Result<&Proxy> {
        let routes = self.layout.ids().map(|id| self.layout.proxy_route(id));
        let proxy = self.proxy.get_or_init(|| Proxy::start(routes).map_err(|error| format!("{error:#}")));
        proxy.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// 1 or 3.
    #[must_use]
    pub fn n_nodes(&self) -> usize {
        self.layout.n_nodes
    }

    /// The process of node `id`; nothing after it was stopped or killed.
    #[must_use]
    pub fn pid(&self, id: usize) -> Option<u32> {
        self.state().processes.get(&id).map(Child::id)
    }

    /// The numbers of the nodes that were started and neither stopped nor killed since.
    #[must_use]
    pub fn running(&self) -> Vec<usize> {
        self.state().processes.keys().copied().collect()
    }

    /// The resident memory of node `id` in bytes, where the system tells it.
    #[must_use]
    pub fn resident_bytes(&self, id: usize) -> Option<u64> {
        resident_bytes(self.pid(id)?)
    }

    /// Where node `id` writes its log.
    #[must_use]
    pub fn log_file(&self, id: usize) -> PathBuf {
        self.layout.log_file(id)
    }

    /// The folder that holds the nodes' settings, logs and data.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.layout.folder.clone()
    }

    /// Sends SIGKILL to node `id` and returns when the process is gone. The other brokers notice after 4 s; see
    /// [`KafkaCluster::wait_until_gone`].
    ///
    /// # Errors
    /// If the node is not running.
    pub fn kill(&self, id: usize) -> Result<()> {
        let mut state = self.state();
        let mut child = state.take(id)?;
        child.kill().with_context(|| format!("cannot kill node {id}"))?;
        state.bury(child)
    }

    /// Sends SIGTERM to node `id` and waits until it has shut down cleanly, at most 60 s.
    ///
    /// # Errors
    /// If the node is not running or does not end in time; it is killed then.
    pub fn stop(&self, id: usize) -> Result<()> {
        let mut child = self.state().take(id)?;
        let result = send(Signal::Term, child.id()).map_err(Into::into).and_then(|()| {
            wait_until(&format!("node {id} to stop"), CHANGE_LIMIT, || Ok(child.try_wait()?.is_some()))
        });
        if result.is_err() {
            child.kill().with_context(|| format!("cannot kill node {id}"))?;
        }
        self.state().bury(child)?;
        result
    }

    /// Freezes node `id` with SIGSTOP: its connections stay open and nothing answers.
    ///
    /// # Errors
    /// If the node is not running.
    pub fn pause(&self, id: usize) -> Result<()> {
        self.signal(Signal::Stop, id)
    }

    /// Thaws a node that was paused.
    ///
    /// # Errors
    /// If the node is not running.
    pub fn resume(&self, id: usize) -> Result<()> {
        self.signal(Signal::Cont, id)
    }

    /// Starts node `id` again on its data, killing it first if it runs, and waits until all running nodes see each other.
    ///
    /// # Errors
    /// If there is no such node or the cluster does not get ready in 120 s.
    pub fn restart(&self, id: usize) -> Result<()> {
        self.layout.check_id(id)?;
        if self.pid(id).is_some() {
            self.kill(id)?;
        }
        let started = self.spawn(id)?;
        self.wait_ready(&[started])
    }

    /// Waits until no running broker holds node `id` to be alive any more, at most 60 s. By then its partitions have
    /// other leaders.
    ///
    /// # Errors
    /// If they still do.
    pub fn wait_until_gone(&self, id: usize) -> Result<()> {
        wait_until(&format!("node {id} to be missed"), CHANGE_LIMIT, || {
            let running = self.running();
            Ok(running
                .iter()
                .all(|&other| node::sees(&self.layout, other).is_some_and(|seen| !seen.contains(&id))))
        })
    }

    fn signal(&self, signal: Signal, id: usize) -> Result<()> {
        let pid = self.pid(id).with_context(|| format!("node {id} is not running"))?;
        send(signal, pid).with_context(|| format!("cannot signal node {id}"))
    }

    fn spawn(&self, id: usize) -> Result<Started> {
        let mut state = self.state();
        ensure!(!state.processes.contains_key(&id), "node {id} is already running");
        let log_offset = node::log_offset(&self.layout, id);
        let child = node::spawn(&self.installation, &self.layout, id, &[])?;
        let pid = child.id();
        state.processes.insert(id, child);
        state.guardian.watch(pid)?;
        Ok(Started { id, log_offset })
    }

    fn wait_ready(&self, started: &[Started]) -> Result<()> {
        node::wait_ready(&self.layout, &self.running(), started, |id| {
            match self.state().processes.get_mut(&id) {
                Some(child) => Ok(child.try_wait()?.is_none()),
                None => Ok(false),
            }
        })
    }

    /// A panic elsewhere while the lock was held leaves a map of processes that is still right.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, id: usize) -> Result<Child> {
        self.processes.remove(&id).with_context(|| format!("node {id} is not running"))
    }

    /// Tells the guardian before the number of the dead process may be given to another.
    fn bury(&mut self, mut child: Child) -> Result<()> {
        self.guardian.forget(child.id())?;
        child.wait().context("cannot wait for a node")?;
        Ok(())
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // All die at once; then each is reaped. Errors here would only hide the reason for which we are being dropped,
        // and whatever is still watched is killed by the guardian, which is dropped next.
        for child in self.processes.values_mut() {
            let _ = child.kill();
        }
        for (_, child) in std::mem::take(&mut self.processes) {
            let _ = self.bury(child);
        }
    }
}
