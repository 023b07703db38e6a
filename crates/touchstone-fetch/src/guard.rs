//! Judges a URL before anything is sent anywhere.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use crate::address::forbidden_address;
use crate::error::{FetchError, Refusal};
use crate::hosts::{HostList, canonical};
use crate::networks::Network;
use crate::settings::FetchSettings;

/// The longest URL that is read, in bytes.
pub(crate) const MAX_URL_BYTES: usize = 4096;

/// Ends of names that no public name server answers for.
const LOCAL_NAMES: [&str; 15] = [
    "localhost",
    "localdomain",
    "localdomain4",
    "localdomain6",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "home.arpa",
    "lan",
    "alt",
    "onion",
    "invalid",
];

/// Judges URLs by scheme, user information, port, host lists and, where the host is an address, by
/// [`forbidden_address`]. Names are judged again by the addresses they resolve to, at the time of the connection.
///
/// URLs are read as the WHATWG URL standard says, by the same code that the HTTP client uses: what is judged is what is
/// connected to. So `0x7f.1`, `2130706433`, `127。0。0。1` and their like are judged as the address 127.0.0.1.
#[derive(Debug, Clone)]
pub struct UrlGuard {
    allow: Option<HostList>,
    deny: HostList,
    /// The addresses of the deny list: names are judged by them when they have been resolved.
    denied_networks: Vec<Network>,
    ports: BTreeSet<u16>,
    /// The ports of 127.0.0.1 that may be fetched over plain `http`.
    test_ports: BTreeSet<u16>,
}

impl UrlGuard {
    /// The guard that these settings ask for. Test origins are a hole in it, so listing any is logged as a warning.
    ///
    /// # Errors
    /// A host list with something that is no host, a test origin that is not `http://127.0.0.1:PORT`.
    pub fn new(settings: &FetchSettings) -> Result<Self, FetchError> {
        let allow = settings.allow_hosts.as_deref().map(|entries| HostList::exact("allow_hosts", entries));
        let test_ports: BTreeSet<u16> =
            settings.test_origins.iter().map(|entry| test_port(entry)).collect::<Result<_, _>>()?;
        if !test_ports.is_empty() {
            tracing::warn!(ports = ?test_ports, "test origins are fetched from 127.0.0.1 over plain http");
        }
        let (denied_networks, denied_hosts) = networks_and_hosts(&settings.deny_hosts);
        Ok(Self {
            allow: allow.transpose()?,
            deny: HostList::with_everything_below("deny_hosts", &denied_hosts)?,
            denied_networks,
            ports: settings.allow_ports.iter().copied().collect(),
            test_ports,
        })
    }

    /// The URL in `text`, to be fetched; white space around it is left out.
    ///
    /// # Errors
    /// Says why it is never fetched.
    pub fn check(&self, text: &str) -> Result<Url, Refusal> {
        let text = readable(text.trim())?;
        let url = Url::parse(text).map_err(Refusal::NotAUrl)?;
        let is_test = self.is_test_origin(&url);
        self.judge(url, is_test)
    }

    /// The URL to which the answer from `from` redirects with this `Location`. Only a test origin leads to a test origin:
    /// from `https` no redirect leads to plain `http`.
    ///
    /// # Errors
    /// Says why it is never fetched.
    pub fn check_redirect(&self, from: &Url, location: &str) -> Result<Url, Refusal> {
        let location = readable(location.trim())?;
        let url = from.join(location).map_err(Refusal::NotAUrl)?;
        let is_test = self.is_test_origin(from) && self.is_test_origin(&url);
        self.judge(url, is_test)
    }

    /// Refuses an address that is not of the public internet, or is on the deny list.
    pub(crate) fn judge_address(&self, address: IpAddr) -> Result<(), Refusal> {
        if let Some(class) = forbidden_address(address) {
            return Err(Refusal::Address { address, class });
        }
        if self.denied_networks.iter().any(|network| network.holds(address)) {
            return Err(Refusal::DeniedAddress(address));
        }
        Ok(())
    }

    /// Whether `url` lies in a test origin, so that its address is exempt.
    pub(crate) fn is_test_origin(&self, url: &Url) -> bool {
        url.scheme() == "http"
            && url.host() == Some(Host::Ipv4(Ipv4Addr::LOCALHOST))
            && url.port_or_known_default().is_some_and(|port| self.test_ports.contains(&port))
    }

