//! A proxy between clients and brokers that understands where messages begin, and breaks connections on demand.
//!
//! ```text
//!            127.0.0.1:advertised port                     127.0.0.1:port of the listener PROXIED
//!  client ────────▶ listener ──▶ connection: pump of requests ──▶ broker
//!         ◀─────────────────────  pump of answers  ◀─────────────
//!                                     │ what becomes of this message?
//!                                   rules
//! ```
//!
//! A broker that is asked through its listener `PROXIED` names the proxy's ports as the addresses of all brokers, leaders
//! and coordinators, so a client that begins at [`Proxy::bootstrap`] stays behind the proxy. Two threads carry each
//! connection. They change no byte, and forward at once what no rule strikes.

mod api_key;
mod connection;
mod frames;
mod listener;
mod outbox;
mod pump;
mod rule;
mod rules;
mod shared;

#[cfg(test)]
mod tests;

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

pub use api_key::ApiKey;
use connection::Connection;
use frames::Direction;
use listener::Listener;
pub use rule::{ActiveRule, Rule, Way};
use shared::Shared;

/// A broker on loopback accepts at once, refuses at once, or is frozen and has its queue of connections full.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Enough for a loop over a buffer on the heap; there may be hundreds of these threads.
const STACK_BYTES: usize = 256 << 10;

/// Stands between clients and all brokers of a [`KafkaCluster`](crate::KafkaCluster), which starts it when it is first
/// asked for. Nodes are numbered from 1.
///
/// All methods may be called from any thread while messages flow.
///
/// ```no_run
/// use std::time::Duration;
/// use touchstone_testkit::{ApiKey, KafkaCluster, Rule};
///
/// let cluster = KafkaCluster::start(1)?;
/// let proxy = cluster.proxy()?;
/// println!("bootstrap.servers={}", proxy.bootstrap());
/// let rule = proxy.set(Rule::drop_answer(ApiKey::EndTxn).times(1))?;
/// // … commit a transaction through the proxy …
/// rule.wait_fired(1, Duration::from_secs(30))?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    gates: Mutex<Vec<Gate>>,
}

/// Where the proxy of one node listens, and where it finds the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) listen: SocketAddr,
    pub(crate) node: SocketAddr,
}

/// The way to one node.
#[derive(Debug)]
struct Gate {
    route: Route,
    n_cuts: usize,
    /// Nothing while the node is cut off.
    listener: Option<Listener>,
}

impl Proxy {
    /// Listens for each node, the first of which has number 1.
    pub(crate) fn start(routes: impl IntoIterator<Item = Route>) -> Result<Self> {
        let mut proxy = Self { shared: Arc::default(), addresses: Vec::new(), gates: Mutex::new(Vec::new()) };
        for (route, id) in routes.into_iter().zip(1..) {
            let listener = listen(&proxy.shared, id, route)?;
            let route = Route { listen: listener.address, ..route };
            proxy.addresses.push(route.listen);
            lock(&proxy.gates).push(Gate { route, n_cuts: 0, listener: Some(listener) });
        }
        Ok(proxy)
    }

