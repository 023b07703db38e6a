//! Ways around a URL guard that have worked elsewhere. None may lead to a connection.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;

use touchstone_fetch::{Fetcher, Resolved, Resolver, UrlGuard};
use touchstone_types::PhotoFailure;

use crate::server::{Server, redirect};
use crate::{fetch, settings};

/// URLs that the guard refuses by themselves. `{P}` stands for a port on which loopback listens.
const REFUSED_AS_WRITTEN: &[&str] = &[
    // Loopback in every notation.
    "https://127.0.0.1:{P}/",
    "https://127.0.0.1.:{P}/",
    "https://127.1:{P}/",
    "https://127.0.1:{P}/",
    "https://127.255.255.254:{P}/",
    "https://2130706433:{P}/",
    "https://0x7f000001:{P}/",
    "https://0x7f.0.0.1:{P}/",
    "https://0x7f.1:{P}/",
    "https://0177.0.0.1:{P}/",
    "https://017700000001:{P}/",
    "https://0x7F.0.0x0.01:{P}/",
    "https://%31%32%37.0.0.1:{P}/",
    "https://%6c%6f%63alhost:{P}/",
    "https://①②⑦.⓪.⓪.①:{P}/",
    "https://１２７.０.０.１:{P}/",
    "https://127。0。0。1:{P}/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{P}/",
    "https://0:{P}/",
    "https://0.0.0.0:{P}/",
    "https://[::]:{P}/",
    "https://[::1]:{P}/",
    "https://[0:0:0:0:0:0:0:1]:{P}/",
    "https://[::ffff:127.0.0.1]:{P}/",
    "https://[::ffff:7f00:1]:{P}/",
    "https://[::127.0.0.1]:{P}/",
    "https://[64:ff9b::127.0.0.1]:{P}/",
    "https://[64:ff9b:1::7f00:1]:{P}/",
    "https://[2002:7f00:1::]:{P}/",
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{P}/",
    "https://[::1%25lo]:{P}/",
    "https://localhost:{P}/",
    "https://LOCALHOST.:{P}/",
    "https://photos.lumora.example.localhost:{P}/",
    // Other networks that are not public, and the metadata of clouds.
    "https://10.0.0.1/",
    "https://172.31.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xA9.0xFE.0xA9.0xFE/latest/meta-data/",
    "https://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata/computeMetadata/v1/",
    "https://168.63.129.16/",
    "https://100.100.100.200/",
    "https://192.0.0.192/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[ff02::1]/",
    "https://intranet:{P}/",
    "https://printer.local:{P}/",
    // The host is not where it seems to be.
    "https://photos.lumora.example@127.0.0.1:{P}/",
    "https://photos.lumora.example:x@127.0.0.1:{P}/",
    "https://photos.lumora.example%40@127.0.0.1:{P}/",
    "https://127.0.0.1:{P}@photos.lumora.example/",
    "https://@127.0.0.1:{P}/",
    "https://@photos.lumora.example:{P}/",
    "https://:@photos.lumora.example:{P}/",
    "https://photos.lumora.example\\@127.0.0.1:{P}/",
    "https:\\\\127.0.0.1:{P}/",
    "https:127.0.0.1:{P}/",
    "https:/127.0.0.1:{P}/",
    "https:///127.0.0.1:{P}/",
    "https:////photos.lumora.example@127.0.0.1:{P}/",
    "https://127.0.0.1%00.lumora.example:{P}/",
    "https://127.0.0.1 .lumora.example:{P}/",
    "https://127.0.0\t.1:{P}/",
    "https://127.0.0\n.1:{P}/",
    "https://photos.lumora.example\r\n@127.0.0.1:{P}/",
    "h\nttps://127.0.0.1:{P}/",
    "https://127.0.0.1\u{200b}:{P}/",
    "https://127.0.0.1\u{3000}:{P}/",
    "https://256.0.0.1:{P}/",
    "https://127.0.0.0x:{P}/",
    // Other schemes and ports.
    "http://127.0.0.1:{P}/",
    "HTTP://127.0.0.1:{P}/",
    "http://photos.lumora.example:{P}/",
    "ftp://127.0.0.1:{P}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:{P}/_GET",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "ws://127.0.0.1:{P}/",
    "unix:/var/run/daemon.sock",
    "view-source:https://127.0.0.1:{P}/",
    "https://photos.lumora.example:22/",
    "https://photos.lumora.example:80/",
    "https://photos.lumora.example:0/",
    "https://photos.lumora.example:99999/",
    "https://",
    "https:",
];

/// No URLs without an address to start from; in a redirect they would lead back to the host that sent them.
const REFUSED_ALONE: &[&str] =
    &["", " ", "//127.0.0.1:{P}/", "/etc/passwd", "127.0.0.1:{P}", "../a.png", "?a", "\0"];

