//! What may be fetched, and what it may cost.

use std::num::NonZeroUsize;
use std::time::Duration;

use touchstone_image_hash::DecodeLimits;

/// What may be fetched, and what it may cost. The defaults suit a worker with a few GiB of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// If set, the only hosts fetched: `photos.lumora.example` is that host alone, `*.lumora.example` every host below it.
    /// An empty list allows none. Default: not set.
    pub allow_hosts: Option<Vec<String>>,
    /// Hosts that are never fetched. An entry covers the hosts below it too, because whoever owns a name can make as many
    /// names below it as they like. An address, or a network such as `203.0.113.0/24`, covers also the names that resolve
    /// into it: so an operator keeps listings off their own public addresses. Default: none.
    pub deny_hosts: Vec<String>,
    /// The only ports that are fetched. Photos of shops stand on 443; any other port is more likely to be someone's
    /// Redis. Default: 443.
    pub allow_ports: Vec<u16>,
    /// Origins of the form `http://127.0.0.1:PORT` that are exempt from the rules on scheme, port and address, for tests alone.
    /// The host lists hold for them too. Default: none.
    pub test_origins: Vec<String>,
    /// What a picture may cost. `max_bytes` also ends a download. Default: [`DecodeLimits::default`].
    pub decode: DecodeLimits,
    /// How many redirects are followed for one photo. Default 5.
    pub max_redirects: usize,
    /// How many photos are fetched, or wait to be decoded, at once. With `decode.max_bytes` it bounds the memory for
    /// downloads. Default 32.
    pub max_concurrent: NonZeroUsize,
    /// How many photos are fetched from one host at once. Default 4.
    pub max_concurrent_per_host: NonZeroUsize,
    /// How many pictures are decoded at once. Default: the number of processors.
    pub max_decoding: NonZeroUsize,
    /// How often a request is repeated after a failure that may pass: a broken connection, or status 429, 500, 502, 503 or
    /// 504. A pause that the host asks for is kept up to 2 s; if it asks for more, or the
    /// deadline would pass, there is no repetition. Default 1.
    pub retries: u32,
    /// The mean pause before the first repetition, doubled for each further one; the real one lies between half of it and
    /// one and a half. Default 100 ms.
    pub retry_pause: Duration,
    /// Seeds the chance in those pauses. Default: not set, that is, another seed for each fetcher.
    pub jitter_seed: Option<u64>,
    /// How long a connection may take to be made: look-up, TCP and TLS together. Default 3 s.
    pub connect_timeout: Duration,
    /// After how many failures in a row a host rests: no connection, no answer within half a second or more until the
    /// deadline, status 429 or 503. 0: never. Default 5.
    pub host_failures: u32,
    /// How long it rests; while it does, its photos fail at once. Doubled with each further failure, up to 32 times as long.
    /// Default 10 s.
    pub host_rest: Duration,
    /// How many photos are remembered by content, and how many URLs by their entity tags (at most 0.5 KiB each). Default
    /// 32,768.
    pub cached_photos: usize,
    /// What the remembered photos may take together, in bytes; one takes 220 to 290 KiB, so the default holds about a thousand. Default
    /// 256 MiB.
    pub max_cache_bytes: u64,
}

impl Default for FetchSettings {
    fn default() -> Self {
        let count = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        Self {
            allow_hosts: None,
            deny_hosts: Vec::new(),
            allow_ports: vec![443],
            test_origins: Vec::new(),
            decode: DecodeLimits::default(),
            max_redirects: 5,
            max_concurrent: count(32),
            max_concurrent_per_host: count(4),
            max_decoding: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            retries: 1,
            retry_pause: Duration::from_millis(100),
            jitter_seed: None,
            connect_timeout: Duration::from_secs(3),
            host_failures: 5,
            host_rest: Duration::from_secs(10),
            cached_photos: 32_768,
            max_cache_bytes: 256 << 20,
        }
    }
}
