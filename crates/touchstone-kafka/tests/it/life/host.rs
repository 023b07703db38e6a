//! A photo host whose answers stand in the address: now, never, or once a gate is open.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;

use super::market::PICTURES;

/// When a photo can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Once so many gates and one more have been opened.
    Gate(usize),
    /// Status 404 for ever.
    Never,
}

impl When {
    /// The path of a product's photo.
    pub(crate) fn path(self, product: usize) -> String {
        match self {
            Self::Gate(gate) => format!("/gate/{gate}/{product}"),
            Self::Never => format!("/never/0/{product}"),
        }
    }
}

/// The product whose photo is at an address while so many gates are open.
pub(crate) fn picture_at(url: &str, n_open: usize) -> Option<usize> {
    let mut parts = url.rsplit('/');
    let product: usize = parts.next()?.parse().ok()?;
    let gate: usize = parts.next()?.parse().ok()?;
    (parts.next()? == "gate" && gate < n_open).then_some(product)
}

/// Serves until the process ends.
pub(crate) struct Host {
    pub(crate) port: u16,
    n_open: Arc<AtomicUsize>,
}

impl Host {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let n_open = Arc::new(AtomicUsize::new(0));
        let opened = Arc::clone(&n_open);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, opened.load(Ordering::Relaxed));
            }
        });
        Ok(Self { port, n_open })
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Photos behind gates below `n` can be fetched from now on.
    pub(crate) fn open(&self, n: usize) {
        self.n_open.store(n, Ordering::Relaxed);
    }
}

fn answer(mut stream: TcpStream, n_open: usize) {
    let mut request = [0; 4096];
    let n = stream.read(&mut request).unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..n]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match picture_at(path, n_open) {
        Some(product) => ("200 OK", PICTURES[product].as_slice()),
        None => ("404 Not Found", &[][..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // The worker may have been killed in the meantime.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}
