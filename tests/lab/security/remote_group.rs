//! Rules that name a group.

use serde_json::json;

use weir_compile::SEAL_TABLE;

use super::super::conversation::{Connection, Heard, Talk, talk, talks};
use super::super::switch::{BRIDGES, FlowWatch};
use super::super::world::{Tested, World};
use super::{allow, expect, group, soon};

const PORT: u16 = 5432;

#[test]
fn a_rule_for_a_group_is_for_its_members_alone() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let (web, database) = (group(&tenant.api, "web")?, group(&tenant.api, "database")?);
    let idle = group(&tenant.api, "idle")?;
    for ethertype in ["IPv4", "IPv6"] {
        let rule = json!({
            "ethertype": ethertype, "protocol": "tcp", "port_range_min": PORT, "port_range_max": PORT,
            "remote_group_id": web,
        });
        allow(&tenant.api, &database, rule)?;
    }
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [database]}))?;
    let near = world.boot_with(&tenant, "near", "h1", 12, json!({"security_groups": [web]}))?;
    let far = world.boot_with(&tenant, "far", "h2", 13, json!({"security_groups": [web]}))?;
    let joins = world.boot_with(&tenant, "joins", "h2", 14, json!({"security_groups": [idle]}))?;
    for ipv6 in [false, true] {
        for member in [&near, &far] {
            expect(member.name(), || talk(Talk::Tcp(PORT), member, &server, ipv6), Heard::Both)?;
            expect("another port", || talk(Talk::Tcp(PORT + 1), member, &server, ipv6), Heard::Nothing)?;
            expect("another protocol", || talk(Talk::Udp(PORT), member, &server, ipv6), Heard::Nothing)?;
        }
        expect("no member", || talk(Talk::Tcp(PORT), &joins, &server, ipv6), Heard::Nothing)?;
    }
    expect("the other way", || talk(Talk::Tcp(PORT), &server, &near, false), Heard::Nothing)?;

    // A member that joins is one flow for each of its addresses and each set of groups that names the group.
    world.lab.wait_in_step()?;
    let host = world.lab.host("h1")?.clone();
    let watches = BRIDGES.map(|bridge| FlowWatch::begin(&host, bridge));
    let joined = json!({"security_groups": [idle, web]});
    tenant.api.update("ports", &joins.guest().port, joined)?;
    let mut held = Vec::new();
    for ipv6 in [false, true] {
        soon(&world, "the new member gets in", || talks(&joins, &server, PORT, ipv6))?;
        held.push(Connection::open(&joins, &server, PORT, ipv6)?);
    }
    let [int, tun] = watches;
    let mut changes = int?.end()?;
    changes.retain(|change| !change.contains(&format!("table={} ", SEAL_TABLE.0)));
    assert_eq!(changes.len(), 2, "{changes:#?}");
    assert!(changes.iter().all(|change| change.starts_with("event=ADDED table=50")), "{changes:#?}");
    for field in ["ct_nw_src=10.0.0.14", "ct_ipv6_src=fd00:10::14"] {
        assert!(changes.iter().any(|change| change.contains(field)), "{field}: {changes:#?}");
    }
    assert_eq!(tun?.end()?, [""; 0]);

    // Who leaves is cut off, with all its connections, and nobody else is.
    let mut stays = Connection::open(&far, &server, PORT, false)?;
    tenant.api.update("ports", &joins.guest().port, json!({"security_groups": [idle]}))?;
    for (ipv6, connection) in [false, true].into_iter().zip(&mut held) {
        soon(&world, "the end of the connection", || Ok(!connection.asks()?))?;
        assert!(!connection.answers()?, "nor the other way");
        expect("no member any more", || talk(Talk::Tcp(PORT), &joins, &server, ipv6), Heard::Nothing)?;
    }
    assert!(stays.asks()? && stays.answers()?);
    Ok(())
}
