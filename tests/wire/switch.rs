//! A real Open vSwitch with a dummy datapath, and a bare OpenFlow connection to it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `ovsdb-server` and `ovs-vswitchd` with one bridge, all in a directory of their own; both end with this value.
#[derive(Debug)]
pub(crate) struct Switch {
    directory: TempDir,
    daemons: Vec<Child>,
}

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
const BRIDGE: &str = "br";
/// How long the daemons may take to start, and the switch to answer.
const PATIENCE: Duration = Duration::from_secs(20);

impl Switch {
    pub(crate) fn start() -> Self {
        let directory = TempDir::with_prefix("ovs").expect("a directory for the switch");
        let mut switch = Self { directory, daemons: Vec::new() };
        let path = switch.directory.path().to_owned();
        let at = |name: &str| path.join(name).to_str().expect("a plain path").to_owned();
        run("ovsdb-tool", &["create", &at("conf.db"), SCHEMA]);
        let remote = format!("--remote=punix:{}", at("db.sock"));
        switch.spawn("ovsdb-server", &[&at("conf.db"), &remote, &control(&at("ovsdb.ctl"))]);
        switch.wait_for("db.sock");
        let database = format!("unix:{}", at("db.sock"));
        let to_database = format!("--db={database}");
        run("ovs-vsctl", &[&to_database, "--no-wait", "init"]);
        let dummy = "--enable-dummy=override";
        switch.spawn("ovs-vswitchd", &[&database, dummy, "--disable-system", &control(&at("vswitchd.ctl"))]);
        let bridge = ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=dummy", "fail-mode=secure"];
        run("ovs-vsctl", &[&[to_database.as_str()], &bridge[..]].concat());
        switch.wait_for(&format!("{BRIDGE}.mgmt"));
        switch
    }

    fn spawn(&mut self, program: &str, arguments: &[&str]) {
        let directory = self.directory.path();
        let child = Command::new(program)
            .args(arguments)
            .envs(["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR"].map(|variable| (variable, directory)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.daemons.push(child.unwrap_or_else(|error| panic!("{program} does not start: {error}")));
    }

    /// Waits until the daemons have made a socket.
    fn wait_for(&self, socket: &str) {
        let path = self.directory.path().join(socket);
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(&path).is_err() {
            assert!(Instant::now() < deadline, "{socket} does not answer");
            std::thread::yield_now();
        }
    }

    /// Runs `ovs-ofctl -O OpenFlow15 COMMAND BRIDGE ARGUMENTS`, with `input` for its standard input; gives what it
    /// prints, or what it complains of.
    pub(crate) fn ofctl(
        &self,
        options: &[&str],
        command: &str,
        arguments: &[&str],
        input: &str,
    ) -> Result<String, String> {
        let target = format!("unix:{}", self.socket().display());
        let mut child = Command::new("ovs-ofctl")
            .args(["-O", "OpenFlow15", "--no-names"])
            .args(options)
            .args([command, &target])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ovs-ofctl is installed");
        child.stdin.take().expect("its input is a pipe").write_all(input.as_bytes()).expect("ovs-ofctl reads");
        let output = child.wait_with_output().expect("ovs-ofctl ends");
        let text = |bytes| String::from_utf8(bytes).expect("ovs-ofctl prints text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.path().join(format!("{BRIDGE}.mgmt"))
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.socket())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            daemon.kill().and_then(|()| daemon.wait()).expect("our own child can be ended");
        }
    }
}

fn control(socket: &str) -> String {
    format!("--unixctl={socket}")
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
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
