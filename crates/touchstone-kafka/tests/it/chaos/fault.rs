//! What goes wrong.

use std::fmt;

use touchstone_testkit::ApiKey;

use crate::seeded::Seeded;

/// The workers that stay, by their number; others come and go.
pub(crate) const N_WORKERS: u64 = 3;
const N_BROKERS: u64 = 3;

/// One thing that goes wrong, and is over when its handling returns. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and a new start at once.
    KillWorker { worker: usize },
    /// SIGKILL; it comes back only when the others have taken over.
    LoseWorker { worker: usize },
    /// SIGKILL in the middle of a commit.
    KillInCommit { worker: usize, step: &'static str },
    /// SIGTERM, and a new start.
    StopWorker { worker: usize },
    /// SIGSTOP until its session is over and longer, then SIGCONT.
    FreezeWorker { worker: usize, more_ms: u64 },
    /// A second worker under the same name.
    TwinWorker { worker: usize },
    /// Another worker comes, and goes again.
    ExtraWorker { stays_ms: u64 },
    /// SIGKILL of a broker, and its return.
    KillBroker { broker: usize, away_ms: u64 },
    /// SIGSTOP of a broker: its connections stay open and nothing answers.
    FreezeBroker { broker: usize, for_ms: u64 },
    /// Each broker is stopped in good order and started again, one after the other.
    RollingRestart,
    /// Connections break when such a request comes, or when it has been answered, so many times.
    BreakConnections { api: ApiKey, after_answer: bool, times: u64 },
    /// Nothing gets through to the brokers or back, and no connection is closed.
    BlackHole { for_ms: u64 },
    /// All workers are cut off from the brokers.
    CutOff { for_ms: u64 },
    /// Answers of one kind come late.
    Delay { api: ApiKey, by_ms: u64, for_ms: u64 },
    /// Listings that cannot be judged, one after the other.
    Poison { n: u64 },
    /// Photos that are slow or never come.
    DeadPhotos { n: u64 },
    /// The catalog changes a few times.
    CatalogChanges { n: u64 },
}

/// The names of all kinds, in the order of [`Fault::draw`].
pub(crate) const KINDS: [&str; 17] = [
    "kill a worker",
    "lose a worker",
    "kill a worker in its commit",
    "stop a worker",
    "freeze a worker",
    "two workers of one name",
    "a worker comes and goes",
    "kill a broker",
    "freeze a broker",
    "restart the brokers one by one",
    "break connections",
    "black hole",
    "cut off",
    "late answers",
    "poison",
    "dead photos",
    "catalog changes",
];

impl Fault {
    /// A fault of a kind, with what else it needs drawn from the seed.
    pub(crate) fn draw(kind: &str, seeded: &mut Seeded) -> Self {
        use ApiKey::{
            AddOffsetsToTxn, AddPartitionsToTxn, EndTxn, Fetch, Heartbeat, Produce, TxnOffsetCommit,
        };
        const STEPS: [&str; 5] = [
            "transaction.begun",
            "transaction.sent",
            "transaction.delivered",
            "transaction.offsets",
            "transaction.committed",
        ];
        let worker = seeded.below(N_WORKERS) as usize;
        let broker = 1 + seeded.below(N_BROKERS) as usize;
        let mut ms = |from: u64, to: u64| from + seeded.below(to - from);
        match KINDS.iter().position(|name| *name == kind) {
            Some(0) => Self::KillWorker { worker },
            Some(1) => Self::LoseWorker { worker },
            Some(2) => Self::KillInCommit { worker, step: STEPS[ms(0, 5) as usize] },
            Some(3) => Self::StopWorker { worker },
            Some(4) => Self::FreezeWorker { worker, more_ms: ms(500, 3_000) },
            Some(5) => Self::TwinWorker { worker },
            Some(6) => Self::ExtraWorker { stays_ms: ms(1_000, 5_000) },
            Some(7) => Self::KillBroker { broker, away_ms: ms(1_000, 8_000) },
            Some(8) => Self::FreezeBroker { broker, for_ms: ms(1_000, 8_000) },
            Some(9) => Self::RollingRestart,
            Some(10) => {
                let apis = [EndTxn, EndTxn, TxnOffsetCommit, AddPartitionsToTxn, AddOffsetsToTxn, Produce];
                let api = apis[ms(0, apis.len() as u64) as usize];
                Self::BreakConnections { api, after_answer: ms(0, 2) == 0, times: ms(1, 6) }
            }
            Some(11) => Self::BlackHole { for_ms: ms(500, 6_000) },
            Some(12) => Self::CutOff { for_ms: ms(500, 6_000) },
            Some(13) => {
                let api = [Produce, Fetch, EndTxn, Heartbeat][ms(0, 4) as usize];
                Self::Delay { api, by_ms: ms(50, 1_500), for_ms: ms(1_000, 5_000) }
            }
            Some(14) => Self::Poison { n: ms(20, 80) },
            Some(15) => Self::DeadPhotos { n: ms(20, 80) },
            Some(16) => Self::CatalogChanges { n: ms(3, 20) },
            _ => panic!("no such kind: {kind}"),
        }
    }

    /// How often partitions move with it: a worker goes and comes back, or comes and goes. One that returns under its name at once
    /// keeps its own.
    pub(crate) const fn n_rebalances(&self) -> usize {
        match self {
            Self::LoseWorker { .. } | Self::FreezeWorker { .. } | Self::ExtraWorker { .. } => 2,
            _ => 0,
        }
    }

    pub(crate) const fn kills_a_worker(&self) -> bool {
        matches!(self, Self::KillWorker { .. } | Self::LoseWorker { .. } | Self::KillInCommit { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
