//! What a check of the ledger found.

use std::fmt;

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
    /// An output names an input that does not exist.
    NoInput {
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
}

impl Violation {
    /// Whether a transaction whose records are not all visible yet looks like this.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::FlagWithoutVerdict { .. } | Self::FlagMissing { .. })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |at: &[Source]| at.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Lost { source } => write!(f, "lost: {source} has neither a verdict nor a dead letter"),
            Self::Doubled { source, at } => write!(f, "doubled: {source} is the source of {}", join(at)),
            Self::NoInput { at, source } => {
                write!(f, "no input: {at} names {source}, which is no record of the input topic")
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
    /// Records in `verdicts`.
    pub n_verdicts: usize,
    /// Records in `review`.
    pub n_flags: usize,
    /// Records in the dead-letter topic.
    pub n_dead_letters: usize,
    /// Outputs whose input the topic no longer has.
    pub n_expired: usize,
    /// Everything that is wrong, sorted.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether nothing is wrong. This says nothing about the inputs in `n_pending`: all is proven only when that is 0 too.
    pub fn is_exact(&self) -> bool {
        self.violations.is_empty()
    }
}
