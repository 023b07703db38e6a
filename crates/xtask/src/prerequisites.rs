//! What must be installed before anything can be built or tested, and how to get it on Debian and its kin.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use touchstone_testkit::{Java, MIN_JAVA_MAJOR};

/// One thing that is needed.
struct Need {
    name: &'static str,
    why: &'static str,
    /// Debian packages that bring it, the first that exists is taken; none if rustup brings it.
    packages: &'static [&'static str],
    found: fn() -> Option<String>,
}

const NEEDS: [Need; 8] = [
    Need {
        name: "rustc",
        why: "the compiler; rust-toolchain.toml names the version",
        packages: &[],
        found: || version("rustc", "--version"),
    },
    Need {
        name: "cargo fmt",
        why: "formatting; `rustup component add rustfmt`",
        packages: &[],
        found: || version("rustfmt", "--version"),
    },
    Need {
        name: "cargo clippy",
        why: "lints; `rustup component add clippy`",
        packages: &[],
        found: || version("cargo-clippy", "--version"),
    },
    Need {
        name: "cc",
        why: "C compiler for librdkafka",
        packages: &["gcc"],
        found: || version("cc", "--version"),
    },
    Need {
        name: "c++",
        why: "C++ compiler for librdkafka",
        packages: &["g++"],
        found: || version("c++", "--version"),
    },
    Need {
        name: "make",
        why: "builds librdkafka",
        packages: &["make"],
        found: || version("make", "--version"),
    },
    Need {
        name: "java",
        why: "runs the real Kafka of the tests, 17 or newer",
        packages: &["openjdk-17-jre-headless", "openjdk-21-jre-headless", "default-jre-headless"],
        found: java,
    },
    Need {
        name: "mvn",
        why: "fetches the Kafka jars; not needed with KAFKA_LIB",
        packages: &["maven"],
        found: maven,
    },
];

/// Says what is there and what is not. With `may_install`, installs what Debian has; fails naming what is still missing.
pub(crate) fn check(may_install: bool) -> Result<()> {
    let mut missing = report();
    if missing.is_empty() {
        return Ok(());
    }
    if may_install {
        install(&missing)?;
        missing = report();
    }
    let packages: Vec<_> = missing.iter().filter_map(|need| need.packages.first().copied()).collect();
    let names: Vec<_> = missing.iter().map(|need| format!("{} ({})", need.name, need.why)).collect();
    if missing.is_empty() {
        Ok(())
    } else if packages.is_empty() {
        bail!("missing: {}; see https://rustup.rs", names.join(", "))
    } else {
        bail!("missing: {}. On Debian: apt-get install {}", names.join(", "), packages.join(" "))
    }
}

/// Whether packages may be installed without asking: on a CI machine, as root, where apt-get is.
pub(crate) fn on_ci_as_root() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true")
        && first_line(Command::new("id").arg("-u")).as_deref() == Some("0")
        && Path::new("/usr/bin/apt-get").exists()
}

fn report() -> Vec<&'static Need> {
    let mut missing = Vec::new();
    for need in &NEEDS {
        match (need.found)() {
            Some(version) => println!("  {:<13} {version}", need.name),
            None => {
                println!("  {:<13} missing: {}", need.name, need.why);
                missing.push(need);
            }
        }
    }
    missing
}

fn install(missing: &[&Need]) -> Result<()> {
    apt_get(&["update"])?;
    let packages: Vec<_> = missing.iter().filter_map(|need| available(need.packages)).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments)
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    println!("  apt-get {}", arguments.join(" "));
    let status = Command::new("apt-get")
        .arg("-qq")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .context("cannot run apt-get")?;
    ensure!(status.success(), "apt-get {} failed: {status}", arguments.join(" "));
    Ok(())
}

/// The first of the packages that this release of Debian or Ubuntu has.
fn available(packages: &[&'static str]) -> Option<&'static str> {
    packages.iter().copied().find(|package| {
        first_line(Command::new("apt-cache").args(["show", "--no-all-versions", package])).is_some()
    })
}

fn version(program: &str, argument: &str) -> Option<String> {
    first_line(Command::new(program).arg(argument))
}

fn java() -> Option<String> {
    let java = Java::find().ok().filter(|java| java.major >= MIN_JAVA_MAJOR)?;
    java.version.lines().next().map(str::to_owned)
}

fn maven() -> Option<String> {
    if env::var_os("KAFKA_LIB").is_some_and(|lib| !lib.is_empty()) {
        return Some("not needed, as KAFKA_LIB is set".to_owned());
    }
    version("mvn", "--version")
}

/// The first line that the program prints, if it runs and succeeds.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // Maven sends escape sequences for colours even into a pipe.
    let line = text.lines().next()?.replace("\u{1b}[1m", "").replace("\u{1b}[m", "");
    output.status.success().then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_missing_or_fails_has_no_version() {
        assert_eq!(version("touchstone-no-such-program", "--version"), None);
        assert_eq!(first_line(Command::new("sh").args(["-c", "echo hello; exit 1"])), None);
        assert_eq!(first_line(Command::new("sh").args(["-c", "echo hello"])), Some("hello".to_owned()));
    }
}
