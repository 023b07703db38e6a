//! The fetcher against a server on loopback.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod limits;
mod server;
mod tricks;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::time::Instant;
use touchstone_fetch::{FetchError, FetchSettings, Fetcher};
use touchstone_image_hash::{DecodeLimits, Photo};
use touchstone_types::PhotoFailure;

use server::{Reply, Server, answer, png, redirect};

/// The defaults, with this server as a test origin and no pause before a repetition.
fn settings(server: &Server) -> FetchSettings {
    FetchSettings {
        test_origins: vec![server.origin()],
        retry_pause: Duration::ZERO,
        ..FetchSettings::default()
    }
}

fn fetcher(server: &Server) -> Fetcher {
    Fetcher::new(&settings(server)).unwrap()
}

/// Fetches with a deadline so late that no test should meet it.
async fn fetch(fetcher: &Fetcher, url: &str) -> Result<Photo, PhotoFailure> {
    fetcher.photo(url, Instant::now() + Duration::from_secs(60)).await
}

fn hashed(bytes: &[u8]) -> Photo {
    touchstone_image_hash::photo(bytes, &DecodeLimits::default()).unwrap()
}

/// What one fetch comes to when the host always gives this reply.
async fn check(reply: impl Fn() -> Reply + Send + Sync + 'static, expected: Result<Photo, PhotoFailure>) {
    let server = Server::start(move |_, _| reply()).await;
    assert_eq!(fetch(&fetcher(&server), &server.url("/a.png")).await, expected);
}

#[tokio::test]
async fn a_picture_is_fetched_and_hashed_and_nothing_is_told_to_the_host() {
    let server = Server::start(|_, _| answer("200 OK", &["Set-Cookie: a=b"], &png(1))).await;
    let fetcher = fetcher(&server);
    for _ in 0..2 {
        assert_eq!(fetch(&fetcher, &server.url("/a.png?b=c#d")).await, Ok(hashed(&png(1))));
    }
    let heads = server.heads();
    assert_eq!(heads.len(), 2, "the host is asked each time");
    assert!(heads[0].starts_with("get /a.png?b=c http/1.1\r\n"), "{}", heads[0]);
    for name in ["cookie:", "referer:", "authorization:", "accept-encoding:"] {
        assert!(!heads.iter().any(|head| head.contains(name)), "{name}");
    }
}

#[tokio::test]
async fn a_host_that_keeps_silent_or_never_ends_is_left_at_the_deadline() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc".to_vec();
    let server = Server::start(move |path, _| match path {
        path if path.starts_with("get /silent") => Reply::Hang(Vec::new()),
        _ => Reply::Hang(head.clone()),
    });
    let server = server.await;
    let fetcher = fetcher(&server);
    for path in ["/silent", "/slow"] {
        let start = Instant::now();
        let result = fetcher.photo(&server.url(path), start + Duration::from_millis(300)).await;
        assert_eq!(result, Err(PhotoFailure::Timeout), "{path}");
        assert!(start.elapsed() < Duration::from_secs(20), "the wait ends at the deadline");
    }
    assert_eq!(server.heads().len(), 2);
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let server = Server::start(|_, _| answer("200 OK", &[], &png(1))).await;
    let result = fetcher(&server).photo(&server.url("/a.png"), Instant::now()).await;
    assert_eq!(result, Err(PhotoFailure::Timeout));
    assert_eq!(server.heads().len(), 0);
}

#[tokio::test]
async fn every_answer_but_the_picture_is_a_status() {
    for status in [
        "404 Not Found",
        "410 Gone",
        "204 No Content",
        "206 Partial Content",
        "300 Multiple Choices",
        "304 Not Modified",
        "500 Internal Server Error",
    ] {
        check(move || answer(status, &[], b""), Err(PhotoFailure::Status)).await;
    }
}

