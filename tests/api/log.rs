//! What `weir serve` logs, and that nobody waits for it.

use crate::client::Client;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A `weir serve` whose log can be read.
struct Serving {
    process: Child,
    log: BufReader<ChildStderr>,
    api: SocketAddr,
    metrics: SocketAddr,
    _directory: TempDir,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn weir(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["serve", "--api", "127.0.0.1:0", "--openflow", "127.0.0.1:0", "--ovsdb", "127.0.0.1:0"]);
    command.args(arguments).env_remove("WEIR_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Serving {
    fn start(levels: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().to_str().unwrap();
        let mut process = weir(&["--metrics", "127.0.0.1:0", "--log", levels, "--data-dir", data]).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut address = |before: &str, after: char| loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the log ended");
            if let Some((_, rest)) = line.split_once(before) {
                break rest.split(after).next().unwrap().trim().parse().unwrap();
            }
        };
        let metrics = address("http://", '/');
        let api = address("api=", ' ');
        Self { process, log, api, metrics, _directory: directory }
    }

    /// A counter as monitoring reads it.
    fn metric(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(self.metrics).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }

    /// The next line with a text.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the log ended");
            if line.contains(text) {
                return line;
            }
        }
    }
}

#[test]
fn an_object_has_a_line_for_each_end_of_its_life_with_the_request() {
    let mut serving = Serving::start("info");
    let client = Client::new(serving.api).project("red");
    let forged = "x\" request=forged";
    let made = client.post("/v2.0/networks", &json!({"network": {"name": forged}}));
    let request = made.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    let id = made.expect(201)["network"]["id"].take();
    let deleted = client.delete(&crate::client::at("networks", &id));
    assert_eq!(deleted.status, 204);
    let id = id.as_str().unwrap();
    let line = serving.line_with("network created");
    let told = format!(r#"network created id={id} project="red" name="x\" request=forged" request={request}"#);
    assert!(line.trim_end().ends_with(&told) && line.contains(" INFO weir::controller::lives: "), "{line}");
    // The next line is the other end: nothing is told of requests themselves.
    let mut next = String::new();
    serving.log.read_line(&mut next).unwrap();
    assert!(next.contains(&format!("network deleted id={id}")), "{next}");
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let mut serving = Serving::start("info");
    let client = Client::new(serving.api);
    let networks = vec![json!({}); 10_000];
    for _ in 0..2 {
        client.post("/v2.0/networks", &json!({ "networks": networks })).expect(201);
    }
    let lost = serving.metric("weir_log_lines_lost_total");
    assert!(lost > 1_000, "{lost} lines were lost");
    client.create("network", Value::Object(serde_json::Map::new()));
    // It can be told to end, too.
    let terminated = Command::new("kill").arg(serving.process.id().to_string()).status().unwrap();
    assert!(terminated.success());
    let began = Instant::now();
    while serving.process.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn levels_that_are_none_are_an_error_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let file = directory.path().join("weir.toml");
    std::fs::write(&file, "log = \"info,wier::api=debug\"\n").unwrap();
    let file = file.to_str().unwrap();
    let level = "weir: log: 'inof' is no level: off, error, warn, info, debug and trace are\n";
    let module = "weir: log: 'wier::api' is no module of Weir: their names begin with weir, as in weir::api=debug\n";
    for (arguments, variable, told) in [
        (["--data-dir", data, "--log", "inof"], "", level),
        (["--data-dir", data, "--advertise", "127.0.0.1"], "inof", level),
        (["--data-dir", data, "--config", file], "", module),
    ] {
        let ended = weir(&arguments).env("WEIR_LOG", variable).output().unwrap();
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(1), told));
    }
}
