//! Where things lie: the ports and folders of a cluster, and the settings file of each node.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::proxy::Route;

/// The first broker's port unless another is asked for; the following brokers take the following ports.
pub const DEFAULT_BASE_PORT: u16 = 19_092;

const TEMPLATE: &str = include_str!("../../../tools/kafka/node.properties");
/// Ports from the base port on that a cluster may use: four rows of four, of which three nodes take three each.
pub(crate) const N_PORTS: u16 = 16;
/// How far a node's controller stands above its broker.
const CONTROLLER_OFFSET: u16 = 4;
/// How far the broker's listener for proxied clients does.
const PROXIED_OFFSET: u16 = 8;
/// How far the port does that this listener advertises, where a [`Proxy`](crate::Proxy) listens if one is started.
const PROXY_OFFSET: u16 = 12;

/// How many nodes, from which port, in which folder. Nodes count from 1, as Kafka's own examples do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) n_nodes: usize,
    pub(crate) base_port: u16,
    pub(crate) folder: PathBuf,
}

impl Layout {
    /// Only one node or three: two cannot lose any, and more only cost memory.
    pub(crate) fn new(n_nodes: usize, base_port: u16, folder: &Path) -> Result<Self> {
        ensure!(matches!(n_nodes, 1 | 3), "a cluster has 1 node or 3, not {n_nodes}");
        let last = u16::MAX - (N_PORTS - 1);
        ensure!(base_port <= last, "the base port is at most {last}, not {base_port}");
        Ok(Self { n_nodes, base_port, folder: folder.to_path_buf() })
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = usize> + use<> {
        1..=self.n_nodes
    }

    pub(crate) fn check_id(&self, id: usize) -> Result<()> {
        ensure!((1..=self.n_nodes).contains(&id), "no node {id}: nodes are numbered 1 to {}", self.n_nodes);
        Ok(())
    }

    pub(crate) fn broker_port(&self, id: usize) -> u16 {
        self.base_port + u16::try_from(id - 1).expect("there are at most three nodes")
    }

    fn controller_port(&self, id: usize) -> u16 {
        self.broker_port(id) + CONTROLLER_OFFSET
    }

    fn proxied_port(&self, id: usize) -> u16 {
        self.broker_port(id) + PROXIED_OFFSET
    }

    fn proxy_port(&self, id: usize) -> u16 {
        self.broker_port(id) + PROXY_OFFSET
    }

    /// All ports at which node `id` itself listens.
    pub(crate) fn node_ports(&self, id: usize) -> [u16; 3] {
        [self.broker_port(id), self.controller_port(id), self.proxied_port(id)]
    }

    /// Where the proxy of node `id` listens, and where it finds the node.
    pub(crate) fn proxy_route(&self, id: usize) -> Route {
        Route {
            listen: (Ipv4Addr::LOCALHOST, self.proxy_port(id)).into(),
            node: (Ipv4Addr::LOCALHOST, self.proxied_port(id)).into(),
        }
    }

    pub(crate) fn broker_address(&self, id: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.broker_port(id)).into()
    }

    /// `127.0.0.1:port,…` for all brokers.
    pub(crate) fn bootstrap(&self) -> String {
        let brokers: Vec<_> = self.ids().map(|id| self.broker_address(id).to_string()).collect();
        brokers.join(",")
    }

    pub(crate) fn node_folder(&self, id: usize) -> PathBuf {
        self.folder.join(format!("node{id}"))
    }

    pub(crate) fn data_folder(&self, id: usize) -> PathBuf {
        self.node_folder(id).join("data")
    }

    /// The node's settings; this path on a command line is also how a node's process is recognised.
    pub(crate) fn settings_file(&self, id: usize) -> PathBuf {
        self.node_folder(id).join("node.properties")
    }

    pub(crate) fn log_file(&self, id: usize) -> PathBuf {
        self.node_folder(id).join("server.log")
    }

    pub(crate) fn pid_file(&self, id: usize) -> PathBuf {
        self.node_folder(id).join("pid")
    }

    /// The text of the node's settings file.
    pub(crate) fn settings(&self, id: usize) -> String {
        let voters: Vec<_> =
            self.ids().map(|id| format!("{id}@127.0.0.1:{}", self.controller_port(id))).collect();
        let (replication, min_isr) = if self.n_nodes == 3 { ("3", "2") } else { ("1", "1") };
        TEMPLATE
            .replace("@NODE_ID@", &id.to_string())
            .replace("@VOTERS@", &voters.join(","))
            .replace("@BROKER_PORT@", &self.broker_port(id).to_string())
            .replace("@CONTROLLER_PORT@", &self.controller_port(id).to_string())
            .replace("@PROXIED_PORT@", &self.proxied_port(id).to_string())
            .replace("@PROXY_PORT@", &self.proxy_port(id).to_string())
            .replace("@DATA_DIR@", &self.data_folder(id).display().to_string())
            .replace("@REPLICATION@", replication)
            .replace("@MIN_ISR@", min_isr)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_blank_of_the_template_is_filled() {
        let layout = Layout::new(3, 21_000, Path::new("cluster")).unwrap();
        let text = layout.settings(2);
        let settings: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(
            !settings.iter().any(|line| line.split('=').nth(1).is_some_and(|v| v.starts_with('@'))),
            "{text}"
        );
        for expected in [
            "node.id=2",
            "controller.quorum.voters=1@127.0.0.1:21004,2@127.0.0.1:21005,3@127.0.0.1:21006",
            "listeners=PLAINTEXT://127.0.0.1:21001,PROXIED://127.0.0.1:21009,CONTROLLER://127.0.0.1:21005",
            "advertised.listeners=PLAINTEXT://127.0.0.1:21001,PROXIED://127.0.0.1:21013",
            "min.insync.replicas=2",
            "log.dirs=cluster/node2/data",
        ] {
            assert!(settings.contains(&expected), "{expected} is not in\n{text}");
        }
    }

    #[test]
    fn no_two_listeners_of_three_nodes_share_a_port_and_all_are_in_the_block() {
        let layout = Layout::new(3, 21_000, Path::new("x")).unwrap();
        let mut ports = BTreeSet::new();
        for id in layout.ids() {
            ports.extend(layout.node_ports(id));
            ports.insert(layout.proxy_route(id).listen.port());
        }
        assert_eq!(ports.len(), 12);
        assert!(ports.iter().all(|port| (21_000..21_000 + N_PORTS).contains(port)), "{ports:?}");
    }

    #[test]
    fn only_one_or_three_nodes_and_ports_that_exist() {
        for n_nodes in [0, 2, 4] {
            assert!(Layout::new(n_nodes, 21_000, Path::new("x")).is_err());
        }
        assert!(Layout::new(1, u16::MAX, Path::new("x")).is_err());
        assert_eq!(
            Layout::new(3, 21_000, Path::new("x")).unwrap().bootstrap(),
            "127.0.0.1:21000,127.0.0.1:21001,127.0.0.1:21002"
        );
    }
}