    /// The value for `bootstrap.servers` of clients that are to go through the proxy.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        addresses.join(",")
    }

    /// Puts a rule in force.
    ///
    /// # Errors
    /// If it is about a node that does not exist.
    pub fn set(&self, rule: Rule) -> Result<ActiveRule<'_>> {
        if let Some(id) = rule.node {
            self.check_id(id)?;
        }
        let (id, n_fired) = lock(&self.shared.rules).add(rule.clone());
        Ok(ActiveRule { shared: &self.shared, id, rule, n_fired })
    }

    /// Cuts clients off from all nodes: closes their connections and refuses new ones.
    #[must_use = "the cut ends when this is dropped"]
    pub fn cut(&self) -> Cut<'_> {
        self.cut_nodes((1..=self.addresses.len()).collect())
    }

    /// Cuts clients off from node `id` alone. The brokers still reach each other.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn cut_node(&self, id: usize) -> Result<Cut<'_>> {
        self.check_id(id)?;
        Ok(self.cut_nodes(vec![id]))
    }

    /// How many requests of this kind have come from clients, whatever became of them.
    #[must_use]
    pub fn n_requests(&self, api: ApiKey) -> u64 {
        lock(&self.shared.rules).n_requests(api.number())
    }

    /// How many connections are open now, those included that only a black hole keeps open.
    #[must_use]
    pub fn n_connections(&self) -> usize {
        self.shared.n_connections()
    }

    fn check_id(&self, id: usize) -> Result<()> {
        let n_nodes = self.addresses.len();
        ensure!((1..=n_nodes).contains(&id), "no node {id}: nodes are numbered 1 to {n_nodes}");
        Ok(())
    }

    fn cut_nodes(&self, ids: Vec<usize>) -> Cut<'_> {
        let mut gates = lock(&self.gates);
        for &id in &ids {
            let gate = &mut gates[id - 1];
            gate.n_cuts += 1;
            if let Some(listener) = gate.listener.take() {
                listener.close();
            }
            self.shared.refuse(id);
        }
        Cut { proxy: self, ids }
    }

    /// Undoes one cut of each node; one that is cut off several times stays cut off until the last of them is undone.
    fn uncut(&self, ids: &[usize]) -> Result<()> {
        let mut gates = lock(&self.gates);
        for &id in ids {
            let gate = &mut gates[id - 1];
            gate.n_cuts -= 1;
            if gate.n_cuts == 0 {
                self.shared.admit(id);
                gate.listener = Some(listen(&self.shared, id, gate.route)?);
            }
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A cut that is never undone: listeners end, connections are closed, and their threads end by themselves.
        std::mem::forget(self.cut());
    }
}

/// A cut in force. Dropping it undoes it.
#[derive(Debug)]
#[must_use = "the cut ends when this is dropped"]
pub struct Cut<'a> {
    proxy: &'a Proxy,
    ids: Vec<usize>,
}

impl Cut<'_> {
    /// Takes connections again, as dropping does.
    ///
    /// # Errors
    /// If a port has been taken by someone else.
    pub fn lift(mut self) -> Result<()> {
        self.proxy.uncut(&std::mem::take(&mut self.ids))
    }
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        // Whoever wants to know of an error calls `lift`.
        let _ = self.proxy.uncut(&self.ids);
    }
}

fn listen(shared: &Arc<Shared>, id: usize, route: Route) -> Result<Listener> {
    let shared = Arc::clone(shared);
    let take = move |client| {
        let shared = Arc::clone(&shared);
        let serve = move || serve(&shared, id, route.node, client);
        // Without a thread the connection is dropped, that is, closed.
        let _ = thread::Builder::new().name("kafka-proxy".into()).stack_size(STACK_BYTES).spawn(serve);
    };
    Listener::open(route.listen, take)
        .with_context(|| format!("the proxy of node {id} cannot listen at {}", route.listen))
}

/// Carries one connection from its beginning to its end. A node that is down refuses, and then the client is closed.
fn serve(shared: &Shared, id: usize, node: SocketAddr, client: TcpStream) {
    let Ok(broker) = TcpStream::connect_timeout(&node, CONNECT_LIMIT) else { return };
    // A side that has gone meanwhile is noticed by the pumps.
    let _ = (client.set_nodelay(true), broker.set_nodelay(true));
    let connection = Arc::new(Connection::new(id, client, broker));
    let Some(number) = shared.register(&connection) else { return };
    thread::scope(|scope| {
        let answers = || pump::carry(shared, &connection, Direction::Answer);
        let thread = thread::Builder::new().name("kafka-proxy".into()).stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, answers) {
            Ok(_) => pump::carry(shared, &connection, Direction::Request),
            Err(_) => connection.close(),
        }
    });
    shared.forget(number);
}

/// A panic elsewhere while a lock of the proxy was held leaves lists that are still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
