//! Ways around a URL guard that have worked elsewhere. None may lead to a connection.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use touchstone_fetch::{FetchSettings, Fetcher, Resolved, Resolver, UrlGuard};
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
    "https://000000000177.0.0.1:{P}/",
    "https://127.0x1:{P}/",
    "https://127.0.01:{P}/",
    "https://0x7f.0x000000000000000000001:{P}/",
    "https://0300.0250.0.1/",
    "https://0xc0a80001/",
    "https://3232235521/",
    "https://4294967297:{P}/",
    "https://127.0.0.1.0:{P}/",
    "https://[0000:0000:0000:0000:0000:0000:0000:0001]:{P}/",
    "https://[::ffff:7f00:0001]:{P}/",
    "https://[0:0:0:0:0:FFFF:127.0.0.1]:{P}/",
    "https://[::ffff:0:127.0.0.1]:{P}/",
    "https://[::7f00:1]:{P}/",
    "https://[64:FF9B::7f00:1]:{P}/",
    "https://[2a00:1450::5efe:127.0.0.1]:{P}/",
    "https://[::1%lo]:{P}/",
    "https://[::1%251]:{P}/",
    "https://[fe80::1%25eth0]:{P}/",
    "https://[127.0.0.1]:{P}/",
    "https://[::1].lumora.example:{P}/",
    "https://[[::1]]:{P}/",
    "https://[::1:{P}/",
    "https://::1:{P}/",
    "https://⟦::1⟧:{P}/",
    "https://𝟏𝟐𝟕.𝟎.𝟎.𝟏:{P}/",
    "https://¹²⁷.⁰.⁰.¹:{P}/",
    "https://₁₂₇.₀.₀.₁:{P}/",
    "https://１２７．０．０．１:{P}/",
    "https://127｡0｡0｡1:{P}/",
    "https://⑯⑨.254.⑯⑨.254/",
    "https://２１３０７０６４３３:{P}/",
    "https://０ｘ７ｆ.1:{P}/",
    "https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1:{P}/",
    "https://127%2e0%2e0%2e1:{P}/",
    "https://%30x7f.1:{P}/",
    "https://127\u{ad}.0.0.1:{P}/",
    "https://local\u{ad}host:{P}/",
    "https://loc\u{200b}alhost:{P}/",
    "https://ｌｏｃａｌｈｏｓｔ:{P}/",
    "https://localhoſt:{P}/",
    "https://lo%63alhost%2e:{P}/",
    "https://a.LOCALHOST.:{P}/",
    "https://localhost。:{P}/",
    "https://localhost.localdomain:{P}/",
    "https://localhost6.localdomain6:{P}/",
    "https://ip6-localhost:{P}/",
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
    "https://[fd20:ce::254]/computeMetadata/v1/",
    "https://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
    "https://[2002:a9fe:a9fe::]/latest/meta-data/",
    "https://metadata.google.internal./computeMetadata/v1/",
    "https://METADATA.google.INTERNAL/computeMetadata/v1/",
    "https://instance-data/latest/meta-data/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://240.0.0.1/",
    "https://[fec0::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[2001:2::1]/",
    "https://host.docker.internal:{P}/",
    "https://kubernetes.default.svc.cluster.local:{P}/",
    "https://router.home.arpa:{P}/",
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
    "https://photos.lumora.example\\.127.0.0.1:{P}/",
    "https:@photos.lumora.example:{P}/",
    "https:/@photos.lumora.example:{P}/",
    "https:////@photos.lumora.example:{P}/",
    "https://photos.lumora.example;@127.0.0.1:{P}/",
    "https://photos.lumora.example&@127.0.0.1:{P}/#@photos.lumora.example/",
    "https://127.0.0.1:{P}:443/",
    "https://127.0.0.1:{P}%23@photos.lumora.example/",
    "https://127.0.0.1;photos.lumora.example:{P}/",
    "https://localhost,photos.lumora.example:{P}/",
    "https://$(hostname).lumora.example:{P}/",
    "https://*.lumora.example:{P}/",
    "https://photos..lumora.example:{P}/",
    "https://photos.lumora.example..:{P}/",
    "https://.lumora.example:{P}/",
    "https:127.0.0.1:{P}/",
    "https:/127.0.0.1:{P}/",
    "https:///127.0.0.1:{P}/",
    "https:////photos.lumora.example@127.0.0.1:{P}/",
    "https://127.0.0.1%00.lumora.example:{P}/",
    "https://127.0.0.1 .lumora.example:{P}/",
    "https://127.0.0\t.1:{P}/",
    "https://127.0.0\n.1:{P}/",
    "https://photos.lumora.example\r\n@127.0.0.1:{P}/",
    "https://photos.lumora.example\u{85}@127.0.0.1:{P}/",
    "https://photos.lumora.example\u{2028}@127.0.0.1:{P}/",
    "https://photos.lumora.example%0d%0aHost:127.0.0.1:{P}/",
    "https://photos.lumora.example:{P}/a HTTP/1.1\r\nX: y",
    "h\nttps://127.0.0.1:{P}/",
    "https://127.0.0.1\u{200b}:{P}/",
    "https://127.0.0.1\u{3000}:{P}/",
    "https://1٢٧.0.0.a:{P}/",
    "https://١٢٧.٠.٠.١:{P}/",
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
    "https+unix://photos.lumora.example:{P}/",
    "dict://127.0.0.1:{P}/stat",
    "ldap://127.0.0.1:{P}/",
    "sftp://127.0.0.1:{P}/",
    "tftp://127.0.0.1:{P}/",
    "jar:https://127.0.0.1:{P}!/",
    "wss://127.0.0.1:{P}/",
    "blob:https://127.0.0.1:{P}/1",
    "about:blank",
    "netdoc:///etc/passwd",
    "https://photos.lumora.example:22/",
    "https://photos.lumora.example:25/",
    "https://photos.lumora.example:80/",
    "https://photos.lumora.example:2375/",
    "https://photos.lumora.example:6379/",
    "https://photos.lumora.example:9092/",
    "https://photos.lumora.example:11211/",
    "https://photos.lumora.example:0x1bb/",
    "https://photos.lumora.example:４４３/",
    "https://photos.lumora.example:-443/",
    "https://photos.lumora.example:0/",
    "https://photos.lumora.example:65979/",
    "https://photos.lumora.example:99999/",
    "https://",
    "https:",
];