#[tokio::test]
async fn what_is_no_picture_is_undecodable() {
    check(
        || answer("200 OK", &["Content-Type: image/png"], b"not a picture"),
        Err(PhotoFailure::Undecodable),
    )
    .await;
    check(|| answer("200 OK", &[], b""), Err(PhotoFailure::Undecodable)).await;
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    check(move || answer("200 OK", &[], &cut(png(1))), Err(PhotoFailure::Undecodable)).await;
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_refused() {
    check(
        || Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc".to_vec()),
        Err(PhotoFailure::Refused),
    )
    .await;
    check(|| Reply::Bytes(b"220 mail.lumora.example ESMTP\r\n".to_vec()), Err(PhotoFailure::Refused)).await;
    check(|| Reply::Close, Err(PhotoFailure::Refused)).await;
    let server = Server::start(|_, _| Reply::Close).await;
    let (fetcher, url) = (fetcher(&server), server.url("/"));
    drop(server);
    assert_eq!(fetch(&fetcher, &url).await, Err(PhotoFailure::Refused), "nobody listens");
}

#[tokio::test]
async fn the_limit_on_bytes_holds_whether_the_length_is_declared_or_not() {
    let picture = png(1);
    let limit = picture.len();
    let chunked = |body: &[u8]| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        let (size, end) = (format!("{:x}\r\n", body.len()), b"\r\n0\r\n\r\n");
        Reply::Bytes([head.as_slice(), size.as_bytes(), body, end].concat())
    };
    let server = Server::start(move |head, _| match head.split(' ').nth(1).unwrap() {
        "/declared" => answer("200 OK", &[], &picture),
        "/chunked" => chunked(&picture),
        "/declared-more" => answer("200 OK", &[], &[picture.as_slice(), b"x"].concat()),
        "/chunked-more" => chunked(&[picture.as_slice(), b"x"].concat()),
        "/declared-huge" => {
            Reply::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n".to_vec())
        }
        _ => Reply::Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
    })
    .await;
    let decode = DecodeLimits { max_bytes: limit, ..DecodeLimits::default() };
    let fetcher = Fetcher::new(&FetchSettings { decode, ..settings(&server) }).unwrap();
    for path in ["/declared", "/chunked"] {
        assert_eq!(fetch(&fetcher, &server.url(path)).await, Ok(hashed(&png(1))), "{path}");
    }
    for path in ["/declared-more", "/chunked-more", "/declared-huge", "/endless"] {
        assert_eq!(fetch(&fetcher, &server.url(path)).await, Err(PhotoFailure::TooLarge), "{path}");
    }
}

#[tokio::test]
async fn too_many_pixels_are_too_large() {
    let server = Server::start(|_, _| answer("200 OK", &[], &png(1))).await;
    let decode = DecodeLimits { max_pixels: 160 * 120 - 1, ..DecodeLimits::default() };
    let fetcher = Fetcher::new(&FetchSettings { decode, ..settings(&server) }).unwrap();
    for _ in 0..2 {
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Err(PhotoFailure::TooLarge));
    }
}

#[tokio::test]
async fn redirects_are_followed_up_to_the_limit() {
    // /5 leads to /4, and so on to /0, the picture.
    let server = Server::start(|head, _| match head.split(['/', ' ']).nth(2).unwrap().parse::<u32>() {
        Ok(0) => answer("200 OK", &[], &png(1)),
        Ok(n) => redirect(&format!("{}", n - 1)),
        Err(_) => redirect("/loop"),
    })
    .await;
    let fetcher = fetcher(&server);
    assert_eq!(fetch(&fetcher, &server.url("/5")).await, Ok(hashed(&png(1))));
    assert_eq!(server.heads().len(), 6);
    assert_eq!(fetch(&fetcher, &server.url("/6")).await, Err(PhotoFailure::Status));
    assert_eq!(fetch(&fetcher, &server.url("/loop")).await, Err(PhotoFailure::Status));
    assert_eq!(server.heads().len(), 18);
    check(|| answer("301 Moved Permanently", &[], b""), Err(PhotoFailure::Status)).await;
}

