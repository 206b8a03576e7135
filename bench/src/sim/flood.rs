//! Clients that ask as much as they can: others have to be served meanwhile, and what it costs has to have a bound.

use super::measurement::Measurements;
use super::world::World;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;

use crate::Failure;

/// How many connections of each kind there are, and from which address.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    address: Ipv4Addr,
    /// They create and delete networks.
    writers: usize,
    /// They list the ports of a network.
    readers: usize,
    /// They send half a head, and no more.
    half_open: usize,
    /// They send a body byte by byte.
    slow: usize,
}

/// From an address of their own, more than may have requests under way.
const STRANGERS: Crowd =
    Crowd { address: Ipv4Addr::new(127, 0, 0, 2), writers: 400, readers: 200, half_open: 100, slow: 100 };

/// From the address of the others, as behind a proxy.
const NEIGHBOURS: Crowd =
    Crowd { address: Ipv4Addr::new(127, 0, 0, 1), writers: 300, readers: 100, half_open: 50, slow: 50 };

/// How long a slow client waits from byte to byte.
const SLOWNESS: Duration = Duration::from_millis(100);

/// How long a client whose connection has ended waits until it comes again.
const AGAIN: Duration = Duration::from_millis(10);

/// The status of who is turned away.
const BUSY: u16 = 503;

/// What the crowd was answered.
#[derive(Debug, Default)]
struct Answers {
    done: AtomicU64,
    told_when: AtomicU64,
    turned_away: AtomicU64,
    refused: AtomicU64,
    ended: AtomicU64,
}

impl Answers {
    fn count(&self, status: u16, retry_after: bool) {
        let counter = match status {
            200..300 => &self.done,
            BUSY if retry_after => &self.told_when,
            BUSY => &self.turned_away,
            _ => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts with what they are.
    fn told(&self) -> [(&'static str, u64); 5] {
        [
            ("answers to the flood: done", &self.done),
            ("answers to the flood: 503 with Retry-After", &self.told_when),
            ("answers to the flood: 503 without", &self.turned_away),
            ("answers to the flood: another error", &self.refused),
            ("connections of the flood that ended", &self.ended),
        ]
        .map(|(what, counter)| (what, counter.load(Ordering::Relaxed)))
    }
}

/// A flood that goes on until it is dropped.
#[derive(Debug)]
struct Flood {
    runtime: Option<Runtime>,
    answers: Arc<Answers>,
}

impl Drop for Flood {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Flood {
    /// Lets the crowd loose on the API at this address.
    fn begin(crowd: Crowd, api: SocketAddr, network: &str) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let answers = Arc::new(Answers::default());
        let list = format!("GET /v2.0/ports?network_id={network} HTTP/1.1\r\nHost: x\r\n\r\n");
        let kinds = [
            (crowd.writers, Kind::Writer),
            (crowd.readers, Kind::Reader(list.into())),
            (crowd.half_open, Kind::HalfOpen),
            (crowd.slow, Kind::Slow),
        ];
        for (count, kind) in kinds {
            for _ in 0..count {
                let (kind, answers) = (kind.clone(), Arc::clone(&answers));
                let from = SocketAddr::from((crowd.address, 0));
                runtime.spawn(async move {
                    loop {
                        // However it ended: a client that floods comes again.
                        let _ = come(&kind, from, api, &answers).await;
                        answers.ended.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(AGAIN).await;
                    }
                });
            }
        }
        Ok(Self { runtime: Some(runtime), answers })
    }
}

/// What a client of the crowd does.
#[derive(Clone, Debug)]
enum Kind {
    Writer,
    Reader(Arc<str>),
    HalfOpen,
    Slow,
}

/// One connection from its beginning to its end.
async fn come(kind: &Kind, from: SocketAddr, api: SocketAddr, answers: &Answers) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(from)?;
    let mut connection = BufReader::new(socket.connect(api).await?);
    match kind {
        Kind::Writer => loop {
            let create = request("POST", "/v2.0/networks", r#"{"network": {"name": "flood"}}"#);
            let (_, made) = ask(&mut connection, &create, answers).await?;
            let Some(id) = id_in(&made) else { continue };
            // What is left behind would count as memory that the flood takes.
            let delete = request("DELETE", &format!("/v2.0/networks/{id}"), "");
            while ask(&mut connection, &delete, answers).await?.0 == BUSY {}
        },
        Kind::Reader(list) => loop {
            ask(&mut connection, list, answers).await?;
        },
        Kind::HalfOpen => {
            connection.write_all(b"GET /v2.0/networks HTTP/1.1\r\nHost: x\r\n").await?;
            let mut byte = [0];
            connection.read_exact(&mut byte).await.map(|_| ())
        }
        Kind::Slow => {
            connection.write_all(b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n").await?;
            loop {
                connection.write_all(b" ").await?;
                tokio::time::sleep(SLOWNESS).await;
            }
        }
    }
}

fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nX-Project-Id: flood\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Sends a request; the answer's status and body.
async fn ask(connection: &mut BufReader<TcpStream>, request: &str, answers: &Answers) -> io::Result<(u16, Vec<u8>)> {
    connection.write_all(request.as_bytes()).await?;
    let (mut status, mut length, mut retry_after) = (0, 0, false);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        } else if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        } else if let Some(bytes) = line.strip_prefix("content-length: ") {
            length = bytes.parse().unwrap_or(0);
        } else if line.starts_with("retry-after: ") {
            retry_after = true;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    answers.count(status, retry_after);
    Ok((status, body))
}

/// The id of the object in an answer.
fn id_in(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(answer["network"]["id"].as_str()?.to_owned())
}

impl World {
    /// Single ports are created and plugged in, at first while nobody else asks for anything, then during floods.
    pub(crate) fn flood(&mut self, runs: usize, measurements: &mut Measurements) -> Result<(), Failure> {
        let Some(network) = self.made.networks.first().cloned() else { return Ok(()) };
        self.one_port("no flood: ", runs, measurements)?;
        for (name, crowd) in [("flood from elsewhere", STRANGERS), ("flood from the same address", NEIGHBOURS)] {
            let monitor = self.monitor();
            let flood = Flood::begin(crowd, self.controller.api, &network)?;
            self.one_port(&format!("{name}: "), runs, measurements)?;
            let answers = Arc::clone(&flood.answers);
            drop(flood);
            measurements.tell(self, name, &monitor.end()?);
            measurements.tell_counts(self, name, &answers.told());
        }
        Ok(())
    }
}
