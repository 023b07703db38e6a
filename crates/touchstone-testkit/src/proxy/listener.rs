//! A port at which the proxy listens, and which it can give up and take again.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to rest when no connection can be taken, which is when the process has too many files open.
const REST: Duration = Duration::from_millis(10);
/// Connecting to our own port takes no time.
const WAKE_LIMIT: Duration = Duration::from_secs(5);

/// A thread that takes connections until [`Listener::close`].
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    is_closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// `take` is called with each connection and must not wait for anything.
    pub(crate) fn open(address: SocketAddr, take: impl Fn(TcpStream) + Send + 'static) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        let address = socket.local_addr()?;
        let is_closing = Arc::<AtomicBool>::default();
        let flag = Arc::clone(&is_closing);
        let thread = thread::Builder::new()
            .name("kafka-proxy".into())
            .spawn(move || take_connections(&socket, &flag, take))?;
        Ok(Self { address, is_closing, thread })
    }

    /// Returns when the port is closed: whoever connects then is refused.
    pub(crate) fn close(self) {
        self.is_closing.store(true, Ordering::SeqCst);
        // Nothing but a connection wakes the thread. If there can be none now, then the thread can take none either, and
        // looks at the flag by itself.
        let _ = TcpStream::connect_timeout(&self.address, WAKE_LIMIT);
        let _ = self.thread.join();
    }
}

fn take_connections(socket: &TcpListener, is_closing: &AtomicBool, take: impl Fn(TcpStream)) {
    loop {
        let taken = socket.accept();
        if is_closing.load(Ordering::SeqCst) {
            return;
        }
        match taken {
            Ok((client, _)) => take(client),
            Err(_) => thread::sleep(REST),
        }
    }
}
