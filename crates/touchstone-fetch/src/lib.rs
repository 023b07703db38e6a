//! The URL guard, bounded HTTP fetching and the cache of photo features.
//!
//! ```text
//! URL of a listing ─▶ UrlGuard ─▶ turn ───────▶ resolve, filter, connect ─▶ redirect? ─▶ body ──▶ decode, hash ─▶ Photo
//!   (hostile)           │         per host,      only addresses that the       │          capped    bounded pool      │
//!                       │         in all         guard has passed              │                                      │
//!                       ▼                            ▼                         ▼                                      ▼
//!                    Refused                      Refused                 UrlGuard again                cache by content hash
//! ```
//!
//! The addresses in a listing are written by counterfeiters, so a fetch is judged at every step. Invariants:
//! - Only `https` is fetched, without user names, and only from addresses of the public internet ([`forbidden_address`]).
//!   The address that is connected to is one that was checked: a name is resolved once for each connection, by a resolver
//!   that keeps forbidden addresses to itself, so a name server that changes its answer gains nothing. Redirects are
//!   followed by hand, and each is checked like the first address.
//! - Only port 443, unless the operator lists others. An address on the deny list is refused also where a name leads to it.
//! - The one exception are test origins, `http://127.0.0.1:PORT`, that the operator lists. No redirect leads from `https`
//!   to one.
//! - Bytes, pixels, headers, time, redirects, look-ups and concurrent fetches are bounded; so is memory, whatever the hosts
//!   send. Nothing is unpacked, so there is no bomb. A host that does not answer rests, so that it holds up no others.
//! - A photo's features are remembered by the hash of its bytes. What stands under a URL is never assumed to be the same as
//!   before: the host is asked each time, by its own strong entity tag (RFC 9110 section 8.8.3) where it gave one.
//! - Certificates are verified, against the machine's own roots. No cookie, referrer or credential is ever sent, no proxy
//!   is used, and nothing is written to disk.
//!
//! What it does not do: keep a photo's bytes, follow anything inside a page, tell one network's private translation of IPv4
//! addresses (a NAT64 prefix other than the well-known one) from public IPv6 addresses, or see that many names are one host:
//! against an owner of many names stands only the limit on all fetches. Networks that are one's own and yet public belong on
//! the deny list.
//!
//! ```
//! use touchstone_fetch::{FetchSettings, UrlGuard};
//! let guard = UrlGuard::new(&FetchSettings::default())?;
//! assert!(guard.check("https://photos.lumora.example/20k.jpg").is_ok());
//! let refusal = guard.check("https://0x7f.1/admin").unwrap_err();
//! assert_eq!(refusal.to_string(), "address 127.0.0.1 is never fetched: loopback");
//! # Ok::<(), touchstone_fetch::FetchError>(())
//! ```

mod address;
mod cache;
mod client;
mod dns;
mod error;
mod fetcher;
mod guard;
mod health;
mod hosts;
mod http;
mod lru;
mod networks;
mod retry;
mod settings;
mod turns;

pub use address::forbidden_address;
pub use dns::{Resolved, Resolver, SystemResolver};
pub use error::{FetchError, Refusal};
pub use fetcher::Fetcher;
pub use guard::UrlGuard;
pub use settings::FetchSettings;
