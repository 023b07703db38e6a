//! One client's connection to one broker: two sockets that are closed together.

use std::collections::{BTreeSet, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::frames::Direction;
use super::lock;

/// A client has few requests under way on one connection. Those that are never answered (to produce without
/// acknowledgement) are remembered until a later one is answered, or until there are this many.
const MAX_UNANSWERED: usize = 1 << 20;

/// Shared by the two threads that carry its bytes and by whoever closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) node: usize,
    client: TcpStream,
    broker: TcpStream,
    state: Mutex<State>,
    closing: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    /// The rules that have swallowed something of it.
    swallowed_by: BTreeSet<u64>,
    /// Correlation id and api key of the forwarded requests in their order, which is also that of the answers.
    unanswered: VecDeque<(i32, i16)>,
}

impl Connection {
    pub(crate) fn new(node: usize, client: TcpStream, broker: TcpStream) -> Self {
        Self { node, client, broker, state: Mutex::default(), closing: Condvar::new() }
    }

    /// The socket that messages of this direction come from, and the one that they go to.
    pub(crate) fn ends(&self, direction: Direction) -> (&TcpStream, &TcpStream) {
        match direction {
            Direction::Request => (&self.client, &self.broker),
            Direction::Answer => (&self.broker, &self.client),
        }
    }

    /// Closes both sockets, which also wakes the threads that read from them or write to them.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.closing.notify_all();
        // A side that has already gone is as closed as it can be.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.broker.shutdown(Shutdown::Both);
    }

    /// Waits for [`Connection::close`], at most until `due`; whether it has come.
    pub(crate) fn wait_closed(&self, due: Option<Instant>) -> bool {
        let mut state = self.state();
        while !state.is_closed {
            state = match due.map(|due| due.saturating_duration_since(Instant::now())) {
                None => self.closing.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    self.closing.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    /// Notes that a rule has swallowed something of it.
    pub(crate) fn swallowed_by(&self, rule: u64) {
        self.state().swallowed_by.insert(rule);
    }

    pub(crate) fn is_swallowed_by(&self, rule: u64) -> bool {
        self.state().swallowed_by.contains(&rule)
    }

    /// Notes a request that is about to be forwarded.
    pub(crate) fn asked(&self, correlation_id: i32, api_key: i16) {
        let mut state = self.state();
        if state.unanswered.len() == MAX_UNANSWERED {
            state.unanswered.pop_front();
        }
        state.unanswered.push_back((correlation_id, api_key));
    }

    /// The api key of the request to which this is the answer. Requests before it will have none any more.
    pub(crate) fn answered(&self, correlation_id: i32) -> Option<i16> {
        let mut state = self.state();
        let idx = state.unanswered.iter().position(|&(id, _)| id == correlation_id)?;
        state.unanswered.drain(..=idx).next_back().map(|(_, api_key)| api_key)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
