//! The rules in force and what they say about each message.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::frames::Direction;
use super::rule::{Action, Rule};

/// A message as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) node: usize,
    pub(crate) direction: Direction,
    /// For an answer that of its request; nothing if that is not known.
    pub(crate) api_key: Option<i16>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on, after this time.
    Pass(Duration),
    /// The rule of this number swallows it.
    Swallow(u64),
    /// Its connection is closed in its place.
    Close,
}

/// All rules of a proxy, and how many requests of each kind have come.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    next_id: u64,
    live: Vec<Live>,
    n_requests: BTreeMap<i16, u64>,
}

#[derive(Debug)]
struct Live {
    id: u64,
    rule: Rule,
    draws: Option<ChaCha8Rng>,
    n_fired: Arc<AtomicU64>,
}

impl Rules {
    /// The new rule's number, and the count of what it strikes.
    pub(crate) fn add(&mut self, rule: Rule) -> (u64, Arc<AtomicU64>) {
        let id = self.next_id;
        self.next_id += 1;
        let n_fired = Arc::<AtomicU64>::default();
        let draws = rule.chance.map(|chance| ChaCha8Rng::seed_from_u64(chance.seed));
        self.live.push(Live { id, rule, draws, n_fired: Arc::clone(&n_fired) });
        (id, n_fired)
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.live.retain(|live| live.id != id);
    }

    pub(crate) fn n_requests(&self, api_key: i16) -> u64 {
        self.n_requests.get(&api_key).copied().unwrap_or(0)
    }

    /// Counts the message and what strikes it.
    pub(crate) fn judge(&mut self, message: Message) -> Fate {
        if let (Direction::Request, Some(api_key)) = (message.direction, message.api_key) {
            *self.n_requests.entry(api_key).or_default() += 1;
        }
        let mut delay = Duration::ZERO;
        for live in &mut self.live {
            if !live.strikes(message) {
                continue;
            }
            match live.rule.action {
                Action::Close => return Fate::Close,
                Action::Swallow => return Fate::Swallow(live.id),
                Action::Delay(more) => delay += more,
            }
        }
        Fate::Pass(delay)
    }

    /// The rule that swallows everything that goes this way, if there is one: it also swallows the end of a connection.
    pub(crate) fn black_hole(&self, node: usize, direction: Direction) -> Option<u64> {
        let swallows = |live: &&Live| live.rule.action == Action::Swallow && live.rule.api.is_none();
        let end = Message { node, direction, api_key: None };
        self.live.iter().filter(swallows).find(|live| live.matches(end)).map(|live| live.id)
    }
}

impl Live {
    fn matches(&self, message: Message) -> bool {
        let rule = &self.rule;
        rule.way.includes(message.direction)
            && rule.node.is_none_or(|node| node == message.node)
            && rule.api.is_none_or(|api| message.api_key == Some(api.number()))
            && rule.n_times.is_none_or(|n| self.n_fired.load(Ordering::SeqCst) < n)
    }

    fn strikes(&mut self, message: Message) -> bool {
        let strikes = self.matches(message) && self.draw();
        if strikes {
            self.n_fired.fetch_add(1, Ordering::SeqCst);
        }
        strikes
    }

    fn draw(&mut self) -> bool {
        match (&mut self.draws, self.rule.chance) {
            (Some(draws), Some(chance)) => uniform(draws) < chance.probability,
            _ => true,
        }
    }
}

/// 53 random bits as a number from 0 up to, not including, 1.
fn uniform(draws: &mut ChaCha8Rng) -> f64 {
    (draws.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::ApiKey;
    use super::super::rule::Way;
    use super::*;

    const PASS: Fate = Fate::Pass(Duration::ZERO);

    fn request(node: usize, api: ApiKey) -> Message {
        Message { node, direction: Direction::Request, api_key: Some(api.number()) }
    }

    fn answer(node: usize, api: ApiKey) -> Message {
        Message { direction: Direction::Answer, ..request(node, api) }
    }

    #[test]
    fn a_rule_strikes_its_kind_way_and_node_as_often_as_it_may() {
        let mut rules = Rules::default();
        let (_, n_fired) = rules.add(Rule::drop_answer(ApiKey::EndTxn).on_node(2).times(2));
        for other in [request(2, ApiKey::EndTxn), answer(1, ApiKey::EndTxn), answer(2, ApiKey::Produce)] {
            assert_eq!(rules.judge(other), PASS, "{other:?}");
        }
        let fates = [(); 3].map(|()| rules.judge(answer(2, ApiKey::EndTxn)));
        assert_eq!(fates, [Fate::Close, Fate::Close, PASS]);
        assert_eq!(n_fired.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn delays_add_up_and_end_with_their_rules() {
        let mut rules = Rules::default();
        let (first, _) = rules.add(Rule::delay(Way::Both, Duration::from_secs(1)));
        rules.add(Rule::delay(Way::Requests, Duration::from_secs(2)).of(ApiKey::Fetch));
        assert_eq!(rules.judge(request(1, ApiKey::Fetch)), Fate::Pass(Duration::from_secs(3)));
        assert_eq!(rules.judge(answer(1, ApiKey::Fetch)), Fate::Pass(Duration::from_secs(1)));
        rules.remove(first);
        assert_eq!(rules.judge(answer(1, ApiKey::Fetch)), PASS);
    }

    #[test]
    fn a_black_hole_of_one_kind_does_not_swallow_the_end_of_connections() {
        let mut rules = Rules::default();
        rules.add(Rule::black_hole(Way::Requests).of(ApiKey::Heartbeat));
        assert_eq!(rules.black_hole(1, Direction::Request), None);
        let (id, _) = rules.add(Rule::black_hole(Way::Requests).on_node(1));
        assert_eq!(rules.black_hole(1, Direction::Request), Some(id));
        assert_eq!(rules.black_hole(1, Direction::Answer), None);
        assert_eq!(rules.black_hole(2, Direction::Request), None);
        assert_eq!(rules.judge(request(1, ApiKey::Produce)), Fate::Swallow(id));
    }

    #[test]
    fn the_same_seed_strikes_the_same_messages() {
        let strikes = |probability, seed| {
            let mut rules = Rules::default();
            rules.add(Rule::drop_request(ApiKey::Produce).with_chance(probability, seed));
            (0..200).map(|_| rules.judge(request(1, ApiKey::Produce)) == Fate::Close).collect::<Vec<_>>()
        };
        let n_struck = |strikes: &[bool]| strikes.iter().filter(|&&struck| struck).count();
        assert_eq!(strikes(0.25, 7), strikes(0.25, 7));
        assert_ne!(strikes(0.25, 7), strikes(0.25, 8));
        assert!((25..75).contains(&n_struck(&strikes(0.25, 7))));
        assert_eq!(n_struck(&strikes(0.0, 7)), 0);
        assert_eq!(n_struck(&strikes(1.0, 7)), 200);
    }

    #[test]
    fn requests_are_counted_and_answers_are_not() {
        let mut rules = Rules::default();
        rules.judge(request(1, ApiKey::Fetch));
        rules.judge(request(2, ApiKey::Fetch));
        rules.judge(answer(1, ApiKey::Fetch));
        assert_eq!(rules.n_requests(ApiKey::Fetch.number()), 2);
        assert_eq!(rules.n_requests(ApiKey::Produce.number()), 0);
    }
}
