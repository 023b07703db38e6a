//! Lists of hosts, as an operator writes them.

use std::collections::BTreeSet;

use url::Host;

use crate::error::FetchError;

/// The host as lists and limits know it: lower case, in punycode, without the dot that may end a name; IPv6 in brackets.
pub(crate) fn canonical(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    }
}

/// A list of hosts: some alone, of some everything below them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HostList {
    hosts: BTreeSet<String>,
    parents: BTreeSet<String>,
}

impl HostList {
    /// A list of which an entry `*.parent` covers the names below `parent`, any other entry one host.
    pub(crate) fn exact(setting: &'static str, entries: &[String]) -> Result<Self, FetchError> {
        let mut list = Self::default();
        for entry in entries {
            match entry.trim().strip_prefix("*.") {
                Some(parent) => list.parents.insert(parse(setting, entry, parent)?),
                None => list.hosts.insert(parse(setting, entry, entry)?),
            };
        }
        Ok(list)
    }

    /// A list of which every entry covers its host and the names below it.
    pub(crate) fn with_everything_below(
        setting: &'static str,
        entries: &[String],
    ) -> Result<Self, FetchError> {
        let mut list = Self::exact(setting, entries)?;
        list.parents.extend(list.hosts.iter().cloned());
        list.hosts.extend(list.parents.iter().cloned());
        Ok(list)
    }

    /// Whether the list covers a [`canonical`] host.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let mut below = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        self.hosts.contains(host) || below.any(|parent| self.parents.contains(parent))
    }
}

fn parse(setting: &'static str, entry: &str, host: &str) -> Result<String, FetchError> {
    let bad = || FetchError::BadHost { setting, entry: entry.to_owned() };
    let host = host.trim();
    // The parser would take these for a part of the host, or leave them out.
    if host.is_empty() || host.contains(['*', '/', '@', '\\', '?', '#']) {
        return Err(bad());
    }
    Ok(match Host::parse(host).map_err(|_| bad())? {
        Host::Domain(name) => canonical(&Host::Domain(&name)),
        Host::Ipv4(address) => canonical(&Host::Ipv4(address)),
        Host::Ipv6(address) => canonical(&Host::Ipv6(address)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn an_allowed_host_is_allowed_alone_and_a_star_allows_what_is_below() {
        let list = HostList::exact(
            "allow_hosts",
            &entries("Photos.Lumora.example. *.veltrano.example 卢莫拉.example"),
        )
        .unwrap();
        for (host, covered) in [
            ("photos.lumora.example", true),
            ("lumora.example", false),
            ("a.photos.lumora.example", false),
            ("veltrano.example", false),
            ("a.veltrano.example", true),
            ("a.b.veltrano.example", true),
            ("evilveltrano.example", false),
            ("xn--ilr617aszy.example", true),
        ] {
            assert_eq!(list.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn a_denied_host_takes_everything_below_with_it() {
        let list =
            HostList::with_everything_below("deny_hosts", &entries("lumora.example 127.0.0.1")).unwrap();
        for (host, covered) in [
            ("lumora.example", true),
            ("a.lumora.example", true),
            ("127.0.0.1", true),
            ("notlumora.example", false),
        ] {
            assert_eq!(list.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_an_error_that_names_the_setting() {
        for bad in
            ["", "*", "*.", "https://lumora.example", "lumora.example/", "a b", "a@b", "lumora.example:443"]
        {
            let error = HostList::exact("allow_hosts", &[bad.to_owned()]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("allow_hosts: \"{bad}\"")), "{error}");
        }
    }
}
