//! A cluster that keeps running after the command that started it: what `cargo xtask kafka` drives.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::installation::{Installation, remove_folder};
use crate::layout::Layout;
use crate::node::{self, Started};
use crate::process::{Signal, command_line, resident_bytes, send};
use crate::wait::wait_until;

/// Nodes that are stopped together lose their quorum and may wait for it; after this they are killed, which costs them a
/// recovery at the next start and no data.
const STOP_LIMIT: Duration = Duration::from_secs(15);
const STATE_FILE: &str = "cluster.properties";

/// One or three nodes whose folder, not a living process, says what they are: settings, logs, data and pid files.
#[derive(Debug)]
pub struct DetachedCluster {
    layout: Layout,
}

/// What is known of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The node's number, from 1.
    pub id: usize,
    /// `127.0.0.1:port` of its broker.
    pub address: String,
    /// Its process; nothing if it does not run.
    pub pid: Option<u32>,
    /// Its resident memory in bytes, where the system tells it.
    pub resident_bytes: Option<u64>,
    /// The nodes that it holds to be alive; nothing if it does not answer.
    pub sees: Option<Vec<usize>>,
}

impl DetachedCluster {
    /// Makes a cluster in `folder`, or continues the one that is there, starts the nodes that do not run, and waits until
    /// every broker sees every other.
    ///
    /// # Errors
    /// If the folder holds a cluster of another shape, a port is taken, or a broker does not get ready in 120 s.
    pub fn up(n_nodes: usize, base_port: u16, folder: &Path) -> Result<Self> {
        let installation = Installation::prepare()?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let folder = fs::canonicalize(folder).with_context(|| format!("cannot find {}", folder.display()))?;
        let cluster = if folder.join(STATE_FILE).exists() {
            let cluster = Self::open(&folder)?;
            let (old, old_port) = (cluster.layout.n_nodes, cluster.layout.base_port);
            ensure!(
                (old, old_port) == (n_nodes, base_port),
                "{} holds a cluster of {old} from port {old_port} on: ask for that one, choose another folder, or \
                 remove it with `down --purge`",
                folder.display()
            );
            cluster
        } else {
            let layout = Layout::new(n_nodes, base_port, &folder)?;
            for id in layout.ids() {
                // What a recipe that was interrupted here has left cannot be formatted again.
                remove_folder(&layout.node_folder(id))?;
            }
            node::format_all(&installation, &layout)?;
            fs::write(folder.join(STATE_FILE), format!("nodes={n_nodes}\nbase_port={base_port}\n"))
                .with_context(|| format!("cannot write to {}", folder.display()))?;
            Self { layout }
        };
        let missing: Vec<_> = cluster.layout.ids().filter(|&id| cluster.pid(id).is_none()).collect();
        cluster.start_all(&installation, &missing)?;
        Ok(cluster)
    }

