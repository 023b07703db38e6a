//! What a test asks of the proxy: to lose, delay or swallow which messages, and how often.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::ApiKey;
use super::frames::Direction;
use super::shared::Shared;
use crate::wait::wait_until;

/// Which messages a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From clients to brokers.
    Requests,
    /// From brokers to clients.
    Answers,
    /// All.
    Both,
}

impl Way {
    pub(crate) fn includes(self, direction: Direction) -> bool {
        match self {
            Self::Requests => direction == Direction::Request,
            Self::Answers => direction == Direction::Answer,
            Self::Both => true,
        }
    }
}

/// One fault, in force from [`Proxy::set`](super::Proxy::set) until what that returns is dropped.
///
/// A rule is about the messages of all nodes and kinds until it is told otherwise, and strikes every one of them. Rules
/// that strike the same message add up: it is delayed by the sum of their delays, and the oldest that closes or swallows
/// decides.
///
/// ```
/// use touchstone_testkit::{ApiKey, Rule};
/// // The commit reaches the broker, and the producer does not learn what became of it; once.
/// let rule = Rule::drop_answer(ApiKey::EndTxn).times(1);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Rule {
    pub(crate) action: Action,
    pub(crate) way: Way,
    pub(crate) api: Option<ApiKey>,
    pub(crate) node: Option<usize>,
    pub(crate) n_times: Option<u64>,
    pub(crate) chance: Option<Chance>,
}

/// What is done to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Close,
    Delay(Duration),
    Swallow,
}

/// How likely a matching message is struck, and the seed of the draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chance {
    pub(crate) probability: f64,
    pub(crate) seed: u64,
}

impl Rule {
    /// Closes the connection in place of forwarding a request: the broker never saw it. What was sent before it on the
    /// same connection has been forwarded.
    pub fn drop_request(api: ApiKey) -> Self {
        Self::new(Action::Close, Way::Requests).of(api)
    }

    /// Closes the connection in place of passing an answer back: the broker has done what the request asked for, and the
    /// client does not know. Also strikes answers to requests that came before the rule.
    pub fn drop_answer(api: ApiKey) -> Self {
        Self::new(Action::Close, Way::Answers).of(api)
    }

    /// Holds each message for `delay` from its coming on; those behind it on the same connection and way wait as well, and
    /// their own time runs meanwhile. With [`Way::Both`] a request and its answer are held, so a round trip takes twice
    /// that.
    pub fn delay(way: Way, delay: Duration) -> Self {
        Self::new(Action::Delay(delay), way)
    }

    /// A half-open link: from the next message on everything is swallowed, the closing of connections included, and they
    /// stay open, new ones too. A connection that has lost a message loses all that follow it on the same way, and is
    /// closed when the rule ends, because TCP never goes on after a gap.
    pub fn black_hole(way: Way) -> Self {
        Self::new(Action::Swallow, way)
    }

    fn new(action: Action, way: Way) -> Self {
        Self { action, way, api: None, node: None, n_times: None, chance: None }
    }

    /// Only requests of this kind, and the answers to them. A connection falls into a black hole with the first of them.
    pub fn of(mut self, api: ApiKey) -> Self {
        self.api = Some(api);
        self
    }

    /// Only what is sent to or by this node.
    pub fn on_node(mut self, id: usize) -> Self {
        self.node = Some(id);
        self
    }

    /// Only the next `n` messages.
    pub fn times(mut self, n: u64) -> Self {
        self.n_times = Some(n);
        self
    }

    /// Strikes each matching message with this probability, 0 to 1. The same seed strikes the same ones, counted in the
    /// order in which they come.
    pub fn with_chance(mut self, probability: f64, seed: u64) -> Self {
        self.chance = Some(Chance { probability, seed });
        self
    }
}

/// A rule in force. Dropping it ends the rule.
#[derive(Debug)]
#[must_use = "the rule ends when this is dropped"]
pub struct ActiveRule<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) id: u64,
    pub(crate) rule: Rule,
    pub(crate) n_fired: Arc<AtomicU64>,
}

impl ActiveRule<'_> {
    /// How many messages it has struck.
    #[must_use]
    pub fn n_fired(&self) -> u64 {
        self.n_fired.load(Ordering::SeqCst)
    }

    /// Waits until it has struck at least `n` messages.
    ///
    /// # Errors
    /// If it has not after `limit`.
    pub fn wait_fired(&self, n: u64, limit: Duration) -> Result<()> {
        wait_until("a rule of the proxy to fire", limit, || Ok(self.n_fired() >= n))
            .with_context(|| format!("{:?} fired {} times, not {n}", self.rule, self.n_fired()))
    }

    /// Ends the rule, as dropping does. What is being held for a delay is held on; a connection that has lost something in
    /// a black hole is closed.
    pub fn lift(self) {}
}

impl Drop for ActiveRule<'_> {
    fn drop(&mut self) {
        self.shared.lift(self.id);
    }
}
