//! `touchstone load`: the load generator.

use std::io::{BufReader, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use touchstone_eval::{MarketSettings, simulate};
use touchstone_kafka::Settings;
use touchstone_kafka::load::{
    HostCounts, HostSettings, Kind, LoadOptions, LoadReport, Mix, MixSettings, PhotoHost, PhotoMix, Progress,
    Template, pictures, run as run_load,
};
use touchstone_types::CatalogRecord;

use crate::assets;
use crate::brokers::{BrokerArgs, runtime};
use crate::fault::{End, OrBadInput as _, Outcome};
use crate::lines::Lines;
use crate::setup::{load_catalog, read};
use crate::terminal::{print, say, table};

/// The most that is read of a file of listings: 1 GiB.
const MAX_LISTINGS_BYTES: u64 = 1 << 30;

/// So many listings are invented at most; beyond that they come again under other ids.
const MAX_INVENTED: usize = 50_000;

/// So many pictures at most: each takes some 25 KiB of memory.
const MAX_PICTURES: usize = 100_000;

/// Send listings to Kafka at an even pace, and see how long their verdicts take
///
/// Never point it at a topic whose flags somebody acts on. The listings come from a file, from the market that `touchstone simulate`
/// invents around a catalog, or from the demo. Number N of them is sent under the id `ID.SEED.N`, so another --seed makes
/// other listings. Images that a listing names by a path are left out. The same listings, options and seed give the same messages.
///
/// Exit status 1 if a verdict was still missing when --timeout ended.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    brokers: BrokerArgs,
    /// Listings, JSON Lines; taken round and round
    #[arg(long, value_name = "FILE", conflicts_with = "catalog")]
    listings: Option<PathBuf>,
    /// Catalog feeds, JSON Lines, around which listings are invented
    #[arg(long, value_name = "FILE", num_args = 1..)]
    catalog: Vec<PathBuf>,
    /// How many messages to send
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    count: u64,
    /// Messages a second; 0 is as fast as possible
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    rate: f64,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// On how many listing ids, whose versions rise; without it each message is a new listing
    #[arg(long, value_name = "N")]
    ids: Option<u32>,
    /// Draw the ids by a Zipf law with this exponent; 0 draws them evenly
    #[arg(long, value_name = "S", default_value_t = 0.0, requires = "ids")]
    skew: f64,
    /// The share of messages that repeat a recent one byte for byte
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicates: f64,
    /// The share of messages that are an older version, sent after a newer one
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    reorder: f64,
    /// The share of messages that cannot be judged: broken JSON, missing or mistyped fields, no value, too deep, not UTF-8
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    poison: f64,
    #[command(flatten)]
    photos: PhotoArgs,
    /// Wait for the verdict or dead letter of every message, and say how long they took
    #[arg(long)]
    watch: bool,
    /// With --watch: give up when no verdict at all has come for so long, once everything is sent
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    timeout: f64,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// The photos of the listings, served by this process.
#[derive(Debug, Args)]
struct PhotoArgs {
    /// How many photos each listing has, served by this process in place of the listings' own
    #[arg(long = "photos", value_name = "N", default_value_t = 0)]
    per_listing: usize,
    /// Where they are served; port 0 is any. Workers need the origin in `[photos] test_origins`
    #[arg(long = "photo-host", value_name = "127.0.0.1:PORT", default_value = "127.0.0.1:0")]
    host: SocketAddr,
    /// How long a photo takes
    #[arg(long = "photo-latency-ms", value_name = "MS", default_value_t = 20)]
    latency_ms: u64,
    /// The share of photos that are slow
    #[arg(long = "photo-slow", value_name = "SHARE", default_value_t = 0.0)]
    slow: f64,
    /// How long a slow photo takes
    #[arg(long = "photo-slow-ms", value_name = "MS", default_value_t = 2_000)]
    slow_ms: u64,
    /// The share of photos that never come: no answer, reset, status 500 or 404, a byte a second
    #[arg(long = "photo-dead", value_name = "SHARE", default_value_t = 0.0)]
    dead: f64,
    /// How many different pictures there are; workers remember about a thousand
    #[arg(long = "distinct-photos", value_name = "N", default_value_t = 100)]
    distinct: usize,
    /// Go on serving the photos at the end, until Ctrl-C
    #[arg(long)]
    keep_serving: bool,
}

pub(crate) fn run(args: &LoadArgs) -> Outcome {
    let settings = args.brokers.settings()?;
    args.check()?;
    // What is wrong is said before listings are invented and pictures drawn.
    args.mix_settings("").check().or_bad_input()?;
    let (templates, runtime) = (args.templates()?, runtime()?);
    let host = args.photos.start(args.seed, &runtime, &settings)?;
    let origin = host.as_ref().map(PhotoHost::origin).unwrap_or_default();
    let mix = Mix::new(templates, args.mix_settings(&origin)).or_bad_input()?;
    let options = LoadOptions {
        rate: args.rate,
        watch: args.watch,
        patience: Duration::try_from_secs_f64(args.timeout).context("--timeout").or_bad_input()?,
    };
    let is_terminal = std::io::stderr().is_terminal();
    let report = run_load(&settings, mix, &options, |progress| {
        if is_terminal {
            say(progress_line(progress, args));
        }
    })?;
    show(&report, host.as_ref().map(PhotoHost::counts), args)?;
    if let Some(host) = host.filter(|_| args.photos.keep_serving) {
        say(format!("serving photos at {} until Ctrl-C", host.origin()));
        runtime.block_on(tokio::signal::ctrl_c())?;
    }
    Ok(if report.n_missing == 0 { End::Done } else { End::Failed })
}

impl LoadArgs {
    fn check(&self) -> Outcome<()> {
        let wrong = |text: String| Err(anyhow!(text)).or_bad_input();
        if self.count == 0 {
            return wrong("--count 0: there is nothing to send".to_owned());
        }
        if !(0.0..=10_000_000.0).contains(&self.rate) {
            return wrong(format!("--rate {}: must be 0 to 10000000 messages a second", self.rate));
        }
        if !(0.0..=86_400.0).contains(&self.timeout) {
            return wrong(format!("--timeout {}: must be 0 to 86400 seconds", self.timeout));
        }
        self.photos.check()
    }

    fn mix_settings(&self, photo_origin: &str) -> MixSettings {
        MixSettings {
            seed: self.seed,
            n_messages: self.count,
            n_ids: self.ids,
            skew: self.skew,
            duplicates: self.duplicates,
            reorder: self.reorder,
            poison: self.poison,
            photos: self.photos.mix(photo_origin),
        }
    }

    fn templates(&self) -> Outcome<Vec<Template>> {
        if let Some(path) = &self.listings {
            return from_lines(&path.display().to_string(), &read(path, MAX_LISTINGS_BYTES)?);
        }
        if self.catalog.is_empty() {
            return from_lines("the demo's listings", assets::LISTINGS);
        }
        invented(&self.catalog, self.seed, self.count)
    }
}

impl PhotoArgs {
    fn check(&self) -> Outcome<()> {
        let wrong = |text: String| Err(anyhow!(text)).or_bad_input();
        if self.host.ip() != Ipv4Addr::LOCALHOST {
            let reason =
                "must be 127.0.0.1:PORT, the only place from which workers take photos without https";
            return wrong(format!("--photo-host {}: {reason}", self.host));
        }
        if !(1..=MAX_PICTURES).contains(&self.distinct) {
            return wrong(format!("--distinct-photos {}: must be 1 to {MAX_PICTURES}", self.distinct));
        }
        if self.per_listing > 100 {
            return wrong(format!("--photos {}: must be 0 to 100", self.per_listing));
        }
        if self.keep_serving && self.per_listing == 0 {
            return wrong("--keep-serving needs --photos: no photo is served".to_owned());
        }
        Ok(())
    }

    fn mix(&self, origin: &str) -> Option<PhotoMix> {
        (self.per_listing > 0).then_some(PhotoMix {
            origin: origin.to_owned(),
            n_per_listing: self.per_listing,
            n_pictures: self.distinct,
            slow: self.slow,
            dead: self.dead,
        })
    }

    fn start(&self, seed: u64, runtime: &Runtime, settings: &Settings) -> Outcome<Option<PhotoHost>> {
        if self.per_listing == 0 {
            return Ok(None);
        }
        let host_settings = HostSettings {
            address: self.host,
            latency: Duration::from_millis(self.latency_ms),
            slow: Duration::from_millis(self.slow_ms),
        };
        let pictures = pictures(seed, self.distinct);
        let host = runtime.block_on(PhotoHost::start(host_settings, pictures))?;
        let origin = host.origin();
        if !settings.photos.test_origins.contains(&origin) {
            say(format!("workers need this to fetch the photos: [photos] test_origins = [\"{origin}\"]"));
        }
        Ok(Some(host))
    }
}

/// Templates from JSON Lines. A bad line is an error: bad listings are what --poison is for.
fn from_lines(name: &str, bytes: &[u8]) -> Outcome<Vec<Template>> {
    let mut lines = Lines::new(BufReader::new(bytes), bytes.len());
    let mut templates = Vec::new();
    for line in lines.batch(usize::MAX, usize::MAX)? {
        let template = Template::from_json(&line.bytes)
            .with_context(|| format!("{name}, line {}", line.number))
            .or_bad_input()?;
        templates.push(template);
    }
    Ok(templates)
}

/// Listings of a market around these feeds.
fn invented(catalog: &[PathBuf], seed: u64, count: u64) -> Outcome<Vec<Template>> {
    let records: Vec<CatalogRecord> = load_catalog(catalog)?.records().cloned().collect();
    let n_listings = usize::try_from(count).unwrap_or(MAX_INVENTED).min(MAX_INVENTED);
    let market = MarketSettings { seed, n_listings, ..MarketSettings::default() };
    let market = simulate(&records, &market, None).or_bad_input()?;
    let templates = market.listings.iter().map(|listing| Template::from_json(listing.to_json().as_bytes()));
    Ok(templates.collect::<Result<_, _>>()?)
}

fn progress_line(progress: &Progress, args: &LoadArgs) -> String {
    let seconds = progress.elapsed.as_secs_f64();
    let sent = format!("{seconds:6.1} s  {} of {} sent", progress.n_sent, args.count);
    if args.watch { format!("{sent}, {} judged or dead letters", progress.n_ended) } else { sent }
}

fn show(report: &LoadReport, photos: Option<HostCounts>, args: &LoadArgs) -> Outcome<()> {
    if args.json {
        print(as_json(report, photos, args.watch).to_string())?;
    } else {
        show_table(report, args.watch)?;
        if let Some(HostCounts { n_pictures, n_unchanged, n_dead }) = photos {
            say(format!("photos: {n_pictures} sent, {n_unchanged} unchanged, {n_dead} never"));
        }
    }
    if report.n_missing > 0 {
        let problem = "without a verdict or dead letter; is a worker running?";
        say(format!("{} of {} messages {problem}", report.n_missing, report.n_sent));
    }
    Ok(())
}

fn show_table(report: &LoadReport, watched: bool) -> Outcome<()> {
    let mut head = vec!["sent", "seconds", "per s", "CPU s"];
    let cpu = report.cpu.map_or("-".to_owned(), |cpu| format!("{:.2}", cpu.as_secs_f64()));
    let seconds = format!("{:.2}", report.total.as_secs_f64());
    let mut row = vec![report.n_sent.to_string(), seconds, format!("{:.0}", report.per_second()), cpu];
    if watched {
        head.extend(["judged", "dead letters", "missing", "p50 ms", "p90", "p99", "p99.9", "max"]);
        row.extend([report.n_judged, report.n_dead_letters, report.n_missing].map(|n| n.to_string()));
        let ms = |time: Option<Duration>| time.map_or("-".to_owned(), in_millis);
        let all = report.latency.map(|l| [l.p50, l.p90, l.p99, l.p999, l.max]);
        row.extend((0..5).map(|idx| ms(all.map(|all| all[idx]))));
    }
    let mut rows = table(&head, 0);
    rows.add_row(row);
    print(rows.trim_fmt())?;
    Ok(())
}

fn as_json(report: &LoadReport, photos: Option<HostCounts>, watched: bool) -> Value {
    let count = |is: fn(&Kind) -> bool| -> u64 {
        report.kinds.iter().filter(|(kind, _)| is(kind)).map(|(_, n)| n).sum()
    };
    let mut line = json!({
        "sent": report.n_sent,
        "fresh": count(|kind| matches!(kind, Kind::Fresh)),
        "duplicates": count(|kind| matches!(kind, Kind::Duplicate)),
        "late": count(|kind| matches!(kind, Kind::Late)),
        "poison": count(|kind| matches!(kind, Kind::Poison(_))),
        "send_seconds": rounded(report.sending.as_secs_f64()),
        "seconds": rounded(report.total.as_secs_f64()),
        "listings_per_s": rounded(report.per_second()),
        "cpu_seconds": report.cpu.map(|cpu| rounded(cpu.as_secs_f64())),
    });
    if watched {
        line["judged"] = report.n_judged.into();
        line["dead_letters"] = report.n_dead_letters.into();
        line["missing"] = report.n_missing.into();
        line["latency_ms"] = report.latency.map_or(Value::Null, |l| {
            let ms = |time| rounded(millis(time));
            json!({"p50": ms(l.p50), "p90": ms(l.p90), "p99": ms(l.p99), "p99.9": ms(l.p999), "max": ms(l.max)})
        });
    }
    if let Some(HostCounts { n_pictures, n_unchanged, n_dead }) = photos {
        line["photos"] = json!({"sent": n_pictures, "unchanged": n_unchanged, "dead": n_dead});
    }
    line
}

/// Tenths where they say something.
fn in_millis(time: Duration) -> String {
    let (ms, decimals) = (millis(time), if time < Duration::from_millis(100) { 1 } else { 0 });
    format!("{ms:.decimals$}")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
