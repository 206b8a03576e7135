//! Restarts under traffic.

use serde_json::json;
use weir::cli::lab::wait::Look;

use super::super::conversation::{Connection, Heard, Talk, talk};
use super::super::stream::{Flood, Stream};
use super::super::switch::{BRIDGES, FlowWatch};
use super::super::world::{Tested, World};
use super::{allow, expect, group, soon};

#[test]
fn connections_outlive_the_controller_and_strangers_stay_out() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let servers = group(&tenant.api, "servers")?;
    let members = group(&tenant.api, "members")?;
    allow(&tenant.api, &servers, json!({"protocol": "tcp", "remote_group_id": members}))?;
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot_with(&tenant, "near", "h1", 12, json!({"security_groups": [members]}))?;
    let far = world.boot_with(&tenant, "far", "h2", 13, json!({"security_groups": [members]}))?;
    let beside = world.boot(&tenant, "beside", "h1", 14)?;
    let away = world.boot(&tenant, "away", "h2", 15)?;
    for client in [&near, &far] {
        soon(&world, client.name(), || Ok(talk(Talk::Tcp(80), client, &server, false)? == Heard::Both))?;
    }
    let mut streams = Vec::new();
    for (client, port) in [(&near, 80), (&far, 81)] {
        streams.push(Stream::begin(Connection::open(client, &server, port, false)?)?);
    }
    let floods = [Flood::begin(&beside, &server, 90, false)?, Flood::begin(&away, &server, 91, false)?];

    let mut watches = Vec::new();
    for host in &world.lab.state().hypervisors {
        for bridge in BRIDGES {
            watches.push(FlowWatch::begin(host, bridge)?);
        }
    }
    world.lab.kill_controller()?;
    let alone: Vec<_> = streams.iter().map(Stream::received).collect();
    for (stream, before) in streams.iter().zip(alone) {
        soon(&world, "a stream without a controller", || Ok(stream.received() > before))?;
    }
    expect("a stranger", || talk(Talk::Tcp(82), &beside, &server, false), Heard::Nothing)?;
    expect("a member", || talk(Talk::Tcp(82), &far, &server, false), Heard::Both)?;
    world.lab.start_controller()?;
    world.lab.wait_in_step()?;
    for watch in watches {
        assert_eq!(watch.end()?, [""; 0], "what the controller sent when it came back");
    }

    // A switch that restarts has forgotten its connections. Those that are allowed go on with what comes next.
    let before: Vec<_> = streams.iter().map(Stream::received).collect();
    world.lab.host("h1")?.restart_vswitchd()?;
    for (stream, before) in streams.iter().zip(before) {
        world.wait("a stream over a restarted switch", || {
            let received = stream.received();
            Ok(Look::when(received > before + 1, received))
        })?;
    }
    world.lab.wait_in_step()?;
    expect("a stranger", || talk(Talk::Tcp(83), &away, &server, false), Heard::Nothing)?;
    for stream in streams {
        stream.end()?;
    }
    for flood in floods {
        let tally = flood.end()?;
        assert!(tally.received == 0 && tally.sent > 100, "{tally:?}");
    }
    Ok(())
}
