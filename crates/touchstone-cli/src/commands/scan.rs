//! `touchstone scan`: the pipeline over files.

mod judging;
mod rejects;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::fault::{OrBadInput as _, Outcome};
use crate::lines::Lines;
use crate::pictures::Pictures;
use crate::setup::SetupArgs;
use crate::tally::Tally;
use crate::terminal::{Progress, say};
use judging::{Judged, Judging};
use rejects::Rejects;

/// How many listings are judged side by side before their verdicts are written.
const BATCH: usize = 512;

/// How many bytes of listings are held at once, one listing more or less.
const BATCH_BYTES: usize = 16 << 20;

/// Judge the listings of a file with the pipeline that the stream uses
///
/// Verdicts are written as JSON Lines in the order of the input: flags alone, or with --all every one. A line that is no
/// listing is reported and passed over; the exit status is then 2.
#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    setup: SetupArgs,
    /// Listings, JSON Lines; - for standard input
    #[arg(long, value_name = "FILE")]
    listings: PathBuf,
    /// Where verdicts go; - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Write clear and abstain too
    #[arg(long)]
    all: bool,
    /// Pictures as `DIR/<listing_id>/<index>.*`
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Where lines that are no listings go, as JSON Lines with the reason; without it they are named on stderr
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Fetch pictures from https addresses
    #[arg(long)]
    fetch: bool,
    /// How many threads judge; one for each core by default
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(crate) fn run(args: &ScanArgs) -> Outcome {
    check_paths(args)?;
    let setup = args.setup.load()?;
    let (reader, name, n_bytes) = open(&args.listings)?;
    let pictures = match args.listings.as_os_str() == "-" {
        true => Pictures::Below(PathBuf::from(".")),
        false => Pictures::beside(&args.listings),
    };
    let judging = Judging::new(&setup, pictures, args.images.clone(), args.fetch, args.threads)?;
    let mut out = create(&args.out)?;
    let mut rejects = Rejects::new(&name, args.rejects.as_deref())?;
    let mut tally = Tally::default();
    let mut progress = Progress::new(n_bytes, if n_bytes.is_some() { "bytes" } else { "listings" });
    let started = Instant::now();

    let mut lines = Lines::new(reader, setup.settings.limits.max_listing_bytes);
    loop {
        let batch =
            lines.batch(BATCH, BATCH_BYTES).with_context(|| format!("cannot read {name}")).or_bad_input()?;
        if batch.is_empty() {
            break;
        }
        for (line, judged) in batch.iter().zip(judging.batch(&batch)) {
            match judged {
                Judged::Verdict(verdict) => {
                    tally.add(&verdict);
                    if args.all || verdict.decision.is_flag() {
                        writeln!(out, "{}", verdict.to_json()).context("cannot write verdicts")?;
                    }
                }
                Judged::Rejected(problem) => rejects.add(line, &problem)?,
            }
            progress.add(if n_bytes.is_some() { line.n_bytes + 1 } else { 1 });
        }
    }
    out.flush().context("cannot write verdicts")?;
    progress.finish();

    let seconds = started.elapsed().as_secs_f64();
    say(tally.table().trim_fmt());
    say(format!(
        "{} listings in {seconds:.2} s, {:.0} a second",
        tally.n(),
        tally.n() as f64 / seconds.max(1e-9)
    ));
    rejects.finish()
}

/// Refuses to write over what is read, and two outputs into one file.
fn check_paths(args: &ScanArgs) -> Outcome<()> {
    if let Some(folder) = args.images.as_deref().filter(|folder| !folder.is_dir()) {
        return Err(anyhow!("--images {} is no folder", folder.display())).or_bad_input();
    }
    let mut seen: Vec<(&str, &Path)> = vec![("--listings", &args.listings)];
    seen.extend(args.setup.catalog.iter().map(|path| ("--catalog", path.as_path())));
    seen.extend(args.setup.model.iter().map(|path| ("--model", path.as_path())));
    seen.extend(args.setup.config.iter().map(|path| ("--config", path.as_path())));
    let rejects = args.rejects.iter().map(|path| ("--rejects", path.as_path()));
    for (name, path) in std::iter::once(("--out", args.out.as_path())).chain(rejects) {
        let file = written_file(path);
        if let Some((other, _)) = seen.iter().find(|(_, p)| file.is_some() && written_file(p) == file) {
            return Err(anyhow!("{name} {} is the same file as {other}", path.display())).or_bad_input();
        }
        seen.push((name, path));
    }
    Ok(())
}

/// The one true path of a file that is there or would be made; none for a stream or a device, which several may share.
fn written_file(path: &Path) -> Option<PathBuf> {
    if path.as_os_str() == "-" || (path.exists() && !path.is_file()) {
        return None;
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    path.canonicalize()
        .or_else(|_| Ok::<_, io::Error>(folder.canonicalize()?.join(path.file_name().unwrap_or_default())))
        .ok()
}

/// The input with its name and, for a file, its length.
fn open(path: &Path) -> Outcome<(Box<dyn BufRead>, String, Option<u64>)> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), "standard input".to_owned(), None));
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read {name}")).or_bad_input()?;
    let n_bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
    Ok((Box::new(BufReader::with_capacity(1 << 16, file)), name, n_bytes))
}

fn create(path: &Path) -> Outcome<Box<dyn Write>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let file =
        File::create(path).with_context(|| format!("cannot write {}", path.display())).or_bad_input()?;
    Ok(Box::new(BufWriter::new(file)))
}
