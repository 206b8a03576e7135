//! What an operator types: `weir hosts`, `weir flows`, `weir lab`, `weir demo`.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use serde_json::json;
use weir::cli::lab::{Interrupt, Lab, METRICS, Namespace, Tool};

use super::switch::BRIDGES;
use super::world::{Failure, Tested, World, fresh_name, id, program};

#[test]
fn hosts_and_flows_name_what_they_show() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    world.boot(&tenant, "b", "h2", 12)?;
    let namespace = world.lab.controller()?.namespace().clone();
    let weir = |arguments: &[&str]| -> Tool { namespace.tool(&program().to_string_lossy()).args(arguments) };

    let hosts = weir(&["hosts"]).run()?;
    for word in ["h1", "h2", "192.0.2.11", "192.0.2.12", "br-int", "br-tun"] {
        assert!(hosts.contains(word), "no {word} in\n{hosts}");
    }

    let answers = weir(&["hosts", "--answers"]).run()?;
    for word in ["h1", "h2", "ANSWERED", "LIMITED"] {
        assert!(answers.contains(word), "no {word} in\n{answers}");
    }

    let host = world.lab.host("h1")?;
    for bridge in BRIDGES {
        let live = weir(&["flows", "h1", bridge]).run()?;
        assert!(live.contains("classify"), "table names\n{live}");
        let dump = host.ofctl("dump-flows", bridge, &[])?;
        let explained = weir(&["flows", "explain"]).input(dump).run()?;
        for text in [&live, &explained] {
            assert!(text.contains("net1") || text.contains(&tenant.network), "the network\n{text}");
        }
    }
    let live = weir(&["flows", "h1", "br-int"]).run()?;
    assert!(live.contains(&a.guest().port) || live.contains("port a"), "the port\n{live}");
    let unknown = weir(&["flows", "h9"]).output()?;
    assert!(!unknown.status.success(), "a host that is not there");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("h9"));
    Ok(())
}

/// The page of the controller's metrics.
pub(crate) fn metrics(namespace: &Namespace) -> Result<String, Failure> {
    let mut stream = namespace.connect(METRICS, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn metrics_tell_of_sessions_flows_and_requests() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    world.boot(&tenant, "a", "h1", 11)?;
    world.lab.wait_in_step()?;
    let namespace = world.lab.controller()?.namespace().clone();
    let page = metrics(&namespace)?;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("application/openmetrics-text"), "{page}");
    let value = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).ok_or_else(|| format!("no {name} in\n{page}"))
    };
    assert_eq!(value("weir_sessions{protocol=\"openflow\",state=\"up\"}")?, 4.0);
    assert_eq!(value("weir_sessions{protocol=\"ovsdb\",state=\"up\"}")?, 2.0);
    assert_eq!(value("weir_hypervisors{state=\"alive\"}")?, 2.0);
    assert_eq!(value("weir_switch_lag_revisions{host=\"h1\",bridge=\"br-int\"}")?, 0.0);
    let year = 365.0 * 86_400.0;
    assert!(value("weir_switch_compared_timestamp_seconds{host=\"h1\",bridge=\"br-int\"}")? > 50.0 * year);
    assert!(value("weir_comparisons_total")? >= 4.0 && value("weir_acknowledgements_total")? >= 4.0);
    assert!(value("weir_edits_total")? > 10.0 && value("weir_units_rebuilt_total")? > 5.0);
    assert!(value("weir_switch_behind_seconds_count")? >= 4.0 && value("weir_store_commit_seconds_count")? > 1.0);
    assert!(value("weir_api_request_seconds_count{method=\"POST\",status=\"201\"}")? >= 3.0);
    assert_eq!(value("weir_refusals_total")?, 0.0);
    assert_eq!(value("weir_packet_ins_total{outcome=\"lost\",what=\"the switch was behind\"}")?, 0.0);
    Ok(())
}

#[test]
fn the_demo_shows_what_is_expected_and_leaves_nothing() -> Tested {
    let name = fresh_name()?;
    let shown = Tool::new(&program().to_string_lossy()).args(["demo", "--once", "--name", name.as_str()]).run()?;
    for text in [
        "Seen as expected",
        "IPv4 by DHCP",
        "answered, ttl=63",
        "10.0.0.1 says: Time to live exceeded",
        "Time exceeded: Hop limit",
        "no connection",
        "  connected",
        "the open connection is cut, and no new one",
    ] {
        assert!(shown.contains(text), "no {text:?} in\n{shown}");
    }
    assert_eq!(Namespace::all(name.as_str())?, []);
    assert!(!name.directory().exists());
    Ok(())
}

#[test]
fn a_lab_by_hand() -> Tested {
    let name = fresh_name()?;
    let lab = |arguments: &[&str]| -> Tool {
        let (action, rest) = arguments.split_at(1);
        let program = program();
        Tool::new(&program.to_string_lossy()).arg("lab").args(action).args(["--name", name.as_str()]).args(rest)
    };
    lab(&["up", "--hosts", "1", "--controller", "none"]).run()?;
    let again = lab(&["up"]).output()?;
    assert!(String::from_utf8_lossy(&again.stderr).contains("weir lab down"), "says what to do: {again:?}");
    let status = lab(&["status"]).run()?;
    assert!(status.contains("h1") && status.contains("ovs-vswitchd ("), "{status}");
    let bridges = lab(&["exec", "h1", "--", "ovs-vsctl", "list-br"]).run()?;
    assert_eq!(bridges, "br-phy\n");
    assert_eq!(lab(&["exec", "h1", "--", "sh", "-c", "exit 7"]).output()?.status.code(), Some(7));
    assert!(!lab(&["exec", "h2", "--", "true"]).output()?.status.success(), "there is no h2");
    lab(&["down"]).run()?;
    lab(&["down"]).run()?;
    assert_eq!(Namespace::all(name.as_str())?, []);
    Ok(())
}

#[test]
fn a_vm_by_hand_asks_for_its_address() -> Tested {
    let name = fresh_name()?;
    let lab = |arguments: &[&str]| -> Tool {
        let (action, rest) = arguments.split_at(1);
        let program = program();
        Tool::new(&program.to_string_lossy()).arg("lab").args(action).args(["--name", name.as_str()]).args(rest)
    };
    lab(&["up", "--hosts", "1"]).run()?;
    let api = Lab::open(&name, &Interrupt::never())?.api()?;
    let network = api.create("networks", json!({}))?;
    api.create("subnets", json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}))?;
    let port = api.create("ports", json!({"network_id": network["id"], "binding:host_id": "h1"}))?;
    lab(&["boot", "--dhcp", "vm", "h1", &id(&port)]).run()?;
    let shown = lab(&["exec", "vm", "--", "ip", "address"]).run()?;
    let address = port["fixed_ips"][0]["ip_address"].as_str().unwrap_or_default();
    assert!(shown.contains(&format!("inet {address}/24")), "{shown}");
    lab(&["down"]).run()?;
    Ok(())
}
