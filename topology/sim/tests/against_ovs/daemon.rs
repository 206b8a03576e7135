//! A real ovs-vswitchd of our own, with dummy ports whose packets land in files.

use bytes::BytesMut;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use weir_openflow::message::{AsyncConfig, PacketIn, PacketInFormat, SwitchConfig};
use weir_openflow::{EncodedEdit, FlowEdit, Message, MessageKind, PortNo, Xid, split_frame};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A child that ends with its owner.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real switch.
pub(crate) struct RealSwitch {
    unixctl: UnixStream,
    captures: BTreeMap<String, Capture>,
    connections: BTreeMap<String, OpenFlow>,
    _switch: Daemon,
    _database: Daemon,
    directory: tempfile::TempDir,
}

/// The packets that a dummy port sent, as far as they were read.
struct Capture {
    path: PathBuf,
    read: usize,
}

/// An OpenFlow connection to one bridge.
struct OpenFlow {
    stream: UnixStream,
    buffer: BytesMut,
}

/// A port of the real switch.
pub(crate) struct RealPort {
    pub(crate) bridge: &'static str,
    pub(crate) name: &'static str,
    pub(crate) number: PortNo,
    /// The peer, for a patch port.
    pub(crate) peer: Option<&'static str>,
}

fn spawn(program: &str, arguments: &[String], directory: &Path) -> Daemon {
    let child = Command::new(program)
        .args(arguments)
        .env("OVS_RUNDIR", directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(directory.join(format!("{program}.log"))).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    Daemon(child)
}

fn connect(path: &Path) -> UnixStream {
    let start = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            Err(error) => {
                assert!(start.elapsed() < PATIENCE, "{} is not there: {error}", path.display());
                std::thread::yield_now();
            }
        }
    }
}

impl RealSwitch {
    /// Starts the daemons and makes the ports.
    pub(crate) fn start(ports: &[RealPort]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path();
        let at = |name: &str| dir.join(name).display().to_string();
        let made = Command::new("ovsdb-tool")
            .args(["create", &at("conf.db"), "/usr/share/openvswitch/vswitch.ovsschema"])
            .status()
            .unwrap();
        assert!(made.success());
        let database = spawn(
            "ovsdb-server",
            &[at("conf.db"), format!("--remote=punix:{}", at("db.sock")), format!("--unixctl={}", at("db.ctl"))],
            dir,
        );
        drop(connect(&dir.join("db.sock")));
        let switch = spawn(
            "ovs-vswitchd",
            &[
                format!("unix:{}", at("db.sock")),
                "--enable-dummy".to_owned(),
                "--disable-system".to_owned(),
                format!("--unixctl={}", at("vs.ctl")),
                "-vconsole:warn".to_owned(),
                "-vsyslog:off".to_owned(),
            ],
            dir,
        );
        let unixctl = connect(&dir.join("vs.ctl"));
        let mut captures = BTreeMap::new();
        let mut arguments = vec![format!("--db=unix:{}", at("db.sock"))];
        let mut say = |words: &[String]| {
            arguments.push("--".to_owned());
            arguments.extend_from_slice(words);
        };
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let bridges: std::collections::BTreeSet<&str> = ports.iter().map(|port| port.bridge).collect();
        for bridge in &bridges {
            say(&words(&format!("add-br {bridge}")));
            say(&words(&format!("set bridge {bridge} datapath_type=dummy fail_mode=secure")));
        }
        for RealPort { bridge, name, number, peer } in ports {
            say(&words(&format!("add-port {bridge} {name}")));
            let number = number.0;
            match peer {
                Some(peer) => {
                    say(&words(&format!(
                        "set interface {name} type=patch options:peer={peer} ofport_request={number}"
                    )));
                }
                None => {
                    let path = dir.join(format!("{name}.pcap"));
                    say(&words(&format!(
                        "set interface {name} type=dummy ofport_request={number} options:tx_pcap={}",
                        path.display()
                    )));
                    captures.insert((*name).to_owned(), Capture { path, read: 24 });
                }
            }
        }
        let configured = Command::new("ovs-vsctl").args(&arguments).output().unwrap();
        assert!(configured.status.success(), "{}", String::from_utf8_lossy(&configured.stderr));
        let connections = bridges
            .iter()
            .map(|bridge| {
                let stream = connect(&dir.join(format!("{bridge}.mgmt")));
                ((*bridge).to_owned(), OpenFlow::new(stream))
            })
            .collect();
        Self { unixctl, captures, connections, _switch: switch, _database: database, directory }
    }