    fn judge(&self, mut url: Url, is_test: bool) -> Result<Url, Refusal> {
        if url.scheme() != "https" && !is_test {
            return Err(Refusal::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let host = url.host().ok_or(Refusal::NoHost)?;
        self.judge_lists(&canonical(&host))?;
        if !is_test {
            self.judge_host(&host)?;
            let port = url.port_or_known_default().unwrap_or(0);
            if !self.ports.contains(&port) {
                return Err(Refusal::Port(port));
            }
        }
        url.set_fragment(None);
        Ok(url)
    }

    fn judge_host(&self, host: &Host<&str>) -> Result<(), Refusal> {
        match host {
            Host::Ipv4(address) => self.judge_address((*address).into()),
            Host::Ipv6(address) => self.judge_address((*address).into()),
            Host::Domain(_) => judge_name(canonical(host)),
        }
    }

    fn judge_lists(&self, host: &str) -> Result<(), Refusal> {
        if self.deny.covers(host) {
            return Err(Refusal::Denied(host.to_owned()));
        }
        if self.allow.as_ref().is_some_and(|allow| !allow.covers(host)) {
            return Err(Refusal::NotAllowed(host.to_owned()));
        }
        Ok(())
    }
}

fn judge_name(name: String) -> Result<(), Refusal> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(Refusal::BadName(name.chars().take(80).collect()));
    }
    let below = |parent: &&str| name.strip_suffix(*parent).is_some_and(|rest| rest.ends_with('.'));
    // A name of one label is completed by the search list of the machine that looks it up.
    if !name.contains('.') || LOCAL_NAMES.iter().any(below) {
        return Err(Refusal::LocalName(name));
    }
    Ok(())
}

/// The addresses and networks among the entries of a host list, and the entries that name hosts, addresses included.
fn networks_and_hosts(entries: &[String]) -> (Vec<Network>, Vec<String>) {
    let (mut networks, mut hosts) = (Vec::new(), Vec::new());
    for entry in entries {
        if let Some(network) = Network::parse(entry.trim()) {
            networks.push(network);
            continue;
        }
        match Host::parse(entry.trim()) {
            Ok(Host::Ipv4(address)) => networks.push(Network::of(address.into())),
            Ok(Host::Ipv6(address)) => networks.push(Network::of(address.into())),
            _ => {}
        }
        hosts.push(entry.clone());
    }
    (networks, hosts)
}

/// Refuses what programs read differently, and what the parser would silently repair.
fn readable(text: &str) -> Result<&str, Refusal> {
    if text.len() > MAX_URL_BYTES {
        return Err(Refusal::TooLong { bytes: text.len() });
    }
    let odd = |c: char| c.is_control() || (c.is_whitespace() && c != ' ') || c == '\\';
    if let Some((at, found)) = text.char_indices().find(|(_, c)| odd(*c)) {
        return Err(Refusal::Character { found, at });
    }
    // The parser forgets an empty user name, and nobody honest writes one.
    if authority(text).contains('@') {
        return Err(Refusal::UserInfo);
    }
    Ok(text)
}

/// What a parser may take for user name, host and port: it forgives missing and additional slashes behind the scheme.
/// Empty for a relative path.
fn authority(text: &str) -> &str {
    let is_scheme = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ if text.starts_with("//") => text,
        _ => return "",
    };
    rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or("")
}