#[tokio::test]
async fn what_may_pass_is_tried_once_more_and_what_may_not_is_not() {
    for (first, n_requests) in
        [("503 Service Unavailable", 2), ("429 Too Many Requests", 2), ("404 Not Found", 1)]
    {
        let server =
            Server::start(
                move |_, n| if n == 0 { answer(first, &[], b"") } else { answer("200 OK", &[], &png(1)) },
            );
        let server = server.await;
        let found = fetch(&fetcher(&server), &server.url("/a.png")).await;
        assert_eq!((found.is_ok(), server.heads().len()), (n_requests == 2, n_requests), "{first}");
    }
    let server =
        Server::start(|_, n| if n == 0 { Reply::Close } else { answer("200 OK", &[], &png(1)) }).await;
    assert_eq!(fetch(&fetcher(&server), &server.url("/a.png")).await, Ok(hashed(&png(1))));
}

#[tokio::test]
async fn bytes_are_revalidated_by_their_tag_and_never_assumed() {
    // The picture changes after the third request.
    let server = Server::start(|head, n| {
        let (tag, bytes) = if n < 3 { ("\"v1\"", png(1)) } else { ("\"v2\"", png(2)) };
        if head.contains(&format!("if-none-match: {tag}\r\n")) {
            return answer("304 Not Modified", &[], b"");
        }
        answer("200 OK", &[&format!("ETag: {tag}")], &bytes)
    })
    .await;
    let fetcher = fetcher(&server);
    for seed in [1, 1, 1, 2, 2] {
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Ok(hashed(&png(seed))));
    }
    let sent: Vec<Option<String>> = server
        .heads()
        .iter()
        .map(|head| head.lines().find_map(|line| line.strip_prefix("if-none-match: ")).map(str::to_owned))
        .collect();
    let tag = |text: &str| Some(text.to_owned());
    assert_eq!(sent, [None, tag("\"v1\""), tag("\"v1\""), tag("\"v1\""), tag("\"v2\"")]);
}

#[tokio::test]
async fn a_weak_tag_is_not_trusted() {
    let server = Server::start(|_, n| answer("200 OK", &["ETag: W/\"v1\""], &png(n as u32))).await;
    let fetcher = fetcher(&server);
    for seed in 0..3 {
        assert_eq!(fetch(&fetcher, &server.url("/a.png")).await, Ok(hashed(&png(seed))));
    }
    assert!(server.heads().iter().all(|head| !head.contains("if-none-match")));
}

#[tokio::test]
async fn a_host_gets_no_more_requests_at_once_than_allowed() {
    let barrier = Arc::new(Barrier::new(2));
    let server = Server::start(move |_, _| match answer("200 OK", &[], &png(1)) {
        Reply::Bytes(bytes) => Reply::Together(Arc::clone(&barrier), bytes),
        other => other,
    })
    .await;
    let two = NonZeroUsize::new(2).unwrap();
    for limited in [
        FetchSettings { max_concurrent_per_host: two, ..settings(&server) },
        FetchSettings { max_concurrent: two, ..settings(&server) },
    ] {
        let fetcher = Fetcher::new(&limited).unwrap();
        let tasks = (0..8).map(|n| {
            let (fetcher, url) = (fetcher.clone(), server.url(&format!("/{n}.png")));
            tokio::spawn(async move { fetch(&fetcher, &url).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), Ok(hashed(&png(1))));
        }
    }
    assert_eq!(server.most_open(), 2);
}

#[tokio::test]
async fn a_setting_that_is_wrong_is_named() {
    let check = |settings: &FetchSettings, expected: &str| {
        let error: FetchError = Fetcher::new(settings).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let defaults = FetchSettings::default;
    check(
        &FetchSettings { test_origins: vec!["http://localhost:1".into()], ..defaults() },
        "test_origins: \"http://localhost:1\" is not of the form http://127.0.0.1:PORT",
    );
    check(
        &FetchSettings { deny_hosts: vec!["https://lumora.example".into()], ..defaults() },
        "deny_hosts: \"https://lumora.example\" is no host such as photos.lumora.example or *.lumora.example",
    );
}