    /// Asks the daemon over its control socket.
    pub(crate) fn ask(&mut self, method: &str, params: &[&str]) -> String {
        let request = json!({"id": 0, "method": method, "params": params});
        let sent = self.unixctl.write_all(request.to_string().as_bytes());
        assert!(sent.is_ok(), "the switch is gone before {method} {params:?}:\n{}", self.log());
        let mut answer = Vec::new();
        let mut block = [0; 65_536];
        loop {
            let count = self.unixctl.read(&mut block).unwrap_or(0);
            assert!(count > 0, "the switch is gone after {method} {params:?}:\n{}", self.log());
            answer.extend_from_slice(&block[..count]);
            if let Ok(value) = serde_json::from_slice::<Value>(&answer) {
                assert!(value["error"].is_null(), "{method} {params:?}: {}", value["error"]);
                return value["result"].as_str().unwrap_or_default().to_owned();
            }
        }
    }

    /// What the switch said of itself.
    fn log(&self) -> String {
        let path = self.directory.path().join("ovs-vswitchd.log");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Empties a bridge and applies edits; which of them were refused, and the error.
    pub(crate) fn program(&mut self, bridge: &str, edits: &[FlowEdit]) -> Vec<(usize, (u16, u16))> {
        let done = self.connections.get_mut(bridge).unwrap().program(edits);
        done.unwrap_or_else(|error| panic!("the switch is gone: {error}\n{}", self.log()))
    }

    /// Forgets what the datapath cached, so that the next packet is looked up in the tables.
    pub(crate) fn forget_cached_flows(&mut self) {
        self.ask("revalidator/purge", &[]);
    }

    /// Forgets all connections.
    pub(crate) fn forget_connections(&mut self) {
        self.ask("dpctl/flush-conntrack", &[]);
    }

    /// Lets the switch send packets to us, as to a controller of this bridge.
    pub(crate) fn ask_for_punts(&mut self, bridge: &str) {
        let connection = self.connections.get_mut(bridge).unwrap();
        let config = SwitchConfig { flags: 0, miss_send_len: u16::MAX };
        connection.say(&Message::SetConfig(config));
        connection.say(&Message::SetAsync(AsyncConfig::all()));
        connection.say(&Message::SetPacketInFormat(PacketInFormat::Nicira2));
    }

    /// The packets that the switch has sent to us since the last time, once there are as many as expected.
    pub(crate) fn take_punts(&mut self, bridge: &str, expected: usize) -> Vec<PacketIn> {
        let start = Instant::now();
        let mut punts = Vec::new();
        loop {
            punts.extend(self.connections.get_mut(bridge).unwrap().take_punts());
            if punts.len() >= expected || start.elapsed() > PATIENCE {
                return punts;
            }
        }
    }

    /// Lets a packet come in and gives what left, by port. `sentinel` is a packet that comes in after it and leaves
    /// through `sentinel_port`: when it is there, all that came before it is there too.
    pub(crate) fn receive(
        &mut self,
        port: &str,
        packet: &[u8],
        sentinel: &[u8],
        sentinel_port: &str,
    ) -> Vec<(String, Vec<u8>)> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.ask("netdev-dummy/receive", &[port, &hex(packet)]);
        self.ask("netdev-dummy/receive", &[port, &hex(sentinel)]);
        let start = Instant::now();
        loop {
            let seen = self.captures.get_mut(sentinel_port).unwrap().take();
            if seen.iter().any(|bytes| bytes == sentinel) {
                let mut all: Vec<(String, Vec<u8>)> = seen
                    .into_iter()
                    .filter(|bytes| bytes != sentinel)
                    .map(|bytes| (sentinel_port.to_owned(), bytes))
                    .collect();
                for (name, capture) in &mut self.captures {
                    all.extend(capture.take().into_iter().map(|bytes| (name.clone(), bytes)));
                }
                return all;
            }
            assert!(seen.is_empty(), "the sentinel's port is for the sentinel only");
            assert!(start.elapsed() < PATIENCE, "the sentinel did not come out");
            self.ask("version", &[]);
        }
    }
}

