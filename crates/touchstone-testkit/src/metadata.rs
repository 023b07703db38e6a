//! Asks a broker which brokers it knows: the one Kafka request that readiness needs, written by hand so that this crate
//! needs no Kafka client. Layout after the Kafka protocol guide, "Metadata API", version 1.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const METADATA: i16 = 3;
const VERSION: i16 = 1;
/// A reply about three brokers and no topics has some hundred bytes; more than this is not Kafka.
const MAX_REPLY_BYTES: usize = 1 << 20;

/// The ids of the brokers that the broker at `address` holds to be alive (registered and unfenced).
///
/// `limit` bounds the connecting and each reading and writing, not their sum.
///
/// # Errors
/// Any failure to connect, send or receive, and [`io::ErrorKind::InvalidData`] for a reply that is not a Kafka reply.
pub fn brokers_seen_by(address: SocketAddr, limit: Duration) -> io::Result<BTreeSet<i32>> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(&request())?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > MAX_REPLY_BYTES {
        return Err(malformed("its length is out of range"));
    }
    let mut reply = vec![0; size];
    stream.read_exact(&mut reply)?;
    broker_ids(&reply)
}

/// A request for no topics (an empty array means none from version 1 on), with a null client id.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(1_i32.to_be_bytes()); // correlation id
    body.extend((-1_i16).to_be_bytes()); // client id
    body.extend(0_i32.to_be_bytes()); // number of topics
    let mut framed = Vec::new();
    framed.extend(i32::try_from(body.len()).expect("a request is a few bytes long").to_be_bytes());
    framed.extend(body);
    framed
}

/// Reads correlation id and broker array: id, host, port and rack of each.
fn broker_ids(mut reply: &[u8]) -> io::Result<BTreeSet<i32>> {
    let _correlation = take_i32(&mut reply)?;
    let n_brokers = take_i32(&mut reply)?;
    let mut ids = BTreeSet::new();
    for _ in 0..n_brokers {
        ids.insert(take_i32(&mut reply)?);
        skip_string(&mut reply)?;
        take_i32(&mut reply)?;
        skip_string(&mut reply)?;
    }
    Ok(ids)
}

fn take<'a>(reply: &mut &'a [u8], n_bytes: usize) -> io::Result<&'a [u8]> {
    reply.split_off(..n_bytes).ok_or_else(|| malformed("it ends too early"))
}

fn take_i32(reply: &mut &[u8]) -> io::Result<i32> {
    let bytes = take(reply, 4)?;
    Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// A string is its length in two bytes, -1 for null, and then the bytes.
fn skip_string(reply: &mut &[u8]) -> io::Result<()> {
    let bytes = take(reply, 2)?;
    let length = i16::from_be_bytes([bytes[0], bytes[1]]);
    take(reply, usize::try_from(length).unwrap_or(0))?;
    Ok(())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a Kafka metadata reply: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(ids: &[i32]) -> Vec<u8> {
        let mut bytes = 1_i32.to_be_bytes().to_vec();
        bytes.extend(i32::try_from(ids.len()).unwrap().to_be_bytes());
        for id in ids {
            bytes.extend(id.to_be_bytes());
            bytes.extend(9_i16.to_be_bytes());
            bytes.extend(b"127.0.0.1");
            bytes.extend(9092_i32.to_be_bytes());
            bytes.extend((-1_i16).to_be_bytes());
        }
        bytes
    }

    #[test]
    fn ids_are_read_past_hosts_and_null_racks() {
        assert_eq!(broker_ids(&reply(&[3, 1])).unwrap(), BTreeSet::from([1, 3]));
        assert_eq!(broker_ids(&reply(&[])).unwrap(), BTreeSet::new());
    }

    #[test]
    fn every_truncation_is_an_error_and_not_a_panic() {
        let whole = reply(&[1, 2, 3]);
        for end in 0..whole.len() {
            assert_eq!(broker_ids(&whole[..end]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
