//! Malformed, oversized and slow requests: a clear answer or a closed connection, and the API goes on.

use crate::client::Client;
use crate::controller::{Controller, Settings};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use weir::api::Busy;

fn alive(client: &Client) {
    client.create("network", json!({}));
}

#[test]
fn bodies_that_are_no_json_are_refused() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let deep = "[".repeat(100_000);
    let deep_object = r#"{"network":"#.repeat(200);
    for body in [
        &b"{"[..],
        b"",
        b"null",
        b"[]",
        b"\"x\"",
        b"{\"network\": {}} trailing",
        b"{\"network\": {\"name\": \"\xff\"}}",
        b"{\"network\": {\"name\": 1e999}}",
        b"\x00\x01\x02",
        b"<network/>",
        deep.as_bytes(),
        deep_object.as_bytes(),
    ] {
        let answer = client.raw("POST", "/v2.0/networks", Some(body));
        assert_eq!(answer.status, 400, "{body:?}");
        assert_eq!(answer.body["NeutronError"]["type"], "HTTPBadRequest");
    }
    client.raw("POST", "/v2.0/networks", Some(b"{")).fault(400, "HTTPBadRequest", "Body contains invalid data");
    assert_eq!(client.column("networks", "", "id"), [Value::Null; 0]);
    alive(&client);
}

#[test]
fn other_content_types_are_refused() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let post = |kind: &str| client.with("Content-Type", kind).raw("POST", "/v2.0/networks", Some(b"{\"network\": {}}"));
    for kind in
        ["application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain"]
    {
        assert_eq!(post(kind).status, 201, "{kind}");
    }
    for kind in ["application/xml", "multipart/form-data; boundary=x", "application/octet-stream"] {
        let answer = post(kind);
        assert_eq!(answer.status, 415, "{kind}");
        assert_eq!(answer.body["NeutronError"]["type"], "HTTPUnsupportedMediaType");
    }
}

#[test]
fn a_delete_has_no_body() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}));
    let path = crate::client::at("networks", &network["id"]);
    client.raw("DELETE", &path, Some(b"{}")).fault(400, "HTTPBadRequest", "Request body is not supported in DELETE.");
    client.get(&path).expect(200);
}

#[test]
fn large_bodies_are_refused() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let padded = |bytes: usize, body: &str| format!("{body}{}", " ".repeat(bytes));
    let one = padded(2 << 20, r#"{"network": {}}"#);
    client.raw("POST", "/v2.0/networks", Some(one.as_bytes())).fault(
        413,
        "HTTPRequestEntityTooLarge",
        "The body is larger than 1048576 bytes.",
    );
    let several = padded(2 << 20, r#"{"networks": [{}]}"#);
    client.raw("POST", "/v2.0/networks", Some(several.as_bytes())).expect(201);
    // 100 MB, announced: refused before it is sent.
    let head = "POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n";
    let answer = exchange(&controller, head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // The same in chunks, of which nobody can tell before they come.
    let mut stream = connect(&controller);
    stream.write_all(b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let mut chunk = b"100000\r\n".to_vec();
    chunk.resize(chunk.len() + (1 << 20), b' ');
    chunk.extend_from_slice(b"\r\n");
    let mut sent = 0;
    while sent < 100 && stream.write_all(&chunk).is_ok() {
        sent += 1;
    }
    assert!(sent < 100, "100 MB were taken");
    alive(&client);
}

#[test]
fn an_update_is_bounded_like_a_single_object() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}));
    let body = format!(r#"{{"network": {{}}}}{}"#, " ".repeat(2 << 20));
    let answer = client.raw("PUT", &crate::client::at("networks", &network["id"]), Some(body.as_bytes()));
    assert_eq!(answer.status, 413);
}

