//! What can be wrong: with the settings, with an address, and with a fetch.

use std::net::IpAddr;
use std::time::Duration;

use touchstone_image_hash::DecodeError;
use touchstone_types::PhotoFailure;

/// Why a [`Fetcher`](crate::Fetcher) or [`UrlGuard`](crate::UrlGuard) could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// An entry of a host list is no host.
    #[error("{setting}: \"{entry}\" is no host such as photos.lumora.example or *.lumora.example")]
    BadHost {
        /// The setting that holds the entry.
        setting: &'static str,
        /// The entry.
        entry: String,
    },
    /// An entry of `test_origins` is of another form than the only one allowed.
    #[error("test_origins: \"{entry}\" is not of the form http://127.0.0.1:PORT")]
    BadTestOrigin {
        /// The entry.
        entry: String,
    },
    /// TLS cannot be set up, usually because the machine has no root certificates.
    #[error(
        "TLS cannot be set up; install the system's root certificates (ca-certificates) or set SSL_CERT_FILE"
    )]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Why a URL, or what it leads to, is never fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The URL is too long.
    #[error("the URL has {bytes} bytes, at most {} are read", crate::guard::MAX_URL_BYTES)]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The URL holds a character that programs read differently: a control character, white space or a backslash.
    #[error("the URL holds {found:?} at byte {at}")]
    Character {
        /// The first such character.
        found: char,
        /// Where it stands.
        at: usize,
    },
    /// The text is no URL.
    #[error("not a URL: {0}")]
    NotAUrl(url::ParseError),
    /// The scheme is not `https`.
    #[error("scheme \"{0}\" is never fetched, only https")]
    Scheme(String),
    /// The URL holds a user name or password, or an empty one.
    #[error("a URL with user information is never fetched")]
    UserInfo,
    /// The URL names no host.
    #[error("the URL names no host")]
    NoHost,
    /// The port is not on the list of ports.
    #[error("port {0} is not one of those that are fetched")]
    Port(u16),
    /// The host is on the deny list.
    #[error("host {0} is on the deny list")]
    Denied(String),
    /// There is an allow list, and the host is not on it.
    #[error("host {0} is not on the allow list")]
    NotAllowed(String),
    /// The name is none that a public name server answers for: an empty or overlong label, or other characters than
    /// letters, digits, `-` and `_`.
    #[error("host {0:?} is no name of the public internet")]
    BadName(String),
    /// The name belongs to a local network.
    #[error("host {0} is a name of a local network")]
    LocalName(String),
    /// The address is not of the public internet.
    #[error("address {address} is never fetched: {class}")]
    Address {
        /// The address.
        address: IpAddr,
        /// What it is used for.
        class: &'static str,
    },
    /// The address is on the deny list.
    #[error("address {0} is on the deny list")]
    DeniedAddress(IpAddr),
    /// The address that answered is not known, so it cannot be judged.
    #[error("the address that answered is not known")]
    UnknownPeer,
}

/// Why one fetch failed; what the caller gets of it is [`Problem::failure`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("refused")]
    Refused(#[from] Refusal),
    #[error("no connection")]
    Connect(#[source] reqwest::Error),
    #[error("the connection broke off")]
    Broken(#[source] reqwest::Error),
    #[error("status {status}")]
    Status {
        status: u16,
        /// How long the host asks to be left alone.
        retry_after: Option<Duration>,
    },
    #[error("the host did not answer lately")]
    Resting(PhotoFailure),
    #[error("status {0} without a usable location")]
    BadRedirect(u16),
    #[error("more than {0} redirects")]
    TooManyRedirects(usize),
    #[error("more than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
    #[error("no picture")]
    Decode(#[from] DecodeError),
    #[error("the decoder panicked")]
    Panicked,
}

impl Problem {
    /// The word for it in a verdict's `missing` list.
    pub(crate) fn failure(&self) -> PhotoFailure {
        match self {
            Self::Refused(_) | Self::Connect(_) | Self::Broken(_) => PhotoFailure::Refused,
            Self::Status { .. } | Self::BadRedirect(_) | Self::TooManyRedirects(_) => PhotoFailure::Status,
            Self::Resting(last) => *last,
            Self::TooLarge { .. } => PhotoFailure::TooLarge,
            Self::Decode(error) => error.failure(),
            Self::Panicked => PhotoFailure::Undecodable,
        }
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Broken(_) => true,
            Self::Status { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

impl From<reqwest::Error> for Problem {
    fn from(error: reqwest::Error) -> Self {
        // A refusal of the resolver comes back wrapped in the client's own errors.
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            if let Some(refusal) = inner.downcast_ref::<Refusal>() {
                return Self::Refused(refusal.clone());
            }
            source = inner.source();
        }
        // Whoever reads the log is not to find what a URL may hold.
        let error = error.without_url();
        if error.is_connect() { Self::Connect(error) } else { Self::Broken(error) }
    }
}
