//! Photos of listings: sent along, fetched, late, or no photos at all.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use touchstone_catalog::Catalog;
use touchstone_kafka::{PipelineJudging, Sender};
use touchstone_pipeline::{Context, Policy};
use touchstone_testkit::KafkaCluster;
use touchstone_text::Lexicon;
use touchstone_types::Verdict;

use crate::support::{LIMIT, Stage, Worker};

/// A picture of stripes as a BMP file, which says that its sides are `announced` pixels long; they are 64.
fn picture(announced: u32) -> Vec<u8> {
    let side = 64_u32;
    let pixels: Vec<u8> =
        (0..side * side).flat_map(|n| [(n % side * 4) as u8, (n / side * 4) as u8, (n / 7) as u8]).collect();
    let mut file = b"BM".to_vec();
    file.extend((54 + pixels.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    for word in [54, 40, announced, announced, 24 << 16 | 1, 0, pixels.len() as u32, 0, 0, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(pixels);
    file
}

/// Serves the picture at every path but `/bomb`, where it announces 60,000 by 60,000 pixels, `/hang`, where nothing ever
/// comes, and `/none`, which is not there.
pub(crate) fn photo_host() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        let mut hanging = Vec::new();
        for stream in listener.incoming().flatten() {
            if let Some(stream) = answer(stream) {
                hanging.push(stream);
            }
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream) -> Option<TcpStream> {
    let mut request = [0; 4096];
    let n = stream.read(&mut request).unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..n]).into_owned();
    if request.starts_with("GET /hang") {
        return Some(stream);
    }
    let (status, body) = if request.starts_with("GET /none") {
        ("404 Not Found", Vec::new())
    } else {
        ("200 OK", picture(if request.starts_with("GET /bomb") { 60_000 } else { 64 }))
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: image/bmp\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // The worker may have gone away in the meantime.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_that_cannot_be_seen_make_the_verdict_partial_and_no_dead_letter() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let mut settings = stage.settings.clone();
    let port = photo_host()?;
    settings.photos.test_origins = vec![format!("http://127.0.0.1:{port}")];
    settings.photos.deadline_ms = 700;
    let url = |path: &str| format!("{{\"url\":\"http://127.0.0.1:{port}/{path}\"}}");
    let no_picture = "{\"data\":\"QUJD\"}".to_owned();
    let cases: Vec<(Vec<String>, Vec<&str>)> = vec![
        (vec![url("a")], vec![]),
        (vec![url("a"), url("hang"), url("b")], vec!["image 1: timeout"]),
        (vec![url("none")], vec!["image 0: status"]),
        (vec!["{\"url\":\"http://10.0.0.1/a\"}".into()], vec!["image 0: refused"]),
        (vec![no_picture, url("c")], vec!["image 0: undecodable"]),
        (vec![url("bomb")], vec!["image 0: too_large"]),
    ];
    let mut sender = Sender::new(&settings)?;
    for (number, (images, _)) in cases.iter().enumerate() {
        let id = format!("EX-{number}");
        let json = format!(
            r#"{{"listing_id":"{id}","title":"Lumora 20","images":[{}],"seller":{{"seller_id":"S-1"}}}}"#,
            images.join(",")
        );
        sender.record(&settings.topics.listings, Some(id.as_bytes()), Some(json.as_bytes()), &Vec::new())?;
    }
    sender.finish()?;
    let lexicon = Arc::new(Lexicon::builtin());
    let snapshot = Arc::new(Catalog::new().snapshot(&lexicon));
    let context = Context::new(snapshot, &lexicon, None, Arc::new(Policy::builtin()));
    let worker = Worker::start(&settings, PipelineJudging::new(lexicon, context));
    let report = stage.wait_done(cases.len(), LIMIT.max(Duration::from_secs(30)))?;
    worker.stop().await?;
    assert_eq!((report.violations, report.n_dead_letters), (vec![], 0));
    let verdicts = stage.records(&stage.topics().verdicts)?;
    for (number, (_, missing)) in cases.iter().enumerate() {
        let key = format!("EX-{number}");
        let record =
            verdicts.iter().find(|v| v.key.as_deref() == Some(key.as_bytes())).context(key.clone())?;
        let verdict = Verdict::from_json(record.value.as_deref().unwrap())?;
        let found: Vec<String> =
            verdict.missing.iter().map(ToString::to_string).filter(|m| m.starts_with("image")).collect();
        assert_eq!(&found, missing, "{key}");
    }
    Ok(())
}
