//! What a check of the ledger found.

use std::fmt;

use super::life::FlagId;
use crate::headers::Source;

/// One thing that is wrong with the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// An input that was committed, or one before an input that has an output, has neither verdict nor dead letter.
    Lost {
        /// The input.
        source: Source,
    },
    /// An input has more than one.
    Doubled {
        /// The input.
        source: Source,
        /// Its verdicts and dead letters.
        at: Vec<Source>,
    },
    /// An output names a source that does not exist, or one that such an output cannot have.
    NoSource {
        /// The output.
        at: Source,
        /// What it names.
        source: Source,
    },
    /// An output names no input, or its kind does not belong into its topic.
    Unsourced {
        /// The output.
        at: Source,
        /// What is missing or wrong.
        problem: &'static str,
    },
    /// Verdicts on one listing stand in another order than its inputs.
    Reordered {
        /// The listing.
        listing_id: String,
        /// The verdict that stands too late.
        at: Source,
        /// The input that it is about.
        source: Source,
        /// The later input whose verdict stands before it.
        after: Source,
    },
    /// A record's key is not its listing's identifier.
    WrongKey {
        /// The record.
        at: Source,
    },
    /// A record's value is not a verdict.
    Unreadable {
        /// The record.
        at: Source,
    },
    /// A dead letter does not explain itself, or does not repeat its input.
    BadDeadLetter {
        /// The dead letter.
        at: Source,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A transaction that nobody ends: read_committed readers wait at this record for ever.
    Hung {
        /// The first record of an output topic that nobody sees.
        at: Source,
    },
    /// A flag differs from its verdict in more than `listing` and `photos`.
    FlagDiffers {
        /// The flag.
        at: Source,
        /// The verdict.
        verdict: Source,
        /// The fields that differ.
        fields: Vec<String>,
    },
    /// A flag has no verdict that it repeats.
    FlagWithoutVerdict {
        /// The flag.
        at: Source,
    },
    /// A verdict that says takedown, review or retract has no flag.
    FlagMissing {
        /// The verdict.
        verdict: Source,
    },
    /// A verdict has more than one flag.
    FlagDoubled {
        /// The flags.
        at: Vec<Source>,
    },
    /// The revision of a flag is not the one behind its last.
    Revision {
        /// The verdict or the retract.
        at: Source,
        /// The flag.
        flag_id: FlagId,
        /// Its revision.
        revision: u64,
        /// What it should be.
        expected: u64,
    },
    /// A verdict on a stale version is not what such verdicts are, or another one looks like it.
    Stale {
        /// The verdict.
        at: Source,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A listing has a new flag while another one is open.
    TwoOpen {
        /// The new flag.
        at: Source,
        /// The listing.
        listing_id: String,
        /// The flag that was not taken back.
        open: FlagId,
    },
    /// A verdict that is no flag leaves a flag of its listing open.
    NotTakenBack {
        /// The verdict.
        at: Source,
        /// The listing.
        listing_id: String,
        /// The flag that was not taken back.
        open: FlagId,
    },
    /// A retract takes nothing back.
    RetractWithoutFlag {
        /// The retract.
        at: Source,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A retract does not say why, or what it says is not so.
    RetractWithoutCause {
        /// The retract.
        at: Source,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A record of the re-check topic does not explain itself.
    BadRecheck {
        /// The record.
        at: Source,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// What is remembered of a listing is not what was written about it.
    StateDiffers {
        /// The listing.
        listing_id: String,
        /// What is remembered, where anything is.
        at: Option<Source>,
        /// How it differs.
        problem: String,
    },
    /// A record of the state topic belongs to no listing.
    StrayState {
        /// The record.
        at: Source,
    },
}

impl Violation {
    /// Whether a transaction whose records are not all visible yet looks like this.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. }
                | Self::FlagWithoutVerdict { .. }
                | Self::FlagMissing { .. }
                | Self::StateDiffers { .. }
        )
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |at: &[Source]| at.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Lost { source } => write!(f, "lost: {source} has neither a verdict nor a dead letter"),
            Self::Doubled { source, at } => write!(f, "doubled: {source} is the source of {}", join(at)),
            Self::NoSource { at, source } => {
                write!(f, "no source: {at} names {source}, which does not exist or cannot be its source")
            }
            Self::Unsourced { at, problem } => write!(f, "unsourced: {at}: {problem}"),
            Self::Reordered { listing_id, at, source, after } => {
                write!(
                    f,
                    "reordered: {at} is about {source} of listing {listing_id}, but stands after {after}'s"
                )
            }
            Self::WrongKey { at } => write!(f, "wrong key: the key of {at} is not its listing_id"),
            Self::Unreadable { at } => write!(f, "unreadable: the value of {at} is not a verdict"),
            Self::BadDeadLetter { at, problem } => write!(f, "bad dead letter: {at} {problem}"),
            Self::Hung { at } => write!(
                f,
                "hung transaction: from {at} on nothing can be read; end it by starting a worker with its transactional.id"
            ),
            Self::FlagDiffers { at, verdict, fields } => {
                write!(f, "flag differs: {at} and its verdict {verdict} differ in {}", fields.join(", "))
            }
            Self::FlagWithoutVerdict { at } => write!(f, "flag without verdict: {at}"),
            Self::FlagMissing { verdict } => {
                write!(f, "flag missing: {verdict} is a flag but has none in review")
            }
            Self::FlagDoubled { at } => write!(f, "flag doubled: {}", join(at)),
            Self::Revision { at, flag_id, revision, expected } => {
                write!(f, "revision: {at} is revision {revision} of flag {flag_id}, and {expected} was due")
            }
            Self::Stale { at, problem } => write!(f, "stale version: {at} {problem}"),
            Self::TwoOpen { at, listing_id, open } => {
                write!(
                    f,
                    "two open flags: {at} is a new flag of listing {listing_id}, and {open} is still open"
                )
            }
            Self::NotTakenBack { at, listing_id, open } => {
                write!(f, "not taken back: {at} is no flag of listing {listing_id}, and {open} is still open")
            }
            Self::RetractWithoutFlag { at, problem } => write!(f, "retract without flag: {at} {problem}"),
            Self::RetractWithoutCause { at, problem } => write!(f, "retract without cause: {at} {problem}"),
            Self::BadRecheck { at, problem } => write!(f, "bad re-check: {at} {problem}"),
            Self::StateDiffers { listing_id, at: Some(at), problem } => {
                write!(f, "state differs: {at} of listing {listing_id}: {problem}")
            }
            Self::StateDiffers { listing_id, at: None, problem } => {
                write!(f, "state differs: listing {listing_id}: {problem}")
            }
            Self::StrayState { at } => write!(f, "stray state: the key of {at} is no listing's"),
        }
    }
}

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Inputs in the topic.
    pub n_inputs: usize,
    /// Inputs without an output that the group has not committed and that stand after the last input with one, and records
    /// that seemed to lack their partner in the last look alone. They are not proven lost, and not proven safe either:
    /// exactly-once holds for them only once a later check finds them done.
    pub n_pending: usize,
    /// Verdicts on inputs in `verdicts`; re-checks, sweeps and retracts are not counted.
    pub n_verdicts: usize,
    /// Records in `review`.
    pub n_flags: usize,
    /// Listings whose flag is open at the end of `review`.
    pub n_open: usize,
    /// Flags taken back.
    pub n_retracts: usize,
    /// Records in the re-check topic.
    pub n_rechecks: usize,
    /// Listings that are remembered in the state topic.
    pub n_states: usize,
    /// Records in the dead-letter topic.
    pub n_dead_letters: usize,
    /// Outputs whose source the topic no longer has.
    pub n_expired: usize,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// Everything that is wrong, sorted.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether nothing is wrong. This says nothing about the inputs in `n_pending`: all is proven only when that is 0 too.
    pub fn is_exact(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Something that could not be checked, for a reason that is no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// What, and for what.
    pub what: &'static str,
    /// How many of them could not be checked.
    pub n: usize,
    /// How many there are.
    pub n_all: usize,
    /// Why.
    pub why: &'static str,
}

impl Unchecked {
    /// `None` where all could be checked.
    pub(super) fn new(what: &'static str, n: usize, n_all: usize, why: &'static str) -> Option<Self> {
        (n > 0).then_some(Self { what, n, n_all, why })
    }
}

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not checked: {} of {} {}: {}", self.n, self.n_all, self.what, self.why)
    }
}
