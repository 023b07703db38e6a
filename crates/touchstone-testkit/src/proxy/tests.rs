//! The proxy before a broker that only echoes: it answers each request with what the request had behind its head.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

use super::*;
use crate::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(30);

/// Listens until the process ends, and remembers the kinds of requests that it saw.
struct Echo {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<i16>>>,
}

impl Echo {
    fn start() -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<i16>>>::default();
        let all_seen = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in socket.incoming() {
                let seen = Arc::clone(&all_seen);
                // A client that goes ends the thread with an error.
                thread::spawn(move || echo(stream?, &seen));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<i16> {
        lock(&self.seen).clone()
    }
}

/// What a producer sends that wants no acknowledgement.
const NO_ANSWER: &[u8] = b"no answer, please";

/// Closes the connection in place of answering a request to leave a group.
fn echo(mut stream: TcpStream, seen: &Mutex<Vec<i16>>) -> std::io::Result<()> {
    loop {
        let request = read_message(&mut stream)?;
        let api_key = i16::from_be_bytes([request[0], request[1]]);
        lock(seen).push(api_key);
        if api_key == ApiKey::LeaveGroup.number() {
            return Ok(());
        }
        if &request[8..] == NO_ANSWER {
            continue;
        }
        let length = i32::try_from(request.len() - 4).unwrap();
        stream.write_all(&[&length.to_be_bytes(), &request[4..]].concat())?;
    }
}

fn read_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn request(api: ApiKey, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(8 + body.len()).unwrap();
    let number = api.number().to_be_bytes();
    [&length.to_be_bytes()[..], &number, &[0, 0], &correlation_id.to_be_bytes(), body].concat()
}

struct Client(TcpStream);

impl Client {
    fn connect(proxy: &Proxy) -> Self {
        Self::try_connect(proxy).unwrap()
    }

    fn try_connect(proxy: &Proxy) -> std::io::Result<Self> {
        let stream = TcpStream::connect(proxy.addresses[0])?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self(stream))
    }

    fn send(&mut self, api: ApiKey, correlation_id: i32, body: &[u8]) {
        self.0.write_all(&request(api, correlation_id, body)).unwrap();
    }

    /// The correlation id and the body of the next answer.
    fn receive(&mut self) -> (i32, Vec<u8>) {
        let mut message = read_message(&mut self.0).unwrap();
        let body = message.split_off(4);
        (i32::from_be_bytes(message.try_into().unwrap()), body)
    }

    fn ask(&mut self, api: ApiKey, correlation_id: i32) {
        self.send(api, correlation_id, b"Lumora");
        assert_eq!(self.receive(), (correlation_id, b"Lumora".to_vec()));
    }

