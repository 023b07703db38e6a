//! Running the command, and where the data lies.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_touchstone"));
    command.current_dir(root());
    command
}

pub(crate) fn touchstone<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    command().args(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The exit status, with what was said when it is not the expected one.
pub(crate) fn check_status(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{}{}", stdout(output), stderr(output));
}

/// The folder of a data set of real listings, or a loud word that the test is skipped.
pub(crate) fn data(folder: &str) -> Option<PathBuf> {
    let data =
        std::env::var_os("TOUCHSTONE_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let folder = data.join(folder);
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is not there, so nothing was judged", folder.display());
        return None;
    }
    Some(folder)
}
