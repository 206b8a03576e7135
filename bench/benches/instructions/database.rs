//! A hypervisor's database: its first rows, and one interface more.

use crate::heap::settled;
use bytes::{Bytes, BytesMut};
use gungraun::library_benchmark;
use std::time::Instant;
use uuid::Uuid;
use weir::link::hypervisor::{Hypervisor, HypervisorEvent};
use weir_compile::{Bridge, table_names};
use weir_ovsdb::Wanted;
use weir_sim::ovsdb_server::{ClientId, OvsdbServer};

/// Weir's side of a connection, what came on it that was not read yet, and the time.
pub(crate) struct Connected {
    hypervisor: Hypervisor,
    unread: Bytes,
    now: Instant,
}

impl Connected {
    /// Sends what is to be sent; false if there was nothing. The answers are not read.
    fn send(&mut self, server: &mut OvsdbServer, client: ClientId) -> bool {
        let mut output = BytesMut::new();
        while let Some(bytes) = self.hypervisor.poll_transmit() {
            output.extend_from_slice(&bytes);
        }
        server.handle(client, &output).expect("Weir speaks JSON");
        self.unread = server.poll_transmit(client);
        !output.is_empty()
    }

    fn read(&mut self) -> Vec<HypervisorEvent> {
        self.hypervisor.handle_bytes(self.now, &self.unread);
        std::iter::from_fn(|| self.hypervisor.poll_event()).collect()
    }
}

fn connect(server: &mut OvsdbServer) -> (ClientId, Connected) {
    let wanted = Wanted {
        controller: "tcp:192.0.2.1:6653".to_owned(),
        inactivity_probe: None,
        max_backoff: Some(1000),
        integration_tables: table_names(Bridge::Integration),
        tunnel_tables: table_names(Bridge::Tunnel),
    };
    let now = Instant::now();
    let hypervisor = Hypervisor::new(now, wanted);
    (server.connect(), Connected { hypervisor, unread: Bytes::new(), now })
}

/// A hypervisor that Weir has set up and that has so many interfaces, and a connection to it that has read its rows.
fn server(interfaces: u128) -> (OvsdbServer, ClientId, Connected) {
    let ids = [("hostname", "h1"), ("system-id", "one"), ("weir-encap-ip", "192.0.2.11")];
    let mut server = OvsdbServer::new(1, &ids);
    let (client, mut connected) = connect(&mut server);
    while connected.send(&mut server, client) {
        connected.read();
    }
    for number in 1..=interfaces {
        plug(&mut server, number);
    }
    connected.unread = server.poll_transmit(client);
    connected.read();
    (server, client, connected)
}

fn plug(server: &mut OvsdbServer, number: u128) {
    let name = format!("tap{number}");
    server.plug(Bridge::Integration.name(), &name, Uuid::from_u128(number)).expect("Weir has made the bridge");
}

/// A connection to which the first rows have come.
fn rows(interfaces: u128) -> Connected {
    let (mut server, _, _) = server(interfaces);
    let (client, mut connected) = connect(&mut server);
    connected.send(&mut server, client);
    connected.read();
    connected.send(&mut server, client);
    connected
}

/// A connection to which word of one interface more has come.
fn update(interfaces: u128) -> Connected {
    let (mut server, client, mut connected) = server(interfaces);
    plug(&mut server, interfaces + 1);
    connected.unread = server.poll_transmit(client);
    connected
}

#[library_benchmark]
#[bench::rows_of_50(settled(rows(50)))]
#[bench::one_more_of_50(settled(update(50)))]
pub(crate) fn mirror(mut connected: Connected) -> (Connected, Vec<HypervisorEvent>) {
    let events = connected.read();
    (connected, events)
}
