//! Why a command ended, and with which exit status.

use std::process::ExitCode;

/// How a command ended when nothing broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was done: exit status 0.
    Done,
    /// The work was done, but what was looked for is not right, for example a broken ledger: exit status 1.
    Failed,
    /// Some of the input was wrong; the rest was done: exit status 2.
    BadInput,
}

/// Why a command could not be done.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) end: End,
    pub(crate) error: anyhow::Error,
}

/// What a command returns.
pub(crate) type Outcome<T = End> = Result<T, Fault>;

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Done => Self::SUCCESS,
            End::Failed => Self::from(1),
            End::BadInput => Self::from(2),
        }
    }
}

/// Without another word, an error means that the command failed.
impl<E: Into<anyhow::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { end: End::Failed, error: error.into() }
    }
}

/// Marks errors as the input's fault.
pub(crate) trait OrBadInput<T> {
    /// The same, but the exit status says that the usage or the input is wrong.
    fn or_bad_input(self) -> Outcome<T>;
}

impl<T, E: Into<anyhow::Error>> OrBadInput<T> for Result<T, E> {
    fn or_bad_input(self) -> Outcome<T> {
        self.map_err(|error| Fault { end: End::BadInput, error: error.into() })
    }
}
