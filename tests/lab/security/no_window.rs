//! Changes of groups and rules under traffic: what no state between allows gets through at no time.

use serde_json::{Value, json};
use weir::cli::lab::LabError;

use super::super::conversation::{Connection, Heard, Talk, talk};
use super::super::stream::{Flood, Stream};
use super::super::world::{Tested, World, id};
use super::{allow, group, soon};

/// How often everything is changed.
const ROUNDS: usize = 8;

#[test]
fn no_change_lets_a_stranger_in_or_costs_a_friend_a_packet() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let api = &tenant.api;
    let (friends, others) = (group(api, "friends")?, group(api, "others")?);
    let partners = id(&api.create("address-groups", json!({"name": "partners", "addresses": ["192.0.2.1/32"]}))?);
    let mut groups = Vec::new();
    for (name, stateful) in [("one", true), ("two", true), ("three", false)] {
        let group = id(&api.create("security-groups", json!({"name": name, "stateful": stateful}))?);
        for ethertype in ["IPv4", "IPv6"] {
            allow(api, &group, json!({"ethertype": ethertype, "remote_group_id": friends}))?;
            allow(api, &group, json!({"ethertype": ethertype, "remote_address_group_id": partners}))?;
        }
        groups.push(group);
    }
    let [one, two, three] = &groups[..] else { unreachable!("three groups") };

    let victim = world.boot_with(&tenant, "victim", "h1", 11, json!({"security_groups": [one]}))?;
    let near = world.boot_with(&tenant, "near", "h1", 12, json!({"security_groups": [friends]}))?;
    let far = world.boot_with(&tenant, "far", "h2", 13, json!({"security_groups": [friends]}))?;
    let beside = world.boot_with(&tenant, "beside", "h1", 14, json!({"security_groups": [others]}))?;
    let away = world.boot_with(&tenant, "away", "h2", 15, json!({"security_groups": [others]}))?;
    let idle = id(&api.create("ports", json!({"network_id": tenant.network, "security_groups": [others]}))?);
    for friend in [&near, &far] {
        for ipv6 in [false, true] {
            soon(&world, friend.name(), || Ok(talk(Talk::Udp(9000), friend, &victim, ipv6)? == Heard::Both))?;
        }
    }
    let strangers = [
        Flood::begin(&beside, &victim, 9001, false)?,
        Flood::begin(&beside, &victim, 9001, true)?,
        Flood::begin(&away, &victim, 9002, false)?,
        Flood::begin(&away, &victim, 9002, true)?,
    ];
    let floods = [
        Flood::begin(&near, &victim, 9003, false)?,
        Flood::begin(&near, &victim, 9003, true)?,
        Flood::begin(&far, &victim, 9004, false)?,
        Flood::begin(&far, &victim, 9004, true)?,
    ];
    let streams = [
        Stream::begin(Connection::open(&near, &victim, 9005, false)?)?,
        Stream::begin(Connection::open(&far, &victim, 9006, false)?)?,
    ];

    let port = &victim.guest().port;
    let update = |collection: &str, id: &str, change: Value| api.update(collection, id, change).map(drop);
    let address = |action: &str| -> Result<(), LabError> {
        let path = format!("/v2.0/address-groups/{partners}/{action}");
        api.request("PUT", &path, Some(&json!({"addresses": ["192.0.2.64/26", "2001:db8::/32"]}))).map(drop)
    };
    for round in 0..ROUNDS {
        for set in [json!([two]), json!([one, two]), json!([two, one]), json!([three]), json!([one])] {
            update("ports", port, json!({"security_groups": set}))?;
            // Every other round goes as fast as the API takes it, so that changes meet in one bundle.
            if round % 2 == 0 {
                world.lab.wait_in_step()?;
            }
        }
        let ssh = allow(api, one, json!({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}))?;
        let dns = allow(api, one, json!({"protocol": "udp", "port_range_max": 8999, "port_range_min": 1}))?;
        address("add_addresses")?;
        update("ports", &idle, json!({"security_groups": [friends]}))?;
        update("ports", port, json!({"allowed_address_pairs": [{"ip_address": "10.0.0.99"}]}))?;
        update("ports", port, json!({"security_groups": [one, friends]}))?;
        if round % 2 == 0 {
            world.lab.wait_in_step()?;
        }
        update("ports", port, json!({"allowed_address_pairs": []}))?;
        update("ports", port, json!({"security_groups": [one]}))?;
        update("ports", &idle, json!({"security_groups": [others]}))?;
        address("remove_addresses")?;
        for rule in [ssh, dns] {
            api.delete("security-group-rules", &rule)?;
        }
    }
    world.lab.wait_in_step()?;
    for stranger in strangers {
        let tally = stranger.end()?;
        assert!(tally.received == 0 && tally.sent > 100, "a stranger's {tally:?}");
    }
    for flood in floods {
        let tally = flood.end()?;
        assert!(tally.received == tally.sent && tally.sent > 100, "a friend's {tally:?}");
    }
    for stream in streams {
        assert!(stream.end()? > 100);
    }

    // They would have been heard: now they are let in.
    allow(api, one, json!({"protocol": "udp"}))?;
    for stranger in [&beside, &away] {
        soon(&world, stranger.name(), || Ok(talk(Talk::Udp(9001), stranger, &victim, false)? == Heard::Both))?;
    }
    Ok(())
}
