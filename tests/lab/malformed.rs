//! Peers and callers that send nonsense.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use weir::cli::lab::CONTROLLER;

use super::world::{Failure, Tested, World};

/// Sends bytes to the controller and waits until it hangs up; tells whether it did.
fn hangs_up(world: &World, port: u16, bytes: &[u8]) -> Result<bool, Failure> {
    let address = SocketAddr::new(CONTROLLER, port);
    let mut stream = world.lab.controller()?.namespace().connect(address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    // It may hang up before everything is sent.
    let _ = stream.write_all(bytes);
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

#[test]
fn nonsense_on_the_sockets_is_refused_and_the_controller_goes_on() -> Tested {
    let mut world = World::new(1)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let process = world.lab.controller()?.process();

    let zeros = [0; 4096];
    let openflow: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &zeros,
        &[0xff; 4096],
        // A hello that only knows OpenFlow 1.0.
        &[1, 0, 0, 8, 0, 0, 0, 1],
        // A message shorter than its own header.
        &[6, 0, 0, 4, 0, 0, 0, 1],
        // A hello of the right version, then an error message cut short by its own length.
        &[6, 0, 0, 8, 0, 0, 0, 1, 6, 1, 0, 9, 0, 0, 0, 2, 0],
    ];
    for bytes in openflow {
        assert!(hangs_up(&world, 6653, bytes)?, "OpenFlow: {:x?}", &bytes[..bytes.len().min(16)]);
    }
    let deep = "[".repeat(100_000);
    let ovsdb: [&[u8]; 5] = [b"GET / HTTP/1.1\r\n\r\n", &zeros, b"{]", b"[1, 2, 3]", deep.as_bytes()];
    for bytes in ovsdb {
        assert!(hangs_up(&world, 6640, bytes)?, "OVSDB: {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(16)]));
    }

    // Connections that never say anything are held open while everything else goes on.
    let namespace = world.lab.controller()?.namespace().clone();
    let mut silent = Vec::new();
    for port in [6640, 6653] {
        for _ in 0..50 {
            silent.push(namespace.connect(SocketAddr::new(CONTROLLER, port), Duration::from_secs(5))?);
        }
    }
    let b = world.boot(&tenant, "b", "h1", 12)?;
    world.wait_reach(&a, &b)?;
    drop(silent);
    assert_eq!(world.lab.controller()?.process(), process, "the same process all along");
    Ok(())
}

#[test]
fn nonsense_to_the_api_is_a_4xx() -> Tested {
    let world = World::new(1)?;
    let process = world.lab.controller()?.process();
    let deep = format!("{{\"network\":{}", "[".repeat(100_000));
    let long = format!("{{\"network\": {{\"name\": \"{}\"}}}}", "x".repeat(64 << 20));
    let bodies: [(&str, &[u8]); 9] = [
        ("not JSON", b"{"),
        ("nothing", b""),
        ("no object", b"[]"),
        ("no resource", b"{}"),
        ("a wrong type", b"{\"network\": {\"name\": 5}}"),
        ("an unknown attribute", b"{\"network\": {\"colour\": \"red\"}}"),
        ("not UTF-8", b"{\"network\": {\"name\": \"\xff\"}}"),
        ("too deep", deep.as_bytes()),
        ("too long", long.as_bytes()),
    ];
    for (what, body) in bodies {
        match world.api.request_bytes("POST", "/v2.0/networks", body) {
            Ok(answer) => assert!((400..500).contains(&answer.status), "{what}: {answer:?}"),
            // A server may hang up on a body that is far too long while it is being sent.
            Err(error) => assert_eq!(what, "too long", "{error}"),
        }
    }
    for path in ["/v2.0/networks/nonsense", "/v2.0/nonsense", "/nonsense", "/v2.0/networks?limit=-1"] {
        let answer = world.api.request("GET", path, None)?;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    assert_eq!(world.api.list("networks", "")?.len(), 0);
    assert_eq!(world.lab.controller()?.process(), process, "the same process all along");
    Ok(())
}
