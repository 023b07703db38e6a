//! Judging a batch of lines on several threads, with the pictures that can be had.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;
use touchstone_fetch::Fetcher;
use touchstone_image_hash::{DecodeLimits, photo};
use touchstone_kafka::photo_inputs;
use touchstone_pipeline::{Context, PhotoInput, judge};
use touchstone_types::{Listing, Verdict};

use crate::fault::{OrBadInput as _, Outcome};
use crate::lines::Line;
use crate::pictures::{Pictures, read_indexed};
use crate::setup::Setup;

/// What became of one line.
pub(super) enum Judged {
    /// It was judged.
    Verdict(Box<Verdict>),
    /// It is no listing, or it could not be judged: why.
    Rejected(String),
}

/// Everything that a batch is judged with.
pub(super) struct Judging<'s> {
    context: &'s Context,
    max_listing_bytes: usize,
    n_threads: usize,
    pictures: Pictures,
    images: Option<PathBuf>,
    limits: DecodeLimits,
    network: Option<Network<'s>>,
}

/// What `--fetch` switches on.
struct Network<'s> {
    runtime: Runtime,
    fetcher: Fetcher,
    setup: &'s Setup,
}

type Fetched = Vec<(usize, PhotoInput)>;

impl<'s> Judging<'s> {
    pub(super) fn new(
        setup: &'s Setup,
        pictures: Pictures,
        images: Option<PathBuf>,
        fetch: bool,
        threads: Option<usize>,
    ) -> Outcome<Self> {
        let network = if fetch { Some(Network::new(setup)?) } else { None };
        Ok(Self {
            context: &setup.context,
            max_listing_bytes: setup.settings.limits.max_listing_bytes,
            n_threads: threads.unwrap_or_else(|| setup.settings.limits.n_threads()).max(1),
            pictures,
            images,
            limits: DecodeLimits::default(),
            network,
        })
    }

    /// What becomes of each line, in their order.
    pub(super) fn batch(&self, lines: &[Line]) -> Vec<Judged> {
        let listings: Vec<Result<Listing, String>> = self.each(lines, |line| self.parse(line));
        let mut cases: Vec<(Result<Listing, String>, Fetched)> =
            listings.into_iter().map(|listing| (listing, Fetched::new())).collect();
        if let Some(network) = &self.network {
            network.fetch(&mut cases, self.context.policy().max_images());
        }
        self.each(&cases, |(listing, fetched)| match listing {
            Ok(listing) => self.judge(listing, fetched),
            Err(problem) => Judged::Rejected(problem.clone()),
        })
    }

    /// Applies `work` to every item, on all threads, and keeps the order.
    fn each<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        if self.n_threads == 1 || items.len() == 1 {
            return items.iter().map(work).collect();
        }
        let part = items.len().div_ceil(self.n_threads).max(1);
        thread::scope(|scope| {
            let work = &work;
            let parts: Vec<_> = items
                .chunks(part)
                .map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<R>>()))
                .collect();
            parts
                .into_iter()
                .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }

    fn parse(&self, line: &Line) -> Result<Listing, String> {
        if line.n_bytes > self.max_listing_bytes as u64 {
            let (found, limit) = (line.n_bytes, self.max_listing_bytes);
            return Err(format!("{found} bytes, max_listing_bytes is {limit}"));
        }
        Listing::from_json(&line.bytes).map_err(|error| error.to_string())
    }

    fn judge(&self, listing: &Listing, fetched: &[(usize, PhotoInput)]) -> Judged {
        // A panic in a stage is this listing's trouble alone; nothing that it touched outlives it.
        let verdict = catch_unwind(AssertUnwindSafe(|| {
            let max_images = self.context.policy().max_images();
            let mut found = self.read_pictures(listing, max_images);
            found.extend_from_slice(fetched);
            let photos = photo_inputs(listing, &found, &self.limits, max_images);
            judge(listing, &photos, self.context).verdict
        }));
        match verdict {
            Ok(verdict) => Judged::Verdict(Box::new(verdict)),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Judged::Rejected(format!("panic in a stage: {text}"))
            }
        }
    }

    /// The pictures of a listing that lie in files, by their place.
    fn read_pictures(&self, listing: &Listing, max_images: usize) -> Fetched {
        let mut found = Fetched::new();
        for (idx, image) in listing.images.iter().enumerate().take(max_images) {
            if image.data.is_some() {
                continue;
            }
            let url = image.url.as_deref().unwrap_or_default();
            let max_bytes = self.limits.max_bytes;
            let bytes = self
                .images
                .as_deref()
                .and_then(|folder| read_indexed(folder, listing, idx, max_bytes).ok())
                .map_or_else(|| self.pictures.read(url, max_bytes), Ok);
            // What is not in a file may still be fetched.
            if self.network.is_some() && bytes.is_err() && url.starts_with("http") {
                continue;
            }
            found.push((idx, bytes.and_then(|bytes| photo(&bytes, &self.limits).map_err(|e| e.failure()))));
        }
        found
    }
}

impl<'s> Network<'s> {
    fn new(setup: &'s Setup) -> Outcome<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
        let fetcher = Fetcher::new(&setup.settings.photos.fetch_settings()).or_bad_input()?;
        Ok(Self { runtime, fetcher, setup })
    }

    /// Fetches the photos of a whole batch side by side, each listing's within its deadline.
    fn fetch(&self, cases: &mut [(Result<Listing, String>, Fetched)], max_images: usize) {
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for (case_idx, (listing, _)) in cases.iter().enumerate() {
                let Ok(listing) = listing else { continue };
                for (idx, image) in listing.images.iter().enumerate().take(max_images) {
                    let Some(url) =
                        image.url.clone().filter(|u| image.data.is_none() && u.starts_with("http"))
                    else {
                        continue;
                    };
                    let fetcher = self.fetcher.clone();
                    let deadline = Instant::now() + self.setup.settings.photos.deadline();
                    tasks.spawn(async move { (case_idx, idx, fetcher.photo(&url, deadline).await) });
                }
            }
            while let Some(done) = tasks.join_next().await {
                if let Ok((case_idx, idx, photo)) = done {
                    cases[case_idx].1.push((idx, photo));
                }
            }
        });
    }
}