fn connect(controller: &Controller) -> TcpStream {
    let stream = TcpStream::connect(controller.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends bytes and reads what comes back until the end or a first answer.
fn exchange(controller: &Controller, bytes: &[u8]) -> String {
    let mut stream = connect(controller);
    stream.write_all(bytes).unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Whether the other side closes the connection; an answer may come first.
fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn what_is_no_http_is_disconnected() {
    let (_dir, controller) = Controller::start();
    for bytes in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let mut stream = connect(&controller);
        stream.write_all(bytes).unwrap();
        assert!(closed(&mut stream), "{bytes:?}");
    }
    let mut stream = connect(&controller);
    let mut head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ".to_vec();
    head.resize(1 << 20, b'x');
    let _ = stream.write_all(&head);
    assert!(closed(&mut stream));
    alive(&controller.client());
}

#[test]
fn odd_urls_are_answered() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    for (path, status) in [
        ("/v2.0/networks?name=%ff", 400),
        ("/v2.0/networks/%ff", 400),
        ("/v2.0/networks?%", 400),
        ("/v2.0/networks?&&&", 200),
        ("/v2.0//networks", 200),
        ("/v2.0/networks?limit=99999999999999999999", 400),
        ("/v2.0/networks?limit=18446744073709551615", 200),
        ("/a/b/c/d/e/f/g/h/i/j/k", 404),
        ("/v2.0/networks/..%2f..", 404),
    ] {
        assert_eq!(client.get(path).status, status, "{path}");
    }
    let long = format!("/v2.0/networks?{}", "name=x&".repeat(5000));
    assert_eq!(client.get(&long).status, 400);
}

#[test]
fn half_open_connections_end() {
    let mut settings = Settings::default();
    settings.server.head = Duration::from_millis(200);
    settings.api.body_timeout = Duration::from_millis(200);
    let (_dir, controller) = Controller::start_with(settings);
    let began = Instant::now();
    // Says nothing; half a head; a head whose body does not come.
    let mut silent = connect(&controller);
    let mut half = connect(&controller);
    half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
    let mut bodiless = connect(&controller);
    bodiless.write_all(b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").unwrap();
    let mut answer = vec![0; 4096];
    let length = bodiless.read(&mut answer).unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer[..length]));
    for stream in [&mut silent, &mut half, &mut bodiless] {
        assert!(closed(stream));
    }
    assert!(began.elapsed() < Duration::from_secs(15));
    // A client that goes away in the middle of its body.
    let mut gone = connect(&controller);
    gone.write_all(b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").unwrap();
    gone.shutdown(Shutdown::Both).unwrap();
    alive(&controller.client());
}

#[test]
fn a_client_that_takes_nothing_is_disconnected() {
    let mut settings = Settings::default();
    settings.server.stalled = Duration::from_millis(200);
    let (_dir, controller) = Controller::start_with(settings);
    let client = controller.client();
    let description = "x".repeat(255);
    let networks: Vec<Value> = (0..5000).map(|_| json!({ "description": description })).collect();
    client.post("/v2.0/networks", &json!({ "networks": networks })).expect(201);
    let mut stream = connect(&controller);
    let list = b"GET /v2.0/networks HTTP/1.1\r\nHost: x\r\n\r\n".repeat(16);
    stream.write_all(&list).unwrap();
    // Some 80 MB are to be sent, more than any socket buffer takes; the connection must end without being read.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut ended = false;
    while !ended && Instant::now() < deadline {
        ended = stream.write_all(b"GET / HTTP/1.1\r\n").is_err();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(ended);
    alive(&client);
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection from an address of this machine.
fn connect_from(controller: &Controller, address: [u8; 4]) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&controller.address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends a request and reads the first bytes of its answer.
fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Asks for something that the controller does not answer, and waits until it is worked on.
fn wait_for_ever(controller: &Controller) -> TcpStream {
    let mut stream = connect(controller);
    let body = r#"{"network": {}}"#;
    write!(stream, "POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    until(|| controller.admission.requests() == 1);
    stream
}

#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn connections_without_work_make_room_for_others() {
    let mut settings = Settings::default();
    settings.server.connections = 3;
    let (_dir, controller) = Controller::start_with(settings);
    let mut only_one_of_its_client = connect_from(&controller, [127, 0, 0, 2]);
    assert!(ask(&mut only_one_of_its_client, GET).starts_with("HTTP/1.1 200"));
    // One says nothing; one has been answered.
    let mut silent = connect(&controller);
    let mut answered = connect(&controller);
    assert!(ask(&mut answered, GET).starts_with("HTTP/1.1 200"));
    assert_eq!((controller.admission.connections(), controller.admission.hung_up()), (3, 0));
    let mut another = connect(&controller);
    assert!(ask(&mut another, GET).starts_with("HTTP/1.1 200"));
    assert!(closed(&mut silent));
    assert!(ask(&mut answered, GET).starts_with("HTTP/1.1 200"));
    let mut slow = connect(&controller);
    assert!(ask(&mut slow, GET).starts_with("HTTP/1.1 200"));
    assert!(closed(&mut another));
    assert!(ask(&mut only_one_of_its_client, GET).starts_with("HTTP/1.1 200"));
    assert_eq!((controller.admission.connections(), controller.admission.hung_up()), (3, 2));
}

#[test]
fn a_connection_with_work_keeps_its_place() {
    let mut settings = Settings { idle: true, ..Settings::default() };
    settings.server.connections = 1;
    let (_dir, controller) = Controller::start_with(settings);
    let at_work = wait_for_ever(&controller);
    let mut next = connect(&controller);
    next.write_all(GET).unwrap();
    next.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let waits = next.read(&mut [0; 10]).unwrap_err().kind();
    assert!(matches!(waits, ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert_eq!(controller.admission.hung_up(), 0);
    drop(at_work);
    next.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(next.read(&mut [0; 10]).unwrap() > 0);
}

#[test]
fn a_client_leaves_room_for_others() {
    let mut settings = Settings { idle: true, ..Settings::default() };
    settings.admission.requests_of_client = 1;
    let (_dir, controller) = Controller::start_with(settings);
    let at_work = wait_for_ever(&controller);
    let client = controller.client();
    let answer = client.get("/");
    assert_eq!(answer.headers["retry-after"], "1");
    answer.fault(503, "HTTPServiceUnavailable", "Too many requests of one client at a time; try again.");
    assert_eq!(controller.admission.turned_away(Busy::ClientRequests), 1);
    assert!(ask(&mut connect_from(&controller, [127, 0, 0, 2]), GET).starts_with("HTTP/1.1 200"));
    drop(at_work);
    until(|| controller.admission.requests() == 0);
    client.get("/").expect(200);
}

#[test]
fn large_answers_that_nobody_takes_are_bounded() {
    let mut settings = Settings::default();
    settings.admission.answers_of_client = 1 << 20;
    let (_dir, controller) = Controller::start_with(settings);
    let client = controller.client();
    let description = "x".repeat(255);
    let networks: Vec<Value> = (0..5000).map(|_| json!({ "description": description })).collect();
    client.post("/v2.0/networks", &json!({ "networks": networks })).expect(201);
    let list = b"GET /v2.0/networks HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut stalled = connect(&controller);
    stalled.write_all(&list.repeat(16)).unwrap();
    until(|| client.get("/v2.0/networks").status == 503);
    let refused = client.get("/v2.0/networks");
    assert_eq!(refused.headers["retry-after"], "1");
    refused.fault(503, "HTTPServiceUnavailable", "Too many large answers at a time; try again.");
    assert!(controller.admission.turned_away(Busy::Answers) >= 2);
    // What is small, and others, are served.
    client.get("/v2.0/networks?limit=1").expect(200);
    assert!(ask(&mut connect_from(&controller, [127, 0, 0, 2]), list).starts_with("HTTP/1.1 200"));
    drop(stalled);
    until(|| client.get("/v2.0/networks").status == 200);
    until(|| controller.admission.untaken_bytes() == 0);
}

#[test]
fn a_busy_controller_says_when_to_come_back() {
    let settings = Settings { idle: true, ..Settings::default() };
    let (_dir, controller) = Controller::start_with(settings);
    let client = controller.client();
    let (reply, _answer) = tokio::sync::oneshot::channel();
    let command = weir_model::Command::SetPortStatus(Vec::new());
    controller.commands.try_send(weir::api::ApiRequest { id: weir::api::RequestId::random(), command, reply }).unwrap();
    let answer = client.post("/v2.0/networks", &json!({"network": {}}));
    assert_eq!(answer.headers["retry-after"], "1");
    answer.fault(503, "HTTPServiceUnavailable", "The controller is busy; try again.");
    client.get("/v2.0/networks").expect(200);
}