    /// The cluster that [`DetachedCluster::up`] made in `folder`.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join(STATE_FILE);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("no cluster in {}; start one with `up`", folder.display()))?;
        let number = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find_map(|(name, value)| (name == key).then(|| value.parse::<u16>().ok())?)
                .with_context(|| format!("{} states no {key}", file.display()))
        };
        let folder = fs::canonicalize(folder).with_context(|| format!("cannot find {}", folder.display()))?;
        Ok(Self { layout: Layout::new(number("nodes")?.into(), number("base_port")?, &folder)? })
    }

    /// The value for `bootstrap.servers`: all brokers, joined by commas.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.layout.bootstrap()
    }

    /// What each node is doing.
    #[must_use]
    pub fn status(&self) -> Vec<NodeStatus> {
        let of_node = |id| {
            let pid = self.pid(id);
            NodeStatus {
                id,
                address: self.layout.broker_address(id).to_string(),
                pid,
                resident_bytes: pid.and_then(resident_bytes),
                sees: pid.and_then(|_| node::sees(&self.layout, id)),
            }
        };
        self.layout.ids().map(of_node).collect()
    }

    /// Sends SIGKILL to node `id` and waits until its process is gone.
    ///
    /// # Errors
    /// If there is no such node or it does not run.
    pub fn kill(&self, id: usize) -> Result<()> {
        self.layout.check_id(id)?;
        let pid = self.pid(id).with_context(|| format!("node {id} is not running"))?;
        self.kill_process(id, pid)
    }

    /// Starts node `id` on its data and waits until all running nodes see each other.
    ///
    /// # Errors
    /// If there is no such node, it already runs, or the cluster does not get ready in 120 s.
    pub fn start(&self, id: usize) -> Result<()> {
        self.layout.check_id(id)?;
        ensure!(self.pid(id).is_none(), "node {id} is already running");
        self.start_all(&Installation::prepare()?, &[id])
    }

    /// Stops all nodes, cleanly where they manage within 15 s. Their data stays.
    ///
    /// # Errors
    /// If a process withstands SIGKILL.
    pub fn down(&self) -> Result<()> {
        let running = self.running();
        for &(_, pid) in &running {
            // It may have ended by itself in the meantime, which is what is wanted.
            let _ = send(Signal::Term, pid);
        }
        let all_ended = || Ok(running.iter().all(|&(id, pid)| self.pid(id) != Some(pid)));
        if wait_until("the nodes to stop", STOP_LIMIT, all_ended).is_err() {
            for (id, pid) in self.running() {
                self.kill_process(id, pid)?;
            }
        }
        Ok(())
    }

    /// [`DetachedCluster::down`], then removes the folder with all data.
    ///
    /// # Errors
    /// If the nodes cannot be stopped or the folder cannot be removed.
    pub fn purge(self) -> Result<()> {
        self.down()?;
        for id in self.layout.ids() {
            remove_folder(&self.layout.node_folder(id))?;
        }
        let file = self.layout.folder.join(STATE_FILE);
        fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        // The folder may hold files of the user's own, and then it stays.
        let _ = fs::remove_dir(&self.layout.folder);
        Ok(())
    }

    fn running(&self) -> Vec<(usize, u32)> {
        self.layout.ids().filter_map(|id| Some((id, self.pid(id)?))).collect()
    }

    /// The process of node `id`: the number in its pid file, if the process of that number runs on our settings file. The
    /// second condition keeps us from ending a stranger who was given the number later.
    fn pid(&self, id: usize) -> Option<u32> {
        let pid = fs::read_to_string(self.layout.pid_file(id)).ok()?.trim().parse().ok()?;
        let settings = self.layout.settings_file(id);
        command_line(pid)?.contains(&*settings.to_string_lossy()).then_some(pid)
    }

    fn start_all(&self, installation: &Installation, ids: &[usize]) -> Result<()> {
        let running: Vec<_> =
            self.layout.ids().filter(|&id| ids.contains(&id) || self.pid(id).is_some()).collect();
        let mut started = Vec::new();
        let mut children = BTreeMap::new();
        for &id in ids {
            for port in self.layout.node_ports(id) {
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
                    format!(
                        "port {port} is taken; is another Kafka running? Choose other ports with --base-port"
                    )
                })?;
            }
            let log_offset = node::log_offset(&self.layout, id);
            let child = node::spawn(installation, &self.layout, id, &[])?;
            let file = self.layout.pid_file(id);
            fs::write(&file, child.id().to_string())
                .with_context(|| format!("cannot write {}", file.display()))?;
            children.insert(id, child);
            started.push(Started { id, log_offset });
        }
        // Our own children are asked directly: for a moment after its start a process has no command line yet.
        node::wait_ready(&self.layout, &running, &started, |id| match children.get_mut(&id) {
            Some(child) => Ok(child.try_wait()?.is_none()),
            None => Ok(self.pid(id).is_some()),
        })
    }

    fn kill_process(&self, id: usize, pid: u32) -> Result<()> {
        send(Signal::Kill, pid).with_context(|| format!("cannot kill node {id}"))?;
        wait_until(&format!("node {id} to die"), STOP_LIMIT, || Ok(self.pid(id) != Some(pid)))
    }
}
