//! `cargo xtask kafka`: a real Kafka for trying things out.

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Subcommand;
use touchstone_testkit::{DEFAULT_BASE_PORT, DetachedCluster, Installation, KafkaCluster, kafka_folder};

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Fetch the Kafka jars if they are not there, and say where they are
    Fetch,
    /// Start a cluster, wait until it is ready, print its bootstrap servers as the last line on stdout
    Up {
        /// 1 or 3
        #[arg(long, default_value_t = 1)]
        nodes: usize,
        /// Folder for settings, logs and data [default: target/kafka/cluster]
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Port of the first broker; the others follow, and the sixteen ports from it on are the cluster's
        #[arg(long)]
        base_port: Option<u16>,
        /// Stay in the foreground on free ports and leave nothing behind when ended (Ctrl-C)
        #[arg(long)]
        ephemeral: bool,
    },
    /// Stop all nodes of a cluster
    Down {
        /// The cluster's folder
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Also delete its data
        #[arg(long)]
        purge: bool,
    },
    /// Send SIGKILL to one node
    Kill {
        /// The node's number, from 1
        node: usize,
        /// The cluster's folder
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Start a node that does not run and wait until all see each other
    Start {
        /// The node's number, from 1
        node: usize,
        /// The cluster's folder
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// What each node is doing
    Status {
        /// The cluster's folder
        #[arg(long)]
        dir: Option<PathBuf>,
    },
}

/// Does what was asked for.
pub(crate) fn run(action: Action) -> Result<()> {
    match action {
        Action::Fetch => {
            prepare()?;
            println!("{}", kafka_folder().display());
        }
        Action::Up { nodes, dir, base_port, ephemeral: true } => {
            ensure!(dir.is_none() && base_port.is_none(), "--ephemeral chooses folder and ports itself");
            up_ephemeral(nodes)?;
        }
        Action::Up { nodes, dir, base_port, ephemeral: false } => {
            prepare()?;
            let started = Instant::now();
            let cluster = DetachedCluster::up(nodes, base_port.unwrap_or(DEFAULT_BASE_PORT), &folder(dir))?;
            eprintln!("{nodes} node(s) ready after {:.1} s", started.elapsed().as_secs_f64());
            println!("{}", cluster.bootstrap());
        }
        Action::Down { dir, purge: false } => DetachedCluster::open(&folder(dir))?.down()?,
        Action::Down { dir, purge: true } => DetachedCluster::open(&folder(dir))?.purge()?,
        Action::Kill { node, dir } => DetachedCluster::open(&folder(dir))?.kill(node)?,
        Action::Start { node, dir } => {
            let cluster = DetachedCluster::open(&folder(dir))?;
            cluster.start(node)?;
            println!("{}", cluster.bootstrap());
        }
        Action::Status { dir } => print_status(&DetachedCluster::open(&folder(dir))?),
    }
    Ok(())
}

fn folder(asked_for: Option<PathBuf>) -> PathBuf {
    asked_for.unwrap_or_else(|| kafka_folder().join("cluster"))
}

fn prepare() -> Result<Installation> {
    let started = Instant::now();
    eprintln!("Kafka jars in {}: checking, fetching if needed", kafka_folder().display());
    let installation = Installation::prepare()?;
    eprintln!(
        "Java {} and the jars are there after {:.1} s",
        installation.java.major,
        started.elapsed().as_secs_f64()
    );
    Ok(installation)
}

/// Runs until the process is ended from outside; the cluster's guardian then cleans up.
fn up_ephemeral(n_nodes: usize) -> Result<()> {
    let cluster = KafkaCluster::start_with(prepare()?, n_nodes)?;
    eprintln!("logs and data in {} until Ctrl-C", cluster.folder().display());
    println!("{}", cluster.bootstrap());
    loop {
        thread::park();
    }
}

fn print_status(cluster: &DetachedCluster) {
    for node in cluster.status() {
        let state = match node.pid {
            None => "down".to_owned(),
            Some(pid) => {
                let sees = node.sees.map_or("no answer".to_owned(), |seen| format!("sees {seen:?}"));
                let memory = node.resident_bytes.map_or(0, |bytes| bytes >> 20);
                format!("pid {pid}, {memory} MiB, {sees}")
            }
        };
        println!("node {}  {}  {state}", node.id, node.address);
    }
}
