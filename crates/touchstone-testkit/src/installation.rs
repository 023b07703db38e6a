//! Kafka on this machine: Java, the jars, and the archive that makes Java start faster.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use anyhow::{Context, Result, bail, ensure};

use crate::archive;
use crate::java::Java;

const POM: &str = include_str!("../../../tools/kafka/pom.xml");
const LOG_SETTINGS: &str = include_str!("../../../tools/kafka/log4j2.properties");

/// What is needed to start a broker. Made by [`Installation::prepare`].
#[derive(Debug, Clone)]
pub struct Installation {
    /// The Java that runs the brokers.
    pub java: Java,
    /// All jars, sorted by name and joined as Java wants them. Sorted, as the archive is bound to their order.
    pub(crate) class_path: OsString,
    /// Classes loaded by an earlier start, laid out as they lie in memory; halves the start-up time.
    pub(crate) archive: Option<PathBuf>,
    pub(crate) log_settings: PathBuf,
}

impl Installation {
    /// Finds Java, fetches the jars if they are not there or `tools/kafka/pom.xml` has changed, and records the archive.
    ///
    /// The first call takes some 15 s with the network, later ones a millisecond. Calls from several processes at once
    /// wait for each other, and nobody ever sees half a folder. With the environment variable `KAFKA_LIB` the jars in
    /// that folder are used and nothing is fetched.
    ///
    /// # Errors
    /// If Java or Maven is missing, if the jars cannot be fetched, or if `KAFKA_LIB` names a folder without jars.
    pub fn prepare() -> Result<Self> {
        let java = Java::find()?;
        let folder = kafka_folder();
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let lock = File::create(folder.join("lock"))
            .with_context(|| format!("cannot create {}", folder.join("lock").display()))?;
        lock.lock().context("cannot lock the Kafka folder")?;
        let lib = match env::var_os("KAFKA_LIB") {
            Some(lib) if !lib.is_empty() => PathBuf::from(lib),
            _ => fetch(&folder)?,
        };
        let mut installation = Self {
            java,
            class_path: class_path(&lib)?,
            archive: None,
            log_settings: folder.join("log4j2.properties"),
        };
        replace_if_changed(&installation.log_settings, LOG_SETTINGS)?;
        installation.archive = archive::find_or_record(&installation, &folder)?;
        Ok(installation)
    }
}

/// `target/kafka` of this workspace, or `kafka` in the folder that `CARGO_TARGET_DIR` names.
#[must_use]
pub fn kafka_folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // A relative target folder is relative to where cargo was called, which is the root in all documented commands.
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = root.join(target).join("kafka");
    std::path::absolute(&folder).unwrap_or(folder).components().fold(PathBuf::new(), without_parents)
}

/// Resolves `..` by its text, so that paths look the same in every message.
fn without_parents(mut path: PathBuf, part: std::path::Component<'_>) -> PathBuf {
    if part == std::path::Component::ParentDir {
        path.pop();
    } else {
        path.push(part);
    }
    path
}

/// Returns the folder with the jars, which holds the pom it was made from; the caller holds the lock.
fn fetch(folder: &Path) -> Result<PathBuf> {
    let lib = folder.join("lib");
    if fs::read_to_string(lib.join("pom.xml")).is_ok_and(|pom| pom == POM) {
        return Ok(lib);
    }
    let fresh = folder.join("lib.tmp");
    remove_folder(&fresh)?;
    fs::create_dir_all(&fresh).with_context(|| format!("cannot create {}", fresh.display()))?;
    fs::write(fresh.join("pom.xml"), POM).context("cannot write the pom")?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "--strict-checksums", "dependency:copy-dependencies"])
        // Gradle publishes the inner modules of Kafka with scope "runtime".
        .args(["-DincludeScope=runtime", "-DoutputDirectory=."])
        .current_dir(&fresh)
        .stdin(Stdio::null())
        .output()
        .context("cannot run mvn, which fetches the Kafka jars; install Maven, or set KAFKA_LIB to the libs folder of a Kafka release")?;
    if !output.status.success() {
        bail!(
            "mvn cannot fetch the Kafka jars ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    remove_folder(&lib)?;
    fs::rename(&fresh, &lib).with_context(|| format!("cannot rename to {}", lib.display()))?;
    Ok(lib)
}

fn class_path(lib: &Path) -> Result<OsString> {
    let entries = fs::read_dir(lib).with_context(|| format!("cannot list {}", lib.display()))?;
    let mut jars = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", lib.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "jar") {
            jars.push(path);
        }
    }
    jars.sort();
    let has_kafka = jars
        .iter()
        .any(|jar| jar.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kafka_2.")));
    ensure!(has_kafka, "{} holds no kafka_2.*.jar", lib.display());
    env::join_paths(jars).context("a folder on the way to the Kafka jars has a colon in its name")
}

pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn replace_if_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_absolute_and_has_no_detours() {
        let folder = kafka_folder();
        assert!(folder.is_absolute());
        assert!(folder.ends_with("kafka"));
        assert!(!folder.to_string_lossy().contains(".."), "{}", folder.display());
    }

    #[test]
    fn a_folder_without_kafka_is_refused() {
        let error = class_path(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
        assert!(error.to_string().ends_with("holds no kafka_2.*.jar"), "{error}");
    }
}
