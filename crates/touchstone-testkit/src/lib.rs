//! A real Apache Kafka on loopback for tests and for `cargo xtask kafka`, a proxy that breaks its connections, and waiting
//! with deadlines.
//!
//! Every claim about exactly-once is proved on Kafka itself. This crate fetches the official jars with Maven (once, into
//! `target/kafka/lib`), runs one KRaft node or three, and can kill, pause and restart each of them.
//!
//! ```text
//!  tools/kafka/pom.xml ──mvn──▶ target/kafka/lib ──▶ Installation (java, jars, class-data archive)
//!                                                         │
//!        KafkaCluster  (lives as long as the test) ◀──────┼──────▶ DetachedCluster  (lives until told to stop)
//!             │  nodes, ports, temporary folder                         folder, pid files
//!             ├─▶ guardian: a shell that kills the nodes and removes the folder when the test process is gone
//!             └─▶ Proxy: breaks connections between clients and brokers at a chosen moment of the protocol
//! ```
//!
//! Invariants:
//! - A [`KafkaCluster`] leaves no process and no folder behind, also when the test process is killed with SIGKILL.
//! - Nothing listens on anything but 127.0.0.1.
//! - Clusters of several processes never share a port, not even while one of their nodes is down.
//! - The proxy changes no byte of a message and no order; only clients that begin at its ports go through it.
//! - Every wait has a deadline, and a wait that ends in failure shows the end of the broker's log.
//! - It never prints, never reads a signal, and never ends a process that it cannot recognise as its own.
//!
//! ```no_run
//! use touchstone_testkit::KafkaCluster;
//!
//! let cluster = KafkaCluster::start(3)?;
//! println!("bootstrap.servers={}", cluster.bootstrap());
//! cluster.kill(1)?; // SIGKILL to the first node
//! cluster.restart(1)?; // ready again when all three nodes see all three nodes
//! # Ok::<(), anyhow::Error>(())
//! ```

mod archive;
mod cluster;
mod detached;
mod guardian;
mod installation;
mod java;
mod layout;
mod metadata;
mod node;
mod ports;
mod process;
mod proxy;
mod wait;

pub use cluster::KafkaCluster;
pub use detached::{DetachedCluster, NodeStatus};
pub use installation::{Installation, kafka_folder};
pub use java::{Java, MIN_JAVA_MAJOR};
pub use layout::DEFAULT_BASE_PORT;
pub use metadata::brokers_seen_by;
pub use proxy::{ActiveRule, ApiKey, Cut, Proxy, Rule, Way};
pub use wait::wait_until;
