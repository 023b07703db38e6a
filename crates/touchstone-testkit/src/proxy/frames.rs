//! Where Kafka's messages begin in a stream of bytes. Layout after the Kafka protocol guide, "Protocol Primitives" and
//! "Request Header": four bytes of length; then a request has its api key, the version of that, and a correlation id, and
//! an answer has the correlation id of its request.

use std::io;

/// What Kafka itself takes at most (`socket.request.max.bytes`). No answer that a test asks for is longer.
const MAX_FRAME_BYTES: usize = 100 << 20;
/// Length, api key, version, correlation id.
const REQUEST_HEAD_BYTES: usize = 12;
/// Length, correlation id.
const ANSWER_HEAD_BYTES: usize = 8;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a client to its broker.
    Request,
    /// From a broker to its client.
    Answer,
}

/// The first bytes of a message, as many as the proxy understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    direction: Direction,
    bytes: [u8; REQUEST_HEAD_BYTES],
}

impl Head {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..n_head_bytes(self.direction)]
    }

    /// Only a request says which kind it is.
    pub(crate) fn api_key(&self) -> Option<i16> {
        (self.direction == Direction::Request).then(|| i16::from_be_bytes([self.bytes[4], self.bytes[5]]))
    }

    pub(crate) fn correlation_id(&self) -> i32 {
        let at = n_head_bytes(self.direction) - 4;
        i32::from_be_bytes([self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]])
    }

    /// The length that the message states, which counts everything behind the length itself.
    fn length(&self) -> Option<usize> {
        let [a, b, c, d, ..] = self.bytes;
        usize::try_from(i32::from_be_bytes([a, b, c, d])).ok()
    }
}

/// A part of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A message begins. Its first bytes are held back until all of its head has come.
    Head(Head),
    /// More of the message that began last.
    Body(&'a [u8]),
}

/// Cuts one direction of a connection into pieces, however the bytes were torn or joined on their way.
#[derive(Debug)]
pub(crate) struct Splitter {
    head: Head,
    /// How much of the head has come; less than all of it between two messages.
    n_head: usize,
    /// How much of the message's body has not come yet.
    n_body_left: usize,
}

impl Splitter {
    pub(crate) fn new(direction: Direction) -> Self {
        Self { head: Head { direction, bytes: [0; REQUEST_HEAD_BYTES] }, n_head: 0, n_body_left: 0 }
    }

    /// Takes the next piece off the front of `input`; nothing if more bytes are needed.
    ///
    /// Fails with [`io::ErrorKind::InvalidData`] if a length is absurd. The stream is of no use from there on.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> io::Result<Option<Piece<'a>>> {
        if self.n_body_left > 0 {
            let body = take(input, self.n_body_left);
            self.n_body_left -= body.len();
            return Ok((!body.is_empty()).then_some(Piece::Body(body)));
        }
        let n_wanted = n_head_bytes(self.head.direction);
        let came = take(input, n_wanted - self.n_head);
        self.head.bytes[self.n_head..self.n_head + came.len()].copy_from_slice(came);
        self.n_head += came.len();
        // An absurd length is told at once and not only when the rest of the head has come, which it may never do.
        let n_body = if self.n_head < 4 { 0 } else { n_body_bytes(&self.head)? };
        if self.n_head < n_wanted {
            return Ok(None);
        }
        (self.n_head, self.n_body_left) = (0, n_body);
        Ok(Some(Piece::Head(self.head)))
    }
}

fn n_head_bytes(direction: Direction) -> usize {
    match direction {
        Direction::Request => REQUEST_HEAD_BYTES,
        Direction::Answer => ANSWER_HEAD_BYTES,
    }
}

fn n_body_bytes(head: &Head) -> io::Result<usize> {
    let in_head = n_head_bytes(head.direction) - 4;
    match head.length() {
        Some(length) if (in_head..=MAX_FRAME_BYTES).contains(&length) => Ok(length - in_head),
        _ => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "not a Kafka message: its length is out of range"))
        }
    }
}

fn take<'a>(input: &mut &'a [u8], at_most: usize) -> &'a [u8] {
    let n_bytes = at_most.min(input.len());
    input.split_off(..n_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(api_key: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
        let mut bytes = i32::try_from(8 + body.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(api_key.to_be_bytes());
        bytes.extend(7_i16.to_be_bytes());
        bytes.extend(correlation_id.to_be_bytes());
        bytes.extend(body);
        bytes
    }

    /// Api key and correlation id of each message.
    type Heads = Vec<(Option<i16>, i32)>;

    /// The messages, and the bytes of all pieces joined.
    fn read(direction: Direction, reads: &[&[u8]]) -> io::Result<(Heads, Vec<u8>)> {
        let mut splitter = Splitter::new(direction);
        let (mut heads, mut bytes) = (Vec::new(), Vec::new());
        for mut input in reads.iter().copied() {
            while let Some(piece) = splitter.next(&mut input)? {
                match piece {
                    Piece::Head(head) => {
                        heads.push((head.api_key(), head.correlation_id()));
                        bytes.extend(head.as_bytes());
                    }
                    Piece::Body(body) => bytes.extend(body),
                }
            }
            assert!(input.is_empty());
        }
        Ok((heads, bytes))
    }

    #[test]
    fn messages_are_found_wherever_the_stream_is_torn() {
        let stream = [request(0, 1, b"records"), request(26, -2, b""), request(3, 3, b"x")].concat();
        let heads = vec![(Some(0), 1), (Some(26), -2), (Some(3), 3)];
        let expected = (heads, stream.clone());
        assert_eq!(read(Direction::Request, &[&stream]).unwrap(), expected, "several in one read");
        for at in 0..=stream.len() {
            let (first, second) = stream.split_at(at);
            assert_eq!(read(Direction::Request, &[first, second]).unwrap(), expected, "torn at {at}");
        }
        let bytes: Vec<_> = stream.chunks(1).collect();
        assert_eq!(read(Direction::Request, &bytes).unwrap(), expected, "byte by byte");
    }

    #[test]
    fn an_answer_has_a_correlation_id_and_no_api_key() {
        let stream = [&8_i32.to_be_bytes()[..], &5_i32.to_be_bytes(), b"body"].concat();
        assert_eq!(read(Direction::Answer, &[&stream]).unwrap(), (vec![(None, 5)], stream));
    }

    #[test]
    fn an_absurd_length_is_an_error_as_soon_as_it_is_there() {
        let max = i32::try_from(MAX_FRAME_BYTES).unwrap();
        for (direction, least) in [(Direction::Request, 8), (Direction::Answer, 4)] {
            for absurd in [i32::MIN, -1, 0, least - 1, max + 1, i32::MAX] {
                let error = read(direction, &[&absurd.to_be_bytes()]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{direction:?} of {absurd} bytes");
            }
            for possible in [least, max] {
                assert!(read(direction, &[&possible.to_be_bytes()]).is_ok());
            }
        }
    }
}
