//! A rule that goes takes its connections with it, and no others.

use std::collections::BTreeSet;

use serde_json::json;
use weir::cli::lab::wait::Look;

use super::super::conversation::{Connection, Exchange, Heard, PATIENCE, Talk, talk};
use super::super::stream::Stream;
use super::super::world::{Failure, Tested, World, address};
use super::{allow, connections_of, expect, group, soon};

/// The generation of rules that let a connection in, as its label keeps it.
fn ingress_generation(connection: &str) -> Option<u128> {
    let (_, rest) = connection.split_once("labels=0x")?;
    let label = u128::from_str_radix(rest.split([',', ' ']).next()?, 16).ok()?;
    Some(label >> 96)
}

#[test]
fn a_deleted_rule_ends_its_connections_both_ways_and_no_others() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let servers = group(&tenant.api, "servers")?;
    let ports = |protocol: &str, first: u16, last: u16| json!({"protocol": protocol, "port_range_min": first, "port_range_max": last});
    allow(&tenant.api, &servers, ports("tcp", 7001, 7001))?;
    let rules = [ports("tcp", 7002, 7002), ports("udp", 7003, 7004)];
    let mut ids = Vec::new();
    for rule in &rules {
        ids.push(allow(&tenant.api, &servers, rule.clone())?);
    }
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;

    let open = |client, port| Connection::open(client, &server, port, false);
    let mut allowed = Vec::new();
    let mut streams = Vec::new();
    let mut pairs = Vec::new();
    for (client, port) in [(&near, 7003), (&far, 7004)] {
        allowed.push(Stream::begin(open(client, 7001)?)?);
        streams.push(Stream::begin(open(client, 7002)?)?);
        let mut connection = open(client, 7002)?;
        assert!(connection.asks()? && connection.answers()?);
        let mut exchange = Exchange::open(client, &server, port, false)?;
        assert!(exchange.asks()? && exchange.answers()?);
        pairs.push((client, connection, exchange));
    }

    // Connections are judged anew when a rule goes, and once they were they are known to be allowed again.
    let allowed_by = || -> Result<BTreeSet<u128>, Failure> {
        let lines = connections_of(&world, "h1", address(&server, false)?)?;
        let labels = lines.iter().filter(|line| line.contains("orig=(") && line.contains("dport=7001)"));
        labels.map(|line| ingress_generation(line).ok_or_else(|| line.as_str().into())).collect()
    };
    let generations = allowed_by()?;
    assert!(generations.len() == 1 && !generations.contains(&0), "{generations:?}");
    for id in &ids {
        tenant.api.delete("security-group-rules", id)?;
    }
    soon(&world, "the next generation", || {
        let now = allowed_by()?;
        Ok(now.len() == 1 && now.is_disjoint(&generations))
    })?;
    for (client, connection, exchange) in &mut pairs {
        // The server's side first, so that nothing that the client sends could be what ends it.
        soon(&world, "the end of datagrams", || Ok(!exchange.answers()?))?;
        soon(&world, "the end of the connection", || Ok(!connection.answers()?))?;
        assert!(!exchange.asks()? && !connection.asks()?);
        for way in [Talk::Tcp(7002), Talk::Udp(7005)] {
            expect(client.name(), || talk(way, client, &server, false), Heard::Nothing)?;
        }
    }
    let before: Vec<_> = streams.iter().map(Stream::received).collect();
    let others: Vec<_> = allowed.iter().map(Stream::received).collect();
    std::thread::sleep(PATIENCE);
    assert_eq!(streams.iter().map(Stream::received).collect::<Vec<_>>(), before, "streams under way");
    for (stream, before) in allowed.iter().zip(others) {
        assert!(stream.received() > before, "what another rule allows goes on");
    }

    for rule in &rules {
        allow(&tenant.api, &servers, rule.clone())?;
    }
    for (client, mut connection, mut exchange) in pairs {
        soon(&world, "new connections", || Ok(talk(Talk::Tcp(7002), client, &server, false)? == Heard::Both))?;
        soon(&world, "datagrams", || Ok(exchange.asks()? && exchange.answers()?))?;
        // TCP tries again after longer and longer pauses; nothing is lost.
        world
            .wait("the old connection", || Ok(Look::when(matches!(connection.asks(), Ok(true)), "nothing arrives")))?;
    }
    for stream in allowed {
        stream.end()?;
    }
    Ok(())
}