fn test_port(entry: &str) -> Result<u16, FetchError> {
    let port = entry.strip_prefix("http://127.0.0.1:").map(|port| port.strip_suffix('/').unwrap_or(port));
    let digits = port.filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .filter(|port| *port != 0)
        .ok_or_else(|| FetchError::BadTestOrigin { entry: entry.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(settings: &FetchSettings) -> UrlGuard {
        UrlGuard::new(settings).unwrap()
    }

    #[test]
    fn ordinary_addresses_pass_and_lose_only_their_fragment() {
        let guard = guard(&FetchSettings::default());
        for (url, expected) in [
            (" https://photos.lumora.example/a b.jpg ", Some("https://photos.lumora.example/a%20b.jpg")),
            (
                " https://photos.lumora.example/a%20b.jpg?w=1#x\n",
                Some("https://photos.lumora.example/a%20b.jpg?w=1"),
            ),
            ("https://PHOTOS.lumora.example:443/@x", Some("https://photos.lumora.example/@x")),
            ("https://photos.lumora.example:0443/", Some("https://photos.lumora.example/")),
            ("https://photos.lumora.example:8443/", None),
            ("https://photos_1.lumora.example./", Some("https://photos_1.lumora.example./")),
            ("https://卢莫拉.example/", Some("https://xn--ilr617aszy.example/")),
            ("https://8.8.4.4/", Some("https://8.8.4.4/")),
        ] {
            assert_eq!(guard.check(url).ok().map(String::from).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn lists_hold_for_every_hop_and_for_test_origins_too() {
        let settings = FetchSettings {
            allow_hosts: Some(vec!["*.lumora.example".into(), "127.0.0.1".into()]),
            deny_hosts: vec!["old.lumora.example".into()],
            test_origins: vec!["http://127.0.0.1:8081".into()],
            ..FetchSettings::default()
        };
        let guard = guard(&settings);
        let first = guard.check("https://photos.lumora.example/a/b.jpg").unwrap();
        for (location, word) in [
            ("c.jpg", "https://photos.lumora.example/a/c.jpg"),
            ("//cdn.lumora.example/", "https://cdn.lumora.example/"),
            ("http://127.0.0.1:8081/x", "scheme \"http\" is never fetched, only https"),
            ("http://127.0.0.1:8082/x", "scheme \"http\" is never fetched, only https"),
            ("https://127.0.0.1:8081/x", "address 127.0.0.1 is never fetched: loopback"),
            ("https://a.old.lumora.example/", "host a.old.lumora.example is on the deny list"),
            ("https://veltrano.example/", "host veltrano.example is not on the allow list"),
        ] {
            let found = guard.check_redirect(&first, location).map_or_else(|e| e.to_string(), String::from);
            assert_eq!(found, word, "{location}");
        }
        let test = guard.check("http://127.0.0.1:8081/x").unwrap();
        assert!(guard.check_redirect(&test, "/y").is_ok(), "from a test origin to itself");
        let none = FetchSettings { allow_hosts: Some(Vec::new()), ..settings };
        assert!(UrlGuard::new(&none).unwrap().check("http://127.0.0.1:8081/x").is_err());
    }

    #[test]
    fn a_denied_address_is_denied_in_every_form() {
        let settings = FetchSettings {
            deny_hosts: vec!["8.8.4.4".into(), "93.184.216.0/24".into(), "[2a00:1450::1]".into()],
            allow_ports: vec![8443],
            ..FetchSettings::default()
        };
        let guard = guard(&settings);
        for (url, word) in [
            ("https://8.8.4.4:8443/", "host 8.8.4.4 is on the deny list"),
            ("https://134743044:8443/", "host 8.8.4.4 is on the deny list"),
            ("https://[::ffff:8.8.4.4]:8443/", "address ::ffff:8.8.4.4 is on the deny list"),
            ("https://[64:ff9b::8.8.4.4]:8443/", "address 64:ff9b::808:404 is on the deny list"),
            ("https://93.184.216.9:8443/", "address 93.184.216.9 is on the deny list"),
            ("https://[2a00:1450:0::1]:8443/", "host [2a00:1450::1] is on the deny list"),
            ("https://8.8.4.5/", "port 443 is not one of those that are fetched"),
            ("https://8.8.4.5:8443/", "https://8.8.4.5:8443/"),
        ] {
            let found = guard.check(url).map_or_else(|e| e.to_string(), String::from);
            assert_eq!(found, word, "{url}");
        }
        assert!(guard.judge_address([93, 184, 216, 255].into()).is_err());
        assert!(guard.judge_address([93, 184, 217, 0].into()).is_ok());
    }

    #[test]
    fn an_at_sign_counts_only_before_the_path() {
        for (text, expected) in [
            ("https://a@b/", "a@b"),
            ("https:@b/", "@b"),
            ("https:/@b/", "@b"),
            ("https:////@b/", "@b"),
            ("//@b/c", "@b"),
            ("https://b/@c", "b"),
            ("a@b.jpg", ""),
            ("/a@b.jpg", ""),
            ("a/b:c@d", ""),
            ("?u=https://a@b", ""),
        ] {
            assert_eq!(authority(text), expected, "{text}");
        }
    }

    #[test]
    fn a_test_origin_has_one_form_only() {
        assert_eq!(test_port("http://127.0.0.1:8081").unwrap(), 8081);
        assert_eq!(test_port("http://127.0.0.1:8081/").unwrap(), 8081);
        for bad in [
            "http://127.0.0.1",
            "http://127.0.0.1:0",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:+80",
            "https://127.0.0.1:8081",
            "http://localhost:8081",
            "http://127.0.0.2:8081",
            "http://127.0.0.1:80/x",
            "http://127.0.0.1:80@10.0.0.1",
            "127.0.0.1:80",
            "",
        ] {
            assert!(test_port(bad).is_err(), "{bad}");
        }
    }
}
