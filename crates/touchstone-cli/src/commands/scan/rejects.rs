//! Lines that are no listings: named on stderr, or written with their reason.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::lines::Line;
use crate::terminal::{plain, say};

/// Where rejected lines go.
pub(super) struct Rejects {
    input: String,
    file: Option<BufWriter<File>>,
    n: usize,
}

impl Rejects {
    /// `input` is the name of the listings' file, `path` where rejects are written.
    pub(super) fn new(input: &str, path: Option<&Path>) -> Outcome<Self> {
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("cannot write {}", path.display())).or_bad_input()
        };
        let file = path.map(create).transpose()?.map(BufWriter::new);
        Ok(Self { input: input.to_owned(), file, n: 0 })
    }

    /// One line could not be judged.
    pub(super) fn add(&mut self, line: &Line, problem: &str) -> Outcome<()> {
        self.n += 1;
        let Some(file) = &mut self.file else {
            say(format!("{}:{}: {}", self.input, line.number, plain(problem)));
            return Ok(());
        };
        let mut reject = json!({ "file": self.input, "line": line.number, "error": problem });
        match std::str::from_utf8(&line.bytes) {
            Ok(text) => reject["value"] = text.into(),
            Err(_) => reject["value_base64"] = STANDARD.encode(&line.bytes).into(),
        }
        if (line.bytes.len() as u64) < line.n_bytes {
            reject["truncated"] = line.n_bytes.into();
        }
        writeln!(file, "{reject}").context("cannot write rejects")?;
        Ok(())
    }

    /// Says how many there were; their number decides the exit status.
    pub(super) fn finish(mut self) -> Outcome {
        if let Some(file) = &mut self.file {
            file.flush().context("cannot write rejects")?;
        }
        if self.n == 0 {
            return Ok(End::Done);
        }
        say(format!("{} lines were no listings", self.n));
        Ok(End::BadInput)
    }
}
