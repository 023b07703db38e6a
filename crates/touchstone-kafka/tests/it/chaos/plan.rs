//! How long, how much, and which faults in which order: all from a seed.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::fault::{Fault, KINDS};
use crate::seeded::Seeded;

/// A run of the chaos.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Listings sent a second.
    pub(crate) rate: u64,
    /// How many at least, whatever else is over.
    pub(crate) n_inputs: usize,
    /// Faults go on for so long; without it each of `faults` comes once.
    pub(crate) lasts: Option<Duration>,
    pub(crate) n_partitions: i32,
    /// The faults in their order; after the last, the next round is drawn.
    pub(crate) faults: Vec<Fault>,
}

impl Plan {
    /// The short run of every test run, or what `cargo xtask chaos` asks for.
    pub(crate) fn from_environment() -> Result<Self> {
        let seed = variable("TOUCHSTONE_SEED")?.unwrap_or(20_260_302);
        let mut seeded = Seeded::new(seed);
        let Some(minutes) = variable::<u64>("TOUCHSTONE_CHAOS_MINUTES")? else {
            let faults = short(&mut seeded);
            return Ok(Self { seed, rate: 300, n_inputs: 20_000, lasts: None, n_partitions: 6, faults });
        };
        let rate = variable("TOUCHSTONE_CHAOS_RATE")?.unwrap_or(500);
        let lasts = Duration::from_secs(minutes * 60);
        let n_inputs = variable("TOUCHSTONE_CHAOS_INPUTS")?.unwrap_or(0);
        let faults = round(&mut seeded);
        Ok(Self { seed, rate, n_inputs, lasts: Some(lasts), n_partitions: 12, faults })
    }

    /// The faults of the `n`th round.
    pub(crate) fn round(&self, n: u64) -> Vec<Fault> {
        if n == 0 { self.faults.clone() } else { round(&mut Seeded::new(self.seed.wrapping_add(n))) }
    }
}

fn variable<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(name: &str) -> Result<Option<T>> {
    env::var(name).ok().map(|text| text.parse().with_context(|| format!("{name}={text}"))).transpose()
}

/// Each kind once, and killed workers more often, in a seeded order.
fn round(seeded: &mut Seeded) -> Vec<Fault> {
    let more =
        ["kill a worker", "lose a worker", "kill a worker in its commit", "kill a worker in its commit"];
    let mut kinds: Vec<&str> = KINDS.into_iter().chain(more).collect();
    seeded.shuffle(&mut kinds);
    kinds.into_iter().map(|kind| Fault::draw(kind, seeded)).collect()
}

/// What the tests of every day have time for: five workers killed, the group changed five times, one broker lost.
fn short(seeded: &mut Seeded) -> Vec<Fault> {
    let mut kinds = [
        "kill a worker",
        "kill a worker in its commit",
        "kill a worker in its commit",
        "lose a worker",
        "lose a worker",
        "freeze a worker",
        "two workers of one name",
        "a worker comes and goes",
        "kill a broker",
        "break connections",
        "break connections",
        "black hole",
        "poison",
        "dead photos",
        "catalog changes",
    ];
    seeded.shuffle(&mut kinds);
    kinds.into_iter().map(|kind| Fault::draw(kind, seeded)).collect()
}
