//! A small HTTP server on 127.0.0.1 that says what a test tells it to, one request for each connection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

/// What the server does with a request.
pub(crate) enum Reply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Waits until this many requests wait, and then sends these bytes.
    Together(Arc<Barrier>, Vec<u8>),
    /// Sends these bytes and then nothing until the client goes away.
    Hang(Vec<u8>),
    /// Sends these bytes and then the letter `x` in chunks, until the client goes away.
    Endless(Vec<u8>),
    /// Sends the first bytes and then the others again and again, until the client goes away.
    Again(Vec<u8>, Vec<u8>),
    /// Sends the first bytes and then the letter `x` each millisecond, until the client goes away.
    Drip(Vec<u8>),
    /// Closes without a word.
    Close,
}

/// A running server; it stops when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    heads: Vec<String>,
    n_open: usize,
    most_open: usize,
}

impl Server {
    /// A server that answers the request with this head, the n-th from 0, by what `answer` says.
    pub(crate) async fn start(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Seen>>::default();
        let (answer, seen_by_task) = (Arc::new(answer), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen_by_task));
                tokio::spawn(serve(stream, answer, seen));
            }
        });
        Self { port, seen, task }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The heads of the requests so far, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.lock().unwrap().heads.clone()
    }

    /// How many requests were open at the same time, at most.
    pub(crate) fn most_open(&self) -> usize {
        self.seen.lock().unwrap().most_open
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&str, usize) -> Reply>,
    seen: Arc<Mutex<Seen>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let reply = {
        let mut seen = seen.lock().unwrap();
        seen.n_open += 1;
        seen.most_open = seen.most_open.max(seen.n_open);
        seen.heads.push(head.clone());
        answer(&head, seen.heads.len() - 1)
    };
    if let Reply::Together(barrier, _) = &reply {
        barrier.wait().await;
    }
    // Before the answer, because the client may come again as soon as it has it.
    seen.lock().unwrap().n_open -= 1;
    send(&mut stream, reply).await
}

async fn send(stream: &mut TcpStream, reply: Reply) -> Option<()> {
    match reply {
        Reply::Close => {}
        Reply::Bytes(bytes) | Reply::Together(_, bytes) => stream.write_all(&bytes).await.ok()?,
        Reply::Hang(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            while stream.read(&mut [0; 64]).await.ok()? > 0 {}
        }
        Reply::Endless(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await.ok()?;
            }
        }
        Reply::Again(first, then) => {
            stream.write_all(&first).await.ok()?;
            loop {
                stream.write_all(&then).await.ok()?;
            }
        }
        Reply::Drip(first) => {
            stream.write_all(&first).await.ok()?;
            loop {
                stream.write_all(b"x").await.ok()?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    Some(())
}

/// An answer with this status line, these further header lines and this body, of declared length.
pub(crate) fn answer(status: &str, headers: &[&str], body: &[u8]) -> Reply {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

/// A redirect to `location`.
pub(crate) fn redirect(location: &str) -> Reply {
    answer("302 Found", &[&format!("Location: {location}")], b"")
}

/// A picture as PNG bytes, another one for each `seed`.
pub(crate) fn png(seed: u32) -> Vec<u8> {
    let waves = |x: u32, y: u32| (x * (3 + seed) + y * 2 + x * y / (7 + seed)) as u8;
    let picture = image::GrayImage::from_fn(160, 120, |x, y| image::Luma([waves(x, y)]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}
