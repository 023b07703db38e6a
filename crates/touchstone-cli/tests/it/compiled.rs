//! `touchstone catalog compile` and the catalogs that it makes.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::{check_status, command, root, stderr, stdout};

fn compile(out: &Path) -> String {
    let feed = root().join("fixtures/catalog.jsonl");
    let output = command().args(["catalog", "compile"]).arg(feed).arg("--out").arg(out).output().unwrap();
    check_status(&output, 0);
    stderr(&output)
}

#[test]
fn a_compiled_catalog_judges_as_its_feed_does() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = folder.path().join("catalog.tsc");
    assert!(compile(&compiled).contains(" records, "));
    let scan = |catalog: &Path| {
        let listings = root().join("fixtures/listings.jsonl");
        let mut command = command();
        command.args(["scan", "--all", "--catalog"]).arg(catalog).arg("--listings").arg(listings);
        let output = command.output().unwrap();
        check_status(&output, 0);
        stdout(&output)
    };
    let by_feed = scan(&root().join("fixtures/catalog.jsonl"));
    assert!(by_feed.lines().count() > 90);
    assert_eq!(scan(&compiled), by_feed);
    // Compiled again over the file that stands there: the same bytes, and nothing left beside it.
    let first = fs::read(&compiled).unwrap();
    compile(&compiled);
    assert_eq!(fs::read(&compiled).unwrap(), first);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_used_is_exit_2_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = folder.path().join("catalog.tsc");
    compile(&compiled);
    let check = |catalogs: &[&Path], expected: &str| {
        let output =
            command().args(["lookup", "text", "Lumora", "--catalog"]).args(catalogs).output().unwrap();
        check_status(&output, 2);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    check(&[&compiled, &root().join("fixtures/catalog.jsonl")], "is a compiled catalog, which stands alone");
    let mut bytes = fs::read(&compiled).unwrap();
    bytes.truncate(bytes.len() / 2);
    let cut = folder.path().join("cut.tsc");
    fs::write(&cut, &bytes).unwrap();
    check(&[&cut], "the compiled catalog is damaged");
    check(&[&folder.path().join("none.tsc")], "none.tsc");
}

#[test]
fn compiling_destroys_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.jsonl");
    fs::copy(root().join("fixtures/catalog.jsonl"), &feed).unwrap();
    let before = fs::read(&feed).unwrap();
    let nowhere = folder.path().join("none/catalog.tsc");
    for (out, expected) in
        [(&*feed, "is one of the feeds"), (folder.path(), "is not a file"), (&*nowhere, "there is no folder")]
    {
        let output =
            command().args(["catalog", "compile"]).arg(&feed).arg("--out").arg(out).output().unwrap();
        check_status(&output, 2);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    assert_eq!(fs::read(&feed).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A pipe cannot be looked into and then read from its beginning.
#[test]
fn a_feed_may_come_through_a_pipe() {
    let feed = fs::File::open(root().join("fixtures/catalog.jsonl")).unwrap();
    let mut cat = std::process::Command::new("cat").stdin(feed).stdout(Stdio::piped()).spawn().unwrap();
    let pipe = cat.stdout.take().unwrap();
    let args = ["lookup", "text", "Lumora", "--catalog", "/dev/stdin"];
    let output = command().args(args).stdin(pipe).output().unwrap();
    cat.wait().unwrap();
    check_status(&output, 0);
}