impl Capture {
    /// The packets that were written since the last time.
    fn take(&mut self) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let mut packets = Vec::new();
        while let Some(header) = bytes.get(self.read..self.read + 16) {
            let length = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]) as usize;
            let Some(packet) = bytes.get(self.read + 16..self.read + 16 + length) else {
                break;
            };
            packets.push(packet.to_vec());
            self.read += 16 + length;
        }
        packets
    }
}

impl OpenFlow {
    fn new(stream: UnixStream) -> Self {
        let mut connection = Self { stream, buffer: BytesMut::new() };
        connection.send(MessageKind::HELLO, 0, &[]).unwrap();
        connection
    }

    fn send(&mut self, kind: MessageKind, xid: u32, body: &[u8]) -> std::io::Result<()> {
        let mut message = vec![6, kind.0];
        message.extend_from_slice(&(8 + body.len() as u16).to_be_bytes());
        message.extend_from_slice(&xid.to_be_bytes());
        message.extend_from_slice(body);
        self.stream.write_all(&message)
    }

    fn say(&mut self, message: &Message) {
        let mut bytes = BytesMut::new();
        message.encode(Xid(u32::MAX), &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn take_punts(&mut self) -> Vec<PacketIn> {
        self.say(&Message::BarrierRequest);
        let mut punts = Vec::new();
        loop {
            while let Some(frame) = split_frame(&mut self.buffer).unwrap() {
                match Message::decode(frame.header, frame.body).unwrap() {
                    Message::BarrierReply => return punts,
                    Message::PacketIn2(punt) => punts.push(punt),
                    _ => {}
                }
            }
            let mut block = [0; 65_536];
            let count = self.stream.read(&mut block).unwrap();
            assert!(count > 0, "the switch closed the connection");
            self.buffer.extend_from_slice(&block[..count]);
        }
    }

    fn program(&mut self, edits: &[FlowEdit]) -> std::io::Result<Vec<(usize, (u16, u16))>> {
        // OFPFC_DELETE of every table, then OFPGC_DELETE of every group and OFPMC_DELETE of every meter.
        let mut delete = vec![0; 40];
        delete[16] = 0xff;
        delete[17] = 3;
        delete[24..36].fill(0xff);
        delete.extend_from_slice(&[0, 1, 0, 4, 0, 0, 0, 0]);
        self.send(MessageKind::FLOW_MOD, u32::MAX, &delete)?;
        let groups = [0, 2, 0, 0, 0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        self.send(MessageKind::GROUP_MOD, u32::MAX, &groups)?;
        self.send(MessageKind::METER_MOD, u32::MAX, &[0, 2, 0, 0, 0xff, 0xff, 0xff, 0xff])?;
        for (place, edit) in edits.iter().enumerate() {
            let encoded = EncodedEdit::encode(edit).unwrap();
            let mut message = encoded.message().to_vec();
            message[4..8].copy_from_slice(&(place as u32).to_be_bytes());
            self.stream.write_all(&message)?;
        }
        self.send(MessageKind::BARRIER_REQUEST, u32::MAX, &[])?;
        let mut refused = Vec::new();
        loop {
            while let Some(frame) = split_frame(&mut self.buffer).unwrap() {
                let (kind, xid) = (frame.header.kind, frame.header.xid);
                if kind == MessageKind::BARRIER_REPLY {
                    return Ok(refused);
                }
                if kind == MessageKind::ERROR {
                    let code = |at: usize| u16::from_be_bytes([frame.body[at], frame.body[at + 1]]);
                    assert_ne!(xid, Xid(u32::MAX), "the switch cannot be emptied: {} {}", code(0), code(2));
                    refused.push((xid.0 as usize, (code(0), code(2))));
                }
            }
            let mut block = [0; 65_536];
            let count = self.stream.read(&mut block)?;
            assert!(count > 0, "the switch closed the connection");
            self.buffer.extend_from_slice(&block[..count]);
        }
    }
}