    /// That the connection has ended, cleanly or not, with no byte before its end.
    fn assert_closed(&mut self) {
        match self.0.read(&mut [0; 1]) {
            Ok(n_bytes) => assert_eq!(n_bytes, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }
}

fn start() -> (Echo, Proxy) {
    let echo = Echo::start();
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let proxy = Proxy::start([Route { listen, node: echo.address }]).unwrap();
    (echo, proxy)
}

#[test]
fn messages_of_all_sizes_pass_unchanged() {
    let (_echo, proxy) = start();
    let mut client = Client::connect(&proxy);
    let body: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    for (id, n_bytes) in [(1, 0), (2, 1), (3, 65_536), (4, 3_000_000)] {
        client.send(ApiKey::Produce, id, &body[..n_bytes]);
        assert!(client.receive() == (id, body[..n_bytes].to_vec()), "{n_bytes} bytes came out changed");
    }
    for id in 5..105 {
        client.send(ApiKey::Fetch, id, b"pipelined");
    }
    for id in 5..105 {
        assert_eq!(client.receive(), (id, b"pipelined".to_vec()));
    }
    assert_eq!((proxy.n_requests(ApiKey::Produce), proxy.n_requests(ApiKey::Fetch)), (4, 100));
}

#[test]
fn what_is_not_kafka_is_closed_and_so_is_the_client_of_a_node_that_is_down() {
    let (echo, proxy) = start();
    let mut client = Client::connect(&proxy);
    client.0.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    client.assert_closed();
    assert_eq!(echo.seen(), []);

    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let proxy = Proxy::start([Route { listen, node: nobody }]).unwrap();
    Client::connect(&proxy).assert_closed();
}

#[test]
fn a_dropped_request_never_arrives_and_those_before_it_do() {
    let (echo, proxy) = start();
    let rule = proxy.set(Rule::drop_request(ApiKey::EndTxn).times(1)).unwrap();
    let mut client = Client::connect(&proxy);
    let both = [request(ApiKey::Produce, 1, b""), request(ApiKey::EndTxn, 2, b"")].concat();
    client.0.write_all(&both).unwrap();
    // The first may still be answered. A connection that stays open makes this time out.
    let end = client.0.read_to_end(&mut Vec::new());
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    wait_until("the request before it to arrive", LIMIT, || Ok(!echo.seen().is_empty())).unwrap();
    Client::connect(&proxy).ask(ApiKey::EndTxn, 3);
    assert_eq!(echo.seen(), [ApiKey::Produce.number(), ApiKey::EndTxn.number()]);
    assert_eq!(rule.n_fired(), 1);
}

#[test]
fn a_dropped_answer_is_to_a_request_that_arrived() {
    let (echo, proxy) = start();
    let rule = proxy.set(Rule::drop_answer(ApiKey::EndTxn).times(1).on_node(1)).unwrap();
    assert!(proxy.set(Rule::drop_answer(ApiKey::EndTxn).on_node(2)).is_err(), "there is no node 2");
    let mut client = Client::connect(&proxy);
    client.ask(ApiKey::Produce, 1);
    client.send(ApiKey::EndTxn, 2, b"");
    client.assert_closed();
    rule.wait_fired(1, LIMIT).unwrap();
    assert_eq!(echo.seen(), [ApiKey::Produce.number(), ApiKey::EndTxn.number()]);
    let error = rule.wait_fired(2, Duration::ZERO).unwrap_err();
    assert!(format!("{error:#}").contains("EndTxn"), "{error:#}");
    Client::connect(&proxy).ask(ApiKey::EndTxn, 3);
}

#[test]
fn a_request_that_is_never_answered_is_not_taken_for_another() {
    let (_echo, proxy) = start();
    let of_produce = proxy.set(Rule::drop_answer(ApiKey::Produce)).unwrap();
    let of_end = proxy.set(Rule::drop_answer(ApiKey::EndTxn)).unwrap();
    let mut client = Client::connect(&proxy);
    client.send(ApiKey::Produce, 1, NO_ANSWER);
    client.send(ApiKey::Produce, 2, NO_ANSWER);
    client.ask(ApiKey::Metadata, 3);
    client.send(ApiKey::EndTxn, 4, b"");
    client.assert_closed();
    assert_eq!((of_produce.n_fired(), of_end.n_fired()), (0, 1));
}

#[test]
fn a_delay_holds_both_ways_for_at_least_its_time() {
    let (_echo, proxy) = start();
    let delay = Duration::from_millis(150);
    let rule = proxy.set(Rule::delay(Way::Both, delay)).unwrap();
    let mut client = Client::connect(&proxy);
    let started = Instant::now();
    client.send(ApiKey::Fetch, 1, b"");
    client.send(ApiKey::Fetch, 2, b"");
    assert_eq!(client.receive().0, 1);
    assert!(started.elapsed() >= 2 * delay, "{:?}", started.elapsed());
    assert_eq!(client.receive().0, 2);
    assert_eq!(rule.n_fired(), 4);
    rule.lift();
    client.ask(ApiKey::Fetch, 3);
}

#[test]
fn what_a_client_sent_before_it_went_arrives_after_its_delay() {
    let (echo, proxy) = start();
    let _rule = proxy.set(Rule::delay(Way::Requests, Duration::from_millis(100))).unwrap();
    let mut client = Client::connect(&proxy);
    client.send(ApiKey::Produce, 1, b"last words");
    drop(client);
    wait_until("the request to arrive", LIMIT, || Ok(echo.seen().len() == 1)).unwrap();
}

#[test]
fn a_black_hole_swallows_until_it_is_lifted_and_then_the_connection_ends() {
    let (echo, proxy) = start();
    let mut untouched = Client::connect(&proxy);
    untouched.ask(ApiKey::Produce, 1);
    let mut client = Client::connect(&proxy);
    client.ask(ApiKey::Produce, 1);
    let hole = proxy.set(Rule::black_hole(Way::Requests)).unwrap();
    client.send(ApiKey::Heartbeat, 2, b"");
    let mut newcomer = Client::connect(&proxy);
    newcomer.send(ApiKey::Metadata, 1, b"");
    hole.wait_fired(2, LIMIT).unwrap();
    assert_eq!(proxy.n_connections(), 3);
    hole.lift();
    client.assert_closed();
    newcomer.assert_closed();
    untouched.ask(ApiKey::Produce, 2);
    assert_eq!(echo.seen(), [ApiKey::Produce.number(); 3]);
}

#[test]
fn the_end_of_a_connection_is_swallowed_as_well() {
    let (_echo, proxy) = start();
    let mut client = Client::connect(&proxy);
    client.ask(ApiKey::Produce, 1);
    let hole = proxy.set(Rule::black_hole(Way::Answers)).unwrap();
    client.send(ApiKey::LeaveGroup, 2, b"");
    // Long enough for the end of the connection to come if it came.
    client.0.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let error = client.0.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    client.0.set_read_timeout(Some(LIMIT)).unwrap();
    drop(hole);
    client.assert_closed();
}

#[test]
fn a_connection_that_lost_one_message_loses_the_rest() {
    let (echo, proxy) = start();
    let hole = proxy.set(Rule::black_hole(Way::Requests).of(ApiKey::Heartbeat)).unwrap();
    let mut client = Client::connect(&proxy);
    client.ask(ApiKey::Produce, 1);
    client.send(ApiKey::Heartbeat, 2, b"");
    client.send(ApiKey::Produce, 3, b"");
    wait_until("all requests to come", LIMIT, || Ok(proxy.n_requests(ApiKey::Produce) == 2)).unwrap();
    hole.lift();
    client.assert_closed();
    assert_eq!(echo.seen(), [ApiKey::Produce.number()]);
}

#[test]
fn a_cut_closes_and_refuses_until_the_last_one_is_lifted() {
    let (_echo, proxy) = start();
    let mut client = Client::connect(&proxy);
    client.ask(ApiKey::Produce, 1);
    let (all, one) = (proxy.cut(), proxy.cut_node(1).unwrap());
    client.assert_closed();
    let refused = |proxy: &Proxy| {
        Client::try_connect(proxy).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    assert!(refused(&proxy));
    drop(all);
    assert!(refused(&proxy));
    one.lift().unwrap();
    Client::connect(&proxy).ask(ApiKey::Produce, 2);
    assert!(proxy.cut_node(2).is_err());
}

#[test]
fn a_thousand_connections_leave_nothing_behind() {
    let (_echo, proxy) = start();
    for round in 0..50 {
        let mut clients: Vec<_> = (0..20).map(|_| Client::connect(&proxy)).collect();
        for client in &mut clients[..10] {
            client.ask(ApiKey::Metadata, round);
        }
        // Gone with a request under way.
        for client in &mut clients[10..] {
            client.send(ApiKey::Fetch, round, b"");
        }
    }
    let n_requests = || (proxy.n_requests(ApiKey::Metadata), proxy.n_requests(ApiKey::Fetch));
    wait_until("all requests to come and all connections to end", LIMIT, || {
        Ok(n_requests() == (500, 500) && proxy.n_connections() == 0)
    })
    .unwrap();
}

#[test]
fn dropping_the_proxy_frees_its_ports_and_closes_connections() {
    let (_echo, proxy) = start();
    let mut client = Client::connect(&proxy);
    client.ask(ApiKey::Produce, 1);
    let address = proxy.addresses[0];
    drop(proxy);
    client.assert_closed();
    TcpListener::bind(address).unwrap();
}