/// No URLs without an address to start from; in a redirect they would lead back to the host that sent them.
const REFUSED_ALONE: &[&str] = &[
    "",
    " ",
    "//127.0.0.1:{P}/",
    "/etc/passwd",
    "127.0.0.1:{P}",
    "../a.png",
    "?a",
    "\0",
    "\u{feff}https://127.0.0.1:{P}/",
    "http:/photos.lumora.example:{P}/",
    "httpſ://photos.lumora.example:{P}/",
];

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
    "https://unspecified.lumora.example:{P}/",
    "https://unspecified6.lumora.example:{P}/",
    "https://compatible.lumora.example:{P}/",
    "https://nat64.lumora.example:{P}/",
    "https://another.lumora.example:{P}/",
    "https://7f000001.rbndr.example:{P}/",
    "https://localtest.example:{P}/",
    "https://127.0.0.1.xip.example.:{P}/",
    "https://127。0。0。1。nip。example:{P}/",
    "https://photos.lumora.example:{P}/?url=https://127.0.0.1/",
    "https://photos.lumora.example:{P}/..;/@127.0.0.1",
    "https://%70hotos.lumora%2eexample:{P}/",
    "https:photos.lumora.example:{P}",
    "https:///photos.lumora.example:{P}/",
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
            "unspecified" => Ok(vec![Ipv4Addr::UNSPECIFIED.into()]),
            "unspecified6" => Ok(vec![Ipv6Addr::UNSPECIFIED.into()]),
            "compatible" => Ok(vec!["::127.0.0.1".parse().unwrap()]),
            "nat64" => Ok(vec!["64:ff9b::127.0.0.1".parse().unwrap()]),
            "another" => Ok(vec![Ipv4Addr::new(127, 8, 8, 8).into()]),
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

    fn port(&self) -> u16 {
        self.0[0].local_addr().unwrap().port()
    }

    fn put_port(&self, url: &str) -> String {
        url.replace("{P}", &self.port().to_string())
    }

    /// The settings under which only the address can stop a connection to the canary.
    fn settings(&self, server: &Server) -> FetchSettings {
        FetchSettings { allow_ports: vec![443, self.port()], ..settings(server) }
    }

    fn n_calls(&self) -> usize {
        self.0.iter().map(|listener| std::iter::from_fn(|| listener.accept().ok()).count()).sum()
    }

    fn assert_never_called(&self, url: &str) {
        for listener in &self.0 {
            let called = listener.accept().map_err(|error| error.kind());
            assert_eq!(called.err(), Some(ErrorKind::WouldBlock), "{url:?} was connected to");
        }
    }
}

#[test]
fn the_tricks_are_many_and_no_two_are_one() {
    let tricks = || REFUSED_AS_WRITTEN.iter().chain(REFUSED_ALONE).chain(REFUSED_WHEN_RESOLVED);
    assert_eq!(tricks().collect::<BTreeSet<_>>().len(), tricks().count());
    assert!(tricks().count() >= 200, "{}", tricks().count());
}

/// Without this, a canary that hears nothing would prove nothing.
#[tokio::test]
async fn a_canary_hears_a_connection_that_is_allowed() {
    let canary = Canary::new();
    let url = canary.put_port("http://127.0.0.1:{P}/");
    let fetcher = Fetcher::new(&FetchSettings {
        test_origins: vec![canary.put_port("http://127.0.0.1:{P}")],
        ..FetchSettings::default()
    });
    let fetcher = fetcher.unwrap();
    let heard = async {
        while canary.n_calls() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = heard => {}
        result = fetch(&fetcher, &url) => panic!("the canary says nothing: {result:?}"),
    }
}

/// Gives another forbidden address each time it is asked.
struct Rebinding(AtomicUsize);

impl Resolver for Rebinding {
    fn resolve(&self, _: String) -> Resolved {
        let answers = ["10.0.0.1", "127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"];
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(vec![answers[n % answers.len()].parse().unwrap()]) })
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_judged_by_each() {
    let canary = Canary::new();
    let server = Server::start(|_, _| redirect("/")).await;
    let resolver = Arc::new(Rebinding(AtomicUsize::new(0)));
    let fetcher = Fetcher::with_resolver(&canary.settings(&server), Arc::clone(&resolver) as _).unwrap();
    let url = canary.put_port("https://photos.lumora.example:{P}/");
    for n in 1..=12 {
        assert_eq!(fetch(&fetcher, &url).await, Err(PhotoFailure::Refused));
        // No look-up to judge and another one to connect: there is one, and its answer is what is judged.
        assert_eq!(resolver.0.load(Ordering::Relaxed), n);
    }
    canary.assert_never_called(&url);
}

#[tokio::test]
async fn no_trick_leads_to_a_connection() {
    let canary = Canary::new();
    let server = Server::start(|_, _| redirect("/")).await;
    let settings = canary.settings(&server);
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
    let settings = canary.settings(&server);
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
