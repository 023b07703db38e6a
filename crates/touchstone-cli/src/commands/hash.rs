//! `touchstone hash`: the perceptual hash of pictures.

use std::path::PathBuf;

use clap::Args;
use touchstone_image_hash::{DecodeLimits, hash};

use crate::fault::{End, Outcome};
use crate::setup::read;
use crate::terminal::{plain, print, say};

/// Print PDQ hash (64 hex digits), quality (0 to 100) and name of each picture
#[derive(Debug, Args)]
pub(crate) struct HashArgs {
    /// Pictures: JPEG, PNG, WebP, GIF or BMP
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &HashArgs) -> Outcome {
    let mut end = End::Done;
    for file in &args.files {
        let found = read(file, DecodeLimits::default().max_bytes as u64)
            .map_err(|fault| format!("{:#}", fault.error))
            .and_then(|bytes| {
                hash(&bytes, &DecodeLimits::default()).map_err(|e| format!("{}: {e}", file.display()))
            });
        match found {
            Ok(found) if args.json => {
                let (pdq, quality) = (found.hash().to_string(), found.quality.get());
                print(serde_json::json!({ "pdq": pdq, "quality": quality, "file": file }).to_string())?;
            }
            Ok(found) => print(format!(
                "{} {} {}",
                found.hash(),
                found.quality.get(),
                plain(&file.display().to_string())
            ))?,
            Err(problem) => {
                say(format!("error: {problem}"));
                end = End::BadInput;
            }
        }
    }
    Ok(end)
}