/// URLs that look public, of names that resolve to loopback.
const REFUSED_WHEN_RESOLVED: &[&str] = &[
    "https://photos.lumora.example:{P}/",
    "https://photos.lumora.example.:{P}/",
    "https://127.0.0.1.nip.example:{P}/",
    "https://127-0-0-1.sslip.example:{P}/",
    "https://photos.lumora.example:{P}/@127.0.0.1/",
    "https://photos.lumora.example:{P}#@127.0.0.1/",
    "https://photos.lumora.example:{P}?@127.0.0.1/",
    "https://卢莫拉.example:{P}/",
    "https://xn--ilr617aszy.example:{P}/",
    "https://v6.lumora.example:{P}/",
    "https://mapped.lumora.example:{P}/",
    "https://mixed.lumora.example:{P}/",
    "https://nothing.lumora.example:{P}/",
    "https://failing.lumora.example:{P}/",
];

/// A name server in the counterfeiter's hand.
struct Hostile;

impl Resolver for Hostile {
    fn resolve(&self, host: String) -> Resolved {
        let v4 = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (v6, mapped) =
            (IpAddr::from(Ipv6Addr::LOCALHOST), IpAddr::from(Ipv4Addr::LOCALHOST.to_ipv6_mapped()));
        let answer = match host.split('.').next().unwrap() {
            "v6" => Ok(vec![v6]),
            "mapped" => Ok(vec![mapped]),
            "mixed" => Ok(vec![v6, v4, mapped, Ipv4Addr::UNSPECIFIED.into()]),
            "nothing" => Ok(Vec::new()),
            "failing" => Err(ErrorKind::NotFound.into()),
            _ => Ok(vec![v4]),
        };
        Box::pin(async move { answer })
    }
}

/// Listens on one port of IPv4 and, where there is any, IPv6 loopback, and is never to be called.
struct Canary(Vec<TcpListener>);

impl Canary {
    fn new() -> Self {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = v4.local_addr().unwrap().port();
        let listeners = [Some(v4), TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok()];
        let listeners: Vec<TcpListener> = listeners.into_iter().flatten().collect();
        listeners.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        Self(listeners)
    }

    fn put_port(&self, url: &str) -> String {
        url.replace("{P}", &self.0[0].local_addr().unwrap().port().to_string())
    }

    fn assert_never_called(&self, url: &str) {
        for listener in &self.0 {
            let called = listener.accept().map_err(|error| error.kind());
            assert_eq!(called.err(), Some(ErrorKind::WouldBlock), "{url:?} was connected to");
        }
    }
}

#[tokio::test]
async fn no_trick_leads_to_a_connection() {
    let canary = Canary::new();
    let server = Server::start(|_, _| redirect("/")).await;
    let settings = settings(&server);
    let guard = UrlGuard::new(&settings).unwrap();
    let fetcher = Fetcher::with_resolver(&settings, Arc::new(Hostile)).unwrap();
    let as_written = REFUSED_AS_WRITTEN.iter().chain(REFUSED_ALONE);
    for (url, alone) in as_written.map(|u| (u, true)).chain(REFUSED_WHEN_RESOLVED.iter().map(|u| (u, false)))
    {
        let url = canary.put_port(url);
        // Nothing that gets past the guard goes on to the network.
        assert_eq!(guard.check(&url).is_err(), alone, "{url:?}");
        assert_eq!(fetch(&fetcher, &url).await, Err(PhotoFailure::Refused), "{url:?}");
        canary.assert_never_called(&url);
    }
    assert_eq!(server.heads().len(), 0);
}

#[tokio::test]
async fn no_redirect_leads_where_a_url_does_not() {
    let canary = Arc::new(Canary::new());
    // A line break would end the header.
    let tricks =
        || REFUSED_AS_WRITTEN.iter().chain(REFUSED_WHEN_RESOLVED).filter(|trick| !trick.contains('\n'));
    let canary_of_server = Arc::clone(&canary);
    let server = Server::start(move |head, _| {
        let n: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        redirect(&canary_of_server.put_port(tricks().nth(n).unwrap()))
    })
    .await;
    let settings = settings(&server);
    let guard = UrlGuard::new(&settings).unwrap();
    let fetcher = Fetcher::with_resolver(&settings, Arc::new(Hostile)).unwrap();
    for (n, trick) in tricks().enumerate() {
        let from = guard.check(&server.url(&format!("/{n}"))).unwrap();
        let refused = guard.check_redirect(&from, &canary.put_port(trick)).is_err();
        assert_eq!(refused, REFUSED_AS_WRITTEN.contains(trick), "{trick:?}");
        assert_eq!(fetch(&fetcher, from.as_str()).await, Err(PhotoFailure::Refused), "{trick:?}");
        canary.assert_never_called(trick);
    }
}
