//! Hosts that send too much, too slowly, too often or nothing at all.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use touchstone_fetch::{FetchSettings, Fetcher};
use touchstone_types::PhotoFailure;

use crate::server::{Reply, Server, answer, png};
use crate::{check, fetch, hashed, settings};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n";

#[tokio::test]
async fn heads_without_end_are_refused() {
    for again in
        [b"A: b\r\n".to_vec(), [b"A: ".as_slice(), &[b'b'; 1000], b"\r\n"].concat(), vec![b'x'; 1000]]
    {
        check(move || Reply::Again(HEAD.to_vec(), again.clone()), Err(PhotoFailure::Refused)).await;
    }
    // No line, and a status line that never ends.
    check(|| Reply::Again(Vec::new(), vec![b'x'; 1000]), Err(PhotoFailure::Refused)).await;
    check(|| Reply::Again(b"HTTP/1.1 200 ".to_vec(), vec![b'x'; 1000]), Err(PhotoFailure::Refused)).await;
    // One line more than is read.
    let lines = |n: usize| "A: b\r\n".repeat(n - 2);
    let reply = |lines: &str| answer("200 OK", &[lines.trim_end()], &png(1));
    check(move || reply(&lines(64)), Ok(hashed(&png(1)))).await;
    check(move || reply(&lines(65)), Err(PhotoFailure::Refused)).await;
}

#[tokio::test]
async fn chunks_with_endless_sizes_or_trailers_are_refused() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for start in [b"1;a=".as_slice(), b"1\r\nx\r\n0\r\nA: b"] {
        let head = [chunked.as_slice(), start].concat();
        check(move || Reply::Again(head.clone(), vec![b'x'; 1000]), Err(PhotoFailure::Refused)).await;
    }
}

#[tokio::test]
async fn a_host_that_drips_is_left_at_the_deadline_and_its_turn_is_free_again() {
    let server = Server::start(|head, _| match head.split(' ').nth(1).unwrap() {
        "/body" => Reply::Drip([HEAD, b"Content-Length: 1000000\r\n\r\n"].concat()),
        "/head" => Reply::Drip([HEAD, b"A: "].concat()),
        "/status" => Reply::Drip(b"HTTP/1.1 200 ".to_vec()),
        "/continue" => Reply::Again(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        _ => answer("200 OK", &[], &png(1)),
    })
    .await;
    let one = NonZeroUsize::MIN;
    let settings = FetchSettings { max_concurrent: one, max_concurrent_per_host: one, ..settings(&server) };
    let fetcher = Fetcher::new(&settings).unwrap();
    for path in ["/body", "/head", "/status", "/continue"] {
        let start = Instant::now();
        let result = fetcher.photo(&server.url(path), start + Duration::from_millis(100)).await;
        assert_eq!(result, Err(PhotoFailure::Timeout), "{path}");
        assert!(start.elapsed() < Duration::from_secs(20), "the wait ends at the deadline");
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Ok(hashed(&png(1))), "after {path}");
    }
}

#[tokio::test]
async fn nothing_is_unpacked() {
    for encoding in ["gzip", "br", "deflate", "zstd"] {
        let header = format!("Content-Encoding: {encoding}");
        check(move || answer("200 OK", &[&header], &png(1)), Ok(hashed(&png(1)))).await;
    }
    // The head of a gzip file, as a bomb has it.
    check(
        || answer("200 OK", &["Content-Encoding: gzip"], b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xc1"),
        Err(PhotoFailure::Undecodable),
    )
    .await;
}

#[tokio::test]
async fn a_repetition_that_would_come_too_late_is_not_waited_for() {
    for (header, retry_pause, n_requests) in [
        ("Retry-After: 0", Duration::ZERO, 2),
        ("Retry-After: 3600", Duration::ZERO, 1),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", Duration::ZERO, 1),
        ("A: b", Duration::from_secs(3600), 1),
    ] {
        let server = Server::start(move |_, _| answer("429 Too Many Requests", &[header], b"")).await;
        let fetcher = Fetcher::new(&FetchSettings { retry_pause, ..settings(&server) }).unwrap();
        let start = Instant::now();
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Err(PhotoFailure::Status), "{header}");
        assert!(start.elapsed() < Duration::from_secs(20), "at once");
        assert_eq!(server.heads().len(), n_requests, "{header}");
    }
}

#[tokio::test]
async fn a_fetch_that_pauses_keeps_no_other_from_its_turn() {
    let server = Server::start(|head, _| match head.split(' ').nth(1).unwrap() {
        "/later" => answer("503 Service Unavailable", &[], b""),
        _ => answer("200 OK", &[], &png(1)),
    })
    .await;
    let retry_pause = Duration::from_secs(3600);
    let settings = FetchSettings { retry_pause, max_concurrent: NonZeroUsize::MIN, ..settings(&server) };
    let fetcher = Fetcher::new(&settings).unwrap();
    let (pausing, url) = (fetcher.clone(), server.url("/later"));
    let pausing = tokio::spawn(async move { pausing.photo(&url, Instant::now() + 9 * retry_pause).await });
    let asked = async {
        while server.heads().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap();
    assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Ok(hashed(&png(1))));
    assert!(!pausing.is_finished());
    pausing.abort();
}

#[tokio::test]
async fn a_host_that_does_not_answer_rests_and_is_tried_again() {
    let is_well = Arc::new(AtomicBool::new(false));
    let is_well_now = Arc::clone(&is_well);
    let server = Server::start(move |_, _| match is_well_now.load(Ordering::Relaxed) {
        true => answer("200 OK", &[], &png(1)),
        false => answer("503 Service Unavailable", &[], b""),
    })
    .await;
    let settings = FetchSettings { host_failures: 3, retries: 0, ..settings(&server) };
    let fetcher = Fetcher::new(&settings).unwrap();
    for n in [1, 2, 3, 3, 3] {
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Err(PhotoFailure::Status));
        assert_eq!(server.heads().len(), n, "nothing is asked of a host that rests");
    }
    is_well.store(true, Ordering::Relaxed);
    tokio::time::pause();
    tokio::time::advance(settings.host_rest).await;
    tokio::time::resume();
    for n in [4, 5] {
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Ok(hashed(&png(1))));
        assert_eq!(server.heads().len(), n);
    }
}

#[tokio::test]
async fn an_error_of_one_url_is_no_failure_of_its_host() {
    let server = Server::start(|head, _| match head.split(' ').nth(1).unwrap() {
        "/404" => answer("404 Not Found", &[], b""),
        "/500" => answer("500 Internal Server Error", &[], b""),
        "/loop" => answer("302 Found", &["Location: /loop"], b""),
        "/text" => answer("200 OK", &[], b"no picture"),
        "/cut" => Reply::Bytes([HEAD, b"Content-Length: 9\r\n\r\nabc"].concat()),
        "/private" => answer("302 Found", &["Location: https://10.0.0.1/"], b""),
        _ => answer("200 OK", &[], &png(1)),
    })
    .await;
    let fetcher = Fetcher::new(&FetchSettings { host_failures: 1, ..settings(&server) }).unwrap();
    for path in ["/404", "/500", "/loop", "/text", "/cut", "/private"] {
        assert!(fetch(&fetcher, &server.url(path)).await.is_err(), "{path}");
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Ok(hashed(&png(1))), "after {path}");
    }
}
