//! Carries the bytes of one connection in one direction, message by message.

use std::io::{ErrorKind, Read as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::frames::{Direction, Head, Piece, Splitter};
use super::outbox::Outbox;
use super::rules::{Fate, Message};
use super::shared::Shared;

const BUFFER_BYTES: usize = 64 << 10;

/// Why nothing more is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The side from which bytes come has closed or is gone.
    SenderGone,
    /// The side to which they go is.
    ReceiverGone,
    /// A rule says so, or what came is not Kafka's protocol.
    Close,
}

/// Runs until one side goes or the connection is closed.
pub(crate) fn carry(shared: &Shared, connection: &Connection, direction: Direction) {
    let (from, to) = connection.ends(direction);
    let mut pump = Pump {
        shared,
        connection,
        direction,
        from,
        to,
        splitter: Splitter::new(direction),
        outbox: Outbox::default(),
        fate: Fate::Pass(Duration::ZERO),
        has_timeout: false,
    };
    match pump.run() {
        End::Close => connection.close(),
        End::SenderGone => pump.pass_end_on(),
        // The other direction may still have to deliver what the sender said before.
        End::ReceiverGone => {
            let _ = from.shutdown(Shutdown::Read);
        }
    }
}

struct Pump<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    direction: Direction,
    from: &'a TcpStream,
    to: &'a TcpStream,
    splitter: Splitter,
    outbox: Outbox,
    /// What becomes of the message that began last.
    fate: Fate,
    /// Whether reading from the socket now ends after a while.
    has_timeout: bool,
}

impl Pump<'_> {
    fn run(&mut self) -> End {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            if self.outbox.send(Instant::now(), &mut self.to).is_err() {
                return End::ReceiverGone;
            }
            if self.outbox.is_full() {
                self.connection.wait_closed(self.outbox.next_due());
                continue;
            }
            match self.read(&mut buffer) {
                Ok(0) => return End::SenderGone,
                Ok(n_bytes) => {
                    if self.take_in(&buffer[..n_bytes]).is_none() {
                        // What came before the message that ends the connection goes on; nobody minds if it cannot.
                        let _ = self.outbox.send(Instant::now(), &mut self.to);
                        return End::Close;
                    }
                }
                Err(error) if is_passing(error.kind()) => {}
                Err(_) => return End::SenderGone,
            }
        }
    }

    /// Waits for bytes, but not past the moment when held ones are due.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let due = self.outbox.next_due();
        if due.is_some() || self.has_timeout {
            // A timeout of zero is refused.
            let left =
                |due: Instant| due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.from.set_read_timeout(due.map(left))?;
            self.has_timeout = due.is_some();
        }
        self.from.read(buffer)
    }

    /// Nothing if the connection is to be closed.
    fn take_in(&mut self, bytes: &[u8]) -> Option<()> {
        let now = Instant::now();
        let mut input = bytes;
        while let Some(piece) = self.splitter.next(&mut input).ok()? {
            let bytes = match &piece {
                Piece::Head(head) => {
                    self.fate = self.judge(head);
                    head.as_bytes()
                }
                Piece::Body(body) => body,
            };
            match self.fate {
                Fate::Pass(delay) => self.outbox.push(bytes, now, delay),
                Fate::Swallow(_) => {}
                Fate::Close => return None,
            }
        }
        Some(())
    }

    fn judge(&self, head: &Head) -> Fate {
        let api_key = match self.direction {
            Direction::Request => head.api_key(),
            Direction::Answer => self.connection.answered(head.correlation_id()),
        };
        let message = Message { node: self.connection.node, direction: self.direction, api_key };
        let fate = match (self.fate, self.shared.judge(self.connection, message)) {
            // Never on after a gap.
            (Fate::Swallow(rule), Fate::Pass(_)) => Fate::Swallow(rule),
            (_, fate) => fate,
        };
        if let (Direction::Request, Some(api_key), Fate::Pass(_)) = (self.direction, api_key, fate) {
            self.connection.asked(head.correlation_id(), api_key);
        }
        fate
    }

    /// Delivers what is held, each part in its time, and then closes the receiver's side; unless that is swallowed.
    fn pass_end_on(&mut self) {
        while let Some(due) = self.outbox.next_due() {
            let is_over = self.connection.wait_closed(Some(due));
            if is_over || self.outbox.send(Instant::now(), &mut self.to).is_err() {
                return;
            }
        }
        let is_swallowed = matches!(self.fate, Fate::Swallow(_))
            || self.shared.swallows_end(self.connection, self.direction);
        if is_swallowed {
            self.connection.wait_closed(None);
        } else {
            let _ = self.to.shutdown(Shutdown::Write);
        }
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
