//! What all threads of a proxy share: the rules and the open connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::connection::Connection;
use super::frames::Direction;
use super::lock;
use super::rules::{Fate, Message, Rules};

/// Where both locks are taken, that of the rules is taken first.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) rules: Mutex<Rules>,
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    next_id: u64,
    open: BTreeMap<u64, Arc<Connection>>,
    /// Nodes that are cut off.
    refused: BTreeSet<usize>,
}

impl Shared {
    /// What becomes of a message of this connection.
    pub(crate) fn judge(&self, connection: &Connection, message: Message) -> Fate {
        let mut rules = lock(&self.rules);
        let fate = rules.judge(message);
        // Noted before the rule can end, so that its end finds the connection.
        if let Fate::Swallow(rule) = fate {
            connection.swallowed_by(rule);
        }
        fate
    }

    /// Whether a rule swallows the news that the connection has ended on one side.
    pub(crate) fn swallows_end(&self, connection: &Connection, direction: Direction) -> bool {
        let rules = lock(&self.rules);
        let hole = rules.black_hole(connection.node, direction);
        if let Some(rule) = hole {
            connection.swallowed_by(rule);
        }
        hole.is_some()
    }

    /// Ends a rule, and closes the connections that have lost something to it.
    pub(crate) fn lift(&self, rule: u64) {
        lock(&self.rules).remove(rule);
        self.close_where(|connection| connection.is_swallowed_by(rule));
    }

    /// Takes a new connection in and returns its number; nothing if its node has been cut off meanwhile.
    pub(crate) fn register(&self, connection: &Arc<Connection>) -> Option<u64> {
        let mut registry = lock(&self.registry);
        if registry.refused.contains(&connection.node) {
            return None;
        }
        let id = registry.next_id;
        registry.next_id += 1;
        registry.open.insert(id, Arc::clone(connection));
        Some(id)
    }

    pub(crate) fn forget(&self, id: u64) {
        lock(&self.registry).open.remove(&id);
    }

    pub(crate) fn n_connections(&self) -> usize {
        lock(&self.registry).open.len()
    }

    /// Closes all connections to the node and takes no new ones.
    pub(crate) fn refuse(&self, node: usize) {
        lock(&self.registry).refused.insert(node);
        self.close_where(|connection| connection.node == node);
    }

    /// Takes connections to the node again.
    pub(crate) fn admit(&self, node: usize) {
        lock(&self.registry).refused.remove(&node);
    }

    fn close_where(&self, condition: impl Fn(&Connection) -> bool) {
        for connection in lock(&self.registry).open.values().filter(|connection| condition(connection)) {
            connection.close();
        }
    }
}
