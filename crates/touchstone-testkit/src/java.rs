//! Finding a Java that can run the brokers.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};

/// The oldest Java that Kafka 4 brokers run on.
pub const MIN_JAVA_MAJOR: u32 = 17;

/// A Java virtual machine: `$JAVA_HOME/bin/java` if `JAVA_HOME` is set, else the `java` on the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    /// What to execute.
    pub program: PathBuf,
    /// All that `java -version` prints; it names the exact build.
    pub version: String,
    /// The major version, for example 17.
    pub major: u32,
}

impl Java {
    /// Asks Java for its version.
    ///
    /// # Errors
    /// If there is none, if it does not say its version, or if it is older than [`MIN_JAVA_MAJOR`].
    pub fn find() -> Result<Self> {
        let program = match env::var_os("JAVA_HOME") {
            Some(home) if !home.is_empty() => PathBuf::from(home).join("bin/java"),
            _ => PathBuf::from("java"),
        };
        let output = Command::new(&program).arg("-version").output().with_context(|| {
            format!("cannot run {}; install Java {MIN_JAVA_MAJOR} or newer", program.display())
        })?;
        let version = String::from_utf8_lossy(&output.stderr).into_owned();
        let major = parse_major(&version)
            .ok_or_else(|| anyhow!("{} -version says no version but {version:?}", program.display()))?;
        ensure!(
            major >= MIN_JAVA_MAJOR,
            "{} is Java {major}, but Kafka needs Java {MIN_JAVA_MAJOR} or newer",
            program.display()
        );
        Ok(Self { program, version, major })
    }
}

/// Reads the major version out of `openjdk version "17.0.15" …`; up to Java 8 it was the second number, `"1.8.0_292"`.
fn parse_major(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_old_and_new_forms() {
        for (text, expected) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17)),
            ("java version \"1.8.0_292\"", Some(8)),
            ("openjdk version \"25\" 2025-09-16", Some(25)),
            ("openjdk version \"26-ea\"", Some(26)),
            ("no java here", None),
            ("", None),
        ] {
            assert_eq!(parse_major(text), expected, "{text}");
        }
    }
}
