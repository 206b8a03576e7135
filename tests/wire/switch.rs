//! One bridge of a real Open vSwitch, and a bare OpenFlow connection to it.

use crate::vswitchd::OpenVSwitch;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A switch with one bridge.
pub(crate) struct Switch {
    ovs: OpenVSwitch,
}

const BRIDGE: &str = "br";
/// How long the switch may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

impl Switch {
    pub(crate) fn start() -> Self {
        let ovs = OpenVSwitch::start();
        ovs.bridge(BRIDGE, &[], "OpenFlow15");
        Self { ovs }
    }

    fn socket(&self) -> String {
        self.ovs.path(&format!("{BRIDGE}.mgmt"))
    }

    /// Runs `ovs-ofctl -O OpenFlow15 OPTIONS COMMAND BRIDGE ARGUMENTS`; gives what it prints, or what it complains of.
    pub(crate) fn ofctl(&self, options: &[&str], command: &str, arguments: &[&str]) -> Result<String, String> {
        let target = format!("unix:{}", self.socket());
        let arguments = [&["-O", "OpenFlow15", "--no-names"], options, &[command, &target], arguments].concat();
        let output = self.ovs.try_run("ovs-ofctl", &arguments);
        let text = |bytes| String::from_utf8(bytes).expect("ovs-ofctl prints text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Adds flows, one a line, in one bundle.
    pub(crate) fn add_flows(&self, flows: &str) -> Result<(), String> {
        let file = self.ovs.path("flows.txt");
        std::fs::write(&file, flows).expect("the directory of the switch can be written to");
        self.ofctl(&["--bundle"], "add-flows", &[&file]).map(drop)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.socket().as_ref())
    }
}

/// An OpenFlow 1.5 connection without any logic.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    xid: u32,
}

const HELLO: u8 = 0;
const ERROR: u8 = 1;
const ECHO_REQUEST: u8 = 2;
const MULTIPART_REQUEST: u8 = 18;
const MULTIPART_REPLY: u8 = 19;
const BARRIER_REQUEST: u8 = 20;
const BARRIER_REPLY: u8 = 21;

impl Connection {
    fn open(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the bridge listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let mut connection = Self { stream, xid: 1 };
        connection.send(HELLO, &[]);
        assert_eq!(connection.receive().0, HELLO);
        connection
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> u32 {
        self.xid += 1;
        let mut message = vec![6, kind, 0, 0];
        message.extend_from_slice(&self.xid.to_be_bytes());
        message.extend_from_slice(body);
        let length = u16::try_from(message.len()).expect("a short message");
        message[2..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&message).expect("the switch reads");
        self.xid
    }

    fn receive(&mut self) -> (u8, u32, Vec<u8>) {
        loop {
            let mut header = [0; 8];
            self.stream.read_exact(&mut header).expect("the switch answers");
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let mut body = vec![0; length - 8];
            self.stream.read_exact(&mut body).expect("the switch answers whole messages");
            let xid = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
            if header[1] != ECHO_REQUEST {
                return (header[1], xid, body);
            }
        }
    }

    /// Sends a message as it is; gives the errors that the switch sends before it answers a barrier, each as its type
    /// and code.
    pub(crate) fn apply(&mut self, message: &[u8]) -> Result<(), (u16, u16)> {
        self.stream.write_all(message).expect("the switch reads");
        let barrier = self.send(BARRIER_REQUEST, &[]);
        let mut result = Ok(());
        loop {
            let (kind, xid, body) = self.receive();
            match kind {
                ERROR => {
                    result = Err((u16::from_be_bytes([body[0], body[1]]), u16::from_be_bytes([body[2], body[3]])));
                }
                BARRIER_REPLY if xid == barrier => return result,
                other => panic!("message {other} was not asked for"),
            }
        }
    }

    /// The bodies of the parts of a multipart reply, joined.
    pub(crate) fn multipart(&mut self, kind: u16, request: &[u8]) -> Vec<u8> {
        let mut body = kind.to_be_bytes().to_vec();
        body.extend_from_slice(&[0; 6]);
        body.extend_from_slice(request);
        self.send(MULTIPART_REQUEST, &body);
        let mut joined = Vec::new();
        loop {
            let (kind, _, body) = self.receive();
            assert_eq!(kind, MULTIPART_REPLY, "{body:x?}");
            joined.extend_from_slice(&body[8..]);
            if body[3] & 1 == 0 {
                return joined;
            }
        }
    }

    /// The entries of all flows, one after another.
    pub(crate) fn flows(&mut self) -> Vec<u8> {
        let mut request = vec![255, 0, 0, 0];
        request.extend_from_slice(&[0xff; 8]);
        request.extend_from_slice(&[0; 4]);
        request.extend_from_slice(&[0; 16]);
        request.extend_from_slice(&[0, 1, 0, 4, 0, 0, 0, 0]);
        self.multipart(1, &request)
    }
}
